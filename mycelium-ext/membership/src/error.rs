//! Why a membership does not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// Says why a membership did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum MembershipError {
    /// The name of this node cannot be one.
    Name {
        /// The name.
        name: String,
    },
    /// There is no secret.
    NoSecret,
    /// It listens on all addresses of the machine, and not one is named that others reach.
    NoAdvertised {
        /// Where it listens.
        listen: SocketAddr,
    },
    /// What this node tells of itself is too much.
    Facts {
        /// What is wrong.
        problem: String,
    },
    /// The socket could not be opened.
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The gossip did not begin.
    Gossip {
        /// Why.
        error: String,
    },
}

impl fmt::Display for MembershipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => write!(
                f,
                "{name:?} is no name of a member: it has 1 to 255 bytes without white space"
            ),
            Self::NoSecret => f.write_str("gossip needs the cookie of the cluster"),
            Self::NoAdvertised { listen } => write!(
                f,
                "the gossip listens on {listen}, which is no address that others reach: set \
                 advertise to one"
            ),
            Self::Facts { problem } => write!(f, "what this node tells of itself: {problem}"),
            Self::Listen { address, source } => {
                write!(f, "cannot listen for gossip on {address} by UDP: {source}")
            }
            Self::Gossip { error } => write!(f, "the gossip did not begin: {error}"),
        }
    }
}

impl std::error::Error for MembershipError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } => Some(source),
            _ => None,
        }
    }
}
