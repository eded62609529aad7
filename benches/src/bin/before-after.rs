//! Measures one unchanged application on stock and on the fork.

use clap::Parser;
use mycelium_benches::Failure;
use mycelium_benches::before_after::{Options, run};

/// Builds an application of `ractor_cluster` against stock and against the fork, has both send from
/// one process to another in turns, and writes `report/BEFORE-AFTER.md` into the folder in which
/// cargo builds.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn main() -> Result<(), Failure> {
    let (text, file) = run(&Arguments::parse().options)?;
    println!("{text}\nWritten to {}.", file.display());
    Ok(())
}
