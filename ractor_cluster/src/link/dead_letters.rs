//! Messages of peers that reached no actor, and what peers cannot be told. A cast has no caller
//! waiting for it; so they are counted by reason, and the first of each reason is logged per
//! process.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use ractor::dead_letters::{self as letters, DeadLetter};
use ractor::errors::{UndeliveredCause, UndeliveredReason};
use ractor::remoting::Undeliverable;
use ractor::{ActorCell, ActorId};

use crate::NodeId;

/// Why a message that came from a peer reached no actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// There is no such actor here, or no longer, or it takes nothing from other nodes.
    NoActor,
    /// The actor is draining or stopped.
    Stopped,
    /// The actor's bounded mailbox is full.
    Full,
    /// The actor's mailbox conflates, and the code that makes the message's key panicked.
    KeyPanicked,
    /// The bytes are no message of the actor's type.
    Undecodable,
    /// The peer waits for more answers than it may
    /// ([`LinkOptions::max_calls`](super::LinkOptions)).
    TooManyCalls,
    /// It was for several actors, which cannot share it, and their copies took too much memory.
    TooManyCopies,
    /// An answer of this node needs a larger frame than the peer takes. A caller of the fork is
    /// told at once.
    AnswerTooLarge,
    /// What this node announces of an actor or a group needs a larger frame than the peer takes,
    /// because a name is so long: the peer does not get to know of it.
    AnnouncementTooLarge,
    /// The actor's bounded mailbox is full, and the peer had no credit for the message: it knows
    /// credits, and sent more than it was granted.
    NoCredit,
}

impl Cause {
    const ALL: [Self; 10] = [
        Self::NoActor,
        Self::Stopped,
        Self::Full,
        Self::KeyPanicked,
        Self::Undecodable,
        Self::TooManyCalls,
        Self::TooManyCopies,
        Self::AnswerTooLarge,
        Self::AnnouncementTooLarge,
        Self::NoCredit,
    ];

    /// The cause's name for programs, such as `full`: that of [`UndeliveredCause`].
    #[must_use]
    pub fn name(self) -> &'static str {
        UndeliveredCause::from(self).name()
    }

    const fn text(self) -> &'static str {
        match self {
            Self::NoActor => "there is no such actor, or it takes no messages of other nodes",
            Self::Stopped => "its actor is draining or stopped",
            Self::Full => "its actor's mailbox is full",
            Self::KeyPanicked => "the code that makes its key for a conflating mailbox panicked",
            Self::Undecodable => "its actor handles messages of another type, or it was damaged",
            Self::TooManyCalls => "the peer waits for too many answers",
            Self::TooManyCopies => "its actors cannot share it, and their copies took too much",
            Self::AnswerTooLarge => {
                "an answer is larger than the peer takes (NodeServer::with_max_inbound_frame_size)"
            }
            Self::AnnouncementTooLarge => "a name is too long to be announced to the peer",
            Self::NoCredit => "its actor's mailbox is full, and the peer had no credit for it",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl From<Cause> for UndeliveredCause {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::NoActor => Self::NoActor,
            Cause::Stopped => Self::Stopped,
            Cause::Full => Self::Full,
            Cause::KeyPanicked => Self::KeyPanicked,
            Cause::Undecodable => Self::NotDecodable,
            Cause::TooManyCalls => Self::TooManyCalls,
            Cause::TooManyCopies => Self::TooManyCopies,
            Cause::AnswerTooLarge => Self::AnswerTooLarge,
            Cause::AnnouncementTooLarge => Self::AnnouncementTooLarge,
            Cause::NoCredit => Self::NoCredit,
        }
    }
}

impl From<Undeliverable> for Cause {
    fn from(failure: Undeliverable) -> Self {
        match failure {
            Undeliverable::WrongType => Self::NoActor,
            Undeliverable::Stopped => Self::Stopped,
            Undeliverable::Full => Self::Full,
            Undeliverable::KeyPanicked => Self::KeyPanicked,
            Undeliverable::TooManyCopies => Self::TooManyCopies,
            _ => Self::Undecodable,
        }
    }
}

impl From<UndeliveredReason> for Cause {
    /// Of a message that came as an `Arc`.
    fn from(reason: UndeliveredReason) -> Self {
        match reason {
            UndeliveredReason::Stopped => Self::Stopped,
            UndeliveredReason::Full => Self::Full,
            _ => Self::Undecodable,
        }
    }
}

static COUNTS: [AtomicU64; Cause::ALL.len()] = [const { AtomicU64::new(0) }; Cause::ALL.len()];

/// How many messages of peers reached no actor of this process, by reason, since it started.
#[must_use]
pub fn dead_letters() -> Vec<(Cause, u64)> {
    let count = |cause: Cause| COUNTS[cause as usize].load(Ordering::Relaxed);
    Cause::ALL.into_iter().map(|cause| (cause, count(cause))).collect()
}

/// Whom a message was for.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    /// An actor of this node.
    Actor(&'a ActorCell),
    /// An actor of this node by its number; there may be none.
    Pid(u64),
    /// Not an actor, or one that is not known here.
    Unknown,
}

impl<'a> From<&'a ActorCell> for Target<'a> {
    fn from(actor: &'a ActorCell) -> Self {
        Self::Actor(actor)
    }
}

/// One more, with its letter.
pub(crate) fn count(node_id: NodeId, cause: Cause, target: Target<'_>) {
    letters::post(|| {
        let letter = DeadLetter::new(cause.into()).with_node(node_id);
        match target {
            Target::Actor(actor) => {
                letter.with_actor(actor).with_message_type(actor.message_type().unwrap_or_default())
            }
            Target::Pid(pid) => letter.with_target(ActorId::Local(pid), None),
            Target::Unknown => letter,
        }
    });
    if COUNTS[cause as usize].fetch_add(1, Ordering::Relaxed) == 0 {
        tracing::warn!(
            node_id,
            cause = cause.name(),
            reason = cause.text(),
            "a message of a peer, or to it, is lost; further ones are counted only (link::dead_letters)"
        );
    }
}
