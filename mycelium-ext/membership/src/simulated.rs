//! Gossip on a simulated host, which is the same in each run of a seed.
//!
//! Chitchat draws the members that it gossips with in a round from the system, and tokio draws the
//! order in which chitchat handles what is ready at one time. So a simulation chooses the members
//! in its place, by the same rule, and nothing else is ready at the time of a round.

use std::collections::BTreeSet;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use chitchat::ChitchatMessage;
use mycelium_link::chance;
use parking_lot::Mutex;
use rand::seq::SliceRandom as _;
use tokio::time::{Instant, sleep};

use crate::socket::Port;
use crate::view::Heard;

/// Around the time of a round nothing else happens for so long. Timers have milliseconds.
const MARGIN: Duration = Duration::from_millis(2);

/// Members that are gossiped with in a round, as chitchat has it.
const CHOSEN: usize = 3;

/// A datagram that is being received: how many bytes it has, and who sent it.
pub type Receiving<'a> = Pin<Box<dyn Future<Output = io::Result<(usize, SocketAddr)>> + Send + 'a>>;

/// What a simulated host has in the place of a UDP socket.
pub trait Datagrams: fmt::Debug + Send + Sync + 'static {
    /// Sends a datagram, without waiting. It may be lost.
    ///
    /// # Errors
    /// Those of a socket.
    fn send(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()>;

    /// Receives a datagram. Cancel safe.
    ///
    /// # Errors
    /// Those of a socket.
    fn recv_from<'a>(&'a self, buffer: &'a mut [u8]) -> Receiving<'a>;
}

#[derive(Debug)]
struct Rounds {
    /// The time of chitchat's first one.
    first: Instant,
    /// From when on members are chosen again.
    next: Instant,
    /// Members that chitchat was asked to gossip with, and has not yet.
    asked: usize,
}

/// Datagrams of a simulated host, and the rounds of its gossip.
#[derive(Debug)]
pub(crate) struct SimulatedPort {
    datagrams: Box<dyn Datagrams>,
    interval: Duration,
    rounds: Mutex<Rounds>,
}

impl SimulatedPort {
    pub(crate) fn new(datagrams: Box<dyn Datagrams>, interval: Duration) -> Self {
        let now = Instant::now();
        let rounds = Mutex::new(Rounds { first: now, next: now, asked: 0 });
        Self { datagrams, interval, rounds }
    }

    pub(crate) fn send(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.datagrams.send(datagram, to)
    }

    /// When the round is over that is now, if there is one.
    fn end_of_round(&self) -> Option<Instant> {
        let now = Instant::now();
        let since = now.saturating_duration_since(self.rounds.lock().first);
        let interval = self.interval.as_nanos().max(1);
        // It is shorter than the interval, which is a minute at most.
        let since = Duration::from_nanos((since.as_nanos() % interval) as u64);
        if since < MARGIN {
            Some(now + (MARGIN - since))
        } else if since + MARGIN > self.interval {
            Some(now + (self.interval - since) + MARGIN)
        } else {
            None
        }
    }

    /// Receives when nothing else is ready.
    pub(crate) async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut receiving = self.datagrams.recv_from(buffer);
        let mut round = pin!(sleep(Duration::ZERO));
        poll_fn(|context| {
            if self.rounds.lock().asked > 0 {
                // Chitchat does what it was asked for, and then receives anew.
                return Poll::Pending;
            }
            if let Some(end) = self.end_of_round() {
                round.as_mut().reset(end);
                if round.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
            }
            receiving.as_mut().poll(context)
        })
        .await
    }
}

impl Port {
    const fn simulated(&self) -> Option<&SimulatedPort> {
        match self {
            Self::Simulated(port) => Some(port),
            Self::System(_) => None,
        }
    }

    /// Chitchat begins, and has its first round now.
    pub(crate) fn begin(&self) {
        if let Some(port) = self.simulated() {
            let now = Instant::now();
            *port.rounds.lock() = Rounds { first: now, next: now, asked: 0 };
        }
    }

    /// Waits until there is no round.
    pub(crate) async fn after_round(&self) {
        while let Some(end) = self.simulated().and_then(SimulatedPort::end_of_round) {
            tokio::time::sleep_until(end).await;
        }
    }

    /// Chitchat was asked to gossip with a member.
    pub(crate) fn asked(&self, is_asked: bool) {
        if let Some(port) = self.simulated() {
            port.rounds.lock().asked += usize::from(is_asked);
        }
    }

    /// Whether a message of chitchat is sent: what begins a gossip in a round is not.
    pub(crate) fn takes(&self, message: &ChitchatMessage) -> bool {
        let Some(port) = self.simulated() else { return true };
        if !matches!(message, ChitchatMessage::Syn { .. }) {
            return true;
        }
        if port.end_of_round().is_some() {
            return false;
        }
        let mut rounds = port.rounds.lock();
        rounds.asked = rounds.asked.saturating_sub(1);
        true
    }

    /// The members to gossip with, once in an interval: some that live, and sometimes a dead one.
    pub(crate) fn choose(&self, heard: &[Heard], own: SocketAddr, now: Instant) -> Vec<SocketAddr> {
        let Some(port) = self.simulated() else { return Vec::new() };
        if now < port.rounds.lock().next {
            return Vec::new();
        }
        port.rounds.lock().next = now + port.interval * 9 / 10;
        let addresses = |is_live| {
            let others = heard.iter().filter(|it| it.is_live == is_live && it.id.gossip != own);
            let addresses: BTreeSet<_> = others.map(|it| it.id.gossip).collect();
            addresses.into_iter().collect::<Vec<_>>()
        };
        let (live, mut dead) = (addresses(true), addresses(false));
        let is_alone = live.is_empty();
        let mut chosen = if is_alone { dead.clone() } else { live.clone() };
        chosen.shuffle(&mut chance::rng());
        chosen.truncate(CHOSEN);
        let part = dead.len() as f64 / (live.len() + 1) as f64;
        if part > chance::random::<f64>() && !is_alone {
            dead.shuffle(&mut chance::rng());
            chosen.extend(dead.first());
        }
        chosen
    }
}
