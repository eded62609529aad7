//! Faults that a seed draws, and their end.
#![allow(unreachable_pub, reason = "each test is a crate")]

use std::time::Duration;

use mycelium_simulation::{Failure, Simulation};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

type Pair = (&'static str, &'static str);

/// All pairs of these hosts.
pub fn pairs(hosts: &[&'static str]) -> Vec<Pair> {
    let of = |(place, one): (usize, &&'static str)| {
        let others = hosts[place + 1..].iter();
        others.map(|other| (*one, *other)).collect::<Vec<_>>()
    };
    hosts.iter().enumerate().flat_map(of).collect()
}

/// What faults there are.
pub struct Plan<'a> {
    pub hosts: &'a [&'static str],
    /// How long they go on.
    pub time: Duration,
    pub may_crash: bool,
}

/// What ends a fault.
enum Cure {
    Repair(Pair),
    Release(Pair),
    LoseNothing(Pair),
    Restart(&'static str),
}

impl Cure {
    fn apply(&self, simulation: &mut Simulation) {
        match *self {
            Self::Repair((one, other)) => simulation.repair(one, other),
            Self::Release((one, other)) => simulation.release(one, other),
            Self::LoseNothing((one, other)) => simulation.set_loss(one, other, 0.0),
            Self::Restart(host) => simulation.restart(host),
        }
    }

    /// A link or a host has one fault at a time.
    fn is_of(&self, pair: Pair) -> bool {
        matches!(self, Self::Repair(of) | Self::Release(of) | Self::LoseNothing(of) if *of == pair)
    }

    fn is_of_host(&self, host: &str) -> bool {
        matches!(self, Self::Restart(of) if *of == host)
    }
}

/// Lets faults happen for a while, and ends all of them.
pub fn happen(
    simulation: &mut Simulation,
    seed: u64,
    plan: &Plan<'_>,
    mut crashes: impl FnMut(&'static str),
    mut pass: impl FnMut(&mut Simulation, Duration) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut chance = StdRng::seed_from_u64(seed);
    let pairs = pairs(plan.hosts);
    let mut cures: Vec<(Duration, Cure)> = Vec::new();
    let until = simulation.now() + plan.time;
    while simulation.now() < until {
        pass(simulation, millis(&mut chance, 100, 900))?;
        let now = simulation.now();
        let (due, later) = cures.into_iter().partition(|(at, _)| *at <= now);
        cures = later;
        let due: Vec<(Duration, Cure)> = due;
        due.iter().for_each(|(_, cure)| cure.apply(simulation));
        let pair = *pairs.choose(&mut chance).expect("there are some");
        let host = *plan.hosts.choose(&mut chance).expect("there are some");
        let is_free = !cures.iter().any(|(_, cure)| cure.is_of(pair));
        let is_up = !cures.iter().any(|(_, cure)| cure.is_of_host(host));
        let until = now + millis(&mut chance, 100, 6000);
        match chance.random_range(0..7) {
            0 | 1 if is_free => {
                simulation.partition(pair.0, pair.1);
                cures.push((until, Cure::Repair(pair)));
            }
            2 if is_free => {
                simulation.partition_one_way(pair.1, pair.0);
                cures.push((until, Cure::Repair(pair)));
            }
            3 if is_free => {
                simulation.hold(pair.0, pair.1);
                cures.push((until, Cure::Release(pair)));
            }
            4 if is_free => {
                simulation.set_loss(pair.0, pair.1, 0.01);
                cures.push((until, Cure::LoseNothing(pair)));
            }
            5 => {
                simulation.set_latency(pair.0, pair.1, millis(&mut chance, 2, 400));
            }
            6 if is_up && plan.may_crash => {
                crashes(host);
                simulation.crash(host);
                cures.push((until, Cure::Restart(host)));
            }
            _ => {}
        }
    }
    cures.iter().for_each(|(_, cure)| cure.apply(simulation));
    for (one, other) in pairs {
        simulation.set_latency(one, other, Duration::from_millis(20));
    }
    Ok(())
}

fn millis(chance: &mut StdRng, least: u64, most: u64) -> Duration {
    Duration::from_millis(chance.random_range(least..=most))
}
