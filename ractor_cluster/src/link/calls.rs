//! The calls of a session that wait for an answer: ours, by actor and tag, and those of the peer.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ractor::port::ReplySink;
use ractor::{MessagingErr, RpcReplyPort};

use super::data_plane::{locked, DataPlane};
use super::dead_letters::{self, Cause};
use mycelium_link::codec::What;

/// Calls that are looked at for having been given up, with every new one: more than one, so that
/// they do not pile up.
const LOOKED_AT: usize = 2;

type Port = RpcReplyPort<Vec<u8>>;
/// An actor, and the tag of a call to it.
type Key = (u64, u64);

/// Our calls.
#[derive(Debug)]
pub(crate) struct Calls {
    limit: usize,
    next: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// One of them, which is the only one where calls are made one after the other.
    one: Option<(Key, Port)>,
    /// The others.
    ports: BTreeMap<Key, Port>,
    /// The last that was looked at.
    cursor: Key,
    ended: bool,
}

impl Calls {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, next: AtomicU64::new(1), waiting: Mutex::default() }
    }

    /// Takes the port of a call to the actor `to`, and returns its tag, and whether no other call
    /// waits.
    ///
    /// # Errors
    /// Returns the port when too many calls wait, or the session has ended.
    pub(crate) fn insert(&self, to: u64, port: Port) -> Result<(u64, bool), Port> {
        let tag = self.next.fetch_add(1, Ordering::Relaxed);
        // Dropped without the lock: what a port leads to is not ours.
        let (given_up, is_alone);
        {
            let mut waiting = locked(&self.waiting);
            given_up = waiting.given_up();
            let others = waiting.ports.len() + usize::from(waiting.one.is_some());
            if waiting.ended || others >= self.limit {
                return Err(port);
            }
            is_alone = others == 0;
            waiting.insert((to, tag), port);
        }
        drop(given_up);
        Ok((tag, is_alone))
    }

    /// The port of a call that is answered; `None` when the caller has given up.
    pub(super) fn take(&self, to: u64, tag: u64) -> Option<Port> {
        locked(&self.waiting).remove((to, tag))
    }

    /// The calls to an actor that has ended fail.
    pub(crate) fn fail(&self, to: u64) {
        let failed = {
            let mut waiting = locked(&self.waiting);
            let one = waiting.one.take_if(|((actor, _), _)| *actor == to);
            let of_actor = waiting.ports.range((to, 0)..=(to, u64::MAX));
            let keys: Vec<Key> = of_actor.map(|(key, _)| *key).collect();
            let others = keys.iter().filter_map(|key| waiting.ports.remove(key));
            one.map(|(_, port)| port).into_iter().chain(others).collect::<Vec<Port>>()
        };
        drop(failed);
    }

    /// All calls fail, and there will be no more.
    pub(super) fn end(&self) {
        let failed = {
            let mut waiting = locked(&self.waiting);
            waiting.ended = true;
            (waiting.one.take(), std::mem::take(&mut waiting.ports))
        };
        drop(failed);
    }
}

impl Waiting {
    fn insert(&mut self, key: Key, port: Port) {
        // The one that was here gave way to it.
        if let Some((key, port)) = self.one.replace((key, port)) {
            self.ports.insert(key, port);
        }
    }

    fn remove(&mut self, key: Key) -> Option<Port> {
        match self.one.take_if(|(one, _)| *one == key) {
            Some((_, port)) => Some(port),
            None => self.ports.remove(&key),
        }
    }

    /// Some whose callers wait no more.
    fn given_up(&mut self) -> [Option<Port>; LOOKED_AT] {
        if self.one.as_ref().is_some_and(|(_, port)| port.is_closed()) {
            return [self.one.take().map(|(_, port)| port), None];
        }
        if self.ports.is_empty() {
            return Default::default();
        }
        std::array::from_fn(|_| {
            let behind = (Bound::Excluded(self.cursor), Bound::Unbounded);
            let Some((key, port)) = self.ports.range(behind).next() else {
                self.cursor = (0, 0);
                return None;
            };
            self.cursor = *key;
            if port.is_closed() {
                self.ports.remove(&self.cursor.clone())
            } else {
                None
            }
        })
    }
}

/// A place among the calls of the peer that wait for an answer.
pub(super) struct Place(Arc<DataPlane>);

impl Place {
    /// `None` when the peer waits for as many as it may.
    pub(super) fn take(traffic: &Arc<DataPlane>) -> Option<Self> {
        let place = Self(traffic.clone());
        let others = traffic.answering.fetch_add(1, Ordering::Relaxed);
        (others < traffic.calls.limit).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The time that a caller waits, from the arrival of its call on.
pub(super) struct Time {
    limit: Option<Duration>,
    /// `None` also when the clock ends before.
    until: Option<Instant>,
}

impl Time {
    pub(super) fn starting_now(limit: Option<Duration>) -> Self {
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        Self { limit, until }
    }

    pub(super) fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// Whether the caller has given up.
    pub(super) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// Where the answer to a call of the peer goes. Dropped without one, it tells the peer that none
/// will come.
pub(super) struct Answer {
    traffic: Arc<DataPlane>,
    to: u64,
    tag: u64,
    time: Time,
    sent: AtomicBool,
    _place: Place,
}

impl Answer {
    /// `None` when the peer waits for too many answers already.
    pub(super) fn begin(
        traffic: &Arc<DataPlane>,
        to: u64,
        tag: u64,
        timeout: Option<Duration>,
    ) -> Option<Port> {
        let Some(place) = Place::take(traffic) else {
            traffic.answer(What::NoReply { to, tag }, &[]);
            return None;
        };
        let (traffic, sent) = (traffic.clone(), AtomicBool::new(false));
        let time = Time::starting_now(timeout);
        let answer = Self { traffic, to, tag, time, sent, _place: place };
        Some(RpcReplyPort::from_sink(Box::new(answer)))
    }
}

impl ReplySink<Vec<u8>> for Answer {
    fn send(self: Box<Self>, answer: Vec<u8>) -> Result<(), MessagingErr<Vec<u8>>> {
        if self.time.is_over() {
            return Err(MessagingErr::SendErr(answer));
        }
        let (to, tag) = (self.to, self.tag);
        if self.traffic.too_large(What::Reply { to, tag }.room() + answer.len()).is_some() {
            dead_letters::count(self.traffic.node_id(), Cause::AnswerTooLarge);
            // Not sent: when this is dropped, the peer is told that there will be no answer.
            return Err(MessagingErr::SendErr(answer));
        }
        self.sent.store(true, Ordering::Relaxed);
        if self.traffic.answer(What::Reply { to, tag }, &answer) {
            Ok(())
        } else {
            Err(MessagingErr::SendErr(answer))
        }
    }

    fn timeout(&self) -> Option<Duration> {
        self.time.limit()
    }

    fn is_closed(&self) -> bool {
        self.time.is_over() || self.traffic.has_ended()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.sent.load(Ordering::Relaxed) {
            let (to, tag) = (self.to, self.tag);
            // The peer's caller waits for its timeout otherwise.
            self.traffic.answer(What::NoReply { to, tag }, &[]);
        }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("to", &self.to)
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}
