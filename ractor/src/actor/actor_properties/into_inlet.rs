//! Sending to an actor's own queue, beside its mailbox.
//!
//! All of it is apart from the ways into a mailbox, which pay nothing for it.

use std::pin::pin;
use std::sync::Arc;

use super::ActorProperties;
use crate::actor::mailbox::{Displaced, Held, Way};
use crate::errors::UndeliveredReason;
use crate::inlet::{Delivery, Inlet, Refused};
use crate::{Message, MessagingErr};

impl ActorProperties {
    /// Sends what the mailbox is of no type for.
    #[cold]
    #[inline(never)]
    pub(super) fn send_into_inlet<M: Message>(&self, message: M) -> Result<(), MessagingErr<M>> {
        let Some(inlet) = self.inlet::<M>() else {
            self.returned::<M>(UndeliveredReason::WrongType);
            return Err(MessagingErr::InvalidActorType);
        };
        match inlet.put(Delivery::Owned(message), self.owner()) {
            // What its policy drops it has counted.
            Ok(_) => Ok(()),
            Err(Refused::Full(back)) => {
                self.returned::<M>(UndeliveredReason::Full);
                Err(MessagingErr::SendErr(owned(back)?))
            }
            Err(Refused::Stopped(back)) => {
                self.returned::<M>(UndeliveredReason::Stopped);
                Err(MessagingErr::SendErr(owned(back)?))
            }
        }
    }

    /// As [`send_into_inlet`](Self::send_into_inlet), for a large message.
    #[cold]
    #[inline(never)]
    // By value it would have a place in the frame of the caller.
    pub(super) fn send_heap_into_inlet<M: Message>(
        &self,
        message: Held<M>,
    ) -> Result<(), MessagingErr<M>> {
        self.send_into_inlet(message.into_inner())
    }

    /// Sends when there is room, with stock's errors.
    pub(super) async fn send_into_inlet_when_room<M: Message>(
        &self,
        inlet: &dyn Inlet<M>,
        mut message: M,
    ) -> Result<(), MessagingErr<M>> {
        loop {
            // Listens before it looks: room that comes between the two is not missed.
            let mut more = pin!(inlet.room().notified());
            more.as_mut().enable();
            match inlet.put_if_room(Delivery::Owned(message), self.owner()) {
                Ok(()) => return Ok(()),
                Err(Refused::Full(back)) => message = owned(back)?,
                Err(Refused::Stopped(back)) => {
                    self.returned::<M>(UndeliveredReason::Stopped);
                    return Err(MessagingErr::SendErr(owned(back)?));
                }
            }
            more.await;
        }
    }

    /// Puts an `Arc` in.
    #[cold]
    #[inline(never)]
    pub(super) fn send_arc_into_inlet<M: Message>(
        &self,
        message: Arc<M>,
        way: Way,
    ) -> Result<Displaced, (Arc<M>, UndeliveredReason)> {
        let Some(inlet) = self.inlet::<M>() else {
            return Err((message, UndeliveredReason::WrongType));
        };
        let (message, owner) = (Delivery::Shared(message), self.owner());
        let put = match way {
            Way::IfRoom => inlet.put_if_room(message, owner).map(|()| Displaced(None)),
            _ => inlet.put(message, owner).map(Displaced),
        };
        put.map_err(|refused| match refused {
            Refused::Full(back) => (back.into_arc(), UndeliveredReason::Full),
            Refused::Stopped(back) => (back.into_arc(), UndeliveredReason::Stopped),
        })
    }
}

/// A message that went in by value, and came back.
fn owned<M>(back: Delivery<M>) -> Result<M, MessagingErr<M>> {
    match back {
        Delivery::Owned(message) => Ok(message),
        Delivery::Shared(_) => Err(MessagingErr::ChannelClosed),
    }
}
