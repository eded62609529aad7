//! Publishing by `Arc`, on a broadcast channel and a task for each subscriber.

use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;

use super::forward::forward_arc;
use super::v1::{OutputPort, OutputPortSubscription};
use crate::message::{ArcMessage, SharedMessage};
use crate::{ActorCell, ActorRef, Message, OutputMessage};

/// A message as it was published: by value, or shared by all subscribers. One queue holds both,
/// so that each subscriber sees them in the order in which they were published.
#[derive(Debug, Clone)]
pub(super) enum Published<T> {
    Owned(T),
    Shared(ArcMessage),
}

impl<T: Message> Published<T> {
    /// For a subscriber that wants its own; `None` when it cannot be copied, which the subscriber
    /// then counts as lost.
    pub(super) fn into_owned(self, subscriber: &ActorCell) -> Option<T> {
        match self {
            Self::Owned(message) => Some(message),
            Self::Shared(message) => message.own_for(subscriber),
        }
    }
}

impl<T: Message + Sync> Published<T> {
    /// For a subscriber that shares.
    pub(super) fn into_arc(self) -> Arc<T> {
        match self {
            Self::Owned(message) => Arc::new(message),
            Self::Shared(message) => message.downcast().expect("the port takes one type"),
        }
    }
}

impl<TMsg: OutputMessage + Sync> OutputPort<TMsg> {
    /// Subscribes an actor to what it shares with all other subscribers. `converter` makes the
    /// actor's message out of the published one, or passes over it; `Some` passes the `Arc` itself
    /// on, so that one allocation reaches every such subscriber.
    ///
    /// Messages that were published by value ([`send`](Self::send)) come in an `Arc` of their
    /// own. Order is that in which they were published, by `Arc` or by value.
    ///
    /// As with [`subscribe`](Self::subscribe), a subscriber that falls behind by more than the
    /// port's buffer of 10 messages misses the oldest; the feature `output-port-v2` has no such
    /// limit. A subscriber whose bounded mailbox is full misses the message, which its
    /// [`lost_messages`](crate::ActorCell::lost_messages) counts.
    ///
    /// Actors of other nodes are sent the message where it is published, and each node once for all
    /// of them that get the same `Arc`; their converters run there, and not in a task.
    pub fn subscribe_arc<TReceiverMsg, F>(&self, receiver: ActorRef<TReceiverMsg>, converter: F)
    where
        F: Fn(Arc<TMsg>) -> Option<Arc<TReceiverMsg>> + Send + 'static,
        TReceiverMsg: SharedMessage,
    {
        #[cfg(feature = "cluster")]
        let Err(converter) = self.away.subscribe(&receiver, converter) else {
            return;
        };
        let mut published = self.tx.subscribe();
        let handle = crate::concurrency::spawn(async move {
            loop {
                let message: Published<TMsg> = match published.recv().await {
                    Ok(Some(message)) => message,
                    Ok(None) | Err(RecvError::Closed) => return,
                    Err(RecvError::Lagged(_)) => continue,
                };
                let Some(message) = converter(message.into_arc()) else {
                    continue;
                };
                if !forward_arc(&receiver, message) {
                    return;
                }
            }
        });
        let mut subscriptions = self.subscriptions.write().unwrap();
        subscriptions.retain(|subscription| !subscription.is_dead());
        subscriptions.push(OutputPortSubscription { handle });
    }

    /// Publishes a message that all subscribers share. A subscriber that wants its own
    /// ([`subscribe`](Self::subscribe)) gets a copy, or the message itself if it comes last.
    ///
    /// Without subscribers it is dropped, as with [`send`](Self::send).
    pub fn send_arc(&self, message: Arc<TMsg>) {
        #[cfg(feature = "cluster")]
        self.away.publish(|| message.clone());
        if self.tx.receiver_count() > 0 {
            // Fails when the last subscriber went away meanwhile.
            let _ = self.tx.send(Some(Published::Shared(ArcMessage::new(message))));
        }
    }
}
