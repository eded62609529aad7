//! Nodes that find each other by gossip, under virtual time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium_ext::config::ClusterSettings;
use mycelium_ext::membership::{Incarnation, Member, MemberEvent};
use mycelium_ext::node::{Node, NodeBuilder};
use mycelium_simulation::{Failure, Host, Simulation, gossip_address};

const HOSTS: [&str; 3] = ["a", "b", "c"];

/// The members that are alive for each host, with their starts.
type Alive = BTreeMap<String, BTreeMap<String, Option<Incarnation>>>;

/// What the hosts tell the test.
#[derive(Clone, Default)]
struct Seen {
    alive: Arc<Mutex<Alive>>,
    events: Arc<Mutex<Vec<(String, MemberEvent)>>>,
}

fn short(full_name: &str) -> String {
    full_name.split('@').next().unwrap_or_default().to_owned()
}

impl Seen {
    fn note(&self, host: &Host, members: &[Member]) {
        let alive = members.iter().filter(|it| it.state.is_alive());
        let alive = alive.map(|it| (short(&it.name), it.incarnation)).collect();
        self.alive.lock().unwrap().insert(host.name().to_owned(), alive);
    }

    /// Whether these hosts see each other alive, and no other one.
    fn know_each_other(&self, hosts: &[&str]) -> bool {
        let alive = self.alive.lock().unwrap();
        hosts.iter().all(|host| {
            let known = alive.get(*host);
            known.is_some_and(|known| known.keys().eq(hosts.iter()))
        })
    }

    fn incarnation(&self, of: &str, seen_by: &str) -> Option<Incarnation> {
        *self.alive.lock().unwrap().get(seen_by)?.get(of)?
    }

    /// How many events of this kind all hosts had.
    fn count(&self, is: impl Fn(&MemberEvent) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|(_, event)| is(event)).count()
    }
}

async fn watch(host: Host, node: Node, seen: Seen) -> Result<(), Failure> {
    let membership = node.membership().ok_or("it is in a cluster")?;
    let mut events = membership.events();
    loop {
        seen.note(&host, &membership.members());
        let event = events.recv().await?;
        seen.events.lock().unwrap().push((host.name().to_owned(), event));
    }
}

/// The first host is the seed of all.
fn with_seed(node: NodeBuilder) -> NodeBuilder {
    let cluster = ClusterSettings::default().with_seed(&gossip_address(HOSTS[0]));
    node.cluster(cluster.expect("it is an address"))
}

fn scene(seed: u64) -> (Simulation, Seen) {
    let mut simulation = Simulation::new(seed);
    let seen = Seen::default();
    for host in HOSTS {
        let seen = seen.clone();
        simulation.node(host, with_seed, move |host, node| watch(host, node, seen.clone()));
    }
    (simulation, seen)
}

#[test]
fn a_dead_member_is_dropped_and_comes_back_as_another_start() -> Result<(), Failure> {
    let (mut simulation, seen) = scene(1);
    let within = Duration::from_secs(10);
    assert!(simulation.run_until(within, || seen.know_each_other(&HOSTS))?);
    assert_eq!(seen.count(|event| matches!(event, MemberEvent::Up(_))), 6);
    let before = seen.incarnation("c", "a");
    assert!(before.is_some());

    simulation.crash("c");
    assert!(simulation.run_until(within, || seen.know_each_other(&["a", "b"]))?);
    assert_eq!(seen.count(|event| matches!(event, MemberEvent::Down(_))), 2);

    simulation.restart("c");
    assert!(simulation.run_until(within, || seen.know_each_other(&HOSTS))?);
    for host in HOSTS {
        assert!(seen.incarnation("c", host) > before, "{host}");
    }
    Ok(())
}

#[test]
fn two_sides_lose_each_other_and_meet_again() -> Result<(), Failure> {
    let (mut simulation, seen) = scene(2);
    let within = Duration::from_secs(10);
    assert!(simulation.run_until(within, || seen.know_each_other(&HOSTS))?);
    for other in ["b", "c"] {
        simulation.partition("a", other);
    }
    // The sessions are silent for 15 s before they say nothing any more.
    let is_parted = || seen.know_each_other(&["a"]) && seen.know_each_other(&["b", "c"]);
    assert!(simulation.run_until(Duration::from_secs(30), is_parted)?);
    for other in ["b", "c"] {
        simulation.repair("a", other);
    }
    assert!(simulation.run_until(within, || seen.know_each_other(&HOSTS))?);
    Ok(())
}

#[test]
fn software_that_returns_has_stopped_its_node() -> Result<(), Failure> {
    let (mut simulation, seen) = scene(3);
    simulation.node("d", with_seed, |host, node| async move {
        host.ready("a").await;
        node.stop().await;
        Ok(())
    });
    let knows_four = || seen.alive.lock().unwrap().values().any(|known| known.len() == 4);
    assert!(simulation.run_until(Duration::from_secs(10), knows_four)?);
    let is_gone = || seen.know_each_other(&HOSTS);
    assert!(simulation.run_until(Duration::from_secs(10), is_gone)?);
    Ok(())
}
