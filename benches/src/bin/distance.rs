//! Measures messages between two processes of this machine: stock and fork, over TCP and Unix
//! sockets, and bare sockets as the limit.

use clap::Parser;
use mycelium_benches::Failure;
use mycelium_benches::distance::{Options, run};

/// Builds an application against stock and against the fork, has both send messages from one
/// process to another in turns, and writes `report/DISTANCE.md` into the folder in which cargo
/// builds.
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
