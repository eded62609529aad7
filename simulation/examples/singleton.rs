//! Three nodes find each other by gossip and run one clock. The network parts them, so that there
//! are two clocks for a while, and brings them together again.
//!
//! Run it with `cargo run -p mycelium-simulation --example singleton`, or with a seed behind it.

use std::time::{Duration, Instant};

use mycelium_ext::config::ClusterSettings;
use mycelium_ext::node::{Node, NodeBuilder};
use mycelium_ext::singleton::{self, FencingNumber};
use mycelium_simulation::{Failure, Host, Simulation, gossip_address};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use ractor_cluster::RactorClusterMessage;

#[derive(RactorClusterMessage)]
enum Tell {
    Time,
}

struct Clock(Host);

impl Actor for Clock {
    type Msg = Tell;
    type State = FencingNumber;
    type Arguments = FencingNumber;

    async fn pre_start(
        &self,
        _: ActorRef<Tell>,
        number: FencingNumber,
    ) -> Result<FencingNumber, ActorProcessingErr> {
        self.0.record(format_args!("the clock runs here, with number {number}"));
        Ok(number)
    }

    async fn handle(
        &self,
        _: ActorRef<Tell>,
        Tell::Time: Tell,
        number: &mut FencingNumber,
    ) -> Result<(), ActorProcessingErr> {
        self.0.record(format_args!("it is asked for the time, as number {number}"));
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<Tell>,
        number: &mut FencingNumber,
    ) -> Result<(), ActorProcessingErr> {
        self.0.record(format_args!("the clock with number {number} has stopped"));
        Ok(())
    }
}

/// The node of each host.
fn with_seed(node: NodeBuilder) -> NodeBuilder {
    let cluster = ClusterSettings::default().with_seed(&gossip_address("a"));
    node.cluster(cluster.expect("it is an address"))
}

/// The software of each host: it offers to run the clock, and asks it now and then.
async fn run(host: Host, node: Node) -> Result<(), Failure> {
    let (names, membership) = node.names().zip(node.membership()).ok_or("it has a cluster")?;
    let of_clock = host.clone();
    let offer = singleton::offer(names, "clock", move |number| {
        let clock = Clock(of_clock.clone());
        async move { Actor::spawn(None, clock, number).await.map(|(clock, _)| clock) }
    })?;
    let mut changes = membership.changes();
    loop {
        let alive = membership.members().iter().filter(|it| it.state.is_alive()).count();
        host.record(format_args!("knows {alive} members that are alive"));
        // It fails where no clock runs just now.
        let is_sent = offer.reference().cast(Tell::Time).is_ok();
        host.record(format_args!("has asked the clock: {is_sent}"));
        changes.changed().await?;
    }
}

fn main() -> Result<(), Failure> {
    let seed = std::env::args().nth(1).map_or(Ok(1), |seed| seed.parse())?;
    let began = Instant::now();
    let mut simulation = Simulation::new(seed);
    for host in ["a", "b", "c"] {
        simulation.node(host, with_seed, run);
    }
    simulation.run_for(Duration::from_secs(10))?;
    for other in ["b", "c"] {
        simulation.partition("a", other);
    }
    simulation.run_for(Duration::from_secs(30))?;
    for other in ["b", "c"] {
        simulation.repair("a", other);
    }
    simulation.run_for(Duration::from_secs(30))?;

    let is_told = |what: &str| !what.starts_with("frame") && !what.starts_with("datagram");
    for event in simulation.trace().events().iter().filter(|event| is_told(&event.what)) {
        println!("{event}");
    }
    println!("seed {seed}, digest {}, {:?}", simulation.trace().digest(), began.elapsed());
    Ok(())
}
