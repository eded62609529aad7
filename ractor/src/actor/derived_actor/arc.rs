//! Sending to a part of an actor's messages by `Arc`.

use std::any::TypeId;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::DerivedActorRef;
use crate::errors::{Undelivered, UndeliveredReason};
use crate::message::{copy_of, SharedMessage};
use crate::{ActorCell, ActorRef, ActorStatus, Message, MessagingErr};

/// A message that waits for room.
type Sending = Pin<Box<dyn Future<Output = Result<(), UndeliveredReason>> + Send>>;

/// How a derived reference makes the actor's message, and sends it.
pub(super) trait Conversions<TFrom>: Send + Sync {
    /// Makes it of a message that is given away, and waits for room.
    fn send(&self, message: TFrom) -> Sending;

    /// Makes it of a reference, and never waits. `None` where it cannot be made of one.
    fn cast_ref(&self, _: &TFrom) -> Option<Result<(), UndeliveredReason>> {
        None
    }

    /// As [`cast_ref`](Self::cast_ref), and waits for room.
    fn send_ref(&self, _: &TFrom) -> Option<Sending> {
        None
    }
}

struct ByValue<TMessage>(ActorRef<TMessage>);
struct ByReference<TMessage>(ActorRef<TMessage>);

/// Of an actor whose messages can be made of a `TFrom`.
pub(super) fn by_value<TMessage, TFrom>(actor: &ActorRef<TMessage>) -> Arc<dyn Conversions<TFrom>>
where
    TMessage: Message + From<TFrom>,
{
    Arc::new(ByValue(actor.clone()))
}

fn send_when_room<TMessage: Message>(actor: &ActorRef<TMessage>, message: TMessage) -> Sending {
    let actor = actor.clone();
    Box::pin(async move { actor.send(message).await.map_err(|error| reason(&actor, &error)) })
}

impl<TMessage: Message + From<TFrom>, TFrom> Conversions<TFrom> for ByValue<TMessage> {
    fn send(&self, message: TFrom) -> Sending {
        send_when_room(&self.0, message.into())
    }
}

impl<TMessage, TFrom> Conversions<TFrom> for ByReference<TMessage>
where
    TMessage: Message + From<TFrom> + for<'a> From<&'a TFrom>,
{
    fn send(&self, message: TFrom) -> Sending {
        send_when_room(&self.0, message.into())
    }

    fn cast_ref(&self, message: &TFrom) -> Option<Result<(), UndeliveredReason>> {
        let actor = &self.0;
        Some(actor.send_message(message.into()).map_err(|error| reason(actor, &error)))
    }

    fn send_ref(&self, message: &TFrom) -> Option<Sending> {
        Some(send_when_room(&self.0, message.into()))
    }
}

impl<TMessage: Message> ActorRef<TMessage> {
    /// As [`get_derived`](Self::get_derived), for messages that also convert from a reference:
    /// [`DerivedActorRef::cast_arc`] then makes the actor's message out of the shared one
    /// without a copy of the whole.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use ractor::{ActorRef, DerivedActorRef};
    ///
    /// #[derive(Clone)]
    /// struct Tick { symbol: u32, depth: Vec<u64> }
    ///
    /// enum Order { Tick(Tick), Best(u32, u64) }
    /// # #[cfg(feature = "cluster")]
    /// # impl ractor::Message for Tick {}
    /// # #[cfg(feature = "cluster")]
    /// # impl ractor::Message for Order {}
    ///
    /// impl From<Tick> for Order {
    ///     fn from(tick: Tick) -> Self { Self::Tick(tick) }
    /// }
    /// impl From<&Tick> for Order {
    ///     fn from(tick: &Tick) -> Self { Self::Best(tick.symbol, tick.depth[0]) }
    /// }
    /// impl TryFrom<Order> for Tick {
    ///     type Error = ();
    ///     fn try_from(order: Order) -> Result<Self, ()> {
    ///         match order { Order::Tick(tick) => Ok(tick), Order::Best(..) => Err(()) }
    ///     }
    /// }
    ///
    /// fn ticks_of(orders: &ActorRef<Order>) -> DerivedActorRef<Tick> {
    ///     orders.get_derived_by_ref()
    /// }
    /// ```
    pub fn get_derived_by_ref<TFrom>(&self) -> DerivedActorRef<TFrom>
    where
        TMessage: From<TFrom> + for<'a> From<&'a TFrom>,
        TFrom: TryFrom<TMessage>,
    {
        let mut derived = self.get_derived();
        derived.conversions = Arc::new(ByReference(self.clone()));
        derived
    }
}

impl<TFrom> DerivedActorRef<TFrom> {
    /// Sends a message by value when there is room.
    #[cfg(feature = "output-port-v2")]
    pub(crate) fn send_when_room(&self, message: TFrom) -> Sending {
        self.conversions.send(message)
    }
}

impl<TFrom: SharedMessage> DerivedActorRef<TFrom> {
    /// Sends a message that the caller goes on sharing.
    ///
    /// The actor gets its own kind of message, made out of a reference where the derived
    /// reference knows how ([`ActorRef::get_derived_by_ref`]). Otherwise the conversion takes a
    /// copy. When the actor's own messages are `TFrom`, it gets the `Arc` itself.
    ///
    /// # Errors
    /// [`Undelivered`] returns the `Arc` and says why.
    ///
    /// # Panics
    /// When a conversion does.
    pub fn cast_arc(&self, message: Arc<TFrom>) -> Result<(), Undelivered<Arc<TFrom>>> {
        if self.is_of_its_own_type() {
            return self.inner.cast_arc(message);
        }
        let undelivered = |message, reason| Err(Undelivered::new(message, self.get_id(), reason));
        if !(TFrom::arc_shareable() && TFrom::is_shareable(&message)) {
            return undelivered(message, UndeliveredReason::NotShareable);
        }
        if let Some(sent) = self.conversions.cast_ref(&message) {
            return sent.or_else(|reason| undelivered(message, reason));
        }
        let Some(copy) = copy_of(&*message) else {
            return undelivered(message, UndeliveredReason::NotCopyable);
        };
        self.send_message(copy).or_else(|error| undelivered(message, reason(self, &error)))
    }

    /// As [`cast_arc`](Self::cast_arc), and waits for room where there is none, as
    /// [`ActorRef::send_arc`] does: whatever the mailbox's overflow policy, in the order in which
    /// one task sends, and cancel safe. The conversion runs once, before it waits.
    ///
    /// # Errors
    /// [`Undelivered`] returns the `Arc` and says why. Of an actor of another node that does not
    /// take it, the reason may be [`Full`](UndeliveredReason::Full), where the cause is not known.
    ///
    /// # Panics
    /// When a conversion does.
    pub async fn send_arc(&self, message: Arc<TFrom>) -> Result<(), Undelivered<Arc<TFrom>>> {
        if self.is_of_its_own_type() {
            return self.inner.send_arc(message).await;
        }
        let undelivered = |message, reason| Err(Undelivered::new(message, self.get_id(), reason));
        if !(TFrom::arc_shareable() && TFrom::is_shareable(&message)) {
            return undelivered(message, UndeliveredReason::NotShareable);
        }
        let sending = match self.conversions.send_ref(&message) {
            Some(sending) => sending,
            None => match copy_of(&*message) {
                Some(copy) => self.conversions.send(copy),
                None => return undelivered(message, UndeliveredReason::NotCopyable),
            },
        };
        sending.await.or_else(|reason| undelivered(message, reason))
    }

    /// Whether the actor takes a `TFrom` as it is, in its mailbox or in a queue of its own.
    fn is_of_its_own_type(&self) -> bool {
        self.get_type_id() == TypeId::of::<TFrom>() || self.inner.inner.inlet::<TFrom>().is_some()
    }
}

impl ActorCell {
    /// Why a message was not delivered, as far as stock's error and the actor tell.
    pub(crate) fn reason_of<T>(&self, error: &MessagingErr<T>) -> UndeliveredReason {
        reason(self, error)
    }
}

/// What stock's error does not tell apart.
fn reason<T>(actor: &ActorCell, error: &MessagingErr<T>) -> UndeliveredReason {
    match error {
        MessagingErr::SendErr(_) if actor.get_status() < ActorStatus::Draining => {
            UndeliveredReason::Full
        }
        MessagingErr::SendErr(_) | MessagingErr::ChannelClosed => UndeliveredReason::Stopped,
        MessagingErr::InvalidActorType if actor.get_id().is_local() => UndeliveredReason::WrongType,
        MessagingErr::InvalidActorType => UndeliveredReason::NotSerializable,
    }
}
