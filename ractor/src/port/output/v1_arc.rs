//! Publishing by `Arc`, on a broadcast channel and a task for each subscriber.

use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;

use super::forward::forward_arc;
use super::options::SubscribeOptions;
use super::v1::{OutputPort, OutputPortSubscription};
use super::within::{share, PublishReport, Publishing, Ticket};
use crate::concurrency::Duration;
use crate::message::{ArcMessage, SharedMessage};
use crate::{ActorCell, ActorRef, Message, OutputMessage};

/// A message as it was published: by value, or shared by all subscribers. One queue holds both,
/// so that each subscriber sees them in the order in which they were published.
#[derive(Debug, Clone)]
pub(super) enum Published<T> {
    Owned(T),
    Shared(ArcMessage),
    /// Shared, by a publisher that waits.
    Awaited(ArcMessage, Ticket),
}

impl<T: Message> Published<T> {
    /// Of one whose publisher waits.
    pub(super) fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Awaited(_, ticket) => Some(ticket.clone()),
            _ => None,
        }
    }

    /// For a subscriber that wants its own; `None` when it cannot be copied, which the subscriber
    /// then counts as lost.
    pub(super) fn into_owned(self, subscriber: &ActorCell) -> Option<T> {
        match self {
            Self::Owned(message) => Some(message),
            Self::Shared(message) | Self::Awaited(message, _) => message.own_for(subscriber),
        }
    }
}

impl<T: Message + Sync> Published<T> {
    /// For a subscriber that shares.
    pub(super) fn into_arc(self) -> Arc<T> {
        match self {
            Self::Owned(message) => Arc::new(message),
            Self::Shared(message) | Self::Awaited(message, _) => {
                message.downcast().expect("the port takes one type")
            }
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
    /// port's buffer of 10 messages misses the oldest, which [`losses`](Self::losses) counts; the
    /// feature `output-port-v2` has no such limit. A port [with options](Self::with_options) has
    /// the bound that the application chose. A subscriber whose bounded mailbox is full misses the
    /// message, which its [`lost_messages`](crate::ActorCell::lost_messages) counts.
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
        let mut published = self.tx.subscribe();
        let losses = self.fed.counts();
        let handle = crate::concurrency::spawn(async move {
            loop {
                let message: Published<TMsg> = match published.recv().await {
                    Ok(Some(message)) => message,
                    Ok(None) | Err(RecvError::Closed) => return,
                    Err(RecvError::Lagged(missed)) => {
                        losses.lag(missed);
                        continue;
                    }
                };
                let ticket = message.ticket();
                let converted = converter(message.into_arc());
                let takes_others = match (ticket, converted) {
                    (Some(ticket), converted) => {
                        let sending = converted.map(|it| share(&receiver, it));
                        ticket.serve(receiver.get_id(), sending).await
                    }
                    (None, Some(message)) => forward_arc(&receiver, message),
                    (None, None) => true,
                };
                if !takes_others {
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
        self.fed.publish(|| message.clone());
        if self.tx.receiver_count() > 0 {
            // Fails when the last subscriber went away meanwhile.
            let _ = self.tx.send(Some(Published::Shared(ArcMessage::new(message))));
        }
    }

    /// Publishes a message that all subscribers share, and waits for those that have no room for
    /// it, all at the same time, until `within` is over: in a bounded mailbox, whatever its
    /// overflow policy, or on the way to another node. It is [`send_arc`](Self::send_arc) with
    /// backpressure.
    ///
    /// Order is that in which messages were published. A subscriber that is waited for gets no
    /// later message of the port meanwhile, and misses the oldest ones
    /// when more are published than the port's buffer holds.
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
        let ticket = publishing.ticket();
        let published = Published::Awaited(ArcMessage::new(message.clone()), ticket.clone());
        // Fails where there is no subscriber.
        ticket.expect(self.tx.send(Some(published)).unwrap_or(0));
        drop(ticket);
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
