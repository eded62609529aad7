//! What came from a peer and waits for the session's actor: control traffic, and the messages
//! behind it.
//!
//! It waits here and not in the actor's mailbox, which has one wake-up of it at a time. So timers,
//! the ends of links and the end of the session wait for one item, and not for all. Beyond a bound
//! the readers of the session's links pause, until half of it is handled: the peer's socket fills,
//! and the peer waits. That is the only back pressure that a stock node understands. A node of the
//! fork also keeps in its replay window what has not been handled here.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use ractor::ActorRef;

use super::arrivals::Arrived;
use super::traffic::locked;
use super::{Event, LinkEvent};
use crate::NodeSessionMessage;

/// The frames that wait from which on the readers pause.
const MOST_FRAMES: usize = 1024;
/// The bytes that wait from which on the readers pause. One frame may exceed it.
const MOST_BYTES: usize = 1024 * 1024;

/// The lane and the sequence number of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) lane: u32,
    pub(crate) sequence: u64,
    /// The peer sends nothing more before it has the acknowledgement.
    pub(crate) is_fence: bool,
}

/// Something that waits.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) arrived: Arrived,
    /// What the peer is to be told when it is handled.
    pub(crate) place: Option<Place>,
    /// As it came.
    pub(crate) bytes: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    items: VecDeque<Item>,
    /// Of the items, and of those that are being handled.
    bytes: usize,
    /// Those who read.
    readers: Vec<Waker>,
    closed: bool,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    waiting: Mutex<Waiting>,
    /// The items, and those that are being handled.
    count: AtomicUsize,
    full: AtomicBool,
}

impl Backlog {
    /// Adds something, and wakes the actor where it has no wake-up yet. A session that has ended
    /// drops it.
    pub(crate) fn push(self: &Arc<Self>, item: Item, session: &ActorRef<NodeSessionMessage>) {
        let is_first = {
            let mut waiting = locked(&self.waiting);
            if waiting.closed {
                return;
            }
            let is_first = waiting.items.is_empty();
            let count = self.count.fetch_add(1, Ordering::AcqRel) + 1;
            waiting.bytes += item.bytes;
            waiting.items.push_back(item);
            if count >= MOST_FRAMES || waiting.bytes >= MOST_BYTES {
                self.full.store(true, Ordering::Release);
            }
            is_first
        };
        if is_first {
            self.wake(session);
        }
    }

    fn wake(self: &Arc<Self>, session: &ActorRef<NodeSessionMessage>) {
        // The session may have ended, and then drops what waits.
        _ = session.cast(LinkEvent(Event::Waiting(self.clone())).into());
    }

    /// Takes the first item, for the actor, and sends the actor its next wake-up. The item counts
    /// until the ticket is dropped.
    pub(crate) fn take(
        self: &Arc<Self>,
        session: &ActorRef<NodeSessionMessage>,
    ) -> Option<(Arrived, Ticket)> {
        let (item, has_more) = {
            let mut waiting = locked(&self.waiting);
            let item = waiting.items.pop_front()?;
            (item, !waiting.items.is_empty())
        };
        if has_more {
            self.wake(session);
        }
        let Item { arrived, place, bytes } = item;
        Some((arrived, Ticket { backlog: self.clone(), place, bytes }))
    }

    /// Whether anything waits or is being handled.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Whether readers pause.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// Whether this reader is to pause. It is woken when it may go on.
    pub(crate) fn pauses(&self, reader: &Waker) -> bool {
        if !self.is_full() {
            return false;
        }
        let mut waiting = locked(&self.waiting);
        // It may have been emptied meanwhile.
        let pauses = self.is_full();
        if pauses && !waiting.readers.iter().any(|other| other.will_wake(reader)) {
            waiting.readers.push(reader.clone());
        }
        pauses
    }

    /// Drops all that waits, and takes nothing more.
    pub(crate) fn close(&self) {
        let (items, readers) = {
            let mut waiting = locked(&self.waiting);
            waiting.closed = true;
            self.full.store(false, Ordering::Release);
            (std::mem::take(&mut waiting.items), std::mem::take(&mut waiting.readers))
        };
        drop(items);
        readers.into_iter().for_each(Waker::wake);
    }

    fn done(&self, bytes: usize) {
        let readers = {
            let mut waiting = locked(&self.waiting);
            let count = self.count.fetch_sub(1, Ordering::AcqRel) - 1;
            waiting.bytes -= bytes;
            let has_room = count <= MOST_FRAMES / 2 && waiting.bytes <= MOST_BYTES / 2;
            if !has_room || !self.is_full() {
                return;
            }
            self.full.store(false, Ordering::Release);
            std::mem::take(&mut waiting.readers)
        };
        readers.into_iter().for_each(Waker::wake);
    }
}

/// Something is being handled, as long as it is held.
#[derive(Debug)]
pub(crate) struct Ticket {
    backlog: Arc<Backlog>,
    place: Option<Place>,
    bytes: usize,
}

impl Ticket {
    /// The frame that the peer is to be told of, and its bytes.
    pub(crate) fn place(&self) -> Option<(Place, usize)> {
        Some((self.place?, self.bytes))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.backlog.done(self.bytes);
    }
}
