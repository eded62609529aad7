//! Writers of several links that one task flushes, in one turn.
//!
//! A message to actors of many peers goes into a lane of each. If it woke the task of each link,
//! other threads of the runtime would take most of these tasks at once. They would write each
//! message by itself, and would wake each peer once for each message.
//!
//! So a thread wakes the task of the first link only. The other writers join its [`Batch`]. A
//! runtime polls the task that was woken last on the thread that woke it, when the sender gives
//! that thread up. By then the sender has often sent more messages.
//!
//! Only writers take part that need no call of the system to write. A batch belongs to the thread
//! that opened it: a sender on another thread, whose task may be done earlier, opens its own.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::locked::locked;

/// The most writers that join one.
const MOST: usize = 64;

/// How long a task flushes others in one turn. Then it wakes the tasks of those that are left.
const TURN: Duration = Duration::from_micros(200);

/// A writer that the task of another link may flush.
pub(crate) trait Together: Send + Sync {
    /// Writes all that waits, without the task of its own link.
    fn flush(&self);

    /// Has the task of its own link write.
    fn wake(&self);

    /// The writers that the task of its own link flushes.
    fn batch(&self) -> &Arc<Batch>;
}

/// The writers that the task of a link flushes when it gets its turn.
#[derive(Default)]
pub(crate) struct Batch(Mutex<State>);

#[derive(Default)]
enum State {
    /// The task has had no turn yet, or gets no more.
    #[default]
    Idle,
    /// No sender has woken it for a batch.
    Closed,
    /// A sender on this thread has.
    Open { thread: usize, others: Vec<Arc<dyn Together>> },
}

thread_local! {
    /// The batch that this thread opened last. Its address tells threads apart.
    static LAST: RefCell<Option<Arc<Batch>>> = const { RefCell::new(None) };
}

/// Sees to it that a writer writes soon, whose task is idle: when a task has its turn that writers
/// of other links, which this thread has to flush too, are flushed by.
pub(crate) fn flush<W: Together + 'static>(writer: &Arc<W>) {
    // Where the thread ends, each is woken by itself.
    let joined = LAST.try_with(|last| {
        let thread = std::ptr::from_ref(last).addr();
        let mut last = last.borrow_mut();
        if last.as_ref().is_some_and(|batch| batch.add(thread, writer)) {
            return true;
        }
        if writer.batch().open(thread) {
            *last = Some(writer.batch().clone());
        }
        false
    });
    if joined != Ok(true) {
        writer.wake();
    }
}

impl Batch {
    /// Begins a batch of the thread, where there is none. Its task has to be woken next.
    fn open(&self, thread: usize) -> bool {
        let mut state = locked(&self.0);
        let is_closed = matches!(*state, State::Closed);
        if is_closed {
            *state = State::Open { thread, others: Vec::new() };
        }
        is_closed
    }

    fn add<W: Together + 'static>(&self, by: usize, writer: &Arc<W>) -> bool {
        match &mut *locked(&self.0) {
            State::Open { thread, others } if *thread == by && others.len() < MOST => {
                others.push(writer.clone());
                true
            }
            _ => false,
        }
    }

    /// Takes those that joined, for the turn that begins.
    pub(super) fn close(&self) -> Others {
        let mut state = locked(&self.0);
        let others = match &mut *state {
            State::Open { others, .. } => std::mem::take(others),
            State::Idle | State::Closed => return Others::default(),
        };
        *state = State::Closed;
        Others(others.into_iter())
    }

    /// The task gets turns until the value is dropped.
    pub(super) fn begin(&self) -> Turns<'_> {
        *locked(&self.0) = State::Closed;
        Turns(self)
    }
}

/// See [`Batch::begin`].
pub(super) struct Turns<'a>(&'a Batch);

impl Drop for Turns<'_> {
    fn drop(&mut self) {
        let state = std::mem::take(&mut *locked(&self.0 .0));
        if let State::Open { others, .. } = state {
            // Their own tasks write.
            drop(Others(others.into_iter()));
        }
    }
}

/// Writers that are to be flushed. Those that are left when it is dropped have their own tasks do
/// it.
#[derive(Default)]
pub(super) struct Others(std::vec::IntoIter<Arc<dyn Together>>);

impl Others {
    /// Flushes them, for as long as a turn may take.
    pub(super) fn flush(mut self) {
        if self.0.as_slice().is_empty() {
            return;
        }
        let end = Instant::now() + TURN;
        for writer in self.0.by_ref() {
            writer.flush();
            if Instant::now() >= end {
                break;
            }
        }
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        self.0.by_ref().for_each(|writer| writer.wake());
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "together/tests.rs"]
mod tests;
