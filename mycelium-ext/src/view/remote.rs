//! Snapshots for other machines, over an authenticated session.
//!
//! A node with `[view] remote = true` has an actor that answers questions of peers. It joins a
//! process group of its node's name, by which [`RemoteTarget`] finds it. A thread of its own makes
//! the answers.

mod answer;
mod client;
mod server;

use std::fmt;

use ractor::RpcReplyPort;
use ractor_cluster::RactorClusterMessage;

use crate::node::{ConnectError, StartError};

pub use client::RemoteTarget;
pub(crate) use server::RemoteView;

/// The scope of the groups by which the actors are found: each is alone in the group of its node.
const SCOPE: &str = "mycelium.view";

/// The bytes of the largest answer.
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;

/// What a node is asked by its peers.
#[derive(RactorClusterMessage)]
enum ViewMessage {
    /// For a snapshot: the request as JSON. The answer is an [`answer::Answer`] as JSON.
    #[rpc]
    Ask(Vec<u8>, RpcReplyPort<Vec<u8>>),
}

/// A node on another machine cannot be looked at.
#[derive(Debug)]
#[non_exhaustive]
pub enum RemoteError {
    /// The node that asks did not start.
    Start(StartError),
    /// There is no session: nobody is there, or one of the two refused the other. The cookie may be
    /// another one.
    Connect(ConnectError),
    /// The node does not show itself to peers.
    Off {
        /// Its full name.
        node: String,
    },
    /// The session has ended.
    Lost,
    /// No answer came in time.
    Late,
    /// The node gives no further answer in this second.
    Busy,
    /// The answer would be larger than 8 MiB.
    TooLarge,
    /// What came is no answer, or the node takes the question for none: its release may be another.
    Unreadable,
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => error.fmt(f),
            Self::Connect(error) => error.fmt(f),
            Self::Off { node } => write!(
                f,
                "{node} does not show itself to other nodes: set `remote = true` under [view] in \
                 its configuration"
            ),
            Self::Lost => f.write_str("the session with the node has ended"),
            Self::Late => f.write_str("the node does not answer in time: its runtime may be stuck"),
            Self::Busy => write!(
                f,
                "the node has given {} answers in this second, which are the most: ask less often",
                server::MOST_ANSWERS
            ),
            Self::TooLarge => f.write_str("the answer is too large: ask for fewer actors"),
            Self::Unreadable => f.write_str(
                "the node and this program do not understand each other: their releases differ",
            ),
        }
    }
}

impl std::error::Error for RemoteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start(error) => Some(error),
            Self::Connect(error) => Some(error),
            _ => None,
        }
    }
}
