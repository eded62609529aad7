//! The `mycelium` command.

#[cfg(feature = "cluster")]
mod check;
#[cfg(all(unix, feature = "cluster"))]
mod demo;
mod doctor;
mod lockfile;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tools around Mycelium's fork of ractor.
#[derive(Debug, Parser)]
#[command(name = "mycelium", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads a node's configuration, and prints what it means, or all that is wrong with it.
    ///
    /// Environment variables count as they do for the node itself. Secrets are not printed. Exit
    /// status: 0 when it is right, 1 when it is not, 2 when the file cannot be read.
    #[cfg(feature = "cluster")]
    Check {
        /// The configuration.
        #[arg(default_value = "mycelium.toml")]
        file: PathBuf,
    },
    /// Says whether a project really takes ractor from the fork.
    ///
    /// Reads the project's Cargo.lock, which is what cargo builds, and the patches in the
    /// Cargo.toml beside it. Exit status: 0 when all is from the fork, 1 when something is
    /// not, 2 when there is nothing to read.
    Doctor {
        /// The project's folder; its Cargo.lock may also stand in a folder above.
        #[arg(default_value = ".")]
        project: PathBuf,
    },
    /// Sends recorded trades to readers at three distances, and shows what each costs.
    ///
    /// Eight readers run in this process, eight in a second one of this machine, and eight in a third
    /// one that is treated as remote. Nothing needs to be set up, and nothing is left behind but the
    /// report. Exit status: 0 when every reader got every tick once and in order, 1 when not,
    /// 2 when it could not be run, 130 when it was interrupted.
    #[cfg(all(unix, feature = "cluster"))]
    Demo(demo::args::DemoArgs),
    /// The readers of one distance; `mycelium demo` starts these.
    #[cfg(all(unix, feature = "cluster"))]
    #[command(hide = true)]
    DemoReaders,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        #[cfg(feature = "cluster")]
        Command::Check { file } => check::run(&file),
        Command::Doctor { project } => match doctor::run(&project) {
            Ok(diagnosis) => {
                print!("{diagnosis}");
                ExitCode::from(u8::from(!diagnosis.healthy()))
            }
            Err(error) => {
                eprintln!("mycelium: {error}");
                ExitCode::from(2)
            }
        },
        #[cfg(all(unix, feature = "cluster"))]
        Command::Demo(args) => demo::run(&args),
        #[cfg(all(unix, feature = "cluster"))]
        Command::DemoReaders => demo::child::run(),
    }
}
