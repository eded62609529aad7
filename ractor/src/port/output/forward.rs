//! Passing shared messages on to subscribers.

use std::sync::Arc;

use crate::errors::UndeliveredReason;
use crate::message::SharedMessage;
use crate::{ActorRef, ActorStatus, Message, MessagingErr};

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

/// What became of a message for a subscriber with a queue.
pub(super) enum Forwarded {
    /// It was sent, or passed over.
    Done,
    /// It was refused for a reason that concerns no other message.
    Refused,
    /// The subscriber will never take one again.
    Gone,
}

/// Sends a message when the subscriber has room.
pub(super) async fn send_own<T: Message>(subscriber: ActorRef<T>, message: T) -> Forwarded {
    match subscriber.send(message).await {
        Ok(()) => Forwarded::Done,
        Err(MessagingErr::SendErr(_)) if subscriber.get_status() < ActorStatus::Draining => {
            Forwarded::Refused
        }
        Err(_) => Forwarded::Gone,
    }
}

/// Sends a shared message when the subscriber has room.
pub(super) async fn send_shared<T: SharedMessage>(
    subscriber: ActorRef<T>,
    message: Arc<T>,
) -> Forwarded {
    match subscriber.send_arc(message).await.map_err(|failure| failure.reason()) {
        Ok(()) => Forwarded::Done,
        Err(UndeliveredReason::Stopped | UndeliveredReason::WrongType) => Forwarded::Gone,
        Err(_) => Forwarded::Refused,
    }
}
