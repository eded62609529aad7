//! Sending to an actor of another node, where its proxy has a way out.

use std::future::{poll_fn, Future};
use std::task::Poll;

use super::ActorProperties;
use crate::errors::UndeliveredReason;
use crate::message::{BoxedDowncastErr, SerializedMessage};
use crate::remoting::{from_serialized, guarded, Incoming, Outgoing, Outlet};
use crate::{ActorStatus, Message, MessagingErr};

/// Room for one message, which is given back unless the message is sent.
pub(super) struct Reserved<'a>(Option<&'a dyn Outlet>);

impl Reserved<'_> {
    /// The message was sent.
    pub(super) fn used(mut self) {
        self.0 = None;
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if let Some(outlet) = self.0 {
            outlet.release();
        }
    }
}

impl ActorProperties {
    /// Takes room for one message to the proxy. A sender that `waits` takes no part in what the
    /// mailbox does with messages that find no room.
    ///
    /// A sender that is admitted here, and finds the way closed, gets the message back; so none
    /// need be admitted, as to a mailbox that drains.
    #[inline]
    pub(super) fn may_send_out<'a>(
        &self,
        outlet: &'a dyn Outlet,
        waits: bool,
    ) -> Result<Reserved<'a>, UndeliveredReason> {
        if self.get_status() >= ActorStatus::Draining {
            Err(UndeliveredReason::Stopped)
        } else if !self.proxy.is_reachable() {
            Err(UndeliveredReason::NoLink)
        } else {
            outlet.reserve(waits).map(|()| Reserved(Some(outlet)))
        }
    }

    /// Sends with stock's errors.
    pub(super) fn send_out<M: Message>(
        &self,
        outlet: &dyn Outlet,
        message: M,
    ) -> Result<(), MessagingErr<M>> {
        match self.may_send_out(outlet, false) {
            Ok(room) => self.encode_and_send(outlet, room, message),
            Err(reason) => self.give_back(message, reason),
        }
    }

    /// A message that cannot go out, as the caller's error.
    #[cold]
    fn give_back<M>(&self, message: M, reason: UndeliveredReason) -> Result<(), MessagingErr<M>> {
        self.returned::<M>(reason);
        Err(MessagingErr::SendErr(message))
    }

    /// Sends when there is room, with stock's errors.
    pub(super) async fn send_out_when_room<M: Message>(
        &self,
        outlet: &dyn Outlet,
        message: M,
    ) -> Result<(), MessagingErr<M>> {
        match self.room_out(outlet).await {
            Ok(room) => self.encode_and_send(outlet, room, message),
            Err(reason) => self.give_back(message, reason),
        }
    }

    /// Waits for room for one message to the proxy, and takes it.
    ///
    /// Cancel safe: room that was taken is given back.
    ///
    /// # Errors
    /// There will be none, for a reason other than [`UndeliveredReason::Full`].
    pub(super) async fn room_out<'a>(
        &self,
        outlet: &'a dyn Outlet,
    ) -> Result<Reserved<'a>, UndeliveredReason> {
        let mut listening = None;
        loop {
            match (self.may_send_out(outlet, true), listening.take()) {
                // Listens before it looks again: room that comes between the two is not missed.
                (Err(UndeliveredReason::Full), None) => listening = Some(outlet.room()),
                (Err(UndeliveredReason::Full), Some(room)) => room.await,
                (outcome, _) => return outcome,
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
            if matches!(self.may_send_out(&**outlet, true), Err(UndeliveredReason::Full)) {
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
        room: Reserved<'_>,
        message: M,
    ) -> Result<(), MessagingErr<M>> {
        let message = self.encode(message).map_err(|_| {
            self.returned::<M>(UndeliveredReason::NotSerializable);
            MessagingErr::InvalidActorType
        })?;
        outlet.send(message).map_err(|refused| {
            self.returned::<M>(refused.reason);
            given_back(*refused.message)
        })?;
        room.used();
        Ok(())
    }

    /// Sends what is serialised already.
    pub(super) fn send_encoded(
        &self,
        outlet: &dyn Outlet,
        message: Outgoing,
    ) -> Result<(), Box<MessagingErr<SerializedMessage>>> {
        let back = match self.may_send_out(outlet, false) {
            Err(_) => message,
            Ok(room) => match outlet.send(message) {
                Ok(()) => {
                    room.used();
                    return Ok(());
                }
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
    let message = back.read_back(|it: Incoming<'_>| guarded(|| it.open()));
    message.map_or(MessagingErr::ChannelClosed, MessagingErr::SendErr)
}
