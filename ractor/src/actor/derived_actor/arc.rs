//! Sending to a part of an actor's messages by `Arc`.

use std::any::TypeId;
use std::sync::Arc;

use super::DerivedActorRef;
use crate::errors::{Undelivered, UndeliveredReason};
use crate::message::{copy_of, SharedMessage};
use crate::{ActorCell, ActorRef, ActorStatus, Message, MessagingErr};

/// Makes the actor's message out of a reference, and sends it.
pub(super) type ByReference<TFrom> =
    Arc<dyn Fn(&TFrom) -> Result<(), UndeliveredReason> + Send + Sync>;

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
        let actor = self.clone();
        let mut derived = self.get_derived();
        derived.by_reference = Some(Arc::new(move |message: &TFrom| {
            actor.send_message(message.into()).map_err(|error| reason(&actor, &error))
        }));
        derived
    }
}

impl<TFrom: SharedMessage> DerivedActorRef<TFrom> {
    /// Sends a message that the caller goes on sharing.
    ///
    /// The actor gets its own kind of message, made out of a reference where the derived
    /// reference knows how ([`ActorRef::get_derived_by_ref`]). Otherwise the conversion takes the
    /// a copy. When the actor's own messages are `TFrom`, it gets the `Arc` itself.
    ///
    /// # Errors
    /// [`Undelivered`] returns the `Arc` and says why.
    ///
    /// # Panics
    /// When a conversion does.
    pub fn cast_arc(&self, message: Arc<TFrom>) -> Result<(), Undelivered<Arc<TFrom>>> {
        if self.get_type_id() == TypeId::of::<TFrom>() {
            return self.inner.send_arc(message);
        }
        let undelivered = |message, reason| Err(Undelivered::new(message, self.get_id(), reason));
        if !(TFrom::arc_shareable() && TFrom::is_shareable(&message)) {
            return undelivered(message, UndeliveredReason::NotShareable);
        }
        if let Some(send) = &self.by_reference {
            return send(&message).or_else(|reason| undelivered(message, reason));
        }
        let Some(copy) = copy_of(&*message) else {
            return undelivered(message, UndeliveredReason::NotCopyable);
        };
        self.send_message(copy).or_else(|error| undelivered(message, reason(self, &error)))
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
