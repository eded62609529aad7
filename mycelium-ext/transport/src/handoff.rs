//! A task's value that another thread may borrow briefly.
//!
//! The value is handed over, and not locked: its use may take long, and may run any code. A task
//! that finds it gone does not wait: the borrower wakes the task when it gives the value back.
//! `mycelium-ext/model` runs this file in every interleaving.

use std::fmt;
use std::task::Waker;

use super::sync::{Mutex, MutexGuard};

/// See the module's documentation.
pub struct Handoff<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    /// `None` while it is borrowed.
    it: Option<T>,
    task: Option<Waker>,
    /// The task found it gone, and wants to be woken.
    missed: bool,
}

impl<T> Handoff<T> {
    /// A value that is not borrowed.
    pub fn new(it: T) -> Self {
        let state = State { it: Some(it), task: None, missed: false };
        Self { state: Mutex::new(state) }
    }

    /// For the task. It is woken later when a borrower has it now.
    pub fn take(&self, task: &Waker) -> Option<T> {
        let mut state = self.lock();
        if !state.task.as_ref().is_some_and(|it| it.will_wake(task)) {
            state.task = Some(task.clone());
        }
        state.missed = state.it.is_none();
        state.it.take()
    }

    /// For who does the task's work, with what wakes it. `None` when somebody has it, who then
    /// wakes the task, or when the task has not begun.
    pub fn borrow(&self) -> Option<(T, Waker)> {
        let mut state = self.lock();
        let task = state.task.clone()?;
        state.missed |= state.it.is_none();
        Some((state.it.take()?, task))
    }

    /// Gives it back.
    pub fn give_back(&self, it: T) {
        let missed = {
            let mut state = self.lock();
            state.it = Some(it);
            std::mem::take(&mut state.missed).then(|| state.task.clone())
        };
        if let Some(Some(task)) = missed {
            task.wake();
        }
    }

    /// Gives the task a turn.
    pub fn wake(&self) {
        let task = self.lock().task.clone();
        if let Some(task) = task {
            task.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl<T> fmt::Debug for Handoff<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handoff").finish_non_exhaustive()
    }
}
