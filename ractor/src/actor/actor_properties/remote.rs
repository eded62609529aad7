//! What the cluster needs of an actor's references.

use std::sync::atomic::Ordering;

use super::ActorProperties;
use crate::actor::mailbox::{Displaced, Refused};
use crate::errors::{Undelivered, UndeliveredReason};
use crate::message::ArcMessage;
use crate::ActorCell;

impl ActorProperties {
    /// Whether a proxy takes messages. An actor of this process always does.
    pub(super) fn is_reachable(&self) -> bool {
        // Only whoever moves the gate orders messages against it, and it goes by links that break
        // at any time.
        !self.unreachable.load(Ordering::Relaxed)
    }
}

impl ActorCell {
    /// Lets a proxy take messages, or return them to their senders: for the cluster, when an
    /// actor of another node pins a transport ([`TransportPreference`](crate::actor::actor_config::TransportPreference))
    /// and there is no link of that kind. Replies and what the proxy has taken already are not concerned.
    ///
    /// Does nothing for an actor of this process.
    pub fn set_reachable(&self, reachable: bool) {
        if !self.get_id().is_local() {
            self.inner.unreachable.store(!reachable, Ordering::Relaxed);
        }
    }

    /// Sends a shared message whose type is known to the receiver only, to an actor of this process.
    ///
    /// # Errors
    /// As [`send_arc`](Self::send_arc); for a proxy, [`UndeliveredReason::WrongType`].
    pub fn send_shared(&self, message: ArcMessage) -> Result<(), Undelivered<ArcMessage>> {
        let is_its_own =
            self.get_id().is_local() && message.as_any().type_id() == self.inner.type_id;
        let (message, reason) = if !is_its_own {
            (message, UndeliveredReason::WrongType)
        } else {
            match self.inner.mailbox.put_shared(message) {
                Ok(Displaced(displaced)) => {
                    if displaced {
                        self.inner.lose("shared", "the mailbox was full");
                    }
                    return Ok(());
                }
                Err(Refused::Full(message)) => (message, UndeliveredReason::Full),
                Err(Refused::Closed(message)) => (message, UndeliveredReason::Stopped),
            }
        };
        Err(Undelivered::new(message, self.get_id(), reason))
    }
}
