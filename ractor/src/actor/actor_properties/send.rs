//! Sending messages by value.

use std::any::type_name;

use crate::actor::mailbox::{
    is_inline, is_large, Bound, Displaced, Held, Mailbox, Parcel, Queue, Refused, Way,
};
use crate::errors::UndeliveredReason;
#[cfg(feature = "cluster")]
use crate::message::SerializedMessage;
use crate::message::{BoxedDowncastErr, BoxedMessage, Message};
#[cfg(feature = "cluster")]
use crate::remoting::Outgoing;
use crate::{ActorCell, ActorRef, ActorStatus, MessagingErr};

use super::admission::Refusal;
use super::ActorProperties;

/// A sender that was admitted, until it has put its message in or is dropped.
pub(super) struct Admitted<'a>(Option<&'a dyn Mailbox>);

impl<'a> Admitted<'a> {
    pub(super) fn to(mailbox: &'a dyn Mailbox) -> Option<Self> {
        // Lazily: one that is made leaves when it is dropped.
        mailbox.enter().then(|| Self(Some(mailbox)))
    }

    pub(super) fn put(
        mut self,
        message: Box<BoxedMessage>,
    ) -> Result<Displaced, Refused<Box<BoxedMessage>>> {
        let mailbox = self.0.take().expect("taken here only");
        mailbox.put_boxed(message, Way::Admitted)
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if let Some(mailbox) = self.0 {
            mailbox.leave();
        }
    }
}

impl ActorProperties {
    /// Whether the actor handles `M`. For an actor of another node that is not known here.
    pub(super) fn handles<M: Message>(&self) -> bool {
        !self.id.is_local() || self.type_id == std::any::TypeId::of::<M>()
    }

    /// Whether an `M` may wait in the mailbox as it is: its own type's mailbox, and no
    /// `box_message` of its own to be asked.
    fn takes_as_is<M: Message>(&self) -> bool {
        M::keeps_default_boxing() && self.id.is_local()
    }

    pub(super) fn queue<S: Send + 'static>(&self) -> Option<&Queue<Parcel<S>>> {
        self.mailbox.as_any().downcast_ref()
    }

    /// Sends with stock's errors.
    // Each way in a function of its own: a large message has a place on the stack for its own way
    // only.
    #[inline]
    pub(crate) fn send_message<M: Message>(&self, message: M) -> Result<(), MessagingErr<M>> {
        if !self.takes_as_is::<M>() {
            // A call that is never inlined keeps small messages out of registers.
            if is_large::<M>() {
                self.send_boxed_apart(message)
            } else {
                self.send_boxed(message)
            }
        } else if is_inline::<M>() {
            self.send_inline(message)
        } else {
            self.send_heap(Held::new(message))
        }
    }

    #[inline]
    fn send_inline<M: Message>(&self, message: M) -> Result<(), MessagingErr<M>> {
        let Some(queue) = self.queue::<M>() else {
            return self.send_into_inlet(message);
        };
        match self.admit::<M, _>(queue, Parcel::plain(message), Way::ByPolicy) {
            Ok(_) => Ok(()),
            Err((back, refusal)) => self.refused(back, refusal),
        }
    }

    #[inline(never)]
    fn send_heap<M: Message>(&self, message: Held<M>) -> Result<(), MessagingErr<M>> {
        let Some(queue) = self.queue::<Held<M>>() else {
            return self.send_heap_into_inlet(message);
        };
        match self.admit::<M, _>(queue, Parcel::plain(message), Way::ByPolicy) {
            Ok(_) => Ok(()),
            Err((back, refusal)) => self.refused_large(back, refusal),
        }
    }

    /// As [`send_boxed`](Self::send_boxed), with a frame of its own.
    #[inline(never)]
    fn send_boxed_apart<M: Message>(&self, message: M) -> Result<(), MessagingErr<M>> {
        self.send_boxed(message)
    }

    /// As the type's own [`Message::box_message`] has it.
    fn send_boxed<M: Message>(&self, message: M) -> Result<(), MessagingErr<M>> {
        if !self.handles::<M>() {
            return self.send_into_inlet(message);
        }
        #[cfg(feature = "cluster")]
        if let Some(outlet) = self.proxy.outlet() {
            return self.send_out(&**outlet, message);
        }
        #[cfg(feature = "cluster")]
        let reachable = self.proxy.is_reachable();
        #[cfg(not(feature = "cluster"))]
        let reachable = true;
        // Before it is boxed: `box_message` may drain this very actor.
        let admitted = if reachable { Admitted::to(&self.mailbox) } else { None };
        let Some(admitted) = admitted else {
            let gone = !reachable && self.get_status() < ActorStatus::Draining;
            let reason = if gone { UndeliveredReason::NoLink } else { UndeliveredReason::Stopped };
            self.returned::<M>(reason);
            return Err(MessagingErr::SendErr(message));
        };
        let Ok(boxed) = self.boxed(message) else {
            self.returned::<M>(UndeliveredReason::NotSerializable);
            return Err(MessagingErr::InvalidActorType);
        };
        match self.put_boxed::<M>(admitted, boxed) {
            Ok(()) => Ok(()),
            Err((back, refusal)) => {
                self.returned::<M>(refusal.into());
                unboxed(*back)
            }
        }
    }

    /// The message in the form that its type chooses for this actor. The mailbox of a proxy takes
    /// the serialised one only.
    fn boxed<M: Message>(&self, message: M) -> Result<Box<BoxedMessage>, BoxedDowncastErr> {
        let boxed = message.box_message(&self.id);
        #[cfg(feature = "cluster")]
        let boxed = boxed.and_then(|it| match it.arc_msg {
            Some(_) if !self.id.is_local() => {
                it.into_serialized::<M>().map(BoxedMessage::serialized)
            }
            _ => Ok(it),
        });
        boxed.map(Box::new)
    }

    /// Puts in what was boxed for an admitted sender of an `M`.
    fn put_boxed<M>(
        &self,
        admitted: Admitted<'_>,
        message: Box<BoxedMessage>,
    ) -> Result<(), (Box<BoxedMessage>, Refusal)> {
        self.carry_out(admitted.put(message), |_| type_name::<M>()).map(|_| ())
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn send_serialized(
        &self,
        message: SerializedMessage,
    ) -> Result<(), Box<MessagingErr<SerializedMessage>>> {
        let message = match self.proxy.outlet() {
            None => message,
            Some(outlet) => match Outgoing::try_from(message) {
                Ok(message) => return self.send_encoded(&**outlet, message),
                // The answer to a call is the proxy's own affair.
                Err(answer) => answer,
            },
        };
        let Some(admitted) = Admitted::to(&self.mailbox) else {
            return Err(Box::new(MessagingErr::SendErr(message)));
        };
        let boxed = Box::new(BoxedMessage::serialized(message));
        self.put_boxed::<SerializedMessage>(admitted, boxed).map_err(|(back, _)| {
            Box::new(back.serialized_msg.map_or(MessagingErr::ChannelClosed, MessagingErr::SendErr))
        })
    }

    /// Sends when there is room, with stock's errors.
    async fn send_when_room<M: Message>(&self, message: M) -> Result<(), MessagingErr<M>> {
        #[cfg(feature = "cluster")]
        if let Some(outlet) = self.proxy.outlet() {
            return self.send_out_when_room(&**outlet, message).await;
        }
        if let Some(inlet) = self.inlet::<M>() {
            return self.send_into_inlet_when_room(&**inlet, message).await;
        }
        let Some(bound) = self.mailbox.bound() else {
            return self.send_message(message);
        };
        if !self.handles::<M>() {
            self.returned::<M>(UndeliveredReason::WrongType);
            return Err(MessagingErr::InvalidActorType);
        }
        if self.takes_as_is::<M>() {
            // Only what does not wait inline has a box as well.
            if let Some(queue) = self.queue::<M>() {
                let parcel = Parcel::plain(message);
                let put =
                    put_when_room(bound, parcel, |it| self.admit::<M, _>(queue, it, Way::IfRoom));
                return put.await.or_else(|(back, refusal)| self.refused(back, refusal));
            }
            if let Some(queue) = self.queue::<Held<M>>() {
                let parcel = Parcel::plain(Held::new(message));
                let put =
                    put_when_room(bound, parcel, |it| self.admit::<M, _>(queue, it, Way::IfRoom));
                return put.await.or_else(|(back, refusal)| self.refused_large(back, refusal));
            }
            return Err(MessagingErr::InvalidActorType);
        }
        // Boxed once, however long it waits.
        let boxed = {
            let Some(_admitted) = Admitted::to(&self.mailbox) else {
                self.returned::<M>(UndeliveredReason::Stopped);
                return Err(MessagingErr::SendErr(message));
            };
            let Ok(boxed) = self.boxed(message) else {
                self.returned::<M>(UndeliveredReason::NotSerializable);
                return Err(MessagingErr::InvalidActorType);
            };
            boxed
        };
        // Not admitted while it waits: that would hold up a drain.
        let put = put_when_room(bound, boxed, |it| {
            self.carry_out(self.mailbox.put_boxed(it, Way::IfRoom), |_| type_name::<M>())
        });
        put.await.or_else(|(back, refusal)| {
            self.returned::<M>(refusal.into());
            unboxed(*back)
        })
    }
}

/// A boxed message that was not taken, as the caller's error.
#[cold]
#[inline(never)]
fn unboxed<M: Message>(back: BoxedMessage) -> Result<(), MessagingErr<M>> {
    Err(M::from_boxed(back).map_or(MessagingErr::ChannelClosed, MessagingErr::SendErr))
}

/// Tries to put until there is room or never will be.
async fn put_when_room<T>(
    bound: &Bound,
    mut item: T,
    put: impl Fn(T) -> Result<Displaced, (T, Refusal)>,
) -> Result<(), (T, Refusal)> {
    loop {
        // Listens before it looks: room that comes between the two is not missed.
        let mut more = std::pin::pin!(bound.room().notified());
        more.as_mut().enable();
        match put(item) {
            Ok(_) => return Ok(()),
            Err((back, Refusal::Full)) => item = back,
            Err(refused) => return Err(refused),
        }
        more.await;
    }
}

impl ActorCell {
    /// Whether the mailbox has a bound, or there is a queue beside it, which may have one.
    pub(crate) fn is_bounded(&self) -> bool {
        self.inner.mailbox.bound().is_some() || self.inner.any_inlet().is_some()
    }

    /// How many messages a newer one of their key replaced, in a mailbox that
    /// [conflates](crate::actor::actor_config::Mailbox::Conflating). Their senders heard of
    /// success. They do not count as [lost](Self::lost_messages).
    pub fn replaced_messages(&self) -> u64 {
        self.inner.mailbox.replaced()
    }

    /// How many messages wait in the mailbox, beside the one that is being handled. Exact for a
    /// bounded mailbox; otherwise one that is just sent or taken may be missed, or counted still.
    pub fn mailbox_len(&self) -> usize {
        self.inner.mailbox.len()
    }

    /// The most messages that ever waited in the mailbox. Exact for a bounded mailbox; otherwise as
    /// seen at the times when the actor had handled what it took, and took what had come since.
    pub fn mailbox_high_water(&self) -> usize {
        self.inner.mailbox.high_water()
    }
}

impl<T: Message> ActorRef<T> {
    /// Sends a message, and waits for room when the actor's mailbox is bounded and full, whatever
    /// its [`Overflow`](crate::actor::actor_config::Overflow). That is backpressure: a sender goes
    /// no faster than the receiver. With an unbounded mailbox it is a [`cast`](Self::cast). For an
    /// actor of another node it waits for room on the way there, and in the actor's bounded mailbox
    /// where that node is one of the fork that gives credits.
    ///
    /// Waiting senders are admitted in turn, as a rule; a `cast` that finds room goes
    /// before them. Messages of one task that sends one after the other keep their order.
    ///
    /// Cancel safe in that the message is then not sent; it is dropped with the future.
    ///
    /// An actor that sends to itself this way, or two that send to each other, can wait for each
    /// other for ever.
    ///
    /// # Errors
    /// As `cast`: [`MessagingErr::SendErr`] returns the message when the actor is draining or
    /// stopped, also when that happens while it waits.
    ///
    /// ```
    /// use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
    /// use ractor::{Actor, ActorProcessingErr, ActorRef};
    ///
    /// struct Slow;
    ///
    /// # #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    /// impl Actor for Slow {
    ///     type Msg = u64;
    ///     type State = u64;
    ///     type Arguments = ();
    ///
    ///     async fn pre_start(&self, _: ActorRef<u64>, _: ()) -> Result<u64, ActorProcessingErr> {
    ///         Ok(0)
    ///     }
    ///
    ///     async fn handle(
    ///         &self,
    ///         _: ActorRef<u64>,
    ///         number: u64,
    ///         next: &mut u64,
    ///     ) -> Result<(), ActorProcessingErr> {
    ///         assert_eq!(number, *next);
    ///         *next += 1;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let two = ActorConfig::default().with_mailbox(Mailbox::bounded(2, Overflow::Reject));
    /// let (slow, handle) = Actor::spawn_with_config(None, Slow, (), two).await.unwrap();
    /// for number in 0..100 {
    ///     slow.send(number).await.unwrap();
    /// }
    /// slow.drain().unwrap();
    /// handle.await.unwrap();
    /// # });
    /// ```
    pub async fn send(&self, message: T) -> Result<(), MessagingErr<T>> {
        self.inner.inner.send_when_room(message).await
    }
}
