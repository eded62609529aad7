//! How much a mailbox holds, and what becomes of the rest.

pub(crate) use crate::actor::actor_config::Overflow;
use crate::concurrency::Notify;

/// The bound of a mailbox.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(super) capacity: usize,
    pub(super) overflow: Overflow,
    room: Notify,
}

impl Bound {
    pub(crate) fn new(capacity: usize, overflow: Overflow) -> Self {
        Self { capacity, overflow, room: Notify::new() }
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

    pub(super) fn one_more_room(&self) {
        self.room.notify_one();
    }

    pub(super) fn no_more_room(&self) {
        self.room.notify_waiters();
    }
}
