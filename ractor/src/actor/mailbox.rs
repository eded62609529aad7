//! Where an actor's messages wait, and how it gets at them.

#[path = "mailbox/bound.rs"]
mod bound;
#[path = "mailbox/chunks.rs"]
mod chunks;
#[path = "mailbox/conflating.rs"]
mod conflating;
#[path = "mailbox/held.rs"]
mod held;
#[path = "mailbox/keyed.rs"]
mod keyed;
#[path = "mailbox/parcel.rs"]
mod parcel;
#[path = "mailbox/queue.rs"]
mod queue;
#[path = "mailbox/settle.rs"]
mod settle;
#[path = "mailbox/slots.rs"]
mod slots;
#[path = "mailbox/spares.rs"]
mod spares;

use std::any::Any;
use std::mem;
use std::panic::{RefUnwindSafe, UnwindSafe};

pub(crate) use bound::Bound;
pub(crate) use conflating::conflating;
pub(crate) use held::Held;
pub(crate) use keyed::{discard, KeyOf};
pub(crate) use parcel::{Kind, Parcel};
pub(crate) use queue::{Found, Queue, Refused, Seen, Sleep};
pub(crate) use settle::Way;

use super::actor_config::{self, Overflow};
use crate::dead_letters::{self, Keeps};
use crate::message::{ArcMessage, BoxedMessage};

/// What the queue is made of; the model tests put others in their place.
pub(crate) mod sync {
    pub(crate) use parking_lot::{Mutex, MutexGuard};
    pub(crate) use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
}

/// Messages up to so many bytes wait in the mailbox itself, larger ones in a box of their own: out
/// of a box a message is moved once, and a shared message takes no more room in such a mailbox than
/// its `Arc`.
const INLINE_BYTES: usize = 128;

/// Whether messages of a type wait in the mailbox itself.
pub(crate) const fn is_inline<M>() -> bool {
    mem::size_of::<M>() <= INLINE_BYTES
}

/// From so many bytes on a message stays off the stack of its actor's loop, at the price of a box
/// for its handler's future, which is little beside its copies.
const LARGE_BYTES: usize = 16 * 1024;

/// Whether messages of a type are kept off the stack where they can be.
pub(crate) const fn is_large<M>() -> bool {
    mem::size_of::<M>() >= LARGE_BYTES
}

/// A queue of messages as those see it who do not know what the actor handles.
pub(crate) trait Mailbox: Send + Sync + UnwindSafe + RefUnwindSafe + 'static {
    /// The [`Queue`] itself: of `Parcel<M>` or of `Parcel<Held<M>>`, as [`is_inline`] says.
    fn as_any(&self) -> &dyn Any;

    /// As [`Queue::put`].
    fn put_shared(&self, message: ArcMessage, way: Way) -> Result<Displaced, Refused<ArcMessage>>;

    /// As [`Queue::put`].
    fn put_boxed(
        &self,
        message: Box<BoxedMessage>,
        way: Way,
    ) -> Result<Displaced, Refused<Box<BoxedMessage>>>;

    fn enter(&self) -> bool;
    fn leave(&self);
    fn drain(&self);
    fn close(&self);
    fn wake(&self, interrupt: bool);
    fn len(&self) -> usize;
    fn high_water(&self) -> usize;
    fn seen(&self) -> Seen;
    fn has_room(&self) -> bool;
    fn replaced(&self) -> u64;
    fn bound(&self) -> Option<&Bound>;

    /// Whether it keeps the latest message of each key.
    #[cfg(feature = "cluster")]
    fn is_conflating(&self) -> bool;
}

/// The policy that gave up a message, the one put in or an older one; `None` where there was room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) struct Displaced(pub(crate) Option<Overflow>);

impl Displaced {
    /// What `bound` gave up.
    #[inline]
    pub(crate) fn by<T: Keeps>(bound: Option<&Bound>, given_up: Option<T>) -> Self {
        match given_up {
            None => Self(None),
            Some(given_up) => {
                drop_given_up(given_up);
                Self(bound.map(Bound::overflow))
            }
        }
    }
}

/// Drops what was given up, unless there is a letter to put it into. Apart from the ways in, whose
/// frames would grow by the guard against a panic.
#[cold]
#[inline(never)]
fn drop_given_up<T: Keeps>(given_up: T) {
    discard(dead_letters::keep_displaced(given_up));
}

/// A queue as the configuration wants it.
///
/// # Errors
/// The name of the messages that the configuration has keys for, when these are others.
pub(crate) fn queue<T: 'static>(config: &actor_config::Mailbox) -> Result<Queue<T>, &'static str> {
    let bound = config.bound().map(|(capacity, overflow)| Bound::new(capacity.get(), overflow));
    match (config, bound) {
        (actor_config::Mailbox::Conflating { by, .. }, Some(bound)) => {
            by.queue(bound).downcast().map(|queue| *queue).map_err(|_| by.message())
        }
        (_, bound) => Ok(Queue::new(bound)),
    }
}

impl<S: Send + 'static> Mailbox for Queue<Parcel<S>> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    #[inline]
    fn put_shared(&self, message: ArcMessage, way: Way) -> Result<Displaced, Refused<ArcMessage>> {
        match self.put(Parcel::shared(message), way) {
            Ok(given_up) => Ok(Displaced::by(Queue::bound(self), given_up)),
            Err(refused) => Err(refused.map(Parcel::into_shared)),
        }
    }

    fn put_boxed(
        &self,
        message: Box<BoxedMessage>,
        way: Way,
    ) -> Result<Displaced, Refused<Box<BoxedMessage>>> {
        match self.put(Parcel::of(message), way) {
            Ok(given_up) => Ok(Displaced::by(Queue::bound(self), given_up)),
            Err(refused) => Err(refused.map(Parcel::into_boxed)),
        }
    }

    fn enter(&self) -> bool {
        Queue::enter(self)
    }

    fn leave(&self) {
        Queue::leave(self);
    }

    fn drain(&self) {
        Queue::drain(self);
    }

    fn close(&self) {
        Queue::close(self);
    }

    fn wake(&self, interrupt: bool) {
        Queue::wake(self, interrupt);
    }

    fn len(&self) -> usize {
        Queue::len(self)
    }

    fn high_water(&self) -> usize {
        Queue::high_water(self)
    }

    fn seen(&self) -> Seen {
        Queue::seen(self)
    }

    fn has_room(&self) -> bool {
        Queue::has_room(self)
    }

    fn replaced(&self) -> u64 {
        Queue::replaced(self)
    }

    fn bound(&self) -> Option<&Bound> {
        Queue::bound(self)
    }

    #[cfg(feature = "cluster")]
    fn is_conflating(&self) -> bool {
        Queue::is_conflating(self)
    }
}
