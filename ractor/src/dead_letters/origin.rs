//! How the parts of this crate post letters, on the ways of messages that are not delivered.

use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::{is_watched, post, Contents, DeadLetter};
use crate::actor::actor_properties::ActorProperties;
use crate::actor::mailbox::Parcel;
use crate::errors::{UndeliveredCause, UndeliveredReason};
use crate::message::{ArcMessage, SharedMessage};

impl ActorProperties {
    /// Posts a letter for an `M` that goes back to its sender.
    #[cold]
    #[inline(never)]
    pub(crate) fn returned<M>(&self, reason: UndeliveredReason) {
        if !is_quiet() {
            post(|| self.letter(reason.into(), type_name::<M>()).returned());
        }
    }

    /// Posts a letter for a shared message that goes back to its sender.
    #[cold]
    #[inline(never)]
    pub(crate) fn returned_arc<T: SharedMessage>(
        &self,
        message: &Arc<T>,
        reason: UndeliveredReason,
    ) {
        if is_quiet() {
            return;
        }
        post(|| {
            let letter = self.letter(reason.into(), type_name::<T>()).returned();
            letter.holding(Contents::Shared(ArcMessage::new(message.clone())))
        });
    }

    /// A letter for this actor.
    pub(crate) fn letter(&self, cause: UndeliveredCause, message_type: &'static str) -> DeadLetter {
        DeadLetter::new(cause)
            .with_message_type(message_type)
            .with_target(self.id, self.name.clone())
    }
}

/// What waits in a queue, and may be the message of a letter.
pub(crate) trait Keeps {
    /// The message, where it is in one piece.
    fn into_contents(self) -> Option<Contents>;
}

impl<S: Send + 'static> Keeps for Parcel<S> {
    fn into_contents(self) -> Option<Contents> {
        match self {
            Self::Plain(message) => Some(Contents::owned(message)),
            Self::Shared(message) => Some(Contents::Shared(message)),
            Self::Boxed(message) => message.msg.map(Contents::Owned),
            #[cfg(feature = "message_span_propogation")]
            Self::Traced(_, parcel) => parcel.into_contents(),
        }
    }
}

thread_local! {
    /// Whether sends of this thread that fail give no letters.
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// The message that a queue gave up, from there to where its actor is known. A result that held
    /// it would be larger, and each send would pay for that.
    static DISPLACED: RefCell<Option<Contents>> = const { RefCell::new(None) };
}

/// Makes `send` on this thread without letters for what goes back to the sender: for libraries that
/// have queues of their own, which post a letter for the message, and not for what carries it.
#[doc(hidden)]
pub fn quietly<T>(send: impl FnOnce() -> T) -> T {
    if !is_watched() {
        return send();
    }
    let before = QUIET.replace(true);
    let sent = send();
    QUIET.set(before);
    sent
}

fn is_quiet() -> bool {
    QUIET.get()
}

/// Keeps a message that a queue gave up for the letter that this thread posts next. Gives it back
/// when there is no subscriber.
pub(crate) fn keep_displaced<T: Keeps>(given_up: T) -> Option<T> {
    if !is_watched() {
        return Some(given_up);
    }
    let before = DISPLACED.try_with(|it| it.replace(given_up.into_contents()));
    crate::actor::mailbox::discard(before);
    None
}

/// The message that a queue gave up on this thread.
pub(crate) fn displaced() -> Option<Contents> {
    DISPLACED.try_with(RefCell::take).ok().flatten()
}
