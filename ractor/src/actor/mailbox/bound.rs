//! How much a mailbox holds, and what becomes of the rest.

use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use crate::actor::actor_config::Overflow;
use crate::concurrency::Notify;

/// The bound of a mailbox.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(super) capacity: usize,
    pub(super) overflow: Overflow,
    room: Notify,
    /// Whether the key of an item ever panicked.
    keyless: AtomicBool,
}

impl Bound {
    pub(crate) fn new(capacity: usize, overflow: Overflow) -> Self {
        Self { capacity, overflow, room: Notify::new(), keyless: AtomicBool::new(false) }
    }

    /// What becomes of what finds no room.
    pub(crate) fn overflow(&self) -> Overflow {
        self.overflow
    }

    /// Notifies that there may be room, or never again. A listener has to look again after it
    /// has begun to listen.
    pub(crate) fn room(&self) -> &Notify {
        &self.room
    }

    /// Whether this is the first time that it is asked: the key of an item panicked.
    pub(crate) fn is_first_without_key(&self) -> bool {
        !self.keyless.swap(true, Ordering::Relaxed)
    }

    pub(super) fn one_more_room(&self) {
        self.room.notify_one();
    }

    pub(super) fn no_more_room(&self) {
        self.room.notify_waiters();
    }
}
