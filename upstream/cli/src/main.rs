//! `cargo upstream`: looks after the difference between upstream and the fork.

mod bench;
mod check;
mod compile;
mod contract;
mod diff;
mod drop_in;
mod export;
mod manifest;
mod open;
mod progress;
mod rebase;
mod repository;
mod status;
mod suites;
mod surface;
mod toolchain;
mod whole;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use repository::Repository;

/// Fetches, verifies, patches, rebases and exports the upstream of this fork.
///
/// Exit status of every command: 0 when all is well, 1 when something does not fit or fails, 2
/// for a wrong command line.
#[derive(Debug, Parser)]
#[command(name = "cargo upstream", bin_name = "cargo upstream", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Pins, patches, shadows and the patch surface; whether upstream has a newer release.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Do not ask the registry for newer releases.
        #[arg(long)]
        offline: bool,
    },
    /// Prints the unified diff from stock to fork, for review.
    Diff {
        /// Only this crate.
        krate: Option<String>,
        /// Only this file, as `src/actor.rs`.
        file: Option<String>,
    },
    /// Writes the patched trees as a scratch git repository: stock, then a commit per patch.
    Open {
        /// A folder that does not exist yet, or is empty.
        #[arg(default_value = "target/upstream/open")]
        folder: PathBuf,
    },
    /// Tries the fork on another upstream release, and moves the pins there when all fits.
    Rebase(rebase::Arguments),
    /// Writes self-contained sources of the three crates, to vendor, mirror or audit.
    Export {
        /// A folder that does not exist yet, or is empty.
        folder: PathBuf,
    },
    /// Compares manifests, shadows, patches and Rust versions with the pinned release, and what
    /// UPSTREAM.md lists with what there is.
    Check {
        /// Compare the public API with stock too (needs `cargo install cargo-semver-checks`).
        #[arg(long)]
        api: bool,
    },
    /// Runs the project's tests and upstream's own, for every feature set that matters.
    Test {
        /// Only the sets whose name contains this.
        only: Option<String>,
        /// Print the sets, and run nothing.
        #[arg(long)]
        list: bool,
    },
    /// Times upstream's own benches on stock and on the fork, in turns; fails when one is slower.
    Bench(bench::Arguments),
    /// Proves that applications and published crates take the fork unchanged.
    DropIn {
        /// Only these proofs.
        #[arg(value_enum)]
        only: Vec<drop_in::Proof>,
        /// Compile there what the applications have in common, and leave it there; without this
        /// in a folder that goes away.
        #[arg(long, value_name = "FOLDER")]
        target_dir: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = Repository::find().and_then(|repository| run(&repository, cli.command));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(1)
        }
    }
}

/// Whatever stops a command; every source's words say what failed.
type Failure = Box<dyn std::error::Error>;

/// Runs one command, and says whether all is well.
fn run(repository: &Repository, command: Command) -> Result<bool, Failure> {
    match command {
        Command::Status { json, offline } => status::run(repository, json, offline),
        Command::Diff { krate, file } => diff::run(repository, krate.as_deref(), file.as_deref()),
        Command::Open { folder } => open::run(repository, &folder),
        Command::Rebase(arguments) => rebase::run(repository, &arguments),
        Command::Export { folder } => export::run(repository, &folder),
        Command::Check { api } => check::run(repository, api),
        Command::Test { only, list } => suites::run(repository, only.as_deref(), list),
        Command::Bench(arguments) => bench::run(repository, &arguments),
        Command::DropIn { only, target_dir } => {
            drop_in::run(repository, &only, target_dir.as_deref())
        }
    }
}
