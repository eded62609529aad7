//! The queue, and what it stands on.

#[path = "../../../src/actor/mailbox/chunks.rs"]
mod chunks;
#[path = "../../../src/actor/mailbox/keyed.rs"]
mod keyed;
#[path = "../../../src/actor/mailbox/queue.rs"]
mod queue;
#[path = "../../../src/actor/mailbox/settle.rs"]
mod settle;
#[path = "../../../src/actor/mailbox/slots.rs"]
mod slots;

pub(crate) use bound::{Bound, Overflow};
pub(crate) use keyed::KeyOf;
pub(crate) use queue::{Found, Queue, Refused, Sleep};
pub(crate) use settle::Way;

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
    use loom::sync::{Condvar, Mutex};

    #[derive(Debug, Clone, Copy)]
    pub(crate) enum Overflow {
        Reject,
        DropNewest,
        DropOldest,
    }

    /// A bound that counts how often it was told of room, and lets threads wait for that.
    #[derive(Debug)]
    pub(crate) struct Bound {
        pub(super) capacity: usize,
        pub(super) overflow: Overflow,
        room: Mutex<usize>,
        more: Condvar,
    }

    impl Bound {
        pub(crate) fn new(capacity: usize, overflow: Overflow) -> Self {
            Self { capacity, overflow, room: Mutex::new(0), more: Condvar::new() }
        }

        pub(crate) fn told_of_room(&self) -> usize {
            *self.room.lock().expect("no thread panics")
        }

        /// Waits until it was told of room more than so often.
        pub(crate) fn wait_for_room(&self, told: usize) {
            let mut room = self.room.lock().expect("no thread panics");
            while *room <= told {
                room = self.more.wait(room).expect("no thread panics");
            }
        }

        pub(super) fn one_more_room(&self, _: impl Fn() -> usize) {
            *self.room.lock().expect("no thread panics") += 1;
            self.more.notify_all();
        }

        pub(super) fn no_more_room(&self) {
            self.one_more_room(|| 0);
        }
    }
}
