//! Carries out what a queue settled of a message: the one place that counts a message that was
//! given up, logs a key that panicked, and names the reason of a refusal.
//!
//! What is settled, and by what, is in `mailbox/settle.rs`.

use std::any::type_name;

use super::ActorProperties;
use crate::actor::mailbox::{Bound, Displaced, Held, Parcel, Queue, Refused, Way};
use crate::dead_letters::{self, Keeps};
use crate::errors::{UndeliveredCause, UndeliveredReason};
use crate::{ActorCell, ActorStatus, MessagingErr};

/// Why a message was dropped for want of room, in logs.
const OVERFLOW: &str = "the mailbox was full";

/// Why a mailbox gave a message back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// For want of room.
    Full,
    /// The actor takes no more.
    Stopped,
    /// The message's key for a conflating mailbox could not be made.
    KeyPanicked,
}

impl From<Refusal> for UndeliveredReason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Full => Self::Full,
            Refusal::Stopped => Self::Stopped,
            Refusal::KeyPanicked => Self::KeyPanicked,
        }
    }
}

impl ActorProperties {
    /// Puts an item that holds an `M` into the actor's queue, and carries out what is settled.
    ///
    /// # Errors
    /// The item comes back.
    #[inline(always)]
    pub(super) fn admit<M, T: Keeps>(
        &self,
        queue: &Queue<T>,
        item: T,
        way: Way,
    ) -> Result<Displaced, (T, Refusal)> {
        let put = match queue.put(item, way) {
            // As a rule; the rest is apart from it.
            Ok(None) => return Ok(Displaced(None)),
            Ok(given_up) => Ok(Displaced::by(queue.bound(), given_up)),
            Err(refused) => Err(refused),
        };
        self.carry_out(put, |_| type_name::<M>())
    }

    /// Carries out what the queue settled of a message whose type `of` names.
    ///
    /// # Errors
    /// The message comes back.
    #[inline(always)]
    pub(crate) fn carry_out<T>(
        &self,
        put: Result<Displaced, Refused<T>>,
        of: impl FnOnce(Option<&T>) -> &'static str,
    ) -> Result<Displaced, (T, Refusal)> {
        match put {
            Ok(Displaced(None)) => Ok(Displaced(None)),
            Ok(displaced) => {
                self.lose_overflow(of(None));
                Ok(displaced)
            }
            Err(Refused::Full(back)) => Err((back, Refusal::Full)),
            Err(Refused::Closed(back)) => Err((back, Refusal::Stopped)),
            Err(Refused::NoKey(back)) => {
                self.tell_of_key(of(Some(&back)));
                Err((back, Refusal::KeyPanicked))
            }
        }
    }

    /// Counts a message that the full mailbox has just given up.
    #[cold]
    fn lose_overflow(&self, message: &'static str) {
        let left = dead_letters::displaced();
        self.lose(message, UndeliveredCause::Overflow, OVERFLOW, left);
    }

    /// A message that goes back to its sender, with stock's error.
    #[cold]
    #[inline(never)]
    pub(super) fn refused<M>(
        &self,
        back: Parcel<M>,
        refusal: Refusal,
    ) -> Result<(), MessagingErr<M>> {
        self.returned::<M>(refusal.into());
        Err(MessagingErr::SendErr(back.into_plain()))
    }

    /// As [`refused`](Self::refused), for a large message.
    #[cold]
    #[inline(never)]
    pub(super) fn refused_large<M: Send + 'static>(
        &self,
        back: Parcel<Held<M>>,
        refusal: Refusal,
    ) -> Result<(), MessagingErr<M>> {
        self.returned::<M>(refusal.into());
        Err(MessagingErr::SendErr(back.into_plain().into_inner()))
    }

    /// Logs that a key panicked, if it is the first of this actor. The message goes back.
    #[cold]
    fn tell_of_key(&self, message: &str) {
        if self.mailbox.bound().is_some_and(Bound::is_first_without_key) {
            tracing::warn!(
                actor = %self.id,
                name = self.name.as_deref(),
                "The key of a message ({message}) panicked, and the message goes back to its \
                 sender. Further ones are not logged."
            );
        }
    }
}

/// For senders that cannot give a message back. Its letter was posted when it was refused.
impl ActorCell {
    /// Counts a message that a failed send refused as lost, unless the actor takes no more at all.
    /// The mailbox, or the way to another node, was full, or that node takes no message so large.
    ///
    /// Returns whether all later sends will fail too.
    pub(crate) fn count_refused<M>(&self, error: &MessagingErr<M>) -> bool {
        #[cfg(feature = "cluster")]
        let is_bounded = self.is_bounded() || self.has_way_out();
        #[cfg(not(feature = "cluster"))]
        let is_bounded = self.is_bounded();
        let full = matches!(error, MessagingErr::SendErr(_))
            && self.get_status() < ActorStatus::Draining
            && is_bounded;
        if full && !self.is_bounded() {
            let why = "there was no room in it or on the way to its node, or that takes none so \
                       large";
            self.inner.count_lost(type_name::<M>(), UndeliveredCause::Full, why);
        } else if full {
            self.inner.count_lost(type_name::<M>(), UndeliveredCause::Overflow, OVERFLOW);
        }
        !full
    }

    /// Counts a message that was not delivered for a reason that concerns no other.
    pub(crate) fn lose_one<M>(&self, reason: UndeliveredReason) {
        match reason {
            UndeliveredReason::TooLarge { .. } => {
                let why = "its node takes no message so large";
                self.inner.count_lost(type_name::<M>(), reason.into(), why);
            }
            UndeliveredReason::KeyPanicked => {
                let why = "its key for the conflating mailbox panicked";
                self.inner.count_lost(type_name::<M>(), UndeliveredCause::KeyPanicked, why);
            }
            _ => self.inner.count_lost(type_name::<M>(), UndeliveredCause::Overflow, OVERFLOW),
        }
    }
}
