//! Sending to an actor of another node, where its proxy has a way out.

use std::future::{poll_fn, Future};
use std::task::Poll;

use super::ActorProperties;
use crate::errors::UndeliveredReason;
use crate::message::{BoxedDowncastErr, BoxedMessage, SerializedMessage};
use crate::remoting::{from_serialized, guarded, Incoming, Outgoing, Outlet};
use crate::{ActorStatus, Message, MessagingErr};

impl ActorProperties {
    /// Whether the proxy takes a message now.
    ///
    /// Who is let in here, and finds the way closed, gets the message back; so that nobody need be
    /// admitted, as to a mailbox that drains.
    #[inline]
    pub(super) fn may_send_out(&self, outlet: &dyn Outlet) -> Result<(), UndeliveredReason> {
        if self.get_status() >= ActorStatus::Draining {
            Err(UndeliveredReason::Stopped)
        } else if !self.proxy.is_reachable() {
            Err(UndeliveredReason::NoLink)
        } else if !outlet.has_room() {
            Err(UndeliveredReason::Full)
        } else {
            Ok(())
        }
    }

    /// Sends with stock's errors.
    pub(super) fn send_out<M: Message>(
        &self,
        outlet: &dyn Outlet,
        message: M,
    ) -> Result<(), MessagingErr<M>> {
        match self.may_send_out(outlet) {
            Ok(()) => self.encode_and_send(outlet, message),
            Err(_) => Err(MessagingErr::SendErr(message)),
        }
    }

    /// Sends when there is room, with stock's errors.
    pub(super) async fn send_out_when_room<M: Message>(
        &self,
        outlet: &dyn Outlet,
        message: M,
    ) -> Result<(), MessagingErr<M>> {
        loop {
            match self.may_send_out(outlet) {
                Ok(()) => return self.encode_and_send(outlet, message),
                Err(UndeliveredReason::Full) => {
                    // Listens before it looks again: room that comes between the two is not missed.
                    let room = outlet.room();
                    if !outlet.has_room() {
                        room.await;
                    }
                }
                Err(_) => return Err(MessagingErr::SendErr(message)),
            }
        }
    }

    /// Resolves when there may be room on the way to a proxy's actor, or never will be; `None` for
    /// an actor that is no proxy with a way out.
    pub(super) fn room_on_the_way(&self) -> Option<impl Future<Output = ()> + Send + '_> {
        let outlet = self.proxy.outlet()?;
        // Listens before it looks again: room that comes between the two is not missed.
        let room = outlet.room();
        Some(async move {
            if matches!(self.may_send_out(&**outlet), Err(UndeliveredReason::Full)) {
                room.await;
            } else {
                // An outlet that says so, and yet took nothing, keeps no thread.
                yield_now().await;
            }
        })
    }

    fn encode_and_send<M: Message>(
        &self,
        outlet: &dyn Outlet,
        message: M,
    ) -> Result<(), MessagingErr<M>> {
        let message = self.encode(message).map_err(|_| MessagingErr::InvalidActorType)?;
        outlet.send(message).map_err(|refused| given_back(*refused.message))
    }

    /// Sends what is serialised already.
    pub(super) fn send_encoded(
        &self,
        outlet: &dyn Outlet,
        message: Outgoing,
    ) -> Result<(), Box<MessagingErr<SerializedMessage>>> {
        let back = match self.may_send_out(outlet) {
            Err(_) => message,
            Ok(()) => match outlet.send(message) {
                Ok(()) => return Ok(()),
                Err(refused) => *refused.message,
            },
        };
        Err(Box::new(MessagingErr::SendErr(back.into_serialized())))
    }

    /// As the type's own [`Message::box_message`] has it, if it has one.
    fn encode<M: Message>(&self, message: M) -> Result<Outgoing, BoxedDowncastErr> {
        if !M::keeps_default_boxing() {
            return from_serialized(message.box_message(&self.id)?.into_serialized::<M>()?);
        }
        if !M::serializable() {
            return Err(BoxedDowncastErr);
        }
        message.into_outgoing()
    }
}

/// Gives the others on the thread a turn.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// An encoded message that was not taken, as the caller's error: as the other node would have got
/// it, with a port that leads to the caller's.
#[cold]
fn given_back<M: Message>(back: Outgoing) -> MessagingErr<M> {
    let message = back.read_back(|it: Incoming<'_>| {
        guarded(|| {
            if M::keeps_default_boxing() {
                M::from_incoming(it)
            } else {
                M::from_boxed(BoxedMessage::serialized(it.into_serialized()))
            }
        })
    });
    message.map_or(MessagingErr::ChannelClosed, MessagingErr::SendErr)
}
