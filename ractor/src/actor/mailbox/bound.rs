//! How much a mailbox holds, and what becomes of the rest.

use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "cluster")]
use std::sync::{Arc, OnceLock};

pub(crate) use crate::actor::actor_config::Overflow;
use crate::concurrency::Notify;
#[cfg(feature = "cluster")]
use crate::remoting::RoomWatch;

/// The bound of a mailbox.
pub(crate) struct Bound {
    pub(super) capacity: usize,
    pub(super) overflow: Overflow,
    room: Notify,
    /// Whether the key of an item ever panicked.
    keyless: AtomicBool,
    /// Lends room to senders of other nodes, once there are any.
    #[cfg(feature = "cluster")]
    watch: OnceLock<Arc<dyn RoomWatch>>,
}

impl Bound {
    pub(crate) fn new(capacity: usize, overflow: Overflow) -> Self {
        Self {
            capacity,
            overflow,
            room: Notify::new(),
            keyless: AtomicBool::new(false),
            #[cfg(feature = "cluster")]
            watch: OnceLock::new(),
        }
    }

    /// The bound as it was configured.
    pub(crate) fn configured(&self) -> (usize, Overflow) {
        (self.capacity, self.overflow)
    }

    /// What lends room to senders of other nodes. The first call makes it.
    #[cfg(feature = "cluster")]
    pub(crate) fn watch(&self, make: impl FnOnce() -> Arc<dyn RoomWatch>) -> &Arc<dyn RoomWatch> {
        self.watch.get_or_init(make)
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

    /// The receiver took a message. `waiting` counts those that are left.
    pub(super) fn one_more_room(&self, waiting: impl Fn() -> usize) {
        self.room.notify_one();
        #[cfg(feature = "cluster")]
        if let Some(watch) = self.watch.get() {
            watch.taken(&waiting);
        }
        #[cfg(not(feature = "cluster"))]
        let _ = waiting;
    }

    pub(super) fn no_more_room(&self) {
        self.room.notify_waiters();
    }
}
