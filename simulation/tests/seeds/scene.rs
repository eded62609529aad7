//! Three hosts, each of which sends numbers to the two others.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium_simulation::{Failure, Host, Simulation};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, call_t, pg};
use ractor_cluster::link::{LinkOptions, dead_letters};
use ractor_cluster::peers::{self, PeerEvent};
use ractor_cluster::{NodeId, NodeServerMessage, RactorClusterMessage};
use tokio::sync::broadcast::error::TryRecvError;

use crate::account::{Account, Session, Stream};
use crate::faults::{self, Plan};
use crate::seeds::Outcome;

pub(crate) const HOSTS: [&str; 3] = ["a", "b", "c"];

const READERS: &str = "readers";

/// How long faults go on.
const FAULTS: Duration = Duration::from_secs(10);

/// After so much virtual time without faults all nodes have to speak to each other. A connection
/// may stand still since the last fault: its silence, the grace, and a handshake that hangs come
/// before the next one.
const HEALS: Duration = Duration::from_secs(20);

/// How many actors each host has in a group, beside its reader.
const BYSTANDERS: usize = 12;

#[derive(RactorClusterMessage)]
enum Traffic {
    /// The sender, which start of it, which session, the number of the message, and its payload.
    Number(String, u64, u64, u64, Vec<u8>),
    /// Which start of the host is it?
    #[rpc]
    Life(RpcReplyPort<u64>),
}

struct Reader {
    host: &'static str,
    life: u64,
    account: Account,
}

impl Actor for Reader {
    type Msg = Traffic;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Traffic>, (): ()) -> Result<(), ActorProcessingErr> {
        pg::join(READERS.to_owned(), vec![myself.get_cell()]);
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Traffic>,
        message: Traffic,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Traffic::Number(from, life, session, number, payload) => {
                let stream = Stream { from: known(&from), life, to: self.host };
                self.account.arrived(&stream, session, number, payload == payload_of(number));
            }
            Traffic::Life(reply) => reply.send(self.life)?,
        }
        Ok(())
    }
}

/// Some messages go in parts, beside the small ones.
fn payload_of(number: u64) -> Vec<u8> {
    let bytes = if number % 16 == 5 { 160 * 1024 } else { number % 50 };
    vec![number as u8; bytes as usize]
}

fn known(host: &str) -> &'static str {
    HOSTS.into_iter().find(|it| *it == host).expect("it is one of the three")
}

/// What all hosts of a run know.
#[derive(Clone, Default)]
struct Shared {
    account: Account,
    /// How often each host has started.
    lives: Arc<Mutex<BTreeMap<&'static str, u64>>>,
    /// Which start of a peer a host has last heard of.
    heard: Arc<Mutex<BTreeMap<(&'static str, &'static str), u64>>>,
    /// How many sessions the node of a host has last had.
    sessions: Arc<Mutex<BTreeMap<&'static str, usize>>>,
    is_over: Arc<AtomicBool>,
}

impl Shared {
    fn life(&self, host: &str) -> u64 {
        self.lives.lock().unwrap().get(host).copied().unwrap_or_default()
    }

    fn begin(&self, host: &'static str) -> u64 {
        let mut lives = self.lives.lock().unwrap();
        let life = lives.entry(host).or_default();
        *life += 1;
        *life
    }

    /// Whether each host has heard of the present start of each other.
    fn all_hear_all(&self) -> bool {
        let heard = self.heard.lock().unwrap();
        HOSTS.into_iter().all(|host| {
            let mut others = HOSTS.into_iter().filter(|peer| *peer != host);
            others.all(|peer| heard.get(&(host, peer)) == Some(&self.life(peer)))
        })
    }
}

async fn start(host: Host, name: &'static str, shared: Shared) -> Result<(), Failure> {
    let life = shared.begin(name);
    let account = shared.account.clone();
    Actor::spawn(Some("reader".to_owned()), Reader { host: name, life, account }, ()).await?;
    for _ in 0..BYSTANDERS {
        let account = Account::default();
        Actor::spawn(None, Reader { host: name, life, account }, ()).await?;
    }
    for peer in HOSTS.into_iter().filter(|peer| *peer != name) {
        // Of two nodes one dials, or both do.
        if name < peer || host.draw(2) == 0 {
            host.keep_connected(peer);
        }
        let (host, shared) = (host.clone(), shared.clone());
        tokio::spawn(
            async move { send(&host, Stream { from: name, life, to: peer }, shared).await },
        );
    }
    Ok(())
}

/// The reader of a peer, as far as it is known.
fn reader(host: &Host, peer: &str) -> Option<(Session, NodeId, ActorRef<Traffic>)> {
    let (session, node_id) = (host.session(peer)?.pid(), host.peer(peer)?);
    Some((session, node_id, peers::where_is(node_id, "reader")?.into()))
}

async fn send(host: &Host, stream: Stream, shared: Shared) {
    for number in 0.. {
        if let Some((session, node_id, reader)) = reader(host, stream.to) {
            if !shared.is_over.load(Ordering::Relaxed) {
                shared.account.goes_by(&stream, node_id);
                let (from, payload) = (stream.from.to_owned(), payload_of(number));
                let message = Traffic::Number(from, stream.life, session, number, payload);
                shared.account.sent(&stream, reader.cast(message).is_ok());
            }
            if number % 8 == 0 {
                if let Ok(life) = call_t!(reader, Traffic::Life, 400) {
                    shared.heard.lock().unwrap().insert((stream.from, stream.to), life);
                }
            }
        }
        if let Ok(sessions) = call_t!(host.server(), NodeServerMessage::GetSessions, 400) {
            shared.sessions.lock().unwrap().insert(stream.from, sessions.len());
        }
        tokio::time::sleep(Duration::from_millis(20 + host.draw(40))).await;
    }
}

/// Runs the scene with the faults that the seed draws.
pub(crate) fn run(seed: u64) -> Outcome {
    let links = LinkOptions::default()
        .with_silence_timeout(Duration::from_secs(2))
        .with_reconnect_grace(Duration::from_secs(2))
        .with_handshake_timeout(Duration::from_secs(3))
        .with_connect_timeout(Duration::from_secs(3));
    let tick = Duration::from_millis(5);
    let mut simulation = Simulation::builder(seed).tick(tick).links(links).build();
    let shared = Shared::default();
    for name in HOSTS {
        let shared = shared.clone();
        simulation.host(name, move |host| start(host, name, shared.clone()));
    }
    let violations = match go(&mut simulation, seed, &shared) {
        Ok(violations) => violations,
        Err(failure) => vec![failure.to_string()],
    };
    let trace = simulation.trace();
    Outcome { digest: trace.digest(), events: trace.events(), trace: trace.to_string(), violations }
}

fn go(simulation: &mut Simulation, seed: u64, shared: &Shared) -> Result<Vec<String>, Failure> {
    let dead_letters = || dead_letters().iter().map(|(_, count)| count).sum::<u64>();
    let dead_before = dead_letters();
    let account = &shared.account;
    let mut events = peers::events();
    let mut pass = |simulation: &mut Simulation, time: Duration| -> Result<(), Failure> {
        simulation.run_for(time)?;
        loop {
            match events.try_recv() {
                Ok(PeerEvent::Gone { node_id, unacknowledged }) => {
                    let count = unacknowledged.expect("it is no stock node");
                    account.unacknowledged(node_id, count as u64);
                }
                Ok(_) => {}
                Err(TryRecvError::Empty) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    };
    pass(simulation, Duration::from_secs(1))?;
    // Without a crash all accounts are exact.
    let plan = Plan { hosts: &HOSTS, time: FAULTS, may_crash: seed % 2 == 1 };
    faults::happen(simulation, seed, &plan, |host| account.crashed(host), &mut pass)?;
    shared.heard.lock().unwrap().clear();
    let until = simulation.now() + HEALS;
    while !shared.all_hear_all() && simulation.now() < until {
        pass(simulation, Duration::from_millis(100))?;
    }
    let mut violations = Vec::new();
    if !shared.all_hear_all() {
        let (heard, lives) = (shared.heard.lock().unwrap(), shared.lives.lock().unwrap());
        violations.push(format!(
            "{HEALS:?} after the last fault not all nodes speak to each other: they heard of the \
             starts {heard:?}, and the hosts have started {lives:?} times"
        ));
    }
    shared.is_over.store(true, Ordering::Relaxed);
    // What is on its way arrives.
    pass(simulation, Duration::from_secs(3))?;
    let sessions = shared.sessions.lock().unwrap().clone();
    if sessions.values().any(|count| *count != HOSTS.len() - 1) {
        violations.push(format!("a session is left over, or missing: {sessions:?}"));
    }
    violations.extend(account.violations(dead_letters() - dead_before));
    if account.arrivals() == 0 {
        violations.push("nothing was sent".to_owned());
    }
    Ok(violations)
}
