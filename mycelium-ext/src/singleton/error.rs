//! What may go wrong with singletons.

use std::fmt;
use std::sync::Arc;

use ractor::MessagingErr;

use crate::names::WrongType;

/// Says why a singleton is not offered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OfferError {
    /// It can be no name.
    Name {
        /// The name.
        name: String,
    },
    /// This node offers it already.
    Twice {
        /// The name.
        name: Arc<str>,
    },
    /// This node offers as many singletons as a node may offer.
    TooMany {
        /// The name.
        name: Arc<str>,
    },
    /// The actor's messages have no form as bytes.
    NoBytes {
        /// The name.
        name: Arc<str>,
    },
    /// This node has stopped.
    NodeStopped {
        /// The name.
        name: Arc<str>,
    },
}

impl fmt::Display for OfferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => write!(
                f,
                "{name:?} is no name of a singleton: one has 1 to 255 bytes and no control \
                 characters"
            ),
            Self::Twice { name } => write!(
                f,
                "this node offers the singleton {name:?} already: keep its Offer, or withdraw it \
                 first"
            ),
            Self::TooMany { name } => write!(
                f,
                "this node offers 256 singletons, which is the most, and cannot offer {name:?} too"
            ),
            Self::NoBytes { name } => write!(
                f,
                "the singleton {name:?} could not be reached from other nodes: its messages have \
                 no form as bytes, so derive RactorClusterMessage for them"
            ),
            Self::NodeStopped { name } => {
                write!(f, "the singleton {name:?} is not offered: this node has stopped")
            }
        }
    }
}

impl std::error::Error for OfferError {}

/// Says why a message was not sent to a singleton.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError<M> {
    /// It runs nowhere just now, as far as this node knows.
    NotRunning {
        /// Its name.
        name: Arc<str>,
        /// The message.
        message: M,
    },
    /// It takes messages of another type.
    WrongType {
        /// The types.
        error: WrongType,
        /// The message.
        message: M,
    },
    /// The actor, or the way to its node, did not take it.
    Messaging {
        /// Its name.
        name: Arc<str>,
        /// Why. It holds the message in most cases.
        error: MessagingErr<M>,
    },
}

impl<M> fmt::Display for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning { name, .. } => write!(
                f,
                "the singleton {name:?} runs nowhere just now: wait for it \
                 (SingletonRef::running), and look whether a node offers it"
            ),
            Self::WrongType { error, .. } => error.fmt(f),
            Self::Messaging { name, error } => {
                write!(f, "the singleton {name:?} did not take the message: {error}")
            }
        }
    }
}

impl<M: fmt::Debug> std::error::Error for SendError<M> {}
