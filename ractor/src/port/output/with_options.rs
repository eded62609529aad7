//! Ports and subscriptions with options, the same for both kinds of ports.

use std::sync::Arc;

use super::fed::Fed;
use super::forward::{send_own, send_shared};
use super::options::{PortLosses, PortOptions, SubscribeOptions};
use super::{OutputMessage, OutputPort};
use crate::message::SharedMessage;
use crate::{ActorRef, Message};

impl<TMsg: OutputMessage + Sync> OutputPort<TMsg> {
    /// A port that keeps as much for each subscriber as `options` say, however it subscribes, and
    /// wherever its actor is.
    #[must_use]
    pub fn with_options(options: PortOptions<TMsg>) -> Self {
        Self::default().fed_by(Fed::with(options))
    }

    /// Subscribes an actor with a queue of its own, as the port's [`PortOptions`] have it, and lets
    /// it know what it missed if it asks for that. `converter` makes the actor's message out of
    /// the published one, or passes over it.
    ///
    /// A port that was made without options has the default ones for such subscribers.
    ///
    /// A converter that panics ends its subscription, and harms no other.
    ///
    /// ```
    /// use ractor::port::output::{PortOptions, PortOverflow, SubscribeOptions};
    /// use ractor::{Actor, ActorProcessingErr, ActorRef, OutputPort};
    ///
    /// enum Feed {
    ///     Price(u64),
    ///     Missed(u64),
    /// }
    /// # #[cfg(feature = "cluster")]
    /// # impl ractor::Message for Feed {}
    ///
    /// struct Reader;
    ///
    /// # #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    /// impl Actor for Reader {
    ///     type Msg = Feed;
    ///     type State = u64;
    ///     type Arguments = ();
    ///
    ///     async fn pre_start(&self, _: ActorRef<Feed>, _: ()) -> Result<u64, ActorProcessingErr> {
    ///         Ok(0)
    ///     }
    ///
    ///     async fn handle(
    ///         &self,
    ///         myself: ActorRef<Feed>,
    ///         message: Feed,
    ///         missed: &mut u64,
    ///     ) -> Result<(), ActorProcessingErr> {
    ///         match message {
    ///             Feed::Missed(count) => *missed += count,
    ///             // Two of five had room.
    ///             Feed::Price(5) if *missed == 3 => myself.stop(None),
    ///             Feed::Price(_) => {}
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let (reader, handle) = Actor::spawn(None, Reader, ()).await.unwrap();
    /// let port = OutputPort::with_options(PortOptions::new(2, PortOverflow::DropOldest).unwrap());
    /// let options = SubscribeOptions::default().on_lag(|count| Some(Feed::Missed(count)));
    /// port.subscribe_with(reader, options, |price| Some(Feed::Price(*price)));
    /// for price in 1..=5 {
    ///     port.send(price);
    /// }
    /// assert_eq!(port.losses().lagged, 3);
    /// handle.await.unwrap();
    /// # });
    /// ```
    pub fn subscribe_with<TReceiverMsg, F>(
        &self,
        receiver: ActorRef<TReceiverMsg>,
        options: SubscribeOptions<TReceiverMsg>,
        converter: F,
    ) where
        F: Fn(Arc<TMsg>) -> Option<TReceiverMsg> + Send + 'static,
        TReceiverMsg: Message,
    {
        self.fed.subscribe_with(receiver, options, converter, send_own);
    }

    /// As [`subscribe_with`](Self::subscribe_with), for an actor that shares what it gets with
    /// others.
    pub fn subscribe_arc_with<TReceiverMsg, F>(
        &self,
        receiver: ActorRef<TReceiverMsg>,
        options: SubscribeOptions<TReceiverMsg>,
        converter: F,
    ) where
        F: Fn(Arc<TMsg>) -> Option<Arc<TReceiverMsg>> + Send + 'static,
        TReceiverMsg: SharedMessage,
    {
        self.fed.subscribe_with(receiver, options, converter, send_shared);
    }
}

impl<TMsg: OutputMessage> OutputPort<TMsg> {
    fn fed_by(mut self, fed: Fed<TMsg>) -> Self {
        self.fed = fed;
        self
    }

    /// How many messages its subscribers missed at the port, by cause. What a subscriber's own
    /// bounded mailbox dropped its [`lost_messages`](crate::ActorCell::lost_messages) counts.
    pub fn losses(&self) -> PortLosses {
        self.fed.losses()
    }
}
