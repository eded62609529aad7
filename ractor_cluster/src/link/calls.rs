//! Our calls that wait for an answer of the peer, by actor and tag.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;

use ractor::RpcReplyPort;

use super::locked::locked;

/// Calls that are looked at for having been given up, with every new one: more than one, so that
/// they do not pile up.
const LOOKED_AT: usize = 2;

type Port = RpcReplyPort<Vec<u8>>;
/// An actor, and the tag of a call to it.
type Key = (u64, u64);

/// See the module's documentation.
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

    /// How many calls may wait.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// How many calls wait.
    pub(super) fn count(&self) -> usize {
        let waiting = locked(&self.waiting);
        waiting.ports.len() + usize::from(waiting.one.is_some())
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
