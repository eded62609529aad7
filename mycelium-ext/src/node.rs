//! A node: this process as a member of a cluster.
//!
//! ```
//! use mycelium_ext::config::{Config, Environment};
//! use mycelium_ext::node::{Listen, Node};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let archive = Node::builder("archive")
//!         .cookie("16 random bytes or more")
//!         .listen(Listen::tcp("127.0.0.1:0"))
//!         .start()
//!         .await?;
//!     // The same of another node by its configuration; `Config::load` reads a file.
//!     let text = format!(
//!         "[node]\nname = \"feed\"\ncookie_env = \"FEED_COOKIE\"\n\
//!          [nodes.archive]\naddress = \"{}\"\n",
//!         archive.addresses()[0]
//!     );
//!     let environment = Environment::of([("FEED_COOKIE", "16 random bytes or more")]);
//!     let config = Config::parse(&text, "mycelium.toml", &environment)?;
//!     let feed = Node::from_config(&config)?.start().await?;
//!     let peer = feed.connected("archive").await;
//!     println!("{}: {}, by {:?}", peer.name, peer.locality, peer.active());
//!     feed.stop().await;
//!     archive.stop().await;
//!     Ok(())
//! }
//! ```
//!
//! It runs `ractor_cluster`'s [`NodeServer`](ractor_cluster::NodeServer), whose
//! [reference](Node::server) may be used as with stock `ractor`. Around it:
//!
//! * **Peers.** Each `[nodes.X]` with an address is dialled whenever there is no session with it,
//!   of either end. Between two attempts there is a pause, which doubles up to a bound and is
//!   drawn at random from the upper half of its step; a session that lasts starts it anew.
//! * **Members.** With `[cluster]`, or [`NodeBuilder::cluster`], it finds the other nodes by gossip
//!   and keeps a session with each that is alive: [`membership`](crate::membership), with the
//!   feature `membership`.
//! * **Links.** A peer of this machine is reached by shared memory or a Unix socket, and one of
//!   this process by `Arc`, as soon as it has proven to be there; [`PeerInfo`] and
//!   [`ractor_cluster::peers`] tell.
//! * **Bounds.** A connection has to open, and a handshake to finish, in time, on both sides.
//! * **Demands.** By default it listens on loopback, lets in stock nodes, and dials no address that
//!   a peer told. [`NodeBuilder::security`], or `[security]` in the configuration, makes it strict;
//!   [`NodeBuilder::mutual_tls`] has both sides show certificates, and holds peers to their names.
//! * **The end.** [`Node::stop`] returns when the listeners are closed. A node that is dropped
//!   stops too.
//!
//! # Tracing
//!
//! All of these are in the span `node` (field `node`: the full name).
//!
//! | event | level | fields |
//! |---|---|---|
//! | `listens` | info | `address` |
//! | `risky configuration` | warn | `warning`: one of [`Config::warnings`] |
//! | `connected` | info | `peer` (full name), `peer.node_id`, `peer.address`, `peer.locality`, `link.kind`, `link.incoming` |
//! | `disconnected` | warn | `peer`, `peer.node_id`, `peer.address`, `reason` |
//! | `handshake failed` | info | `peer.address`, `link.incoming`, `reason`, `suppressed`: of incoming ones there are eight at once, and then one every ten seconds |
//! | `not connected` | warn | `peer` (configured name), `peer.address`, `error`, `retry_in_ms` |
//! | `nobody can watch the node` | warn | `error`: why its snapshots are not served (feature `view`) |
//! | `the node at this address has another name than the configuration gives it` | warn | `expected`, `peer`, `peer.address` |
//!
//! The cluster itself tells, beside others, of links and localities as they change.

mod backoff;
mod builder;
#[cfg(feature = "membership")]
mod demand;
mod dial;
mod error;
mod event;
mod keep;
#[cfg(feature = "membership")]
mod members;
mod roster;
mod server;
#[cfg(feature = "simulation")]
mod simulated;
#[cfg(all(feature = "spinning", target_os = "linux"))]
mod thread;

use std::sync::Arc;

use ractor::ActorRef;
use ractor_cluster::NodeServerMessage;
use tokio::sync::broadcast;

use self::builder::Running;
#[cfg(feature = "membership")]
pub(crate) use self::demand::Demand;
use self::dial::{Dialer, Target};
use self::keep::Keeping;
pub(crate) use self::roster::Roster;
use crate::address::Address;
use crate::config::Config;
pub use crate::tls::{Authorities, Identity, TlsError};
pub use builder::{Listen, NodeBuilder};
#[cfg(feature = "membership")]
pub use demand::Reach;
pub use error::{ConnectError, StartError};
pub use event::NodeEvent;
pub use ractor_cluster::link::options::{CertificateNames, Peer, PeerPolicy, Security};
pub use ractor_cluster::peers::{LinkInfo, Locality, PeerEvent, PeerInfo};
#[cfg(feature = "simulation")]
pub use simulated::{Network, Opening};

/// A running node. It stops when it is dropped; [`stop`](Self::stop) also waits for that.
#[derive(Debug)]
pub struct Node {
    name: String,
    running: Running,
    roster: Arc<Roster>,
    dialer: Dialer,
    authorities: Option<Authorities>,
    addresses: Vec<Address>,
    keeping: Keeping,
    #[cfg(feature = "membership")]
    names: Option<crate::names::Running>,
    #[cfg(feature = "membership")]
    members: Option<members::Members>,
    /// Its socket is removed with the node.
    #[cfg(all(feature = "view", unix))]
    _view: Option<crate::view::ViewServer>,
    /// Ends with the node.
    #[cfg(all(feature = "view", unix))]
    _remote_view: Option<crate::view::RemoteView>,
    #[cfg(all(feature = "metrics", unix))]
    metrics: Option<crate::metrics::MetricsServer>,
}

/// Serves the metrics of a node.
#[cfg(all(feature = "metrics", unix))]
async fn serve_metrics(
    name: &str,
    listen: crate::address::Endpoint,
) -> Result<crate::metrics::MetricsServer, StartError> {
    let resolved = tokio::net::lookup_host(listen.to_string()).await;
    let started = resolved.and_then(|mut addresses| {
        let address = addresses.next().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
        crate::metrics::MetricsServer::start(address, name)
    });
    started.map_err(|source| StartError::Metrics { listen, source })
}

/// Serves the snapshots of a node, if that can be done.
#[cfg(all(feature = "view", unix))]
fn serve_view(name: &str, addresses: &[Address]) -> Option<crate::view::ViewServer> {
    let addresses = addresses.iter().map(ToString::to_string).collect();
    match crate::view::ViewServer::start(name, addresses) {
        Ok(view) => Some(view),
        Err(error) => {
            tracing::warn!(%error, "nobody can watch the node");
            None
        }
    }
}

impl Node {
    /// Where its metrics are read, if they are.
    #[cfg(all(feature = "metrics", unix))]
    pub fn metrics_address(&self) -> Option<std::net::SocketAddr> {
        self.metrics.as_ref().map(crate::metrics::MetricsServer::address)
    }

    /// A node of this name (before the `@`).
    pub fn builder(name: impl Into<String>) -> NodeBuilder {
        NodeBuilder::new(name.into())
    }

    /// The node that a configuration describes.
    ///
    /// # Errors
    /// [`StartError::Unsupported`], when it asks for what this build cannot do.
    pub fn from_config(config: &Config) -> Result<NodeBuilder, StartError> {
        NodeBuilder::of(config)
    }

    /// Its full name, `name@host`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster's server, as stock `ractor` knows it.
    #[must_use]
    pub const fn server(&self) -> &ActorRef<NodeServerMessage> {
        &self.running.server
    }

    /// The runtime of the thread that it has for itself, where it has one
    /// ([`NodeBuilder::spinning`]). A task of this runtime, and the actors that such a task spawns,
    /// are on that thread, and end with the node.
    #[cfg(all(feature = "spinning", target_os = "linux"))]
    #[must_use]
    pub const fn thread(&self) -> Option<&tokio::runtime::Handle> {
        self.running.runtime()
    }

    /// Where it listens, with the real ports: TCP and TLS in the order of its configuration, and
    /// then the Unix socket.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Dials `address` once, and waits until the session is ready. It is not dialled again when it
    /// ends.
    ///
    /// # Cancel safety
    /// A session whose handshake has begun goes on when this future is dropped.
    ///
    /// # Errors
    /// [`ConnectError`] names the address and what went wrong.
    pub async fn connect(&self, address: Address) -> Result<PeerInfo, ConnectError> {
        let tls = builder::tls_of(&address, self.authorities.as_ref());
        let target = Target { address, tls };
        let connect = self.dialer.connect(&target);
        #[cfg(all(feature = "spinning", target_os = "linux"))]
        if let Some(thread) = self.running.thread() {
            return Ok(thread.within(connect).await?.peer);
        }
        Ok(connect.await?.peer)
    }

    /// The peers with which this node has a session, by their ids: where they are, and by which
    /// links. Those of all nodes of this process are in [`ractor_cluster::peers::list`].
    #[must_use]
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.roster.peers()
    }

    /// Waits until there is a session with the peer of this name (before the `@`). Cancel safe.
    pub async fn connected(&self, name: &str) -> PeerInfo {
        self.roster.wait_for(|roster| roster.find(name)).await
    }

    /// What happens to its peers from now on. One who is slow misses the oldest events, and is told
    /// how many.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<NodeEvent> {
        self.roster.events()
    }

    /// Its part in the gossip of its cluster; `None`, where it is not configured to find others.
    #[cfg(feature = "membership")]
    #[must_use]
    pub fn membership(&self) -> Option<&crate::membership::Membership> {
        self.members.as_ref().map(members::Members::membership)
    }

    /// Keeps a session with the member of this name (before the `@`) while the answer lives, and
    /// dials the member whenever there is none. [`connected`](Self::connected) waits for the
    /// session. `None`, where the node is not configured to find others.
    ///
    /// It is of use in a cluster that is larger than its
    /// [full mesh](crate::config::ClusterSettings::with_full_mesh_up_to). A member need not be
    /// known yet.
    #[cfg(feature = "membership")]
    #[must_use]
    pub fn reach(&self, member: &str) -> Option<Reach> {
        Some(self.members.as_ref()?.reach(Some(member.to_owned())))
    }

    /// Keeps sessions with all members while the answer lives, as a cluster within its full mesh
    /// does. So the actors of all members are in the groups that this node sees. `None`, where the
    /// node is not configured to find others.
    #[cfg(feature = "membership")]
    #[must_use]
    pub fn reach_all(&self) -> Option<Reach> {
        Some(self.members.as_ref()?.reach(None))
    }

    /// The names of its cluster, which are unique in it; `None`, where it is not configured to find
    /// others.
    #[cfg(feature = "membership")]
    #[must_use]
    pub fn names(&self) -> Option<&crate::names::Names> {
        self.names.as_ref().map(crate::names::Running::names)
    }

    /// Stops the singletons that run here, gives up the names of its actors, ends all sessions, and
    /// waits until the node is gone and its addresses are free.
    ///
    /// # Cancel safety
    /// When this future is dropped, the node stops all the same.
    pub async fn stop(self) {
        let Self { running, keeping, .. } = self;
        #[cfg(feature = "membership")]
        if let Some(names) = self.names {
            names.stop().await;
        }
        #[cfg(feature = "membership")]
        if let Some(members) = self.members {
            members.stop().await;
        }
        keeping.stop().await;
        running.stop().await;
    }
}
