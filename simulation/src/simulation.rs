//! The simulation: its hosts, its network, and its faults.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mycelium_ext::node::{Node, NodeBuilder};
use mycelium_link::chance;
use ractor::actor::actor_config::TransportPreference;
use ractor::realm::Hosts;
use ractor_cluster::link::LinkOptions;
use ractor_cluster::link::options::UnixListening;

use crate::Failure;
use crate::host::Host;
use crate::machine::Machine;
use crate::trace::Trace;

/// The wall clock of all hosts when a simulation begins, in seconds since 1970.
const EPOCH: Duration = Duration::from_secs(1_750_000_000);

/// How long a simulation may go on in virtual time: longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(1_000_000_000);

/// What is decided before the first host is there.
#[derive(Debug, Clone)]
#[must_use = "it is no simulation before it is built"]
pub struct Builder {
    seed: u64,
    tick: Duration,
    latency: (Duration, Duration),
    links: LinkOptions,
}

impl Builder {
    /// How far virtual time goes in a step. A message takes at least as long. The default is 1 ms.
    pub const fn tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// How long the network takes for a message, at least and at most. The default is 1 to 20 ms.
    ///
    /// # Panics
    /// [`build`](Self::build) panics when the least is more than the most.
    pub const fn latency(mut self, least: Duration, most: Duration) -> Self {
        self.latency = (least, most);
        self
    }

    /// The options of all nodes: times, windows, limits. Those that choose a transport are the
    /// simulation's.
    pub fn links(mut self, links: LinkOptions) -> Self {
        self.links = links;
        self
    }

    /// Begins the simulation. Blocks the thread while another one of this process runs.
    #[must_use]
    pub fn build(self) -> Simulation {
        let hosts = Hosts::begin();
        ractor_cluster::simulation::begin();
        let chance = chance::Simulated::begin(self.seed, wall_clock);
        let sim = turmoil::Builder::new()
            .rng_seed(self.seed)
            .epoch(SystemTime::UNIX_EPOCH + EPOCH)
            .tick_duration(self.tick)
            .simulation_duration(FOR_EVER)
            .min_message_latency(self.latency.0)
            .max_message_latency(self.latency.1)
            .tcp_capacity(4096)
            .build();
        let mut links = self.links.with_unix(UnixListening::Off).with_listens(false);
        links.preference = TransportPreference::Adaptive;
        links.busy_poll = false;
        links.listeners.clear();
        links.local_transport = None;
        Simulation {
            sim,
            links,
            trace: Trace::default(),
            machines: BTreeMap::new(),
            _chance: chance,
            _hosts: hosts,
        }
    }
}

/// Hosts with nodes on them, in one process, under virtual time: the same seed, the same run.
///
/// A process has one at a time, on one thread.
pub struct Simulation {
    /// Dropped first: its hosts end in the realm and with the chance of the simulation.
    sim: turmoil::Sim<'static>,
    links: LinkOptions,
    trace: Trace,
    machines: BTreeMap<String, Arc<Machine>>,
    _chance: chance::Simulated,
    _hosts: Hosts,
}

impl Simulation {
    /// A simulation whose network and nodes draw all that is random from this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::builder(seed).build()
    }

    /// As [`new`](Self::new), with options.
    pub fn builder(seed: u64) -> Builder {
        let latency = (Duration::from_millis(1), Duration::from_millis(20));
        let links = LinkOptions::default();
        Builder { seed, tick: Duration::from_millis(1), latency, links }
    }

    /// Adds a host. Its software runs when the simulation goes on, and again after each
    /// [restart](Self::restart). When the software has returned, the node and the actors of the
    /// host go on. An error that it returns, or a panic, ends the simulation.
    ///
    /// # Panics
    /// There is a host of this name.
    pub fn host<F, R>(&mut self, name: &str, software: F)
    where
        F: Fn(Host) -> R + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let (links, trace) = (self.links.clone(), self.trace.clone());
        let start = move |machine| Host::start(machine, links.clone(), trace.clone());
        self.add(name, start, software);
    }

    /// Adds a host with a node of `mycelium-ext`: membership, names and singletons run on it. `build`
    /// chooses what the node is started with, each time that the host starts; its name, its host
    /// name, its cookie and its network are chosen already. Otherwise as [`host`](Self::host), but
    /// that the software owns the node, which stops when it is dropped.
    ///
    /// Options of [`Builder::links`] are for other hosts.
    ///
    /// # Panics
    /// There is a host of this name.
    pub fn node<B, F, R>(&mut self, name: &str, build: B, software: F)
    where
        B: Fn(NodeBuilder) -> NodeBuilder + 'static,
        F: Fn(Host, Node) -> R + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let trace = self.trace.clone();
        let start = move |machine: Arc<Machine>| {
            let builder = build(Host::builder(&machine, &trace));
            Host::start_node(builder, machine, trace.clone())
        };
        self.add(name, start, move |(host, node)| software(host, node));
    }

    fn add<S, H, T, F, R>(&mut self, name: &str, start: S, software: F)
    where
        S: Fn(Arc<Machine>) -> H + 'static,
        H: Future<Output = Result<T, Failure>> + Send + 'static,
        T: Send + 'static,
        F: Fn(T) -> R + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let machine = Machine::new(name);
        self.machines.insert(name.to_owned(), machine.clone());
        let run = std::rc::Rc::new((start, software));
        self.sim.host(name, move || {
            let (run, machine) = (run.clone(), machine.clone());
            async move {
                machine.begin();
                if machine.is_down() {
                    return std::future::pending().await;
                }
                let failed = of_host(&machine.name);
                let (start, software) = &*run;
                // On the runtime itself: when the host crashes, they are dropped there.
                let host = tokio::spawn(start(machine)).await;
                let host = host.unwrap_or_else(|error| Err(error.into())).map_err(&failed)?;
                let running = tokio::spawn(software(host)).await;
                running.unwrap_or_else(|error| Err(error.into())).map_err(&failed)?;
                std::future::pending().await
            }
        });
    }

    /// Lets virtual time pass.
    ///
    /// # Errors
    /// The software of a host has failed, or panicked.
    pub fn run_for(&mut self, time: Duration) -> Result<(), Failure> {
        let until = self.now() + time;
        while self.now() < until {
            self.step()?;
        }
        Ok(())
    }

    /// Lets virtual time pass until something holds, and returns whether it came to hold within
    /// `limit`. It is looked at after each tick.
    ///
    /// # Errors
    /// The software of a host has failed, or panicked.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut holds: impl FnMut() -> bool,
    ) -> Result<bool, Failure> {
        let until = self.now() + limit;
        while !holds() {
            if self.now() >= until {
                return Ok(false);
            }
            self.step()?;
        }
        Ok(true)
    }

    fn step(&mut self) -> Result<(), Failure> {
        self.sim.step().map(drop).map_err(|error| Failure::from(error.to_string()))
    }

    /// The virtual time since the simulation began.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.sim.elapsed()
    }

    /// What has happened so far.
    #[must_use]
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    fn fault(&self, what: fmt::Arguments<'_>) {
        self.trace.note_at(self.now(), "", what);
    }

    /// From here on the network loses all that two hosts send each other. A connection that loses
    /// something brings nothing any more, and no error either.
    pub fn partition(&mut self, one: &str, other: &str) {
        self.fault(format_args!("partition between {one} and {other}"));
        self.sim.partition(one, other);
    }

    /// From here on the network loses all that `from` sends to `to`.
    pub fn partition_one_way(&mut self, from: &str, to: &str) {
        self.fault(format_args!("partition from {from} to {to}"));
        self.sim.partition_oneway(from, to);
    }

    /// Ends what [`partition`](Self::partition) began, in both directions.
    pub fn repair(&mut self, one: &str, other: &str) {
        self.fault(format_args!("repair between {one} and {other}"));
        self.sim.repair(one, other);
    }

    /// From here on the network holds back all that two hosts send each other.
    pub fn hold(&mut self, one: &str, other: &str) {
        self.fault(format_args!("hold between {one} and {other}"));
        self.sim.hold(one, other);
    }

    /// Delivers what [`hold`](Self::hold) held back, and holds nothing back from here on.
    pub fn release(&mut self, one: &str, other: &str) {
        self.fault(format_args!("release between {one} and {other}"));
        self.sim.release(one, other);
    }

    /// From here on the network takes so long at most for a message between two hosts.
    pub fn set_latency(&mut self, one: &str, other: &str, most: Duration) {
        self.fault(format_args!("latency of {most:?} between {one} and {other}"));
        self.sim.set_link_max_message_latency(one, other, most);
    }

    /// From here on the network loses this part of the messages between two hosts, from 0 to 1. What
    /// was sent on a connection behind a lost message does not arrive either: see
    /// [`partition`](Self::partition).
    pub fn set_loss(&mut self, one: &str, other: &str, part: f64) {
        self.fault(format_args!("loss of {part} between {one} and {other}"));
        self.sim.set_link_fail_rate(one, other, part);
    }

    /// Ends all that runs on a host, at once, as a `kill -9` does. Its connections are closed.
    pub fn crash(&mut self, host: &str) {
        self.fault(format_args!("crash of {host}"));
        self.machine(host).will_crash();
        self.sim.crash(host);
        // It closes the connections, and does nothing more.
        self.sim.bounce(host);
    }

    /// Starts the software of a host anew. What still runs on it ends first, as in a
    /// [crash](Self::crash).
    pub fn restart(&mut self, host: &str) {
        self.fault(format_args!("restart of {host}"));
        self.machine(host).will_start();
        self.sim.bounce(host);
    }

    fn machine(&self, host: &str) -> &Machine {
        self.machines.get(host).unwrap_or_else(|| panic!("there is no host {host}"))
    }

    /// Whether a host runs: it has not crashed, or it was started anew.
    ///
    /// # Panics
    /// There is no host of this name.
    #[must_use]
    pub fn is_running(&self, host: &str) -> bool {
        !self.machine(host).is_down()
    }
}

fn of_host(name: &str) -> impl Fn(Failure) -> String + use<> {
    let name = name.to_owned();
    move |error| format!("the software of {name} has failed: {error}")
}

/// The wall clock of the host that runs.
fn wall_clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + turmoil::since_epoch().unwrap_or(EPOCH)
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("now", &self.now())
            .field("trace", &self.trace)
            .finish_non_exhaustive()
    }
}
