//! A message that did not arrive.

use std::fmt;

use crate::{ActorId, MessagingErr, RactorErr};

/// The text of [`MessagingErr::SendErr`], which holds the message and no reason.
pub(super) const SEND_ERR: &str = "\
    Messaging failed, and the message comes back: the actor is draining or stopped; or its bounded mailbox \
    (`ActorConfig::with_mailbox`), or the way to its node (`LinkOptions::with_replay_window`), is full, and `send` waits \
    for room; or its key for a conflating mailbox panicked; or no link of the transport that it pins leads there; or the message is larger than its \
    node takes. `cast_arc` returns the reason";

/// What is full at an actor of this process, and what moves it.
const FULL_HERE: &str = "\
    its bounded mailbox, or the lane of a fast actor, is full; wait for room with `send`, or with `send_arc` for an \
    `Arc`, or allow for more (`ActorConfig::with_mailbox`; `LaneConfig` for a lane)";

/// What is full on the way to an actor of another node, and what moves it.
const FULL_ELSEWHERE: &str = "\
    the replay window of the way to its node is full; wait for room with `send`, or with `send_arc` for an `Arc`, or \
    allow for more (`LinkOptions::with_replay_window`; `replay_window` in `mycelium.toml`)";

/// Why a message was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UndeliveredReason {
    /// The actor is draining or stopped. No message will reach it again.
    Stopped,
    /// The actor's bounded mailbox, or the lane of a fast actor, is full, or as much waits for its
    /// node as the replay window takes. There may be room later: `send`, and `send_arc` for an
    /// `Arc`, wait for it. [`Undelivered`] says which of them is full, and which setting moves it.
    Full,
    /// The actor handles messages of another type.
    WrongType,
    /// The value may not be sent by `Arc`: it holds a reply port, or its type says so
    /// ([`SharedMessage::is_shareable`](crate::message::SharedMessage::is_shareable),
    /// [`Message::arc_shareable`](crate::Message::arc_shareable)).
    NotShareable,
    /// The receiver wants a message of its own, or is on another node for which the value cannot be
    /// written from a reference; and the value cannot be copied, or its `clone` panicked.
    NotCopyable,
    /// The actor is on another node, and the value cannot be serialised.
    NotSerializable,
    /// The actor is on another node, pins a transport, and there is no link of that kind now.
    NoLink,
    /// The actor is on another node, and as many calls to there wait for their answers as may.
    TooManyCalls,
    /// The actor's mailbox conflates, and the application's code panicked that makes the message's
    /// key ([`Conflate`](crate::actor::actor_config::Conflate)).
    KeyPanicked,
    /// The actor is on another node, which takes no frame as large as this message needs. Only this
    /// message is refused.
    TooLarge {
        /// The bytes of the frame, at most.
        size: u64,
        /// The bytes of the largest frame that the node takes.
        bound: u64,
    },
}

impl UndeliveredReason {
    /// Whether the reason concerns one message, and not those that follow it.
    pub(crate) const fn is_of_one_message(self) -> bool {
        matches!(self, Self::Full | Self::TooLarge { .. } | Self::KeyPanicked)
    }
}

impl fmt::Display for UndeliveredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge { size, bound } => {
                return write!(
                    f,
                    "it is on another node, which takes frames of up to {bound} bytes, and the \
                     message needs one of {size}; send it in parts, or raise \
                     `NodeServer::with_max_inbound_frame_size` there"
                );
            }
            Self::Stopped => "the actor is draining or stopped",
            Self::Full => {
                "its mailbox (`ActorConfig::with_mailbox`), or what waits for its node \
                 (`LinkOptions::with_replay_window`), is full; wait for room with `send`, or with \
                 `send_arc` for an `Arc`, or allow for more"
            }
            Self::WrongType => "it handles messages of another type",
            Self::NotShareable => "the value may not be sent by `Arc`; send it by value",
            Self::NotCopyable => "the receiver needs a copy, and the value cannot be copied",
            Self::NotSerializable => {
                "it is on another node, and the value cannot be serialised; derive \
                 `RactorClusterMessage`"
            }
            Self::NoLink => {
                "it pins a transport, and no link of that kind leads to its node; send later, or \
                 spawn it with another preference"
            }
            Self::KeyPanicked => {
                "the code panicked that makes the message's key for a conflating mailbox \
                 (`Conflate::key`, or the key's `Hash` or `Eq`)"
            }
            Self::TooManyCalls => {
                "it is on another node, and too many calls to there are not answered yet; call \
                 later, or allow for more"
            }
        })
    }
}

/// A message that was not delivered, with the actor that did not get it and the reason.
///
/// The message is inside; nothing is lost.
///
/// ```
/// # use ractor::errors::{Undelivered, UndeliveredReason};
/// # fn retry(_: u64) {}
/// fn again(failure: Undelivered<u64>) {
///     match failure.reason() {
///         UndeliveredReason::Full => retry(failure.into_message()),
///         _ => eprintln!("{failure}"),
///     }
/// }
/// ```
pub struct Undelivered<M> {
    message: M,
    actor: ActorId,
    reason: UndeliveredReason,
}

impl<M> Undelivered<M> {
    /// What a way to send answers with that did not deliver `message` to `actor`.
    pub fn new(message: M, actor: ActorId, reason: UndeliveredReason) -> Self {
        Self { message, actor, reason }
    }

    /// Why it was not delivered.
    pub fn reason(&self) -> UndeliveredReason {
        self.reason
    }

    /// The actor that it was meant for.
    pub fn actor(&self) -> ActorId {
        self.actor
    }

    /// The message.
    pub fn message(&self) -> &M {
        &self.message
    }

    /// The message, back in the hands of its sender.
    pub fn into_message(self) -> M {
        self.message
    }

    /// The same failure of another form of the message.
    pub fn map<N>(self, form: impl FnOnce(M) -> N) -> Undelivered<N> {
        Undelivered { message: form(self.message), actor: self.actor, reason: self.reason }
    }
}

impl<M> fmt::Display for Undelivered<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { actor, reason, .. } = self;
        let of = std::any::type_name::<M>();
        write!(f, "a message ({of}) was not delivered to actor {actor}: ")?;
        match reason {
            UndeliveredReason::Full if actor.is_local() => f.write_str(FULL_HERE),
            UndeliveredReason::Full => f.write_str(FULL_ELSEWHERE),
            reason => reason.fmt(f),
        }
    }
}

impl<M> fmt::Debug for Undelivered<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Undelivered")
            .field("message", &std::any::type_name::<M>())
            .field("actor", &self.actor)
            .field("reason", &self.reason)
            .finish()
    }
}

impl<M> std::error::Error for Undelivered<M> {}

/// Stock's error has no room for every reason: what it calls an invalid type holds no message,
/// so that the message is dropped here; anything else is [`MessagingErr::SendErr`].
impl<M> From<Undelivered<M>> for MessagingErr<M> {
    fn from(failure: Undelivered<M>) -> Self {
        match failure.reason {
            UndeliveredReason::WrongType | UndeliveredReason::NotSerializable => {
                Self::InvalidActorType
            }
            _ => Self::SendErr(failure.message),
        }
    }
}

impl<M> From<Undelivered<M>> for RactorErr<M> {
    fn from(failure: Undelivered<M>) -> Self {
        Self::Messaging(failure.into())
    }
}
