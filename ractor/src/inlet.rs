//! A queue of an actor's own, beside its mailbox, for messages of one type.
//!
//! An actor may be faster with another queue than the mailbox that every actor has. Messages of
//! that queue's type, however they are sent by the actor's [`ActorCell`] or by an
//! [`ActorRef`](crate::ActorRef) made of it, then go to its [`Inlet`]: by value, by `Arc`, and as
//! one of a group. The fast lane of `mycelium-ext` is such a queue; applications have no need to
//! write one.
//!
//! An actor without an inlet pays nothing for this: only a message of a type that its mailbox does
//! not take looks for one.

use std::any::Any;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::actor::actor_config::Overflow;
use crate::actor::actor_properties::ActorProperties;
use crate::concurrency::Notify;
#[cfg(feature = "cluster")]
use crate::errors::UndeliveredReason;
#[cfg(feature = "cluster")]
use crate::message::ArcMessage;
use crate::{ActorCell, Message, MessagingErr};

/// A message as it was sent: by value, or in an `Arc` that others may hold too. It reads the same.
#[derive(Debug, Clone)]
pub enum Delivery<M> {
    /// By value.
    Owned(M),
    /// By `Arc`.
    Shared(Arc<M>),
}

impl<M> Delivery<M> {
    /// The message in an `Arc`; allocates when it came by value.
    pub fn into_arc(self) -> Arc<M> {
        match self {
            Self::Owned(message) => Arc::new(message),
            Self::Shared(message) => message,
        }
    }

    /// A message of one's own; cloned when others hold it too.
    pub fn into_owned(self) -> M
    where
        M: Clone,
    {
        match self {
            Self::Owned(message) => message,
            Self::Shared(message) => Arc::unwrap_or_clone(message),
        }
    }

    /// Whether it came by `Arc`.
    pub const fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }
}

impl<M> Deref for Delivery<M> {
    type Target = M;

    fn deref(&self) -> &M {
        match self {
            Self::Owned(message) => message,
            Self::Shared(message) => message,
        }
    }
}

/// A message that a queue did not take.
#[derive(Debug)]
pub enum Refused<M> {
    /// For want of room; there may be some later.
    Full(Delivery<M>),
    /// For good: the actor is draining or has ended.
    Stopped(Delivery<M>),
}

/// The way into an actor's own queue of messages of type `M`.
///
/// Messages of one sender have to come out in the order in which they were put in. A queue whose
/// actor drains or has ended refuses messages, and says so ([`Refused::Stopped`]).
pub trait Inlet<M>: Send + Sync + UnwindSafe + RefUnwindSafe + 'static {
    /// Puts a message in; where there is no room for it, as the queue's policy has it. Never waits.
    /// Returns the policy that dropped this message or an older one where there was no room. It is
    /// counted.
    ///
    /// # Errors
    /// The message comes back.
    fn put(&self, message: Delivery<M>, owner: Owner<'_>) -> Result<Option<Overflow>, Refused<M>>;

    /// Puts a message in if there is room, whatever the policy. Never waits.
    ///
    /// # Errors
    /// The message comes back.
    fn put_if_room(&self, message: Delivery<M>, owner: Owner<'_>) -> Result<(), Refused<M>>;

    /// Whether there is room for a message, or never will be: putting one in is worth a try.
    fn has_room(&self) -> bool;

    /// Notified when there may be room, and when there never will be. A listener has to look again
    /// after it has begun to listen.
    fn room(&self) -> &Notify;

    /// The inlet as what it is.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// The actor whose inlet it is, which learns by its mailbox that something waits in its queue.
#[derive(Clone, Copy)]
pub struct Owner<'a>(&'a ActorProperties);

impl Owner<'_> {
    /// Sends a message to the actor's mailbox, as
    /// [`ActorCell::send_message`](crate::ActorCell::send_message) does.
    ///
    /// # Errors
    /// The message comes back when the actor is draining or has ended.
    pub fn send_message<M: Message>(self, message: M) -> Result<(), MessagingErr<M>> {
        self.0.send_message(message)
    }
}

impl std::fmt::Debug for Owner<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Owner").field(&self.0.id).finish()
    }
}

/// An inlet without its type.
pub(crate) trait AnyInlet: Send + Sync + UnwindSafe + RefUnwindSafe + 'static {
    /// The `Arc<dyn Inlet<M>>`.
    fn as_any(&self) -> &dyn Any;

    /// As [`Inlet::put`].
    #[cfg(feature = "cluster")]
    fn put_shared(
        &self,
        message: ArcMessage,
        owner: Owner<'_>,
    ) -> Result<Option<Overflow>, (ArcMessage, UndeliveredReason)>;
}

impl<M: Send + Sync + 'static> AnyInlet for Arc<dyn Inlet<M>> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    #[cfg(feature = "cluster")]
    fn put_shared(
        &self,
        message: ArcMessage,
        owner: Owner<'_>,
    ) -> Result<Option<Overflow>, (ArcMessage, UndeliveredReason)> {
        // A refused message comes back as an `M`, and no `ArcMessage` can be made of it here.
        let kept = message.clone();
        let Some(message) = message.into_arc_of::<M>() else {
            return Err((kept, UndeliveredReason::WrongType));
        };
        match self.put(Delivery::Shared(message), owner) {
            Ok(displaced) => Ok(displaced),
            Err(Refused::Full(_)) => Err((kept, UndeliveredReason::Full)),
            Err(Refused::Stopped(_)) => Err((kept, UndeliveredReason::Stopped)),
        }
    }
}

impl ActorProperties {
    /// The actor's inlet for messages of type `M`, if it has one.
    pub(crate) fn inlet<M: 'static>(&self) -> Option<&Arc<dyn Inlet<M>>> {
        self.any_inlet()?.as_any().downcast_ref()
    }

    /// The actor as its inlet's owner.
    pub(crate) fn owner(&self) -> Owner<'_> {
        Owner(self)
    }
}

impl ActorCell {
    /// Gives the actor its way into a queue of its own. It has to be set before anybody else has
    /// the cell, or in `pre_start`: until then messages of that type are refused as ones of a wrong
    /// type.
    ///
    /// Does nothing for an actor that has one, or that is of another node.
    pub fn set_inlet<M: Send + Sync + 'static>(&self, inlet: Arc<dyn Inlet<M>>) {
        if self.get_id().is_local() {
            self.inner.set_any_inlet(Box::new(inlet));
        }
    }

    /// The actor's way into its queue of messages of type `M`, if it has such a queue.
    pub fn inlet<M: Send + Sync + 'static>(&self) -> Option<Arc<dyn Inlet<M>>> {
        self.inner.inlet().cloned()
    }
}
