//! How others refer to a fast actor.

use std::any::type_name;
use std::fmt;
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;

use ractor::dead_letters::{self, DeadLetter};
use ractor::errors::{Undelivered, UndeliveredReason};
use ractor::{ActorCell, ActorRef, MessagingErr};

use super::queue::{Delivery, Queue, Refused};
use super::runtime::{FastMessage, begin, tell};

/// A reference to a [`FastActor`](super::FastActor) that handles `M`, and `C` beside.
///
/// It dereferences to the actor's [`ActorCell`], with which it is stopped, killed, linked,
/// monitored and put into groups. Cloning it copies two `Arc`s.
pub struct FastActorRef<M: Send + Sync + 'static, C: Send + 'static = ()> {
    actor: ActorRef<FastMessage<M, C>>,
    queue: Arc<Queue<M>>,
}

impl<M: Send + Sync + 'static, C: Send + 'static> FastActorRef<M, C> {
    pub(super) fn new(actor: ActorRef<FastMessage<M, C>>, queue: Arc<Queue<M>>) -> Self {
        Self { actor, queue }
    }

    /// Sends a message; never waits.
    ///
    /// # Errors
    /// The message comes back: [`UndeliveredReason::Full`] when the lane is full and its policy is
    /// `Reject`, [`UndeliveredReason::Stopped`] when the actor is draining or has ended.
    #[inline]
    pub fn cast(&self, message: M) -> Result<(), Undelivered<M>> {
        self.put(Delivery::Owned(message)).map_err(|failure| failure.map(owned))
    }

    /// Sends a message that others hold too; never waits, copies or allocates for it.
    ///
    /// # Errors
    /// As [`cast`](Self::cast).
    #[inline]
    pub fn cast_arc(&self, message: Arc<M>) -> Result<(), Undelivered<Arc<M>>> {
        self.put(Delivery::Shared(message)).map_err(|failure| failure.map(Delivery::into_arc))
    }

    /// Sends a message, and waits for room while the lane is full, whatever its policy. That is
    /// backpressure: a sender goes no faster than the receiver.
    ///
    /// Cancel safe in that the message is then not sent; it is dropped with the future. Those who
    /// wait get room in no particular order. An actor that waits for room in its own lane waits for
    /// ever.
    ///
    /// # Errors
    /// [`UndeliveredReason::Stopped`] returns the message, also when the actor ends meanwhile.
    pub async fn send(&self, message: M) -> Result<(), Undelivered<M>> {
        self.put_when_room(Delivery::Owned(message)).await.map_err(|failure| failure.map(owned))
    }

    /// As [`send`](Self::send), for a message that others hold too.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_arc(&self, message: Arc<M>) -> Result<(), Undelivered<Arc<M>>> {
        let sent = self.put_when_room(Delivery::Shared(message)).await;
        sent.map_err(|failure| failure.map(Delivery::into_arc))
    }

    /// Tells the actor something beside the lane; never waits. See
    /// [`handle_control`](super::FastActor::handle_control).
    ///
    /// ```
    /// use mycelium_ext::fast_lane::{FastActorRef, FastMessage};
    /// use ractor::{RactorErr, RpcReplyPort, call_t};
    ///
    /// enum Limit {
    ///     Set(u64),
    ///     Get(RpcReplyPort<u64>),
    /// }
    ///
    /// async fn limit(trader: &FastActorRef<u64, Limit>) -> Result<u64, RactorErr<FastMessage<u64, Limit>>> {
    ///     trader.control(Limit::Set(10)).map_err(|failure| failure.map(FastMessage::control))?;
    ///     // Calls go by the actor's reference.
    ///     call_t!(trader.as_actor_ref(), |reply| FastMessage::control(Limit::Get(reply)), 100)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`UndeliveredReason::Stopped`] returns it.
    pub fn control(&self, control: C) -> Result<(), Undelivered<C>> {
        tell(&self.actor, control)
            .map_err(|back| Undelivered::new(back, self.actor.get_id(), UndeliveredReason::Stopped))
    }

    /// Admits no more messages, lets the actor handle those that were, and stops it. A stop that
    /// is sent meanwhile waits for them too; a kill does not.
    ///
    /// # Errors
    /// The actor has ended already.
    pub fn drain(&self) -> Result<(), MessagingErr<()>> {
        self.queue.refuse();
        self.actor.drain()
    }

    /// The same actor for what goes beside the lane: control, and messages that wait in the mailbox
    /// ([`FastMessage`]).
    ///
    /// For what is written for `ractor` actors (output ports, timers, derived references) an
    /// `ActorRef<M>` of the actor's cell leads into the lane:
    ///
    /// ```
    /// use mycelium_ext::fast_lane::FastActorRef;
    /// use ractor::{ActorRef, OutputPort};
    ///
    /// fn feed(ticks: &OutputPort<u64>, reader: &FastActorRef<u64>) {
    ///     ticks.subscribe(ActorRef::<u64>::from(reader.get_cell()), Some);
    /// }
    /// ```
    pub fn as_actor_ref(&self) -> &ActorRef<FastMessage<M, C>> {
        &self.actor
    }

    /// The actor's cell. `FastActorRef::try_from` makes a reference of it again.
    pub fn get_cell(&self) -> ActorCell {
        self.actor.get_cell()
    }

    /// How many messages wait in the lane, beside the batch that is being handled.
    pub fn lane_len(&self) -> usize {
        self.queue.len()
    }

    /// The most messages that ever waited in the lane.
    pub fn lane_high_water(&self) -> usize {
        self.queue.high_water()
    }

    /// How many messages the lane accepted, or displaced, that no handler got: for want of room, or
    /// since the actor ended before their turn.
    pub fn lost_in_lane(&self) -> u64 {
        self.queue.lost()
    }

    #[inline]
    fn put(&self, message: Delivery<M>) -> Result<(), Undelivered<Delivery<M>>> {
        match self.queue.put(message, |turn| begin(&self.actor, turn)) {
            Ok(_) => Ok(()),
            Err(Refused::Full(back)) => Err(self.undelivered(back, UndeliveredReason::Full)),
            Err(Refused::Stopped(back)) => Err(self.undelivered(back, UndeliveredReason::Stopped)),
        }
    }

    async fn put_when_room(
        &self,
        mut message: Delivery<M>,
    ) -> Result<(), Undelivered<Delivery<M>>> {
        loop {
            // Listens before it looks: room that comes between the two is not missed.
            let mut room = pin!(self.queue.room().notified());
            room.as_mut().enable();
            match self.queue.put_if_room(message, |turn| begin(&self.actor, turn)) {
                Ok(()) => return Ok(()),
                Err(Refused::Full(back)) => message = back,
                Err(Refused::Stopped(back)) => {
                    return Err(self.undelivered(back, UndeliveredReason::Stopped));
                }
            }
            room.await;
        }
    }

    #[cold]
    fn undelivered(
        &self,
        message: Delivery<M>,
        reason: UndeliveredReason,
    ) -> Undelivered<Delivery<M>> {
        dead_letters::post(|| {
            let letter = DeadLetter::new(reason.into()).with_actor(&self.actor).returned();
            let letter = letter.with_message_type(type_name::<M>());
            match &message {
                Delivery::Shared(message) => letter.with_arc(message.clone()),
                Delivery::Owned(_) => letter,
            }
        });
        Undelivered::new(message, self.actor.get_id(), reason)
    }
}

/// What was sent by value comes back as it went.
fn owned<M>(message: Delivery<M>) -> M {
    match message {
        Delivery::Owned(message) => message,
        Delivery::Shared(_) => unreachable!("it was sent by value"),
    }
}

impl<M: Send + Sync + 'static, C: Send + 'static> Clone for FastActorRef<M, C> {
    fn clone(&self) -> Self {
        Self { actor: self.actor.clone(), queue: self.queue.clone() }
    }
}

impl<M: Send + Sync + 'static, C: Send + 'static> Deref for FastActorRef<M, C> {
    type Target = ActorCell;

    fn deref(&self) -> &ActorCell {
        &self.actor
    }
}

impl<M: Send + Sync + 'static, C: Send + 'static> fmt::Debug for FastActorRef<M, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FastActorRef").field("actor", &self.actor).finish()
    }
}
