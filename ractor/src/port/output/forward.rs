//! Passing shared messages on to subscribers.

use std::sync::Arc;

use crate::errors::UndeliveredReason;
use crate::message::SharedMessage;
use crate::ActorRef;

/// Passes a shared message on. False when the subscriber will never take one again; one whose
/// bounded mailbox is full only misses this one.
pub(super) fn forward_arc<T: SharedMessage>(subscriber: &ActorRef<T>, message: Arc<T>) -> bool {
    match subscriber.cast_arc(message) {
        Ok(()) => true,
        Err(failure) => {
            let full = failure.reason() == UndeliveredReason::Full;
            if full {
                subscriber.lose_overflow::<T>();
            }
            full
        }
    }
}
