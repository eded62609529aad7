//! The way out of a proxy.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;

use super::Outgoing;
use crate::actor::actor_config::TransportPreference;
use crate::errors::UndeliveredReason;

/// Where messages to an actor of another node go: straight into what a session sends.
///
/// Called on the thread of the sender, so nothing in here may wait. One sender's messages
/// are to stay in order.
pub trait Outlet: Send + Sync + UnwindSafe + RefUnwindSafe + 'static {
    /// A number that the outlets of one session share, and those of no other.
    fn session(&self) -> u64;

    /// The transport that its actor pins, as far as the other node has told;
    /// [`Adaptive`](TransportPreference::Adaptive) when it pins none. Never asked when a message is
    /// sent.
    fn transport(&self) -> TransportPreference;

    /// Whether a message may be sent now. Cheap. Also yes once the session has ended or the outlet
    /// is [closed](Self::close): [`send`](Self::send) then says so.
    fn has_room(&self) -> bool;

    /// Takes room for one message before it is encoded. [`send`](Self::send) or
    /// [`send_to`](Self::send_to) uses it up when it succeeds; otherwise [`release`](Self::release)
    /// gives it back.
    ///
    /// A sender that `waits` asks for room in the actor's mailbox whatever the mailbox does with
    /// messages that find none. The others ask for it where the mailbox returns such messages, and
    /// leave it to the mailbox where it drops them.
    ///
    /// # Errors
    /// Why there is no room: [`UndeliveredReason::Full`] when [`room`](Self::room) can be waited
    /// for.
    fn reserve(&self, waits: bool) -> Result<(), UndeliveredReason> {
        let _ = waits;
        if self.has_room() {
            Ok(())
        } else {
            Err(UndeliveredReason::Full)
        }
    }

    /// Gives back room that was [reserved](Self::reserve) for a message that was not sent.
    fn release(&self) {}

    /// How many messages of this node the actor's mailbox has dropped for want of room, as far as
    /// the other node has told.
    fn dropped(&self) -> u64 {
        0
    }

    /// Resolves when there may be room, or when there never will be: the session has ended, or the
    /// outlet is [closed](Self::close). Listens from this call on, and not from the first poll, so
    /// that who calls it, finds no room and awaits it misses none.
    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Takes a message to the actor, for which room was [reserved](Self::reserve). It does not
    /// matter how large it turned out to be.
    ///
    /// # Errors
    /// The message comes back: the session has ended, the proxy is [closed](Self::close), as many
    /// calls wait for their answers as may, or the other node takes no message so large.
    fn send(&self, message: Outgoing) -> Result<(), Refused>;

    /// Whether [`send_to`](Self::send_to) spares anything. Where it does not, each actor is asked
    /// for room and sent to by itself.
    fn takes_many(&self) -> bool {
        true
    }

    /// Takes a message to several actors of the session, by their pids, the one of this outlet
    /// among them: as one frame where the peer knows such. Never a call. Room was
    /// [reserved](Self::reserve) at the outlet of each.
    ///
    /// # Errors
    /// As [`send`](Self::send), for all of them.
    fn send_to(&self, pids: &[u64], message: Outgoing) -> Result<(), Refused>;

    /// The proxy takes no more: its calls in flight fail at once, by their ports being dropped.
    /// Called once.
    fn close(&self);
}

/// A message that an outlet did not take.
pub struct Refused {
    /// The message. In a box, since an error is rare and a result is moved with each message.
    pub message: Box<Outgoing>,
    /// Why.
    pub reason: UndeliveredReason,
}

impl Refused {
    /// The answer of an outlet that does not take `message`.
    pub fn new(message: Outgoing, reason: UndeliveredReason) -> Self {
        Self { message: Box::new(message), reason }
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("message", &self.message)
            .field("reason", &self.reason)
            .finish()
    }
}
