//! What a port and a subscription are made with, and what a port lost.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::actor::actor_config::{Conflate, NoCapacity, Overflow};
use crate::actor::mailbox::{Bound, KeyOf, Queue};
use crate::Message;

/// Which message a subscriber misses when as many wait for it as may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PortOverflow {
    /// The one that waits longest.
    #[default]
    DropOldest,
    /// The one that is published.
    DropNewest,
}

/// How much an [`OutputPort`](super::OutputPort) keeps for each of its subscribers.
///
/// Each subscriber has a queue of its own, and a task that takes what waits there to the actor. The
/// task waits for room in the actor's mailbox, so that a subscriber that is slow or far away
/// misses messages in its own queue alone. By default 1024 messages, and the oldest is dropped.
///
/// ```
/// use ractor::port::output::{PortOptions, PortOverflow};
/// use ractor::OutputPort;
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let options = PortOptions::new(64, PortOverflow::DropNewest)?.keeping_last();
/// let port = OutputPort::<u64>::with_options(options);
/// # _ = port;
/// # Ok::<_, ractor::actor::actor_config::NoCapacity>(())
/// # }).unwrap();
/// ```
pub struct PortOptions<TMsg> {
    capacity: NonZeroUsize,
    overflow: PortOverflow,
    queue: fn(Bound) -> Queue<Arc<TMsg>>,
    pub(super) keeps_last: bool,
}

struct ByContent<C>(C);

impl<C: Conflate> KeyOf<Arc<C::Message>> for ByContent<C> {
    type Key = C::Key;

    fn key(message: &Arc<C::Message>) -> Option<C::Key> {
        C::key(message)
    }
}

impl<TMsg> PortOptions<TMsg> {
    /// Up to `capacity` messages for each subscriber.
    ///
    /// # Errors
    /// The capacity is 0.
    pub fn new(capacity: usize, overflow: PortOverflow) -> Result<Self, NoCapacity> {
        let capacity = NonZeroUsize::new(capacity).ok_or(NoCapacity)?;
        Ok(Self { capacity, overflow, queue: |bound| Queue::new(Some(bound)), keeps_last: false })
    }

    /// Keeps the latest message of each key for each subscriber, as a
    /// [conflating mailbox](crate::actor::actor_config::Mailbox::Conflating) does. The capacity
    /// is that of keys and of messages without a key.
    ///
    /// Keys are made where a message is published, once for each subscriber. A subscriber misses a
    /// message whose key panics.
    #[must_use]
    pub fn conflating<C: Conflate<Message = TMsg>>(self) -> Self
    where
        TMsg: Message + Sync,
    {
        Self { queue: |bound| Queue::keyed::<ByContent<C>>(bound), ..self }
    }

    /// Keeps the message that was published last, for subscribers that
    /// [ask for it](SubscribeOptions::with_last).
    #[must_use]
    pub fn keeping_last(self) -> Self {
        Self { keeps_last: true, ..self }
    }

    pub(super) fn queue(&self) -> Queue<Arc<TMsg>> {
        let overflow = match self.overflow {
            PortOverflow::DropOldest => Overflow::DropOldest,
            PortOverflow::DropNewest => Overflow::DropNewest,
        };
        (self.queue)(Bound::new(self.capacity.get(), overflow))
    }
}

impl<TMsg> Default for PortOptions<TMsg> {
    fn default() -> Self {
        Self::new(1024, PortOverflow::DropOldest).expect("1024 is not 0")
    }
}

impl<TMsg> Clone for PortOptions<TMsg> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<TMsg> Copy for PortOptions<TMsg> {}

impl<TMsg> fmt::Debug for PortOptions<TMsg> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortOptions")
            .field("capacity", &self.capacity)
            .field("overflow", &self.overflow)
            .field("keeps_last", &self.keeps_last)
            .finish_non_exhaustive()
    }
}

pub(super) type OnLag<R> = Box<dyn Fn(u64) -> Option<R> + Send>;

/// What a subscriber asks of a port beside the messages.
///
/// ```
/// use ractor::port::output::SubscribeOptions;
///
/// enum Feed {
///     Price(u64),
///     Missed(u64),
/// }
///
/// let options = SubscribeOptions::default().with_last().on_lag(|count| Some(Feed::Missed(count)));
/// # _ = (options, Feed::Price(1));
/// ```
pub struct SubscribeOptions<TReceiverMsg> {
    pub(super) on_lag: Option<OnLag<TReceiverMsg>>,
    pub(super) last: bool,
}

impl<TReceiverMsg> SubscribeOptions<TReceiverMsg> {
    /// Reports to the subscriber how many messages it missed since the last report: `report`
    /// makes a message of the number, or passes over it. The report comes before the next message
    /// that the subscriber does get. It needs no room at the port.
    #[must_use]
    pub fn on_lag(self, report: impl Fn(u64) -> Option<TReceiverMsg> + Send + 'static) -> Self {
        Self { on_lag: Some(Box::new(report)), ..self }
    }

    /// Begins with the message that was published last, if the port
    /// [keeps it](PortOptions::keeping_last) and there is one.
    #[must_use]
    pub fn with_last(self) -> Self {
        Self { last: true, ..self }
    }
}

impl<TReceiverMsg> Default for SubscribeOptions<TReceiverMsg> {
    fn default() -> Self {
        Self { on_lag: None, last: false }
    }
}

impl<TReceiverMsg> fmt::Debug for SubscribeOptions<TReceiverMsg> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscribeOptions")
            .field("on_lag", &self.on_lag.is_some())
            .field("last", &self.last)
            .finish()
    }
}

/// How many messages subscribers of a port missed since it was made, by cause. A message that three
/// subscribers missed counts three times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortLosses {
    /// As many waited for the subscriber as may.
    pub lagged: u64,
    /// A newer message of their key replaced them. They are not reported as lag.
    pub replaced: u64,
    /// The code that makes a message's key panicked.
    pub key_panicked: u64,
    /// The subscriber's actor or the way to its node refused them for a reason that concerns no
    /// other message, such as their size.
    pub refused: u64,
    /// A converter panicked over them. That ends the subscription, and no other one.
    pub converter_panicked: u64,
}
