//! The cluster under the demo: nodes, and what links them.
//!
//! All that knows of nodes and connections stands here.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use ractor::{Actor, ActorRef};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{IncomingEncryptionMode, NetworkStream, NodeServer, NodeServerMessage};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::plan::Distance;

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
    async fn start(name: &str, cookie: &str) -> Result<Self, String> {
        let server = NodeServer::new(
            0,
            cookie.to_owned(),
            name.to_owned(),
            "localhost".to_owned(),
            Some(IncomingEncryptionMode::Raw),
            Some(NodeConnectionMode::Isolated),
        )
        .with_listen_addr(Ipv4Addr::LOCALHOST.into());
        let (server, ended) = Actor::spawn(None, server, ())
            .await
            .map_err(|error| format!("the node {name} does not start: {error}"))?;
        Ok(Self { server, ended, accepting: None })
    }

    /// Starts a node that others can connect to, and gives its address.
    ///
    /// # Errors
    /// A sentence that names what does not work.
    pub(crate) async fn listen(name: &str, cookie: &str) -> Result<(Self, SocketAddr), String> {
        let mut node = Self::start(name, cookie).await?;
        // A listener of ours: the node server's own does not tell its port.
        let wrong = |error: io::Error| format!("the node {name} cannot listen: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        node.accepting = Some(tokio::spawn(accept(listener, node.server.clone())));
        Ok((node, address))
    }

    /// Starts a node, and connects it to the one at `address`.
    ///
    /// # Errors
    /// A sentence that names what does not work.
    pub(crate) async fn join(
        name: &str,
        cookie: &str,
        address: SocketAddr,
    ) -> Result<Self, String> {
        let node = Self::start(name, cookie).await?;
        ractor_cluster::client_connect(&node.server, address)
            .await
            .map_err(|error| format!("the node {name} cannot connect to {address}: {error}"))?;
        Ok(node)
    }

    /// What carries ticks over `distance` now.
    pub(crate) fn link(distance: Distance) -> Link {
        let (kind, locality) = match distance {
            Distance::SameProcess => ("arc", "same process"),
            Distance::SameMachine | Distance::Remote => ("tcp", "another process"),
        };
        Link { kind: kind.to_owned(), locality: locality.to_owned() }
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

async fn accept(listener: TcpListener, server: ActorRef<NodeServerMessage>) {
    loop {
        // A connection that broke before it was accepted is not ours to report: its other side does.
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
