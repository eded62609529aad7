//! A desk that watches the workers of another process, and is told how each of them ended.
//!
//! Run it with `cargo run -p mycelium-examples --features cluster --bin remote_ends`.

use std::error::Error;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mycelium_ext::node::{Listen, Node};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use ractor_cluster::RactorClusterMessage;
use ractor_cluster::peers::{self, GONE, RemoteFailure};
use tokio::sync::mpsc;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// The names of the workers, and what ends them.
const WORKERS: [&str; 5] = ["retires", "fails", "panics", "is killed", "survives"];

#[derive(RactorClusterMessage)]
enum Work {
    /// Ends the worker, as its name says.
    Day,
}

struct Worker;

impl Actor for Worker {
    type Msg = Work;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Work>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Work>,
        _: Work,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match myself.get_name().as_deref() {
            Some("retires") => myself.stop(Some("the work is done".to_owned())),
            Some("fails") => return Err("the ledger is closed".into()),
            Some("panics") => panic!("there is no such price"),
            Some("is killed") => myself.kill(),
            _ => {}
        }
        Ok(())
    }
}

/// Supervises the proxies of the workers. Passes on what it is told.
struct Desk(mpsc::UnboundedSender<(String, String)>);

#[derive(ractor_cluster::RactorMessage)]
struct Nothing;

impl Actor for Desk {
    type Msg = Nothing;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Nothing>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Nothing>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let told = match event {
            SupervisionEvent::ActorFailed(worker, error) => {
                let panicked = error.downcast_ref().is_some_and(RemoteFailure::is_panic);
                let how = if panicked { "panicked" } else { "failed" };
                (worker, format!("{how}: {error}"))
            }
            SupervisionEvent::ActorTerminated(worker, _, Some(reason)) => {
                let how = if reason.starts_with(GONE) { "is out of reach" } else { "stopped" };
                (worker, format!("{how}: {reason}"))
            }
            _ => return Ok(()),
        };
        Ok(self.0.send((told.0.get_name().unwrap_or_default(), told.1))?)
    }
}

/// The process of the workers, which ends with this one.
struct OtherProcess(Child);

impl Drop for OtherProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn node(name: &str) -> mycelium_ext::node::NodeBuilder {
    Node::builder(name).cookie("a cookie of two nodes")
}

async fn desk() -> Result<(), Box<dyn Error>> {
    let node = node("desk").listen(Listen::tcp("127.0.0.1:0")).start().await?;
    let address = node.addresses()[0].to_string();
    let this = std::env::current_exe()?;
    let other = Command::new(this).arg(address).stdin(Stdio::piped()).spawn()?;
    let other = OtherProcess(other);
    let peer = tokio::time::timeout(LONG, node.connected("workers")).await?;

    let (sender, mut told) = mpsc::unbounded_channel();
    let (desk, _) = Actor::spawn(None, Desk(sender), ()).await?;
    let mut survivor = None;
    for name in WORKERS {
        let worker = peers::where_is(peer.node_id, name).ok_or("it is announced")?;
        worker.link(desk.get_cell());
        ActorRef::<Work>::from(worker.clone()).cast(Work::Day)?;
        if name == "survives" {
            survivor = Some(worker);
            continue;
        }
        let (who, how) = tokio::time::timeout(LONG, told.recv()).await?.ok_or("the desk runs")?;
        println!("the worker that {who} {how}");
    }
    assert!(survivor.is_some());
    // As `kill -9` would.
    drop(other);
    let (who, how) = tokio::time::timeout(LONG, told.recv()).await?.ok_or("the desk runs")?;
    println!("the worker that {who} {how}");
    node.stop().await;
    Ok(())
}

async fn workers(address: &str) -> Result<(), Box<dyn Error>> {
    for name in WORKERS {
        Actor::spawn(Some(name.to_owned()), Worker, ()).await?;
    }
    let node = node("workers").start().await?;
    node.connect(address.parse()?).await?;
    // Until the first process ends.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    node.stop().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        Some(address) => workers(&address).await,
        None => desk().await,
    }
}
