//! What a receiver does when it is polled: look at the word, look at the queue, sleep, look again.

use std::collections::VecDeque;
use std::task::{Poll, Waker};

use crate::actor::control::Control;
use crate::actor::mailbox::{Found, Queue, Sleep};

/// The next thing to be received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// Something that comes before items, to be taken out of the control.
    Urgent,
    /// At least one item, in the batch.
    Item,
    /// Nothing, and nothing will come.
    Drained,
}

/// Looks for what is next, and registers `receiver` to be woken when there is nothing.
pub(crate) fn poll_receive<T, S, E>(
    control: &Control<S, E>,
    queue: &Queue<T>,
    batch: &mut VecDeque<T>,
    receiver: &Waker,
) -> Poll<Received> {
    loop {
        if control.is_pending() {
            return Poll::Ready(Received::Urgent);
        }
        if !batch.is_empty() {
            return Poll::Ready(Received::Item);
        }
        match queue.receive(batch, receiver) {
            Found::Some => {}
            Found::Drained => return Poll::Ready(Received::Drained),
            // Something urgent may have come before it was registered, and woken no task.
            Found::Nothing if control.is_pending() => {}
            Found::Nothing => return Poll::Pending,
        }
    }
}

/// Registers `receiver` to be woken by a signal, while a handler waits: ready when there is one.
#[inline]
pub(crate) fn poll_signal<T, S, E>(
    control: &Control<S, E>,
    queue: &Queue<T>,
    receiver: &Waker,
) -> Poll<()> {
    queue.sleep(Sleep::Handling, receiver);
    // A signal may have come between the check and the sleep, and woken no task.
    if control.is_signalled() {
        return Poll::Ready(());
    }
    Poll::Pending
}
