//! The vocabulary of what keeps a message from being handled: one name for each cause, the same in
//! errors, counters, logs and documentation.

use std::fmt;

use super::UndeliveredReason;
#[cfg(feature = "cluster")]
use crate::remoting::Undeliverable;
use crate::MessagingErr;

/// Declares the causes: each with its documentation, its name for programs, and its text for
/// people. So none can lack one of them.
macro_rules! causes {
    ($($(#[$doc:meta])* $cause:ident = $name:literal, $text:literal;)+) => {
        /// What keeps a message from being handled.
        ///
        /// Each cause has one [`name`](Self::name), whatever the type that reports it:
        /// [`UndeliveredReason`] and [`MessagingErr`] to senders, the counters of dead letters,
        /// and log lines (`cause = ...`). `docs/undelivered.md` lists when each occurs, and what an
        /// application can do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum UndeliveredCause {
            $($(#[$doc])* $cause,)+
        }

        impl UndeliveredCause {
            /// All causes.
            pub const ALL: &'static [Self] = &[$(Self::$cause),+];

            /// The cause's name for programs, such as `full`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$cause => $name,)+
                }
            }

            const fn text(self) -> &'static str {
                match self {
                    $(Self::$cause => $text,)+
                }
            }
        }
    };
}

causes! {
    /// The actor is draining or stopped.
    Stopped = "stopped", "its actor is draining or stopped";
    /// The actor's bounded mailbox, a fast actor's lane, or the way to its node is full.
    Full = "full", "its actor's mailbox, or the way to its node, is full";
    /// The actor's mailbox conflates, and the code that makes the message's key panicked.
    KeyPanicked = "key_panicked", "the code that makes its key for a conflating mailbox panicked";
    /// The actor handles messages of another type.
    WrongType = "wrong_type", "its actor handles messages of another type";
    /// The value may not be sent by `Arc`.
    NotShareable = "not_shareable", "the value may not be sent by `Arc`";
    /// The receiver needs a copy, and none can be made.
    NotCopyable = "not_copyable", "the receiver needs a copy, and none can be made";
    /// The actor is on another node, and the value cannot be serialised.
    NotSerializable = "not_serializable", "its actor is on another node, and it cannot be serialised";
    /// The actor pins a transport, and there is no link of that kind.
    NoLink = "no_link", "its actor pins a transport, and no link of that kind leads there";
    /// As many calls wait for answers as may.
    TooManyCalls = "too_many_calls", "too many calls wait for answers";
    /// The message needs a larger frame than the node of its actor takes.
    TooLarge = "too_large", "it is larger than the node of its actor takes";
    /// The message came back, and the error of stock's type, which holds it, has no reason.
    NoReason = "no_reason", "it came back, and the error has no place for the reason";
    /// There is no such actor in the process that it came to, or the actor takes no messages of
    /// other nodes.
    NoActor = "no_actor", "there is no such actor, or it takes no messages of other nodes";
    /// The bytes that came are no message of the actor's type.
    NotDecodable = "not_decodable", "its bytes are no message of the actor's type";
    /// Copies of the message, for actors that cannot share it, took too much memory.
    TooManyCopies = "too_many_copies", "its actors cannot share it, and its copies took too much memory";
    /// An answer needs a larger frame than the node of the caller takes.
    AnswerTooLarge = "answer_too_large", "an answer is larger than the node of its caller takes";
    /// What is to be announced of an actor or a group needs a larger frame than the peer takes.
    AnnouncementTooLarge = "announcement_too_large", "a name is too long to be announced to the peer";
    /// The actor's bounded mailbox is full, and the sending node had no credit for the message.
    NoCredit = "no_credit", "its actor's mailbox is full, and its node had no credit for it";
    /// The mailbox or the lane was full, and its policy, or a sender that cannot give the message
    /// back, dropped one.
    Overflow = "overflow", "the mailbox was full, and a message was dropped";
    /// The actor has neither `handle` nor `handle_arc`.
    Unhandled = "unhandled", "its actor has neither `handle` nor `handle_arc`";
    /// The session with the actor's node ended before the node acknowledged the message.
    Unacknowledged = "unacknowledged", "its session ended before it was acknowledged";
}

impl fmt::Display for UndeliveredCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl From<UndeliveredReason> for UndeliveredCause {
    fn from(reason: UndeliveredReason) -> Self {
        match reason {
            UndeliveredReason::Stopped => Self::Stopped,
            UndeliveredReason::Full => Self::Full,
            UndeliveredReason::KeyPanicked => Self::KeyPanicked,
            UndeliveredReason::WrongType => Self::WrongType,
            UndeliveredReason::NotShareable => Self::NotShareable,
            UndeliveredReason::NotCopyable => Self::NotCopyable,
            UndeliveredReason::NotSerializable => Self::NotSerializable,
            UndeliveredReason::NoLink => Self::NoLink,
            UndeliveredReason::TooManyCalls => Self::TooManyCalls,
            UndeliveredReason::TooLarge { .. } => Self::TooLarge,
        }
    }
}

impl UndeliveredReason {
    /// The cause's name for programs, such as `full`: that of [`UndeliveredCause`].
    #[must_use]
    pub fn name(self) -> &'static str {
        UndeliveredCause::from(self).name()
    }
}

impl<T> From<&MessagingErr<T>> for UndeliveredCause {
    fn from(error: &MessagingErr<T>) -> Self {
        match error {
            MessagingErr::SendErr(_) => Self::NoReason,
            MessagingErr::ChannelClosed => Self::Stopped,
            MessagingErr::InvalidActorType => Self::WrongType,
        }
    }
}

#[cfg(feature = "cluster")]
impl From<Undeliverable> for UndeliveredCause {
    fn from(failure: Undeliverable) -> Self {
        match failure {
            Undeliverable::WrongType => Self::NoActor,
            Undeliverable::NotDecodable => Self::NotDecodable,
            Undeliverable::Full => Self::Full,
            Undeliverable::KeyPanicked => Self::KeyPanicked,
            Undeliverable::Stopped => Self::Stopped,
            Undeliverable::TooManyCopies => Self::TooManyCopies,
        }
    }
}
