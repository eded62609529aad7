//! `mycelium top`: what the nodes of this user do, as they do it, and what a node on another
//! machine does.

mod draw;
mod find;
mod keys;
mod plain;
mod remote;
mod state;
mod tables;
mod terminal;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mycelium_ext::view::{Request, Snapshot, Sort, Target};

use self::remote::Remote;
use self::state::State;
use crate::json;

/// What cannot be shown.
const REFUSED: u8 = 2;

/// Options of `mycelium top`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TopArgs {
    /// The node: its name with or without the host, the number of its process, or the path of its
    /// socket; for one on another machine HOST:PORT or tls://HOST:PORT. Needed only where there are
    /// several.
    pub(crate) node: Option<String>,
    /// A configuration that has the cookie and the certificates for a node on another machine.
    #[arg(long, value_name = "FILE", requires = "node", conflicts_with = "cookie_file")]
    pub(crate) config: Option<PathBuf>,
    /// A file that has the cookie for a node on another machine.
    #[arg(long, value_name = "FILE", requires = "node")]
    pub(crate) cookie_file: Option<PathBuf>,
    /// The name that this program has at a node on another machine. Where nodes show
    /// certificates it has to be in the one of the configuration. By default it is unlike any other.
    #[arg(long, value_name = "NAME", requires = "node")]
    pub(crate) name: Option<String>,
    /// Prints one snapshot, and ends.
    #[arg(long)]
    pub(crate) once: bool,
    /// Prints one snapshot as JSON, and ends.
    #[arg(long)]
    pub(crate) json: bool,
    /// Lists the nodes that can be watched, and ends.
    #[arg(long, conflicts_with = "node")]
    pub(crate) list: bool,
    /// How many actors are printed.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) actors: usize,
    /// Their order.
    #[arg(long, value_enum, default_value_t = Order::Handling)]
    pub(crate) sort: Order,
    /// Only actors in whose name, type or number this occurs.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) filter: String,
    /// The pause between two snapshots, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(100..=60_000))]
    pub(crate) interval: u64,
}

/// The order of actors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Order {
    /// The handler that has run the longest first, then by messages that wait. The runtime's actors
    /// that wait for bytes of a connection come behind those that handle.
    Handling,
    /// The most messages that wait first.
    Waiting,
    /// The most messages handled first.
    Handled,
    /// The most lost messages first.
    Lost,
    /// By name.
    Name,
    /// By number.
    Id,
}

impl Order {
    const ALL: [Self; 6] =
        [Self::Handling, Self::Waiting, Self::Handled, Self::Lost, Self::Name, Self::Id];

    /// The one after this.
    fn next(self) -> Self {
        let place = Self::ALL.iter().position(|it| *it == self).unwrap_or(0);
        Self::ALL[(place + 1) % Self::ALL.len()]
    }

    fn sort(self) -> Sort {
        match self {
            Self::Handling => Sort::Handling,
            Self::Waiting => Sort::Waiting,
            Self::Handled => Sort::Handled,
            Self::Lost => Sort::Lost,
            Self::Name => Sort::Name,
            Self::Id => Sort::Id,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Handling => "handling",
            Self::Waiting => "waiting",
            Self::Handled => "handled",
            Self::Lost => "lost",
            Self::Name => "name",
            Self::Id => "id",
        }
    }
}

/// A node that is watched.
#[derive(Debug, Clone, PartialEq)]
enum Watched {
    /// One of this user, by its socket.
    Local(Target),
    /// One on another machine, by a session.
    Remote(Remote),
}

impl Watched {
    /// The node that the arguments mean.
    fn meant(args: &TopArgs) -> Result<Self, String> {
        match args.node.as_deref().and_then(remote::address) {
            Some(address) => Remote::new(args, address?).map(Self::Remote),
            None if args.config.is_some() || args.cookie_file.is_some() || args.name.is_some() => {
                let what = "--config, --cookie-file and --name are for a node on another machine";
                Err(format!("{what}: say its HOST:PORT"))
            }
            None => find::one(args.node.as_deref()).map(Self::Local),
        }
    }

    /// Asks it. Blocks.
    fn ask(&self, request: &Request) -> Result<Snapshot, String> {
        match self {
            Self::Local(target) => target.ask(request).map_err(|error| error.to_string()),
            Self::Remote(remote) => remote.ask(request),
        }
    }
}

/// Shows a node. Exit status 0 when it was shown, 2 when there is no such node or it does not
/// answer.
pub(crate) fn run(args: &TopArgs) -> ExitCode {
    let shown = match (args.list, args.once || args.json) {
        (true, _) => list(args.json),
        (false, true) => once(args),
        (false, false) => watch(args),
    };
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mycelium: {error}");
            if args.json {
                json::failure("top", REFUSED, &error);
            }
            ExitCode::from(REFUSED)
        }
    }
}

fn list(json: bool) -> Result<(), String> {
    let found = find::all()?;
    if json {
        let nodes: Vec<_> = found.iter().map(|found| &found.node).collect();
        json::result("top", 0, serde_json::json!({ "nodes": nodes }));
        return Ok(());
    }
    print!("{}", plain::list(&found));
    Ok(())
}

fn once(args: &TopArgs) -> Result<(), String> {
    let watched = Watched::meant(args)?;
    let request = Request::all(args.actors).sorted(args.sort.sort()).filtered(&args.filter);
    let snapshot = watched.ask(&request)?;
    if args.json {
        json::result("top", 0, &snapshot);
        return Ok(());
    }
    print!("{}", plain::snapshot(&snapshot));
    Ok(())
}

fn watch(args: &TopArgs) -> Result<(), String> {
    let watched = match Watched::meant(args) {
        Ok(watched) => Some(watched),
        // Several: one is chosen from the list.
        Err(_) if args.node.is_none() && find::all()?.len() > 1 => None,
        Err(error) => return Err(error),
    };
    let mut state = State::new(watched, args.sort, args.filter.clone());
    terminal::run(&mut state, Duration::from_millis(args.interval))
}
