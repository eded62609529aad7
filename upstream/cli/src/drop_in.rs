//! `cargo upstream drop-in`: proves that others take the fork unchanged.

mod falling_off;
mod forms;
mod published;
mod rebuilds;
mod wire;
mod work;

use std::path::Path;

use crate::Failure;
use crate::repository::Repository;
use work::Work;

/// A proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Proof {
    /// An application runs with the fork patched in by `path`.
    Path,
    /// The same by `git`, with the cluster, and then vendored with the network off.
    Git,
    /// A stock node and one of the fork are nodes of one cluster, whichever connects.
    Wire,
    /// Builds that are repeated, interrupted or doubled do no harm.
    Rebuilds,
    /// Published crates pass the same of their own tests on stock and on the fork.
    Published,
    /// Falling off the fork is a compile error, and `mycelium doctor` tells.
    FallingOff,
}

const ALL: [Proof; 6] =
    [Proof::Path, Proof::Git, Proof::Wire, Proof::Rebuilds, Proof::Published, Proof::FallingOff];

pub(crate) fn run(
    repository: &Repository,
    only: &[Proof],
    target: Option<&Path>,
) -> Result<bool, Failure> {
    let mut failed = 0;
    let chosen: Vec<Proof> =
        ALL.into_iter().filter(|proof| only.is_empty() || only.contains(proof)).collect();
    // What applications have in common is compiled once for all proofs.
    let scratch = tempfile::Builder::new().prefix("drop in target ").tempdir()?;
    let shared = target.map_or_else(|| Ok(scratch.path().to_owned()), std::path::absolute)?;
    for proof in &chosen {
        println!("\n== drop-in, {proof:?}");
        let work = Work::new(repository, &shared)?;
        let outcome = match proof {
            Proof::Path => forms::by_path(&work),
            Proof::Git => forms::by_git_and_vendored(&work),
            Proof::Wire => wire::prove(&work),
            Proof::Rebuilds => rebuilds::prove(&work),
            Proof::Published => published::prove(&work),
            Proof::FallingOff => falling_off::prove(&work),
        };
        match outcome {
            Ok(()) => println!("{proof:?}: holds"),
            Err(error) => {
                failed += 1;
                println!("{proof:?}: DOES NOT HOLD: {error}");
            }
        }
    }
    println!("\n{} proofs hold, {failed} do not", chosen.len() - failed);
    Ok(failed == 0)
}
