//! Publishing by `Arc`, through the one task that serves all subscribers.

use std::sync::Arc;

use super::forward::forward_arc;
use super::options::SubscribeOptions;
use super::v2::{OutportMessage, OutputPort, Subscriber};
use super::within::{share, PublishReport, Publishing, Serving, Ticket};
use crate::concurrency::Duration;
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
        if self.fed.takes_all() {
            return self.subscribe_arc_with(receiver, SubscribeOptions::default(), converter);
        }
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
        self.fed.publish(|| message.clone());
        self.publish(OutportMessage::Shared(ArcMessage::new(message)));
    }

    /// Publishes a message that all subscribers share, and waits for those that have no room for
    /// it, all at the same time, until `within` is over: in a bounded mailbox, whatever its
    /// overflow policy, or on the way to another node. It is [`send_arc`](Self::send_arc) with
    /// backpressure.
    ///
    /// Order is that in which messages were published. A subscriber that is waited for gets no
    /// later message of the port meanwhile, and neither do the others.
    /// The port passes the message on in tasks of its own, which need a turn: with a deadline of
    /// zero it may reach no subscriber.
    ///
    /// Subscribers with a queue of their own ([`subscribe_with`](Self::subscribe_with), and all of
    /// a port with options) get it into that queue, as with `send_arc`. They are not waited for,
    /// and not in the report: [`losses`](Self::losses) counts what they miss.
    ///
    /// Cancel safe in that a future that is dropped gives up the subscribers that have not got the
    /// message. Nothing is reported then.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use ractor::OutputPort;
    ///
    /// # #[derive(Clone)] struct Tick;
    /// # #[cfg(feature = "cluster")]
    /// # impl ractor::Message for Tick {}
    /// async fn publish(port: &OutputPort<Tick>, tick: Tick) {
    ///     let report = port.send_arc_within(Arc::new(tick), Duration::from_millis(50)).await;
    ///     for (subscriber, outcome) in report.undelivered() {
    ///         eprintln!("{subscriber}: {outcome}");
    ///     }
    /// }
    /// ```
    pub async fn send_arc_within(&self, message: Arc<TMsg>, within: Duration) -> PublishReport {
        self.fed.publish(|| message.clone());
        let publishing = Publishing::new(within);
        let awaited = Some((ArcMessage::new(message.clone()), publishing.ticket()));
        self.publish(OutportMessage::Awaited(awaited));
        #[cfg(feature = "cluster")]
        let away = self.away.publish_within(message, within);
        #[cfg(not(feature = "cluster"))]
        let away = {
            drop(message);
            std::future::ready(Vec::new())
        };
        let (report, away) = futures::join!(publishing.wait(), away);
        report.with(away)
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

    fn serve(&self, message: &ArcMessage, ticket: Ticket) -> Serving {
        let message = message.clone().downcast().expect("the port takes one type");
        let sending = (self.converter)(message).map(|it| share(&self.receiver, it));
        Box::pin(ticket.serve(self.receiver.get_id(), sending))
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
