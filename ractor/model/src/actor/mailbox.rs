//! The queue, and what it stands on.

#[path = "../../../src/actor/mailbox/chunks.rs"]
mod chunks;
#[path = "../../../src/actor/mailbox/queue.rs"]
mod queue;

pub(crate) use bound::{Bound, Overflow};
pub(crate) use queue::{Found, Queue, Refused, Sleep};

pub(crate) mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
    pub(crate) use loom::sync::MutexGuard;

    /// Loom's lock with the face of the real one, which knows no poison.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("no thread panics")
        }
    }
}

mod bound {
    use super::sync::{AtomicUsize, Ordering};

    #[derive(Debug)]
    pub(crate) enum Overflow {
        Reject,
        DropNewest,
        DropOldest,
    }

    /// A bound that counts how often it was told of room.
    #[derive(Debug)]
    pub(crate) struct Bound {
        pub(super) capacity: usize,
        pub(super) overflow: Overflow,
        room: AtomicUsize,
    }

    impl Bound {
        pub(crate) fn new(capacity: usize, overflow: Overflow) -> Self {
            Self { capacity, overflow, room: AtomicUsize::new(0) }
        }

        pub(crate) fn told_of_room(&self) -> usize {
            self.room.load(Ordering::Relaxed)
        }

        pub(super) fn one_more_room(&self) {
            self.room.fetch_add(1, Ordering::Relaxed);
        }

        pub(super) fn no_more_room(&self) {
            self.one_more_room();
        }
    }
}
