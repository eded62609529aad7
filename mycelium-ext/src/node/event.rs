//! What a node tells about its peers.

use std::sync::Arc;
use std::time::Duration;

use ractor_cluster::peers::PeerInfo;

use super::error::ConnectError;
use crate::address::Address;
use crate::config::NodeName;

/// A change of a node's peers. For link and locality changes, of all nodes of the process, see
/// [`ractor_cluster::peers::events`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NodeEvent {
    /// A session is ready: each side knows the other's actors and groups.
    Connected(PeerInfo),
    /// A session that was ready is over.
    Disconnected {
        /// The peer, as it was when it was connected.
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
