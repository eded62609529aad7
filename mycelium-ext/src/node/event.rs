//! What a node tells about its peers.

use std::sync::Arc;
use std::time::Duration;

use ractor_cluster::NodeId;

use super::error::ConnectError;
use crate::address::Address;
use crate::config::NodeName;

/// A peer with which there is a session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The id that its actors carry here.
    pub node_id: NodeId,
    /// Its full name, `name@host`.
    pub name: String,
    /// The other end of the connection.
    pub address: String,
    /// Whether the peer has dialled.
    pub incoming: bool,
}

/// What happens to the peers of a node.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NodeEvent {
    /// A session is ready: each side knows the other's actors and groups.
    Connected(PeerInfo),
    /// A session that was ready is over.
    Disconnected {
        /// The peer.
        peer: PeerInfo,
        /// What the session said at its end.
        reason: Option<String>,
    },
    /// A peer of the configuration was not reached. It is dialled again.
    DialFailed {
        /// Its name.
        peer: NodeName,
        /// Where it was dialled.
        address: Address,
        /// Why it was not reached.
        error: Arc<ConnectError>,
        /// The pause before the next attempt.
        retry_in: Duration,
    },
}
