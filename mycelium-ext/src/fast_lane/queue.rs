//! Where the messages of a lane wait.
//!
//! All behind one lock, which is held for a push, or for the exchange of two buffers. So admission,
//! the bound and the end are one decision each, and a receiver touches the queue once per batch.
//! Nothing of the application runs under the lock.

use std::any::type_name;
use std::collections::VecDeque;
use std::mem;
use std::num::NonZeroUsize;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};
use ractor::actor::actor_config::Overflow;
use ractor::concurrency::Notify;
use ractor::dead_letters::{self, DeadLetter};
use ractor::errors::UndeliveredCause;
use ractor::{ActorCell, ActorId, ActorName};

pub use ractor::inlet::Delivery;
pub(super) use ractor::inlet::Refused;

use super::config::WhenFull;

/// The queue of a lane.
pub(super) struct Queue<M> {
    state: Mutex<State<M>>,
    capacity: usize,
    when_full: WhenFull,
    room: Notify,
    lost: AtomicU64,
    owner: OnceLock<(ActorId, Option<ActorName>)>,
}

struct State<M> {
    waiting: VecDeque<Delivery<M>>,
    /// The receiver's buffer, while it has no use for it.
    spare: VecDeque<Delivery<M>>,
    /// Nothing is admitted any more.
    closed: bool,
    /// A [`Turn`] is on its way, or is being taken.
    busy: bool,
    high_water: usize,
}

// Nothing of the application runs under the lock, so that no panic leaves the state half changed.
impl<M> UnwindSafe for Queue<M> {}
impl<M> RefUnwindSafe for Queue<M> {}

impl<M> Queue<M> {
    pub(super) fn new(capacity: NonZeroUsize, when_full: WhenFull) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                spare: VecDeque::new(),
                closed: false,
                busy: false,
                high_water: 0,
            }),
            capacity: capacity.get(),
            when_full,
            room: Notify::new(),
            lost: AtomicU64::new(0),
            owner: OnceLock::new(),
        })
    }

    /// The actor whose lane it is, for dead letters.
    pub(super) fn set_owner(&self, actor: &ActorCell) {
        _ = self.owner.set((actor.get_id(), actor.get_name()));
    }

    /// As [`put`](Self::put), only if there is room.
    pub(super) fn put_if_room(
        self: &Arc<Self>,
        message: Delivery<M>,
        begin: impl FnOnce(Turn<M>) -> Result<(), Turn<M>>,
    ) -> Result<(), Refused<M>> {
        let state = self.state.lock();
        if state.closed {
            return Err(Refused::Stopped(message));
        }
        if state.waiting.len() >= self.capacity {
            return Err(Refused::Full(message));
        }
        self.push(state, message, begin)
    }

    #[inline]
    fn push(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State<M>>,
        message: Delivery<M>,
        begin: impl FnOnce(Turn<M>) -> Result<(), Turn<M>>,
    ) -> Result<(), Refused<M>> {
        if !state.busy {
            // Under the lock: a message is admitted exactly if the turn that brings it is.
            let batch = mem::take(&mut state.spare);
            if let Err(turn) = begin(Turn { queue: Some(self.clone()), batch }) {
                state.closed = true;
                // A turn that is dropped takes the lock.
                drop(state);
                drop(turn);
                return Err(Refused::Stopped(message));
            }
            state.busy = true;
        }
        state.waiting.push_back(message);
        state.high_water = state.high_water.max(state.waiting.len());
        Ok(())
    }

    /// Admits nothing any more. What waits is still received.
    pub(super) fn refuse(&self) {
        self.state.lock().closed = true;
        self.room.notify_waiters();
    }

    /// Admits nothing any more, and drops what waits, counted with those that were `taken`.
    fn close(&self, taken: usize) {
        let mut state = self.state.lock();
        state.closed = true;
        state.busy = false;
        let waiting = mem::take(&mut state.waiting);
        drop(state);
        self.lose(waiting.len() + taken);
        self.room.notify_waiters();
    }

    /// Counts messages whose turn does not come any more, and posts one letter for all.
    fn lose(&self, messages: usize) {
        if messages > 0 {
            self.lost.fetch_add(messages as u64, Ordering::Relaxed);
            dead_letters::post(|| {
                self.letter(UndeliveredCause::Stopped).with_count(messages as u64)
            });
        }
    }

    fn letter(&self, cause: UndeliveredCause) -> DeadLetter {
        let letter = DeadLetter::new(cause).with_message_type(type_name::<M>());
        match self.owner.get() {
            Some((actor, name)) => letter.with_target(*actor, name.clone()),
            None => letter,
        }
    }

    /// Notifies that there may be room, or never again. A listener has to look again after it has
    /// begun to listen.
    pub(super) fn room(&self) -> &Notify {
        &self.room
    }

    /// Whether there is room, or never will be.
    pub(super) fn has_room(&self) -> bool {
        let state = self.state.lock();
        state.closed || state.waiting.len() < self.capacity
    }

    pub(super) fn len(&self) -> usize {
        self.state.lock().waiting.len()
    }

    pub(super) fn high_water(&self) -> usize {
        self.state.lock().high_water
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl<M: Send + Sync + 'static> Queue<M> {
    /// Puts a message in, as the policy has it, and returns the policy where something was dropped.
    /// When no turn is on its way, `begin` sends one, or says that the actor takes none any more.
    pub(super) fn put(
        self: &Arc<Self>,
        message: Delivery<M>,
        begin: impl FnOnce(Turn<M>) -> Result<(), Turn<M>>,
    ) -> Result<Option<Overflow>, Refused<M>> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refused::Stopped(message));
        }
        let mut displaced = None;
        if state.waiting.len() >= self.capacity {
            match self.when_full {
                WhenFull::DropOldest => displaced = state.waiting.pop_front(),
                WhenFull::DropNewest => {
                    drop(state);
                    self.overflow(message);
                    return Ok(Some(Overflow::DropNewest));
                }
                WhenFull::Reject => return Err(Refused::Full(message)),
            }
        }
        self.push(state, message, begin)?;
        let Some(displaced) = displaced else { return Ok(None) };
        self.overflow(displaced);
        Ok(Some(Overflow::DropOldest))
    }

    /// Counts a message that is dropped for want of room, and posts its letter. The first is
    /// logged.
    #[cold]
    fn overflow(&self, message: Delivery<M>) {
        dead_letters::post(|| {
            let letter = self.letter(UndeliveredCause::Overflow);
            match message {
                Delivery::Owned(message) => letter.with_message(message),
                Delivery::Shared(message) => letter.with_arc(message),
            }
        });
        if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                message = type_name::<M>(),
                cause = UndeliveredCause::Overflow.name(),
                capacity = self.capacity,
                "A fast lane is full, and a message is dropped. Further ones are counted only \
                 (FastActorRef::lost_in_lane)."
            );
        }
    }
}

/// The right to receive; there is one at most. It travels to the actor as a message.
///
/// Dropped before it [rests](Self::rest), as with the mailbox of an actor that was killed, or by a
/// handler that panics, it closes the lane: no message will be received any more.
pub(super) struct Turn<M> {
    queue: Option<Arc<Queue<M>>>,
    batch: VecDeque<Delivery<M>>,
}

impl<M> Turn<M> {
    /// What was taken, or else all that waits.
    pub(super) fn take(&mut self) -> &mut VecDeque<Delivery<M>> {
        if let (true, Some(queue)) = (self.batch.is_empty(), &self.queue) {
            mem::swap(&mut queue.state.lock().waiting, &mut self.batch);
            queue.room.notify_waiters();
        }
        &mut self.batch
    }

    /// Ends the turn, unless something waits.
    pub(super) fn rest(mut self) -> Option<Self> {
        if !self.batch.is_empty() {
            return Some(self);
        }
        if let Some(queue) = self.queue.take() {
            let mut state = queue.state.lock();
            if !state.waiting.is_empty() {
                drop(state);
                self.queue = Some(queue);
                return Some(self);
            }
            state.busy = false;
            state.spare = mem::take(&mut self.batch);
        }
        None
    }
}

impl<M> Drop for Turn<M> {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            queue.close(self.batch.len());
        }
    }
}
