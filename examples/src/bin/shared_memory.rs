//! Two nodes in two processes of a machine, which find each other by TCP and go on by shared
//! memory; what a call takes, and what a ping by each of their links.
//!
//!     cargo run --release -p mycelium-examples --features cluster --bin shared_memory
//!
//! With `-- 50us` behind it either process spins for as long before it sleeps.

use std::error::Error;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use mycelium_ext::config::{Config, Environment};
use mycelium_ext::node::Node;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::RactorClusterMessage;
use ractor_cluster::link::view::{self, RoundTrip};
use ractor_cluster::transport::TransportKind;

const GROUP: &str = "echo";
const CALLS: u32 = 10_000;

/// Sends back what it is sent.
struct Echo;

#[derive(RactorClusterMessage)]
enum Ask {
    #[rpc]
    Echo(Vec<u8>, RpcReplyPort<Vec<u8>>),
}

impl Actor for Echo {
    type Msg = Ask;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Ask>, (): ()) -> Result<(), ActorProcessingErr> {
        pg::join(GROUP.to_owned(), vec![myself.get_cell()]);
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Ask>,
        Ask::Echo(bytes, reply): Ask,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(reply.send(bytes)?)
    }
}

/// The other process, which ends with this one.
struct OtherProcess(Child);

impl Drop for OtherProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn node(name: &str, spin: Option<&str>, more: &str) -> Result<Node, Box<dyn Error>> {
    let spin = spin.map_or(String::new(), |spin| format!("[node.shm]\nspin = {spin:?}\n"));
    let text = format!("[node]\nname = {name:?}\ncookie = \"shared memory\"\n{spin}{more}");
    let config = Config::parse(&text, "mycelium.toml", &Environment::of_process())?;
    Ok(Node::from_config(&config)?.start().await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let spin = words.iter().find(|word| !word.contains("://")).map(String::as_str);
    if let Some(address) = words.iter().find(|word| word.contains("://")) {
        Actor::spawn(None, Echo, ()).await?;
        let other = node("there", spin, &format!("[nodes.here]\naddress = {address:?}\n")).await?;
        let mut events = other.events();
        // Until the other process is gone.
        while !matches!(events.recv().await?, mycelium_ext::node::NodeEvent::Disconnected { .. }) {}
        return Ok(());
    }
    let here = node("here", spin, "").await?;
    let mut child = Command::new(std::env::current_exe()?);
    child.arg(here.addresses()[0].to_string()).args(spin);
    let _other = OtherProcess(child.spawn()?);

    let mut events = ractor_cluster::peers::events();
    let peer = here.connected("there").await;
    let nearest = || here.peers().first().and_then(|peer| peer.active());
    while cfg!(target_os = "linux") && nearest() != Some(TransportKind::SharedMemory) {
        events.recv().await?;
    }
    println!("{} is on the {}, by {}", peer.name, peer.locality, nearest().expect("a link"));
    let echo: ActorRef<Ask> = loop {
        match pg::get_members(&GROUP.to_owned()).pop() {
            Some(echo) => break echo.into(),
            None => tokio::task::yield_now().await,
        }
    };
    for size in [64, 64 * 1024] {
        let start = Instant::now();
        for _ in 0..CALLS {
            let called = echo.call(|reply| Ask::Echo(vec![7; size], reply), None::<Duration>);
            assert_eq!(called.await?.expect("an answer").len(), size);
        }
        println!("a call with {size} bytes, and back: {:?}", start.elapsed() / CALLS);
    }
    // A ping goes by each link in turn, every few seconds.
    for (kind, round_trip) in round_trips().await {
        println!("a ping by {kind}, and back: {:?}", round_trip.smoothed);
    }
    here.stop().await;
    Ok(())
}

/// The round trips of the links to the only peer, once each has one.
async fn round_trips() -> Vec<(TransportKind, RoundTrip)> {
    loop {
        let links = view::sessions().remove(0).links;
        let measured: Option<Vec<_>> =
            links.iter().map(|link| Some((link.info.kind, link.round_trip?))).collect();
        match measured {
            Some(measured) => break measured,
            None => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
