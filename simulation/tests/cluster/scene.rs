//! Four hosts, their faults, and what they come to.

use std::sync::atomic::Ordering;
use std::time::Duration;

use mycelium_ext::config::{ClusterSettings, Limits};
use mycelium_ext::node::NodeBuilder;
use mycelium_simulation::{Failure, Simulation, gossip_address};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use crate::faults::{self, Plan};
use crate::host::{self, Shared};
use crate::seeds::Outcome;

pub(crate) const HOSTS: [&str; 4] = ["a", "b", "c", "d"];

/// How long faults go on.
const FAULTS: Duration = Duration::from_secs(8);

/// After so much virtual time without faults all hosts are one cluster.
const HEALS: Duration = Duration::from_secs(30);

/// A host that has crashed is dropped within this time, and what it had is elsewhere.
const DROPS: Duration = Duration::from_secs(10);

/// How long the name goes from host to host without faults.
const HANDS_OVER: Duration = Duration::from_secs(4);

/// How long a cluster without faults is looked at.
const QUIET: Duration = Duration::from_secs(2);

const STEP: Duration = Duration::from_millis(20);

pub(crate) fn known(host: &str) -> &'static str {
    HOSTS.into_iter().find(|it| *it == host).expect("it is one of the four")
}

/// Four times as fast as by default, so that a run is short.
fn build(node: NodeBuilder) -> NodeBuilder {
    let mut limits = Limits::default();
    limits.silence_timeout = Duration::from_secs(1).into();
    limits.reconnect_grace = Duration::from_secs(1).into();
    limits.handshake_timeout = Duration::from_secs(1).into();
    limits.connect_timeout = Duration::from_secs(1).into();
    limits.backoff_max = Duration::from_secs(1).into();
    let seeded = |cluster: ClusterSettings, host| {
        cluster.with_seed(&gossip_address(host)).expect("it is an address")
    };
    let mut cluster = ["a", "b"].into_iter().fold(ClusterSettings::default(), seeded);
    cluster.pace.interval = Duration::from_millis(200).into();
    node.limits(limits).cluster(cluster)
}

/// Runs the scene with the faults that the seed draws.
pub(crate) fn run(seed: u64) -> Outcome {
    let mut simulation = Simulation::builder(seed).tick(Duration::from_millis(5)).build();
    let shared = Shared::default();
    for name in HOSTS {
        let shared = shared.clone();
        simulation.node(name, build, move |host, node| host::run(host, node, shared.clone()));
    }
    if let Err(failure) = go(&mut simulation, seed, &shared) {
        shared.book.violation(failure);
    }
    let trace = simulation.trace();
    Outcome {
        digest: trace.digest(),
        events: trace.events(),
        trace: trace.to_string(),
        violations: shared.book.violations(),
    }
}

/// The hosts become one cluster, and stay that. Where they were not parted they see each other all
/// the time.
fn settles(
    simulation: &mut Simulation,
    shared: &Shared,
    running: &[&'static str],
    (within, was_parted): (Duration, bool),
    after: &str,
) -> Result<(), Failure> {
    let until = simulation.now() + within;
    while !shared.book.doubts(running).is_empty() {
        if simulation.now() >= until {
            let doubts = shared.book.doubts(running).join("\n        ");
            return Err(format!("{within:?} after {after}: {doubts}").into());
        }
        simulation.run_for(STEP)?;
        if !was_parted {
            shared.book.is_once(0);
        }
    }
    let until = simulation.now() + QUIET;
    while simulation.now() < until {
        simulation.run_for(STEP)?;
        shared.book.is_once(1);
    }
    let doubts = shared.book.doubts(running).join("\n        ");
    if !doubts.is_empty() {
        return Err(format!("it does not last after {after}: {doubts}").into());
    }
    shared.book.is_admitted();
    Ok(())
}

/// Cuts the cluster in two for a while.
fn split(simulation: &mut Simulation, chance: &mut StdRng) -> Result<(), Failure> {
    let (left, right): (Vec<_>, Vec<_>) = HOSTS.into_iter().partition(|_| chance.random());
    let cut = left.iter().flat_map(|one| right.iter().map(move |other| (*one, *other)));
    let cut: Vec<_> = cut.collect();
    cut.iter().for_each(|(one, other)| simulation.partition(one, other));
    simulation.run_for(Duration::from_millis(chance.random_range(1000..9000)))?;
    cut.iter().for_each(|(one, other)| simulation.repair(one, other));
    Ok(())
}

fn go(simulation: &mut Simulation, seed: u64, shared: &Shared) -> Result<(), Failure> {
    let mut chance = StdRng::seed_from_u64(!seed);
    simulation.run_for(Duration::from_secs(3))?;
    let plan = Plan { hosts: &HOSTS, time: FAULTS, may_crash: true };
    let book = &shared.book;
    faults::happen(simulation, seed, &plan, |host| book.crashes(host), Simulation::run_for)?;
    split(simulation, &mut chance)?;
    shared.is_settled.store(true, Ordering::Relaxed);
    settles(simulation, shared, &HOSTS, (HEALS, true), "the last fault")?;

    // Without faults the name goes from host to host, and is never at two.
    shared.is_settled.store(false, Ordering::Relaxed);
    let until = simulation.now() + HANDS_OVER;
    while simulation.now() < until {
        simulation.run_for(STEP)?;
        book.is_once(0);
    }
    shared.is_settled.store(true, Ordering::Relaxed);

    let gone = *HOSTS.choose(&mut chance).expect("there are some");
    book.crashes(gone);
    simulation.crash(gone);
    let others: Vec<_> = HOSTS.into_iter().filter(|host| *host != gone).collect();
    settles(simulation, shared, &others, (DROPS, false), "a crash")?;
    simulation.restart(gone);
    settles(simulation, shared, &HOSTS, (HEALS, false), "a restart")?;
    if book.times() < 4 {
        book.violation("names and singletons have not moved");
    }
    Ok(())
}
