//! Publishing by `Arc`, through the one task that serves all subscribers.

use std::sync::Arc;

use super::forward::forward_arc;
use super::v2::{OutportMessage, OutputPort, Subscriber};
use crate::message::{ArcMessage, SharedMessage};
use crate::{ActorId, ActorRef, OutputMessage};

impl<TMsg: OutputMessage + Sync> OutputPort<TMsg> {
    /// Subscribes an actor to what it shares with all other subscribers. `converter` makes the
    /// actor's message out of the published one, or passes over it; `Some` passes the `Arc` itself
    /// on, so that one allocation reaches every such subscriber.
    ///
    /// Messages that were published by value ([`send`](Self::send)) come in an `Arc` of their
    /// own. Order is that in which they were published, by `Arc` or by value. A subscriber whose
    /// bounded mailbox is full misses the message, which its
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
        self.publish(OutportMessage::SetSubscriber(Some(Box::new(Sharing {
            receiver,
            converter,
        }))));
    }

    /// Publishes a message that all subscribers share. A subscriber that wants its own
    /// ([`subscribe`](Self::subscribe)) gets a copy.
    ///
    /// Without subscribers it is dropped, as with [`send`](Self::send).
    pub fn send_arc(&self, message: Arc<TMsg>) {
        #[cfg(feature = "cluster")]
        self.away.publish(|| message.clone());
        self.publish(OutportMessage::Shared(ArcMessage::new(message)));
    }
}

struct Sharing<TReceiverMsg, F> {
    receiver: ActorRef<TReceiverMsg>,
    converter: F,
}

impl<TMsg, TReceiverMsg, F> Subscriber<ActorId, TMsg> for Sharing<TReceiverMsg, F>
where
    TMsg: OutputMessage + Sync,
    TReceiverMsg: SharedMessage,
    F: Fn(Arc<TMsg>) -> Option<Arc<TReceiverMsg>> + Send + 'static,
{
    fn send(&self, message: &TMsg) -> bool {
        self.forward(Arc::new(message.clone()))
    }

    fn send_shared(&self, message: &ArcMessage) -> bool {
        self.forward(message.clone().downcast().expect("the port takes one type"))
    }

    fn id(&self) -> ActorId {
        self.receiver.get_id()
    }
}

impl<TReceiverMsg: SharedMessage, F> Sharing<TReceiverMsg, F> {
    fn forward<TMsg>(&self, message: Arc<TMsg>) -> bool
    where
        F: Fn(Arc<TMsg>) -> Option<Arc<TReceiverMsg>>,
    {
        (self.converter)(message).is_none_or(|message| forward_arc(&self.receiver, message))
    }
}
