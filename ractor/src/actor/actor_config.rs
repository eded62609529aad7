//! What an actor is spawned with beside its arguments.

use std::fmt;
use std::num::NonZeroUsize;

#[path = "actor_config/conflation.rs"]
mod conflation;

pub use conflation::{Conflate, Conflation};

/// How an actor is run. The default is what [`Actor::spawn`](crate::Actor::spawn) does.
///
/// ```
/// use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
///
/// let config = ActorConfig::default().with_mailbox(Mailbox::bounded(1024, Overflow::DropOldest));
/// assert_ne!(config, ActorConfig::default());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActorConfig {
    /// Where messages wait until they are handled.
    pub mailbox: Mailbox,
    /// How messages from other nodes shall come.
    pub transport: TransportPreference,
    /// Whether messages from other nodes go ahead of those to other actors.
    pub urgent: bool,
}

impl ActorConfig {
    /// With this mailbox.
    #[must_use]
    pub const fn with_mailbox(self, mailbox: Mailbox) -> Self {
        Self { mailbox, ..self }
    }

    /// With this preference for a transport.
    #[must_use]
    pub const fn with_transport_preference(self, transport: TransportPreference) -> Self {
        Self { transport, ..self }
    }

    /// With messages from other nodes that go ahead of those to other actors of this process, but
    /// for those to other urgent ones; false by default. For an actor that is sent little and must
    /// have it soon, such as one that stops trading: what is sent to it is not held up by a flood
    /// to others, and a flood to it holds up all others.
    ///
    /// Nodes tell each other of it. It does not concern senders of the same process, nor the order
    /// in which an actor handles its messages, nor nodes that run stock `ractor`.
    #[must_use]
    pub const fn with_urgent(self, urgent: bool) -> Self {
        Self { urgent, ..self }
    }

    /// As [`with_transport_preference`](Self::with_transport_preference), by its former name.
    #[must_use]
    pub const fn with_transport(self, transport: TransportPreference) -> Self {
        self.with_transport_preference(transport)
    }
}

/// Where messages wait until they are handled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mailbox {
    /// Takes every message; memory is the only bound, as in stock `ractor`.
    #[default]
    Unbounded,
    /// Holds so many messages at most. Signals, stops, supervision events and the marker of a
    /// drain need no room.
    ///
    /// Nodes of the fork feel the bound of each other's actors: their messages take room that the
    /// mailbox lends to each of them, and find it whatever waits by then. So as many messages again
    /// may wait for each other node that sends. A node that is alone in sending fills it to the
    /// capacity and no further. A mailbox that was full has room for it again when a quarter is
    /// free, and until then its casts come back or wait.
    Bounded {
        /// In messages, beside the one that is being handled.
        capacity: NonZeroUsize,
        /// What becomes of a message that finds no room.
        overflow: Overflow,
    },
    /// Keeps the latest message of each key, in the place of the first that waits under it.
    /// Otherwise as `Bounded`.
    Conflating {
        /// In keys that wait and messages without a key, beside the message that is being handled.
        /// A message that replaces another needs no room.
        capacity: NonZeroUsize,
        /// What becomes of a message that finds no room. The oldest, for
        /// [`DropOldest`](Overflow::DropOldest), is the one that waits in the first place.
        overflow: Overflow,
        /// The key.
        by: Conflation,
    },
}

impl Mailbox {
    /// A mailbox of `capacity` messages.
    ///
    /// # Panics
    /// When `capacity` is 0, since nothing could ever be sent to such an actor.
    #[must_use]
    pub const fn bounded(capacity: usize, overflow: Overflow) -> Self {
        match Self::try_bounded(capacity, overflow) {
            Ok(mailbox) => mailbox,
            Err(NoCapacity) => panic!("a mailbox has room for one message at least"),
        }
    }

    /// As [`bounded`](Self::bounded), for a capacity that is not known to be right.
    ///
    /// # Errors
    /// The capacity is 0.
    pub const fn try_bounded(capacity: usize, overflow: Overflow) -> Result<Self, NoCapacity> {
        match NonZeroUsize::new(capacity) {
            Some(capacity) => Ok(Self::Bounded { capacity, overflow }),
            None => Err(NoCapacity),
        }
    }

    /// A mailbox that keeps the latest message of each key, for `capacity` keys that wait and
    /// messages without a key. See [`Conflate`].
    ///
    /// An actor whose messages are not those of `C` does not start.
    ///
    /// # Panics
    /// When `capacity` is 0, since nothing could ever be sent to such an actor.
    #[must_use]
    pub const fn conflating<C: Conflate>(capacity: usize, overflow: Overflow) -> Self {
        match Self::try_conflating::<C>(capacity, overflow) {
            Ok(mailbox) => mailbox,
            Err(NoCapacity) => panic!("a mailbox has room for one message at least"),
        }
    }

    /// As [`conflating`](Self::conflating), for a capacity that is not known to be right.
    ///
    /// # Errors
    /// The capacity is 0.
    pub const fn try_conflating<C: Conflate>(
        capacity: usize,
        overflow: Overflow,
    ) -> Result<Self, NoCapacity> {
        match NonZeroUsize::new(capacity) {
            Some(capacity) => {
                Ok(Self::Conflating { capacity, overflow, by: Conflation::by::<C>() })
            }
            None => Err(NoCapacity),
        }
    }

    /// How many messages wait at most, and what becomes of one that finds no room; `None` when
    /// memory is the only bound.
    #[must_use]
    pub const fn bound(&self) -> Option<(NonZeroUsize, Overflow)> {
        match *self {
            Self::Unbounded => None,
            Self::Bounded { capacity, overflow } | Self::Conflating { capacity, overflow, .. } => {
                Some((capacity, overflow))
            }
        }
    }
}

/// A capacity of 0: nothing could ever be sent there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoCapacity;

impl fmt::Display for NoCapacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a capacity of 0 leaves no room for any message; give 1 at least")
    }
}

impl std::error::Error for NoCapacity {}

/// What becomes of a message that finds a bounded mailbox full.
///
/// It does not concern senders that wait for room
/// ([`ActorRef::send`](crate::ActorRef::send), [`ActorRef::send_arc`](crate::ActorRef::send_arc),
/// [`pg::send_arc`](crate::pg::send_arc)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// It goes back to the sender, as an error.
    #[default]
    Reject,
    /// It is dropped, and counted ([`ActorCell::lost_messages`](crate::ActorCell::lost_messages)).
    /// The sender hears of success.
    DropNewest,
    /// The message that waits longest is dropped, and counted, and this one takes its room.
    DropOldest,
}

/// Which transport an actor wants its messages from other nodes to come by.
///
/// Nodes tell each other of it, so that senders of other nodes keep to it: where there is no link
/// of a pinned kind, their casts fail at once and return the message. It is kept with the actor
/// ([`ActorCell::transport_preference`](crate::ActorCell::transport_preference)); senders of the
/// same process are not concerned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportPreference {
    /// The cheapest that works at the time.
    #[default]
    Adaptive,
    /// An `Arc`, from this process only.
    Arc,
    /// Shared memory, from this machine only.
    SharedMemory,
    /// A Unix socket, from this machine only.
    UnixSocket,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// A transport of the application's own.
    External,
}
