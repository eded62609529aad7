//! The cluster under the demo: nodes, and what links them.
//!
//! All that knows of nodes and connections stands here.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
#[cfg(target_os = "linux")]
use std::sync::Arc;
use std::time::Duration;

use ractor::actor::actor_config::TransportPreference;
use ractor::{Actor, ActorRef};
use ractor_cluster::link::options::{LinkOptions, Location, Peer, PeerPolicy, UnixListening};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::peers::{self, Locality};
use ractor_cluster::transport::TransportKind;
use ractor_cluster::{IncomingEncryptionMode, NetworkStream, NodeServer, NodeServerMessage};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::distance::{Distance, HOST};
use super::plan::Place;

/// The node of the feed.
const FEED: &str = "feed";

/// How long a peer may take to find its cheapest link before ticks are sent by another.
const SETTLING: Duration = Duration::from_secs(3);

/// A node of the demo.
#[derive(Debug)]
pub(crate) struct Node {
    server: ActorRef<NodeServerMessage>,
    ended: JoinHandle<()>,
    accepting: Option<JoinHandle<()>>,
}

/// What carries ticks over a distance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// `arc`, `unix`, `tcp` and so on.
    pub(crate) kind: String,
    /// What the cluster found out about the peer.
    pub(crate) locality: String,
}

impl Node {
    async fn start(name: &str, cookie: &str, links: LinkOptions) -> Result<Self, String> {
        let server = NodeServer::new(
            0,
            cookie.to_owned(),
            name.to_owned(),
            HOST.to_owned(),
            Some(IncomingEncryptionMode::Raw),
            Some(NodeConnectionMode::Isolated),
        )
        .with_listen_addr(Ipv4Addr::LOCALHOST.into())
        .with_links(links);
        let (server, ended) = Actor::spawn(None, server, ())
            .await
            .map_err(|error| format!("the node {name} does not start: {error}"))?;
        Ok(Self { server, ended, accepting: None })
    }

    /// Starts the node of the feed, and gives the address to which others can connect.
    ///
    /// # Errors
    /// A sentence that names what does not work.
    pub(crate) async fn listen(cookie: &str) -> Result<(Self, SocketAddr), String> {
        // All that is said of the distances: that one of them is not where it is found to be.
        let remote = Peer::named(Distance::Remote.node_name());
        let links = by_all_means().with_peer(remote, elsewhere());
        let mut node = Self::start(FEED, cookie, links).await?;
        // A listener of ours: the node server's own does not tell its port.
        let wrong = |error: io::Error| format!("the node {FEED} cannot listen: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        node.accepting = Some(tokio::spawn(accept(listener, node.server.clone())));
        Ok((node, address))
    }

    /// Starts the node of the readers at `distance`, and connects it to the feed's.
    ///
    /// # Errors
    /// A sentence that names what does not work.
    pub(crate) async fn join(
        distance: Distance,
        cookie: &str,
        feed: SocketAddr,
    ) -> Result<Self, String> {
        let name = distance.node_name();
        let links = match distance {
            Distance::SameProcess | Distance::SameMachine => by_all_means(),
            Distance::Remote => LinkOptions::default()
                .with_unix(UnixListening::Off)
                .with_peer(Peer::named(FEED), elsewhere()),
        };
        let node = Self::start(&name, cookie, links).await?;
        ractor_cluster::client_connect(&node.server, feed)
            .await
            .map_err(|error| format!("the node {name} cannot connect to {feed}: {error}"))?;
        Ok(node)
    }

    /// Stops it, and all its sessions.
    pub(crate) async fn stop(self) {
        if let Some(accepting) = self.accepting {
            accepting.abort();
        }
        self.server.stop(None);
        // A node that panicked has stopped, too.
        let _ = self.ended.await;
    }
}

/// By whatever link the system has.
fn by_all_means() -> LinkOptions {
    let links = LinkOptions::default();
    #[cfg(target_os = "linux")]
    let links = links.with_local_transport(Arc::new(mycelium_ext::shm::SharedMemory::default()));
    links
}

/// A policy for what stands in for another machine: nothing of this machine may be used.
fn elsewhere() -> PeerPolicy {
    PeerPolicy::default().with_location(Location::Remote).with_preference(TransportPreference::Tcp)
}

impl Link {
    /// What carries ticks to a place from this process now; `None` when the peer is not there.
    pub(crate) fn to(place: &Place) -> Option<Self> {
        if place.rival.is_some() {
            let kind = "none".to_owned();
            return Some(Self { kind, locality: Locality::SameProcess.to_string() });
        }
        let Some(name) = &place.peer else {
            let (kind, locality) = (TransportKind::Arc, Locality::SameProcess);
            return Some(Self { kind: kind.to_string(), locality: locality.to_string() });
        };
        let peer = peers::list().into_iter().find(|peer| peer.name == *name)?;
        let kind = peer.active()?.to_string();
        Some(Self { kind, locality: peer.locality.to_string() })
    }

    /// The link that was taken, or both when another one was taken during the run.
    pub(crate) fn changed(before: Option<Self>, after: Option<Self>) -> Self {
        match (before, after) {
            (Some(before), Some(after)) if before != after => Self {
                kind: format!("{}, then {}", before.kind, after.kind),
                locality: after.locality,
            },
            (Some(link), _) | (None, Some(link)) => link,
            (None, None) => Self { kind: "none".to_owned(), locality: "not there".to_owned() },
        }
    }

    /// Waits for the peer at a place of this machine to be reached by a link that does not leave
    /// it, but not for long: ticks may as well be sent by another link, and the better one be taken
    /// meanwhile.
    pub(crate) async fn settle(place: &Place) {
        let mut events = peers::events();
        let settled = async {
            while Self::to(place).is_some_and(|link| link.kind == "tcp") {
                // Events that were missed are as good as any: the state is looked at again.
                let _ = events.recv().await;
            }
        };
        let _ = timeout(SETTLING, settled).await;
    }
}

async fn accept(listener: TcpListener, server: ActorRef<NodeServerMessage>) {
    loop {
        // A connection that broke before it was accepted is not ours to report: its other side
        // does.
        let Ok((stream, peer_addr)) = listener.accept().await else { continue };
        let (Ok(local_addr), Ok(())) = (stream.local_addr(), stream.set_nodelay(true)) else {
            continue;
        };
        let stream = Box::new(NetworkStream::Raw { peer_addr, local_addr, stream });
        let opened = NodeServerMessage::ConnectionOpened { stream, is_server: true };
        if server.cast(opened).is_err() {
            return;
        }
    }
}
