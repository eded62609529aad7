//! Timers that send a message which several actors share.

use std::sync::Arc;

use crate::concurrency::{Duration, JoinHandle};
use crate::errors::Undelivered;
use crate::message::SharedMessage;
use crate::{ActorCell, ActorRef, ACTIVE_STATES};

/// Sends the same message each `period`, beginning one period from now, until the actor
/// drains or stops. All of them are one allocation.
///
/// A tick that finds a bounded mailbox full is skipped, and counted ([`ActorCell::lost_messages`]),
/// and so is one whose message is too large for the actor's node; any other failure ends the timer.
/// Periods do not drift. Abort the task to end it earlier.
pub fn send_interval_arc<T: SharedMessage>(
    period: Duration,
    actor: ActorCell,
    message: Arc<T>,
) -> JoinHandle<()> {
    crate::concurrency::spawn(async move {
        let mut timer = crate::concurrency::interval(period);
        // The first tick is now.
        timer.tick().await;
        while ACTIVE_STATES.contains(&actor.get_status()) {
            timer.tick().await;
            match actor.cast_arc(message.clone()) {
                Ok(()) => {}
                Err(failure) if failure.reason().is_of_one_message() => {
                    actor.lose_one::<T>(failure.reason());
                }
                Err(_) => return,
            }
        }
    })
}

/// Sends a message after `delay`. Abort the task to call it off.
///
/// # Errors
/// The task's result returns the `Arc` when it was not delivered.
pub fn send_after_arc<T: SharedMessage>(
    delay: Duration,
    actor: ActorCell,
    message: Arc<T>,
) -> JoinHandle<Result<(), Undelivered<Arc<T>>>> {
    crate::concurrency::spawn(async move {
        crate::concurrency::sleep(delay).await;
        actor.cast_arc(message)
    })
}

impl<T: SharedMessage> ActorRef<T> {
    /// As [`send_interval_arc`] to this actor.
    pub fn send_interval_arc(&self, period: Duration, message: Arc<T>) -> JoinHandle<()> {
        send_interval_arc(period, self.get_cell(), message)
    }

    /// As [`send_after_arc`] to this actor.
    pub fn send_after_arc(
        &self,
        delay: Duration,
        message: Arc<T>,
    ) -> JoinHandle<Result<(), Undelivered<Arc<T>>>> {
        send_after_arc(delay, self.get_cell(), message)
    }
}
