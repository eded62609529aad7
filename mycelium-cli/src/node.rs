//! `mycelium node`: one node from its configuration, with a feed, with readers, or with neither.
//!
//! What runs on it are the actors of `mycelium demo`, so that the same can be done on several
//! machines.

mod event;
mod events;
mod feed;
mod readers;
mod roll;
mod screen;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use mycelium_ext::config::Config;
use mycelium_ext::node::Node;
use tokio::time::timeout;

use self::event::Event;
use self::screen::Screen;
use crate::check;
use crate::demo::args::ReplayArgs;
use crate::demo::data::{self, Recording};
use crate::demo::signals::Signals;
use crate::demo::worker;

/// How long the node may take to close its connections.
const PARTING: Duration = Duration::from_secs(5);

/// What cannot be run.
const REFUSED: u8 = 2;

/// Options of `mycelium node`.
#[derive(Debug, Clone, Args)]
pub(crate) struct NodeArgs {
    /// The node's configuration; `mycelium check FILE` says what it means.
    #[arg(long, value_name = "FILE", default_value = "mycelium.toml")]
    pub(crate) config: PathBuf,
    /// Runs so many readers on this node, until the feed has ended.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(crate) readers: u16,
    /// Runs the feed on this node: it replays a recording to all readers, and gives its verdict.
    #[arg(long)]
    pub(crate) feed: bool,
    /// How many readers the feed waits for, on all nodes together.
    #[arg(long, value_name = "READERS", default_value_t = 1, requires = "feed", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) wait: u32,
    #[command(flatten)]
    pub(crate) replay: ReplayArgs,
    /// Prints what happens as JSON on standard output, an event in each line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs a node. Exit status 0 when all went well, also when Ctrl-C ended a node without feed; 1
/// when a reader did not get all, or the feed was gone too early; 2 when the node does not start;
/// 130 when the feed was interrupted.
pub(crate) fn run(args: &NodeArgs) -> ExitCode {
    let screen = Arc::new(Screen::new(args.json));
    let ended =
        Config::load(&args.config).map_err(|error| check::tell(&error)).and_then(|config| {
            let recording = args.feed.then(|| data::load(args.replay.data.as_deref()));
            worker::run(serve(args.clone(), config, recording.transpose()?, screen.clone()))
        });
    let (status, error) = match ended {
        Ok(status) => (status, None),
        Err(error) => (REFUSED, Some(error)),
    };
    screen.end(status, error.as_deref());
    ExitCode::from(status)
}

async fn serve(
    args: NodeArgs,
    config: Config,
    recording: Option<Recording>,
    screen: Arc<Screen>,
) -> Result<u8, String> {
    let mut signals = Signals::new().map_err(|error| format!("watching for Ctrl-C: {error}"))?;
    let changes = events::changes();
    let starting = Node::from_config(&config).map_err(|error| error.to_string())?.start();
    let node = starting.await.map_err(|error| error.to_string())?;
    for address in node.addresses() {
        let node = node.name().to_owned();
        screen.tell(&Event::Listening { node, address: address.to_string() });
    }
    let _watch = events::watch(&node, changes, screen.clone());
    let status = match recording {
        Some(recording) => feed::replay(&args, &recording, &node, &screen, signals).await,
        None if args.readers > 0 => readers::serve(args.readers, &node, &screen, signals).await,
        None => {
            signals.wait().await;
            signals.end_at_the_next();
            Ok(0)
        }
    };
    // A node that hangs ends with the process.
    let _ = timeout(PARTING, node.stop()).await;
    status
}
