//! Two nodes in two processes, each from its configuration: the feed casts, and readers of both get
//! it.
//!
//! Run it with `cargo run -p mycelium-examples --features cluster --bin two_nodes`.

use std::error::Error;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use mycelium_ext::config::{Config, Environment};
use mycelium_ext::node::{Node, NodeEvent};
use ractor::concurrency::JoinHandle;
use ractor::{Actor, ActorProcessingErr, ActorRef, pg};

const FEED: &str = r#"
[node]
name = "feed"
"#;

/// What the reader's node is configured by, when the feed has said where it listens.
const READER: &str = r#"
[node]
name = "reader"

[nodes.feed]
address = "{FEED}"
"#;

const GROUP: &str = "readers";

/// The last line that is cast.
const LAST: &str = "that is all";

/// Prints what it gets, up to the last line.
struct Reader;

impl Actor for Reader {
    type Msg = String;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<String>, (): ()) -> Result<(), ActorProcessingErr> {
        pg::join(GROUP.to_owned(), vec![myself.get_cell()]);
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<String>,
        line: String,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        println!("process {}: {line}", std::process::id());
        if line == LAST {
            myself.stop(None);
        }
        Ok(())
    }
}

/// A node, and a reader that was there before it.
async fn start(configuration: &str) -> Result<(Node, JoinHandle<()>), Box<dyn Error>> {
    let (_, read) = Actor::spawn(None, Reader, ()).await?;
    // In earnest the cookie comes from a file or a variable, and the configuration by Config::load.
    let environment = Environment::of([("MYCELIUM_NODE_COOKIE", "two nodes")]);
    let config = Config::parse(configuration, "mycelium.toml", &environment)?;
    Ok((Node::from_config(&config)?.start().await?, read))
}

/// The reader's process, which ends with this one.
struct OtherProcess(Child);

impl Drop for OtherProcess {
    fn drop(&mut self) {
        // It has ended by itself, unless something went wrong here.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn feed() -> Result<(), Box<dyn Error>> {
    let (node, read) = start(FEED).await?;
    let address = node.addresses()[0].to_string();

    let this = std::env::current_exe()?;
    let mut other = OtherProcess(Command::new(this).arg("reader").stdin(Stdio::piped()).spawn()?);
    let mut stdin = other.0.stdin.take().ok_or("the other process has no input")?;
    stdin.write_all(READER.replace("{FEED}", &address).as_bytes())?;
    drop(stdin);

    let peer = node.connected("reader").await;
    println!(
        "process {}: connected with {}, {}, by {}",
        std::process::id(),
        peer.name,
        peer.locality,
        peer.active().map_or("none", |kind| kind.name())
    );
    for line in ["one line for all", LAST] {
        let report = pg::broadcast_arc(&GROUP.to_owned(), Arc::new(line.to_owned()));
        println!("process {}: cast \"{line}\": {report:?}", std::process::id());
    }
    read.await?;
    let status = tokio::task::spawn_blocking(move || {
        let mut other = other;
        other.0.wait()
    })
    .await??;
    node.stop().await;
    if status.success() { Ok(()) } else { Err("the other process failed".into()) }
}

async fn reader() -> Result<(), Box<dyn Error>> {
    let mut configuration = String::new();
    std::io::stdin().read_to_string(&mut configuration)?;
    let (node, read) = start(&configuration).await?;
    let mut events = node.events();
    let lost = async {
        while !matches!(events.recv().await, Ok(NodeEvent::Disconnected { .. }) | Err(_)) {}
    };
    tokio::select! {
        ended = read => ended?,
        () = lost => return Err("the feed went away".into()),
    }
    node.stop().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        Some(_) => reader().await,
        None => feed().await,
    }
}
