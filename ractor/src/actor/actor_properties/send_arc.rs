//! Sending messages that the sender keeps sharing.

use std::any::type_name;
use std::sync::Arc;

use super::send::Admitted;
use super::ActorProperties;
#[cfg(feature = "cluster")]
use super::Fanout;
use crate::actor::mailbox::{Displaced, Way};
use crate::errors::{Undelivered, UndeliveredReason};
use crate::message::{ArcMessage, SharedMessage};
use crate::{ActorCell, ActorRef, Message};

impl ActorProperties {
    /// Puts the `Arc` into the mailbox of an actor of this process, or into its own queue.
    pub(super) fn send_arc_here<T: SharedMessage>(
        &self,
        message: Arc<T>,
        way: Way,
    ) -> Result<Displaced, (Arc<T>, UndeliveredReason)> {
        let handles = self.handles::<T>();
        if !handles && self.inlet::<T>().is_none() {
            return Err((message, UndeliveredReason::WrongType));
        }
        // Not `message.is_shareable()`: an `Arc` of a message can be one itself.
        if !(T::arc_shareable() && T::is_shareable(&message)) {
            return Err((message, UndeliveredReason::NotShareable));
        }
        if !handles {
            return self.send_arc_into_inlet(message, way);
        }
        if !T::keeps_default_boxing() {
            return self.send_arc_boxed(message, way);
        }
        self.put_arc::<T>(ArcMessage::new(message), way)
    }

    /// Puts in a shared `T`.
    #[inline]
    fn put_arc<T: SharedMessage>(
        &self,
        message: ArcMessage,
        way: Way,
    ) -> Result<Displaced, (Arc<T>, UndeliveredReason)> {
        let put = self.mailbox.put_shared(message, way);
        let (message, refusal) = match self.carry_out(put, |_| type_name::<T>()) {
            Ok(displaced) => return Ok(displaced),
            Err(returned) => returned,
        };
        let message = message.downcast().ok();
        Err((message.expect("what went in as a `T` comes back as one"), refusal.into()))
    }

    /// As the type's own [`Message::box_arc`] has it.
    #[inline(never)]
    fn send_arc_boxed<T: SharedMessage>(
        &self,
        message: Arc<T>,
        way: Way,
    ) -> Result<Displaced, (Arc<T>, UndeliveredReason)> {
        // The type is not asked for a message that finds no room.
        if way == Way::IfRoom && !self.mailbox.has_room() {
            return Err((message, UndeliveredReason::Full));
        }
        // What `box_arc` refuses it does not give back.
        let kept = message.clone();
        let Ok(boxed) = T::box_arc(message, &self.id) else {
            return Err((kept, UndeliveredReason::NotShareable));
        };
        let boxed = match ArcMessage::try_from(boxed) {
            Ok(shared) if shared.is::<T>() => {
                // The receiver could not move the message out of its `Arc` while this is held.
                drop(kept);
                return self.put_arc(shared, way);
            }
            Ok(_) => return Err((kept, UndeliveredReason::WrongType)),
            Err(boxed) => Box::new(boxed),
        };
        let put = match way {
            Way::IfRoom => self.mailbox.put_boxed(boxed, way),
            _ => match Admitted::to(&self.mailbox) {
                Some(admitted) => admitted.put(boxed),
                None => return Err((kept, UndeliveredReason::Stopped)),
            },
        };
        let carried_out = self.carry_out(put, |_| type_name::<T>());
        carried_out.map_err(|(_, refusal)| (kept, refusal.into()))
    }
}

impl ActorCell {
    /// Sends a message that the caller goes on sharing; never waits. See [`ActorRef::cast_arc`].
    ///
    /// # Errors
    /// [`Undelivered`] returns the `Arc` and says why.
    pub fn cast_arc<T: SharedMessage>(&self, message: Arc<T>) -> Result<(), Undelivered<Arc<T>>> {
        #[cfg(feature = "cluster")]
        if !self.inner.id.is_local() {
            let mut fanout = Fanout::new(message);
            return match fanout.send_to(self, Way::ByPolicy) {
                Ok(_) => Ok(()),
                Err(reason) => self.give_back(fanout.into_message(), reason),
            };
        }
        match self.inner.send_arc_here(message, Way::ByPolicy) {
            Ok(_) => Ok(()),
            Err((message, reason)) => self.give_back(message, reason),
        }
    }

    /// A shared message that was not delivered, as the caller's error.
    #[cold]
    #[inline(never)]
    fn give_back<T: SharedMessage>(
        &self,
        message: Arc<T>,
        reason: UndeliveredReason,
    ) -> Result<(), Undelivered<Arc<T>>> {
        self.inner.returned_arc(&message, reason);
        Err(Undelivered::new(message, self.get_id(), reason))
    }

    /// Sends a message that the caller goes on sharing, and waits for room where there is none. See
    /// [`ActorRef::send_arc`].
    ///
    /// # Errors
    /// [`Undelivered`] returns the `Arc` and says why.
    pub async fn send_arc<T: SharedMessage>(
        &self,
        message: Arc<T>,
    ) -> Result<(), Undelivered<Arc<T>>> {
        #[cfg(feature = "cluster")]
        if !self.inner.id.is_local() {
            // Encoded once, however long it waits.
            let mut fanout = Fanout::new(message);
            loop {
                match fanout.send_to(self, Way::IfRoom) {
                    Ok(_) => return Ok(()),
                    Err(UndeliveredReason::Full) => self.wait_for_room::<T>().await,
                    Err(reason) => return self.give_back(fanout.into_message(), reason),
                }
            }
        }
        let mut message = message;
        loop {
            // Given away, so that the receiver can move the message out of its `Arc`.
            match self.inner.send_arc_here(message, Way::IfRoom) {
                Ok(_) => return Ok(()),
                Err((back, UndeliveredReason::Full)) => message = back,
                Err((back, reason)) => return self.give_back(back, reason),
            }
            self.wait_for_room::<T>().await;
        }
    }

    /// Waits until the actor may have room for a `T` that is shared, or never will have any. The
    /// caller has to send at once: no other sender is notified of that room.
    pub(crate) async fn wait_for_room<T: Message>(&self) {
        #[cfg(feature = "cluster")]
        if let Some(room) = self.inner.room_on_the_way() {
            return room.await;
        }
        let inlet = self.inner.inlet::<T>();
        let room = match inlet {
            Some(inlet) => inlet.room(),
            None => match self.inner.mailbox.bound() {
                Some(bound) => bound.room(),
                None => return,
            },
        };
        // Listens before it looks: room that comes between the two is not missed.
        let mut more = std::pin::pin!(room.notified());
        more.as_mut().enable();
        if !inlet.map_or_else(|| self.inner.mailbox.has_room(), |it| it.has_room()) {
            more.await;
        }
    }

    /// How many messages the actor was sent with success that no handler will get: dropped by a
    /// bounded mailbox's [`Overflow`](crate::actor::actor_config::Overflow) policy, shared messages
    /// that could not be copied for `handle`, or messages to an actor with neither `handle` nor
    /// [`handle_arc`](crate::Actor::handle_arc). The first is logged.
    ///
    /// Of an actor of another node these are the messages that its mailbox dropped for want of room
    /// when messages of this node found it full, as far as that node has told; it tells with the
    /// room that it gives back. A node of stock, or of a release of the fork without credits, does
    /// not tell.
    ///
    /// Messages that wait when the actor stops are dropped as in stock `ractor`, and not counted.
    /// What is dropped in an actor's own queue ([`inlet`](crate::inlet)) is counted there: of a
    /// fast actor, by `lost_in_lane`.
    pub fn lost_messages(&self) -> u64 {
        #[cfg(feature = "cluster")]
        let elsewhere = self.inner.dropped_away();
        #[cfg(not(feature = "cluster"))]
        let elsewhere = 0;
        self.inner.lost() + elsewhere
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

    /// Whether the actor was spawned with
    /// [`ActorConfig::with_urgent`](crate::actor::actor_config::ActorConfig::with_urgent). False
    /// for an actor of another node.
    pub fn is_urgent(&self) -> bool {
        self.inner.urgent
    }
}

impl<T: Message> ActorRef<T> {
    /// Sends a message that the caller goes on sharing: the mailbox of an actor of this process
    /// holds the `Arc`, so that one payload can wait in many mailboxes at once.
    ///
    /// The receiver chooses. Its [`handle_arc`](crate::Actor::handle_arc) reads the very message
    /// that was sent; without one its `handle` gets an owned message: moved out of the `Arc` when
    /// no other reference is left by then, cloned otherwise. A message to an actor of another node
    /// is serialised from the reference, or else from a copy (`Message::to_outgoing`). A type that
    /// boxes its messages itself is asked by [`Message::box_arc`](crate::Message::box_arc).
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
        self.inner.cast_arc(message)
    }

    /// Sends a message that the caller goes on sharing, and waits for room where there is none: in
    /// a mailbox that is bounded and full, whatever its
    /// [`Overflow`](crate::actor::actor_config::Overflow), or on the way to an actor of another
    /// node. It is [`cast_arc`](Self::cast_arc) with the backpressure of [`send`](Self::send). With
    /// an unbounded mailbox it never waits.
    ///
    /// Order is that of all messages of this sender to this actor, however sent. Senders that wait
    /// are let in in turn, as a rule; a cast that comes when there is room goes before them.
    ///
    /// Cancel safe: a future that is dropped has either sent the message, or not and never will. It
    /// then drops its reference and leaves the room to the next sender that waits.
    ///
    /// An actor that sends to itself this way, or two that send to each other, can wait for each
    /// other for ever.
    ///
    /// # Errors
    /// [`Undelivered`] returns the `Arc` and says why, as with `cast_arc`; never
    /// [`Full`](UndeliveredReason::Full). When the actor drains or stops while it waits, the reason
    /// is [`Stopped`](UndeliveredReason::Stopped).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use ractor::errors::UndeliveredReason;
    /// use ractor::ActorRef;
    ///
    /// async fn feed(reader: &ActorRef<u64>, ticks: Vec<Arc<u64>>) {
    ///     for tick in ticks {
    ///         // No faster than the reader.
    ///         if let Err(failure) = reader.send_arc(tick).await {
    ///             assert_ne!(failure.reason(), UndeliveredReason::Full);
    ///             return eprintln!("{failure}");
    ///         }
    ///     }
    /// }
    /// ```
    pub async fn send_arc(&self, message: Arc<T>) -> Result<(), Undelivered<Arc<T>>>
    where
        T: SharedMessage,
    {
        self.inner.send_arc(message).await
    }
}
