//! Passing shared messages on to subscribers.

use std::sync::Arc;

use crate::message::SharedMessage;
use crate::ActorRef;

/// Passes a shared message on. False when the subscriber will never take one again; one whose
/// bounded mailbox is full, or whose node takes no message so large, only misses this one.
pub(super) fn forward_arc<T: SharedMessage>(subscriber: &ActorRef<T>, message: Arc<T>) -> bool {
    match subscriber.cast_arc(message) {
        Ok(()) => true,
        Err(failure) => {
            let takes_others = failure.reason().is_of_one_message();
            if takes_others {
                subscriber.lose_one::<T>(failure.reason());
            }
            takes_others
        }
    }
}
