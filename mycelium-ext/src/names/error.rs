//! What may go wrong with names.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::directory::{FencingNumber, NAME, NAMES};

/// Says why an actor did not get a name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// It can be no name.
    Name {
        /// The name.
        name: String,
    },
    /// Another actor has the name, or is about to get it.
    Taken {
        /// The name.
        name: Arc<str>,
        /// The full name of the other actor's node.
        holder: Arc<str>,
        /// The number of its claim.
        number: FencingNumber,
        /// Whether the other actor has the name. If not, it has asked for it before this one.
        is_held: bool,
    },
    /// Members of the cluster did not say in time whether the name is free.
    NoAnswer {
        /// The name.
        name: Arc<str>,
        /// The full names of these members; of no one when this node had not settled.
        nodes: Vec<Arc<str>>,
        /// How long they were asked.
        after: Duration,
    },
    /// This node has as many names as a node may have.
    TooMany {
        /// The name.
        name: Arc<str>,
    },
    /// The actor's messages have no form as bytes.
    NoBytes {
        /// The name.
        name: Arc<str>,
    },
    /// The actor is one of another node.
    NotLocal {
        /// The name.
        name: Arc<str>,
    },
    /// The actor has stopped.
    ActorStopped {
        /// The name.
        name: Arc<str>,
    },
    /// This node has stopped.
    NodeStopped {
        /// The name.
        name: Arc<str>,
    },
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => write!(
                f,
                "{name:?} is no name: one has 1 to {NAME} bytes and no control characters"
            ),
            Self::Taken { name, holder, number, is_held: true } => write!(
                f,
                "an actor of {holder} has the name {name:?} (number {number}): choose another \
                 name, or stop that actor"
            ),
            Self::Taken { name, holder, number, is_held: false } => write!(
                f,
                "an actor of {holder} has asked for the name {name:?} before (number {number}): \
                 try again, or choose another name"
            ),
            Self::NoAnswer { name, nodes, after } if nodes.is_empty() => write!(
                f,
                "this node had not settled {} after the name {name:?} was asked for: try again",
                humantime::format_duration(*after)
            ),
            Self::NoAnswer { name, nodes, after } => write!(
                f,
                "{} did not say within {} whether the name {name:?} is free: look whether this \
                 node has sessions with them, and try again when it has or when they are down",
                nodes.join(", "),
                humantime::format_duration(*after)
            ),
            Self::TooMany { name } => write!(
                f,
                "this node has {NAMES} names, which is the most, and cannot have {name:?} too: \
                 unregister others"
            ),
            Self::NoBytes { name } => write!(
                f,
                "the actor cannot have the name {name:?}: its messages have no form as bytes, so \
                 derive RactorClusterMessage for them"
            ),
            Self::NotLocal { name } => write!(
                f,
                "the actor cannot have the name {name:?} here: it is one of another node, so \
                 register it there"
            ),
            Self::ActorStopped { name } => {
                write!(f, "the actor cannot have the name {name:?}: it has stopped")
            }
            Self::NodeStopped { name } => {
                write!(f, "the name {name:?} is not given out: this node has stopped")
            }
        }
    }
}

impl std::error::Error for RegisterError {}

/// The actor with this name takes messages of another type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrongType {
    /// The name.
    pub name: Arc<str>,
    /// The full name of the actor's node.
    pub node: Arc<str>,
    /// The type that was asked for.
    pub expected: Arc<str>,
    /// The type with which the actor was registered.
    pub found: Arc<str>,
}

impl fmt::Display for WrongType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, node, expected, found } = self;
        write!(
            f,
            "the actor {name:?} of {node} takes messages of the type {found}, not {expected}: ask \
             for the former, or have both nodes run the same release"
        )
    }
}

impl std::error::Error for WrongType {}

/// Why an actor does not have its name any more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Released {
    /// It was unregistered.
    Unregistered,
    /// It has stopped.
    ActorStopped,
    /// Its node has stopped.
    NodeStopped,
    /// An actor of another node has the name: both had it, on two sides of a partition, and the
    /// other one has the higher number.
    Lost {
        /// The full name of the other node.
        holder: Arc<str>,
        /// The number of the other actor.
        number: FencingNumber,
    },
}

impl fmt::Display for Released {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unregistered => f.write_str("it was unregistered"),
            Self::ActorStopped => f.write_str("the actor has stopped"),
            Self::NodeStopped => f.write_str("the node has stopped"),
            Self::Lost { holder, number } => write!(
                f,
                "an actor of {holder} has the name by a higher number ({number}): both had it \
                 while their nodes did not see each other"
            ),
        }
    }
}
