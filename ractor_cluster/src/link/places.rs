//! The places of connections that are not authenticated. When places run out the oldest connection
//! goes, and never the newcomer, so that a listener always accepts at once.
//!
//! There are four kinds of places, each with a bound of its own, so that none can use up another:
//! connections of the network that have sent nothing yet, connections of the network whose
//! handshake is under way, connections by Unix sockets, and further links of sessions that exist.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ractor::ActorRef;
use tokio::sync::{Notify, Semaphore};

use super::quiet_log::PeerLog;
use super::{Event, LinkEvent};
use crate::node::NodeSessionMessage;
use mycelium_link::secret::SessionName;

/// Below so many places an address has no share: it may hold all.
const FEW: usize = 16;

/// Connections on the way to the node server's mailbox at once.
const HANDOVERS: usize = 32;

/// Places for further links of sessions that exist, of all sessions.
const RETURNING: usize = 256;

/// Of one session: as many links as a session may have.
const RETURNING_SHARE: usize = 8;

/// The shortest time for a first frame, however many connections wait.
const SHORTEST: Duration = Duration::from_secs(1);

/// Who holds a place: each source has a share of the places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// An IPv4 address, or an IPv6 network of 64 bits.
    Network([u8; 8]),
    /// A process of this machine.
    Local,
    /// A further link of the session of this name.
    Session(SessionName),
}

impl Source {
    /// Of a connection from this address.
    pub(crate) fn of(address: IpAddr) -> Self {
        let mut network = [0; 8];
        match address.to_canonical() {
            IpAddr::V4(address) => {
                // No IPv6 network of documentation or use begins so.
                network[..2].copy_from_slice(&[0xff, 0xff]);
                network[4..].copy_from_slice(&address.octets());
            }
            IpAddr::V6(address) => network.copy_from_slice(&address.octets()[..8]),
        }
        Self::Network(network)
    }
}

/// All places of one node server, and the limits of its log.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) log: Arc<PeerLog>,
    silent: Arc<Pool>,
    speaking: Arc<Pool>,
    local: Arc<Pool>,
    returning: Arc<Pool>,
    /// What is in the node server's mailbox cannot leave before its turn.
    pub(crate) handovers: Arc<Semaphore>,
}

impl Places {
    /// With so many places of each kind, and so many lines of the log at once for one cause.
    pub(crate) fn new(count: usize, lines: u32) -> Arc<Self> {
        let count = count.max(1);
        let share = if count < FEW { count } else { count / 2 };
        Arc::new(Self {
            log: Arc::new(PeerLog::new(lines)),
            silent: Pool::new(count, share),
            speaking: Pool::new(count, share),
            local: Pool::new(count, count),
            returning: Pool::new(RETURNING, RETURNING_SHARE),
            handovers: Arc::new(Semaphore::new(HANDOVERS)),
        })
    }

    /// A connection begins. The second value says whether another one had to leave for it.
    pub(crate) fn enter(self: &Arc<Self>, source: Source) -> (Visitor, bool) {
        let pool = if source == Source::Local { &self.local } else { &self.silent };
        let leave = Arc::new(Leave::default());
        let (place, displaced) = pool.take(source, leave.clone());
        (Visitor { places: self.clone(), source, place, leave }, displaced)
    }

    /// How long a connection may take to its first frame: less, the more places are taken.
    pub(crate) fn patience(&self, source: Source, most: Duration) -> Duration {
        let pool = if source == Source::Local { &self.local } else { &self.silent };
        let (taken, all) = pool.taken();
        let free = u32::try_from(all.saturating_sub(taken)).unwrap_or(u32::MAX);
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        // No connection is hurried while half of the places are free.
        if u64::from(free) * 2 >= u64::from(all) {
            return most;
        }
        most.mul_f64(2.0 * f64::from(free) / f64::from(all)).max(SHORTEST.min(most))
    }

    /// Closes the oldest connection that has sent nothing yet: the system has no descriptors left.
    pub(crate) fn make_room(&self) {
        self.silent.displace_oldest();
    }
}

/// A connection that is not authenticated, in its place.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) places: Arc<Places>,
    pub(crate) source: Source,
    place: Place,
    pub(crate) leave: Arc<Leave>,
}

impl Visitor {
    /// Its first frame has come: it gives the place of the silent to the next one.
    pub(crate) fn speaks(&mut self) {
        if self.source != Source::Local {
            self.place = self.places.speaking.take(self.source, self.leave.clone()).0;
        }
    }

    /// It is a further link of this session, which exists.
    pub(crate) fn returns(&mut self, session: SessionName) {
        let source = Source::Session(session);
        self.place = self.places.returning.take(source, self.leave.clone()).0;
    }

    pub(crate) fn into_place(self) -> Place {
        self.place
    }
}

/// That a connection has to leave, for a newer one.
#[derive(Debug, Default)]
pub(crate) struct Leave {
    told: AtomicBool,
    changed: Notify,
    session: Mutex<Option<ActorRef<NodeSessionMessage>>>,
}

impl Leave {
    fn tell(&self) {
        self.told.store(true, Ordering::SeqCst);
        // There is one that waits.
        self.changed.notify_one();
        self.pass_on();
    }

    /// The connection has become this session, which is told from here on.
    pub(crate) fn attends(&self, session: ActorRef<NodeSessionMessage>) {
        *locked(&self.session) = Some(session);
        self.pass_on();
    }

    /// The session is authenticated, and stays.
    pub(crate) fn stays(&self) {
        locked(&self.session).take();
    }

    fn pass_on(&self) {
        if !self.told.load(Ordering::SeqCst) {
            return;
        }
        if let Some(session) = locked(&self.session).take() {
            // One that has ended needs not be told.
            _ = session.cast(NodeSessionMessage::Link(LinkEvent(Event::Displaced)));
        }
    }

    /// Waits until the connection has to leave. Cancel safe.
    pub(crate) async fn told(&self) {
        while !self.told.load(Ordering::SeqCst) {
            self.changed.notified().await;
        }
    }
}

#[derive(Debug)]
struct Pool {
    most: usize,
    share: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    next: u64,
    /// The oldest first.
    all: BTreeMap<u64, (Source, Arc<Leave>)>,
    of_source: HashMap<Source, BTreeSet<u64>>,
}

impl Held {
    fn remove(&mut self, number: u64) -> Option<Arc<Leave>> {
        let (source, leave) = self.all.remove(&number)?;
        if let Some(numbers) = self.of_source.get_mut(&source) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.of_source.remove(&source);
            }
        }
        Some(leave)
    }
}

impl Pool {
    fn new(most: usize, share: usize) -> Arc<Self> {
        Arc::new(Self { most, share, held: Mutex::default() })
    }

    /// Gives out a place, for which the oldest may have to leave: of the same source where that has
    /// its share, else of all.
    fn take(self: &Arc<Self>, source: Source, leave: Arc<Leave>) -> (Place, bool) {
        let (number, oldest) = {
            let mut held = locked(&self.held);
            let number = held.next;
            held.next += 1;
            let of_source = held.of_source.get(&source);
            let oldest = match of_source.filter(|numbers| numbers.len() >= self.share) {
                Some(numbers) => numbers.first().copied(),
                None if held.all.len() >= self.most => held.all.keys().next().copied(),
                None => None,
            };
            let oldest = oldest.and_then(|oldest| held.remove(oldest));
            held.all.insert(number, (source, leave));
            held.of_source.entry(source).or_default().insert(number);
            (number, oldest)
        };
        if let Some(oldest) = &oldest {
            oldest.tell();
        }
        (Place { pool: self.clone(), number }, oldest.is_some())
    }

    fn displace_oldest(&self) {
        let mut held = locked(&self.held);
        let oldest = held.all.keys().next().copied();
        let leave = oldest.and_then(|oldest| held.remove(oldest));
        drop(held);
        if let Some(leave) = leave {
            leave.tell();
        }
    }

    fn taken(&self) -> (usize, usize) {
        (locked(&self.held).all.len(), self.most)
    }
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    pool: Arc<Pool>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        locked(&self.pool.held).remove(self.number);
    }
}

/// Nothing under these locks can be left half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "places/tests.rs"]
mod tests;
