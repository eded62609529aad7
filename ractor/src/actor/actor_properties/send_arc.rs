//! Sending messages that the sender keeps sharing.

use std::sync::Arc;

use super::send::Admitted;
use super::ActorProperties;
#[cfg(feature = "cluster")]
use super::Fanout;
use crate::actor::mailbox::{Displaced, Refused};
use crate::errors::{Undelivered, UndeliveredReason};
use crate::message::{ArcMessage, SharedMessage};
use crate::{ActorCell, ActorRef, Message};

impl ActorProperties {
    /// Puts the `Arc` into the mailbox of an actor of this process.
    pub(super) fn send_arc_here<T: SharedMessage>(
        &self,
        message: Arc<T>,
    ) -> Result<(), (Arc<T>, UndeliveredReason)> {
        if !self.handles::<T>() {
            return Err((message, UndeliveredReason::WrongType));
        }
        // Not `message.is_shareable()`: an `Arc` of a message can be one itself.
        if !(T::arc_shareable() && T::is_shareable(&message)) {
            return Err((message, UndeliveredReason::NotShareable));
        }
        if !T::keeps_default_boxing() {
            return self.send_arc_boxed(message);
        }
        self.put_arc::<T>(ArcMessage::new(message))
    }

    /// Puts in a shared `T`.
    #[inline]
    fn put_arc<T: SharedMessage>(
        &self,
        message: ArcMessage,
    ) -> Result<(), (Arc<T>, UndeliveredReason)> {
        let returned = match self.mailbox.put_shared(message) {
            Ok(displaced) => {
                self.count_displaced::<T>(displaced);
                return Ok(());
            }
            Err(Refused::Full(message)) => (message, UndeliveredReason::Full),
            Err(Refused::Closed(message)) => (message, UndeliveredReason::Stopped),
        };
        let message = returned.0.downcast().ok();
        Err((message.expect("what went in as a `T` comes back as one"), returned.1))
    }

    /// As the type's own [`Message::box_arc`] has it.
    #[inline(never)]
    fn send_arc_boxed<T: SharedMessage>(
        &self,
        message: Arc<T>,
    ) -> Result<(), (Arc<T>, UndeliveredReason)> {
        // What `box_arc` refuses it does not give back.
        let kept = message.clone();
        let Ok(boxed) = T::box_arc(message, &self.id) else {
            return Err((kept, UndeliveredReason::NotShareable));
        };
        let boxed = match ArcMessage::try_from(boxed) {
            Ok(shared) if shared.is::<T>() => {
                // The receiver could not move the message out of its `Arc` while this is held.
                drop(kept);
                return self.put_arc(shared);
            }
            Ok(_) => return Err((kept, UndeliveredReason::WrongType)),
            Err(boxed) => Box::new(boxed),
        };
        let Some(admitted) = Admitted::to(&self.mailbox) else {
            return Err((kept, UndeliveredReason::Stopped));
        };
        match admitted.put(boxed) {
            Ok(displaced) => self.count_displaced::<T>(displaced),
            Err(Refused::Full(_)) => return Err((kept, UndeliveredReason::Full)),
            Err(Refused::Closed(_)) => return Err((kept, UndeliveredReason::Stopped)),
        }
        Ok(())
    }

    /// Counts a message that another one took the room of, or that found none.
    #[inline]
    pub(super) fn count_displaced<T>(&self, Displaced(displaced): Displaced) {
        if displaced {
            self.lose_overflow::<T>();
        }
    }
}

impl ActorCell {
    /// Sends a message that the caller goes on sharing; see [`ActorRef::cast_arc`].
    ///
    /// # Errors
    /// [`Undelivered`] returns the `Arc` and says why.
    pub fn send_arc<T: SharedMessage>(&self, message: Arc<T>) -> Result<(), Undelivered<Arc<T>>> {
        let id = self.get_id();
        #[cfg(feature = "cluster")]
        if !id.is_local() {
            let mut fanout = Fanout::new(message);
            return fanout
                .send_to(self)
                .map_err(|reason| Undelivered::new(fanout.into_message(), id, reason));
        }
        self.inner
            .send_arc_here(message)
            .map_err(|(message, reason)| Undelivered::new(message, id, reason))
    }

    /// How many messages the actor was sent with success that no handler will get: dropped by a
    /// bounded mailbox's [`Overflow`](crate::actor::actor_config::Overflow) policy, shared messages
    /// that could not be copied for `handle`, or messages to an actor with neither `handle` nor
    /// [`handle_arc`](crate::Actor::handle_arc). The first is logged.
    ///
    /// Messages that wait when the actor stops are dropped as in stock `ractor`, and not counted.
    pub fn lost_messages(&self) -> u64 {
        self.inner.lost()
    }

    /// The transport that the actor was spawned to prefer.
    ///
    /// Of an actor of another node it is what that node announced. It is
    /// [`Adaptive`](crate::actor::actor_config::TransportPreference::Adaptive) for an actor of a
    /// stock node, and for one that has ended.
    pub fn transport_preference(&self) -> crate::actor::actor_config::TransportPreference {
        #[cfg(feature = "cluster")]
        if let Some(preference) = self.inner.announced_transport() {
            return preference;
        }
        self.inner.transport
    }
}

impl<T: Message> ActorRef<T> {
    /// Sends a message that the caller goes on sharing: the mailbox of an actor of this process
    /// holds the `Arc`, so that one payload can wait in many mailboxes at once.
    ///
    /// The receiver chooses. Its [`handle_arc`](crate::Actor::handle_arc) reads the very message
    /// that was sent; without one its `handle` gets an owned message: moved out of the `Arc` when
    /// no other reference is left by then, cloned otherwise. A message to an actor of another node
    /// is serialised from a copy. A type that boxes its messages itself is asked by
    /// [`Message::box_arc`](crate::Message::box_arc).
    ///
    /// Order is that of all messages of this sender to this actor, however sent.
    ///
    /// # Errors
    /// [`Undelivered`] returns the `Arc` and says why: the actor is draining or stopped, its
    /// bounded mailbox is full, it handles messages of another type, the value may not be shared,
    /// or it cannot go to another node.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use ractor::errors::UndeliveredReason;
    /// use ractor::message::Shared;
    /// use ractor::{Actor, ActorProcessingErr, ActorRef};
    ///
    /// struct Reader;
    ///
    /// # #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    /// impl Actor for Reader {
    ///     type Msg = String;
    ///     type State = ();
    ///     type Arguments = ();
    ///
    ///     async fn pre_start(&self, _: ActorRef<String>, _: ()) -> Result<(), ActorProcessingErr> {
    ///         Ok(())
    ///     }
    ///
    ///     async fn handle_arc(
    ///         &self,
    ///         myself: ActorRef<String>,
    ///         message: Shared<String>,
    ///         _: &mut (),
    ///     ) -> Result<(), ActorProcessingErr> {
    ///         assert_eq!(*message, "tick");
    ///         myself.stop(None);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let (reader, handle) = Actor::spawn(None, Reader, ()).await.unwrap();
    /// let tick = Arc::new("tick".to_owned());
    /// reader.cast_arc(tick.clone()).unwrap();
    /// handle.await.unwrap();
    ///
    /// // The actor is gone: the `Arc` comes back.
    /// let failure = reader.cast_arc(tick.clone()).unwrap_err();
    /// assert_eq!(failure.reason(), UndeliveredReason::Stopped);
    /// assert!(Arc::ptr_eq(&failure.into_message(), &tick));
    /// # });
    /// ```
    ///
    /// A message that is not `Sync` cannot be shared:
    ///
    /// ```compile_fail
    /// # use std::{cell::Cell, sync::Arc};
    /// # use ractor::ActorRef;
    /// fn share(actor: ActorRef<Cell<u64>>) {
    ///     actor.cast_arc(Arc::new(Cell::new(1)));
    /// }
    /// ```
    // The bound is the method's, so that the compiler names it and not a method that is missing.
    pub fn cast_arc(&self, message: Arc<T>) -> Result<(), Undelivered<Arc<T>>>
    where
        T: SharedMessage,
    {
        self.inner.send_arc(message)
    }
}
