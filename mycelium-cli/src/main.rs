//! The `mycelium` command.

#[cfg(feature = "cluster")]
mod check;
mod colour;
#[cfg(all(unix, feature = "cluster"))]
mod demo;
mod doctor;
#[cfg(feature = "cluster")]
mod init;
mod json;
mod lockfile;
#[cfg(feature = "cluster")]
mod log;
#[cfg(all(unix, feature = "cluster"))]
mod node;
mod requirements;
#[cfg(all(unix, feature = "cluster"))]
mod soak;
#[cfg(all(unix, feature = "cluster"))]
mod top;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// Tools around Mycelium's fork of ractor.
#[derive(Debug, Parser)]
#[command(name = "mycelium", version)]
struct Cli {
    /// Logs more: once what happens, twice also details, three times all there is.
    ///
    /// The variable RUST_LOG goes before it, and says more: RUST_LOG=ractor_cluster=debug,info.
    #[cfg(feature = "cluster")]
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
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
        /// Prints what was found as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Writes a configuration to start with, and a cookie that only its owner can read.
    ///
    /// Both pass `mycelium check`. Files that are there are left alone. Exit status: 0 when they
    /// are written, 2 when not.
    #[cfg(feature = "cluster")]
    Init {
        /// The folder.
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// The node's name; by default that of the folder.
        #[arg(long)]
        name: Option<String>,
    },
    /// Prints the completions of a shell: mycelium completions bash > mycelium.bash
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Checks that a project uses the fork.
    ///
    /// Reads the project's Cargo.lock, which is what cargo builds, and the patches in the
    /// Cargo.toml beside it. Warns of requirements without a `=`, with which a later update may
    /// take stock. Exit status: 0 when all is from the fork, also with warnings, 1 when something
    /// is not, 2 when there is nothing to read.
    Doctor {
        /// The project's folder; its Cargo.lock may also stand in a folder above.
        #[arg(default_value = ".")]
        project: PathBuf,
        /// Prints what was found as JSON; `docs/guide/src/json.md` has its fields.
        #[arg(long)]
        json: bool,
    },
    /// Sends recorded trades to readers at three distances, and shows what each costs.
    ///
    /// Eight readers run in this process, eight in a second one of this machine, and eight in a
    /// third one that is treated as remote; beside them, in this process, readers of stock ractor
    /// and of bare queues get the same ticks. What waking costs here is measured too. Nothing needs
    /// to be set up, and nothing is left behind but the report. Exit status: 0 when every reader
    /// got every tick once and in order, 1 when not, 2 when it could not be run, 130 when it was
    /// interrupted.
    #[cfg(all(unix, feature = "cluster"))]
    Demo(demo::args::DemoArgs),
    /// Runs one node, so that what `mycelium demo` does can be done by hand on several machines.
    ///
    /// With --feed it replays recorded trades to the readers of all nodes that are connected, and
    /// prints link, latencies and throughput for each; with --readers it runs readers until the
    /// feed has ended; with neither it is a member of the cluster until Ctrl-C. Where it listens,
    /// and what happens to its peers, is told on standard error. Exit status: 0 when all went well,
    /// 1 when a reader did not get every tick once and in order, or the feed was gone too early, 2
    /// when the node does not start, 130 when the feed was interrupted.
    #[cfg(all(unix, feature = "cluster"))]
    Node(node::NodeArgs),
    /// Runs a small cluster under faults, and accounts for every message.
    ///
    /// Two feeds send to readers of their own processes, of other processes of this machine, and
    /// of processes that are treated as remote. Processes are killed and started again, stopped
    /// for a while, and cut off from each other. A hostile member, which has the cookie, and a
    /// stranger, who has none, attack meanwhile. At the end what was sent has to be what was
    /// delivered, rejected, reported as unacknowledged or held by a killed process; budgets have
    /// to be kept, of memory, stalls, failed calls and lines of the log; and nothing may be left.
    /// Exit status: 0 when all of that holds, 1 when not, 2 when it could not be run, 130 when it
    /// was interrupted.
    #[cfg(all(unix, feature = "cluster"))]
    Soak(soak::args::SoakArgs),
    /// Shows what a node does, as it does it: actors, groups, peers, and what was lost.
    ///
    /// It attaches to a node of the same user on this machine, by the Unix socket that the node
    /// serves unless its configuration says `view.socket = "off"`. It answers also while the node's
    /// runtime is stuck, and names the actors whose handlers have not returned. With an address and
    /// the cookie it connects to a node on another machine, whose configuration says `view.remote =
    /// true`. Exit status: 0 when it was shown, 2 when there is no such node or it does not answer.
    #[cfg(all(unix, feature = "cluster"))]
    Top(top::TopArgs),
    /// A process of a soak; `mycelium soak` starts these.
    #[cfg(all(unix, feature = "cluster"))]
    #[command(hide = true)]
    SoakMember,
    /// The readers of one distance; `mycelium demo` starts these.
    #[cfg(all(unix, feature = "cluster"))]
    #[command(hide = true)]
    DemoReaders,
    /// A process that is woken and tells when; `mycelium demo` starts it.
    #[cfg(all(unix, feature = "cluster"))]
    #[command(hide = true)]
    DemoSleeper,
}

/// Reads the arguments, and ends the process when they are wrong.
fn parse() -> Cli {
    let parsed = Cli::from_arg_matches(&command().get_matches());
    parsed.unwrap_or_else(|error| error.exit())
}

/// The arguments.
fn command() -> clap::Command {
    let command = Cli::command();
    // Of a replay nothing can be asked where there is no feed.
    #[cfg(all(unix, feature = "cluster"))]
    let command = command.mut_subcommand("node", |node| {
        node.mut_group("ReplayArgs", |replay| replay.multiple(true).requires("feed"))
    });
    command
}

/// Whether the log goes to standard error: not where that is the screen, nor where what is logged
/// is part of the result.
#[cfg(feature = "cluster")]
fn is_logged(command: &Command) -> bool {
    #[cfg(unix)]
    let is_own = matches!(command, Command::Top(_) | Command::Soak(_) | Command::SoakMember);
    #[cfg(not(unix))]
    let is_own = false;
    !is_own
}

fn main() -> ExitCode {
    let cli = parse();
    #[cfg(feature = "cluster")]
    if is_logged(&cli.command) {
        if let Err(error) = log::begin(cli.verbose) {
            eprintln!("mycelium: {error}");
            return ExitCode::from(2);
        }
    }
    match cli.command {
        #[cfg(feature = "cluster")]
        Command::Check { file, json } => check::run(&file, json),
        #[cfg(feature = "cluster")]
        Command::Init { folder, name } => init::run(&folder, name),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut command(), "mycelium", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
        Command::Doctor { project, json } => doctor::run(&project, json),
        #[cfg(all(unix, feature = "cluster"))]
        Command::Demo(args) => demo::run(&args),
        #[cfg(all(unix, feature = "cluster"))]
        Command::Node(args) => node::run(&args),
        #[cfg(all(unix, feature = "cluster"))]
        Command::DemoReaders => demo::child::run(),
        #[cfg(all(unix, feature = "cluster"))]
        Command::DemoSleeper => demo::floor::sleep(),
        #[cfg(all(unix, feature = "cluster"))]
        Command::Soak(args) => soak::run(&args),
        #[cfg(all(unix, feature = "cluster"))]
        Command::SoakMember => soak::member(),
        #[cfg(all(unix, feature = "cluster"))]
        Command::Top(args) => top::run(&args),
    }
}
