//! What came from a peer and waits for the session's actor: control traffic, and the messages
//! behind it.
//!
//! It waits here and not in the actor's mailbox, which has one wake-up of it at a time. So timers,
//! the ends of links and the end of the session wait for one item, and not for all. Beyond a bound
//! the readers of the session's links pause, until half of it is handled, or all of it where there
//! are messages: the peer's socket fills, and the peer waits. That is the only back pressure that a
//! stock node understands. A node of the fork also keeps in its replay window what has not been
//! handled here.
//!
//! What waits counts as what it takes in memory: the bytes of its frame, and what its lists become
//! when they are decoded. A long list is taken slice by slice, and the frame counts, and is not
//! acknowledged, until its last slice is handled.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use bytes::Bytes;
use ractor::ActorRef;

use super::arrived::Arrived;
use super::decode::{self, Caps, Decoded, Outcome, Undecodable};
use super::locked::locked;
use super::pace::Pace;
use super::slices;
use super::{Event, LinkEvent};
use crate::NodeSessionMessage;

/// The frames that wait from which on the readers pause.
const MOST_FRAMES: usize = 1024;
/// The bytes of memory that wait from which on the readers pause. One frame may exceed it.
const MOST_BYTES: usize = 1024 * 1024;
/// What waits from which on a message that has to wait as well has the readers pause until nothing
/// does. Such messages go to their actors by themselves when nothing waits, for about half of the
/// processor's work. A peer that floods would keep them on the longer way.
const MOST_BEFORE_MESSAGES: usize = 128;

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
    pub(crate) weight: Weight,
}

/// What something costs that waits.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Weight {
    /// As it came.
    pub(crate) bytes: usize,
    /// The bytes that its lists take in memory beside these.
    pub(crate) cost: usize,
    /// The elements of its lists, or the actors that it is delivered to.
    pub(crate) elements: usize,
}

impl Weight {
    /// The bytes of memory.
    fn memory(self) -> usize {
        self.bytes + self.cost
    }
}

/// Something that waits, or what is left of it.
#[derive(Debug)]
struct Entry {
    what: slices::Waiting,
    place: Option<Place>,
    weight: Weight,
}

#[derive(Debug, Default)]
struct Waiting {
    items: VecDeque<Entry>,
    /// Of memory, of the items and of those that are being handled.
    bytes: usize,
    /// The readers that pause.
    readers: Vec<Waker>,
    /// They do until nothing waits.
    is_emptied: bool,
    closed: bool,
    /// The peer is refused: readers pause for good.
    refused: bool,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    waiting: Mutex<Waiting>,
    /// The items, and those that are being handled.
    count: AtomicUsize,
    full: AtomicBool,
    caps: Caps,
    pace: Pace,
}

impl Backlog {
    /// Of a session with a peer whose frames may hold lists of so many elements.
    pub(crate) fn new(caps: Caps) -> Self {
        Self { caps, ..Self::default() }
    }

    /// How much of lists a frame of the peer may hold.
    pub(super) fn caps(&self) -> Caps {
        self.caps
    }

    /// Decodes a frame that came for the session, unless that takes long. When its lists are longer
    /// than `caps` allow, the session refuses the peer, and nothing more is read of it.
    ///
    /// # Errors
    /// The frame is no message, for which its link ends.
    pub(super) fn decode(
        &self,
        frame: Bytes,
        caps: Caps,
        session: &ActorRef<NodeSessionMessage>,
    ) -> io::Result<Outcome> {
        if decode::is_long(&frame, caps) {
            return Ok(Outcome::Long(frame));
        }
        self.or_refuse(decode::decode(frame, caps), session)
    }

    /// The same, of a frame that was decoded elsewhere.
    ///
    /// # Errors
    /// The frame is no message, for which its link ends.
    pub(super) fn or_refuse(
        &self,
        decoded: Result<Decoded, Undecodable>,
        session: &ActorRef<NodeSessionMessage>,
    ) -> io::Result<Outcome> {
        match decoded {
            Ok(decoded) => Ok(Outcome::Decoded(decoded)),
            Err(error @ Undecodable::TooLong { .. }) => {
                let with_hello = self.refuse();
                // The session may have ended already.
                _ = session.cast(LinkEvent(Event::Undecodable { error, with_hello }).into());
                Ok(Outcome::Refused)
            }
            Err(error) => Err(error.into()),
        }
    }

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
            let Item { arrived, place, weight } = item;
            waiting.bytes += weight.memory();
            let is_message = matches!(arrived, Arrived::Message(_));
            waiting.is_emptied |= is_message && count >= MOST_BEFORE_MESSAGES;
            let what = slices::Waiting::of(arrived, self.caps.name_bytes);
            waiting.items.push_back(Entry { what, place, weight });
            if count >= MOST_FRAMES || waiting.bytes >= MOST_BYTES || waiting.is_emptied {
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

    /// Takes the first item, or the next slice of it, for the actor, and sends the actor its next
    /// wake-up. The item counts until the ticket of its last slice is dropped.
    pub(crate) fn take(
        self: &Arc<Self>,
        session: &ActorRef<NodeSessionMessage>,
    ) -> Option<(Arrived, DivertGuard)> {
        let (arrived, elements, last, has_more) = {
            let mut waiting = locked(&self.waiting);
            match waiting.items.front_mut()?.what.next_slice() {
                Some((slice, elements)) => (slice, elements, None, true),
                None => {
                    let Entry { what, place, weight } = waiting.items.pop_front()?;
                    let (arrived, elements) = what.rest(weight.elements);
                    (arrived, elements, Some((place, weight)), !waiting.items.is_empty())
                }
            }
        };
        self.pace.count(1 + elements);
        if has_more {
            self.wake(session);
        }
        let backlog = last.is_some().then(|| self.clone());
        let (place, weight) = last.unwrap_or_default();
        Some((arrived, DivertGuard { backlog, place, weight }))
    }

    /// Gives others a turn when much was taken since they had one, instead of taking more: the
    /// actor gets a wake-up of its own for that, behind what is more urgent by then. Returns
    /// whether it did.
    pub(crate) async fn gives_turn(
        self: &Arc<Self>,
        session: &ActorRef<NodeSessionMessage>,
    ) -> bool {
        let gives = self.pace.is_over();
        if gives {
            self.wake(session);
            self.pace.give_way().await;
        }
        gives
    }

    /// The session's work on what its peer sent.
    pub(crate) fn pace(&self) -> &Pace {
        &self.pace
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
    #[inline]
    pub(crate) fn pauses(&self, reader: &Waker) -> bool {
        self.is_full() && self.registers(reader)
    }

    /// Registers a reader to be woken, unless the backlog has been emptied meanwhile. Returns
    /// whether it did.
    #[cold]
    fn registers(&self, reader: &Waker) -> bool {
        let mut waiting = locked(&self.waiting);
        let pauses = self.is_full();
        if pauses && !waiting.readers.iter().any(|other| other.will_wake(reader)) {
            waiting.readers.push(reader.clone());
        }
        pauses
    }

    /// Drops all that waits, and takes nothing more: the peer is refused. Readers pause until they
    /// end, so that no more of what it sends is looked at. Returns whether the peer's `Hello` was
    /// among what waited.
    pub(super) fn refuse(&self) -> bool {
        let items = {
            let mut waiting = locked(&self.waiting);
            waiting.closed = true;
            waiting.refused = true;
            self.full.store(true, Ordering::Release);
            std::mem::take(&mut waiting.items)
        };
        items.iter().any(|entry| entry.what.is_hello())
    }

    /// Drops all that waits, and takes nothing more.
    pub(crate) fn close(&self) {
        let (items, readers) = {
            let mut waiting = locked(&self.waiting);
            waiting.closed = true;
            self.full.store(waiting.refused, Ordering::Release);
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
            let has_room = match waiting.is_emptied {
                true => count == 0,
                false => count <= MOST_FRAMES / 2 && waiting.bytes <= MOST_BYTES / 2,
            };
            if !has_room || !self.is_full() || waiting.refused {
                return;
            }
            waiting.is_emptied = false;
            self.full.store(false, Ordering::Release);
            std::mem::take(&mut waiting.readers)
        };
        readers.into_iter().for_each(Waker::wake);
    }
}

/// Something is being handled, as long as it is held.
#[derive(Debug)]
pub(crate) struct DivertGuard {
    /// Of the last slice alone.
    backlog: Option<Arc<Backlog>>,
    place: Option<Place>,
    weight: Weight,
}

impl DivertGuard {
    /// The frame that the peer is to be told of, and its bytes, when this was the last of it.
    pub(crate) fn place(&self) -> Option<(Place, usize)> {
        Some((self.place?, self.weight.bytes))
    }
}

impl Drop for DivertGuard {
    fn drop(&mut self) {
        if let Some(backlog) = &self.backlog {
            backlog.done(self.weight.memory());
        }
    }
}
