//! One host of a simulation, as the software on it sees it.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use mycelium_ext::node::{Node, NodeBuilder};
use mycelium_link::chance;
use ractor::{Actor, ActorId, ActorRef};
use ractor_cluster::link::{self, LinkOptions};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{NodeId, NodeServer, NodeServerMessage};
use rand::RngExt as _;

use crate::Failure;
use crate::machine::Machine;
use crate::network::OfHost;
use crate::sessions::{Sessions, Watcher};
use crate::trace::Trace;
use crate::transport::{self, Dial};

/// What all nodes of a simulation know.
const COOKIE: &str = "a cookie that all simulated nodes know";

/// How long a host waits before it dials a peer again that it has no session with.
const PAUSE: std::ops::Range<u64> = 200..1000;

/// A host that runs, with a node on it: what the software of the host is given.
///
/// Names, pids and groups of ractor are the host's own. After a crash there is another one.
#[derive(Clone)]
pub struct Host {
    machine: Arc<Machine>,
    server: ActorRef<NodeServerMessage>,
    sessions: Arc<Sessions>,
    trace: Trace,
}

impl Host {
    /// Starts the node on the runtime of this host.
    pub(crate) async fn start(
        machine: Arc<Machine>,
        links: LinkOptions,
        trace: Trace,
    ) -> Result<Self, Failure> {
        ractor::realm::enter();
        let name = machine.name.clone();
        trace.note(&name, format_args!("starts"));
        let node = NodeServer::new(
            0,
            COOKIE.to_owned(),
            name.clone(),
            name.clone(),
            None,
            Some(NodeConnectionMode::Isolated),
        );
        let (server, _) = Actor::spawn(None, node.with_links(links), ()).await?;
        Self::of(server, machine, trace).await
    }

    /// Starts a node of `mycelium-ext` on the runtime of this host.
    pub(crate) async fn start_node(
        builder: NodeBuilder,
        machine: Arc<Machine>,
        trace: Trace,
    ) -> Result<(Self, Node), Failure> {
        ractor::realm::enter();
        trace.note(&machine.name, format_args!("starts"));
        let node = builder.start().await?;
        let host = Self::of(node.server().clone(), machine, trace).await?;
        Ok((host, node))
    }

    /// A node before anything is chosen for it.
    pub(crate) fn builder(machine: &Arc<Machine>, trace: &Trace) -> NodeBuilder {
        let network = OfHost { machine: machine.clone(), trace: trace.clone() };
        let builder = Node::builder(machine.name.clone()).host(machine.name.clone());
        builder.cookie(COOKIE).simulated(Arc::new(network))
    }

    async fn of(
        server: ActorRef<NodeServerMessage>,
        machine: Arc<Machine>,
        trace: Trace,
    ) -> Result<Self, Failure> {
        let name = machine.name.clone();
        let sessions = Sessions::new();
        let watcher =
            Watcher { sessions: sessions.clone(), host: name.clone(), trace: trace.clone() };
        server.cast(NodeServerMessage::SubscribeToEvents {
            id: "simulation".to_owned(),
            subscription: Box::new(watcher),
        })?;
        transport::listen(server.clone(), machine.clone(), trace.clone()).await?;
        Ok(Self { machine, server, sessions, trace })
    }

    /// Its name, which is that of its node too.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.machine.name
    }

    /// Its node server.
    #[must_use]
    pub const fn server(&self) -> &ActorRef<NodeServerMessage> {
        &self.server
    }

    /// Connects the node to that of the host `peer`. The session makes the connection again when it
    /// breaks, for as long as its grace lasts. Cancel safe.
    ///
    /// # Errors
    /// The peer does not listen, or is out of reach.
    pub async fn connect(&self, peer: &str) -> io::Result<()> {
        let (machine, trace) = (self.machine.clone(), self.trace.clone());
        let dial = Dial { machine, peer: peer.to_owned(), trace };
        link::connect(&self.server, Arc::new(dial)).await
    }

    /// Keeps a session with the host `peer`: from here on the node dials it whenever there is none,
    /// with pauses between 0.2 and 1 s of virtual time.
    pub fn keep_connected(&self, peer: &str) {
        let (host, peer) = (self.clone(), peer.to_owned());
        tokio::spawn(async move {
            let mut changes = host.sessions.changes();
            loop {
                if host.peer(&peer).is_none() {
                    // It is tried again.
                    _ = host.connect(&peer).await;
                }
                let pause = Duration::from_millis(chance::rng().random_range(PAUSE));
                tokio::time::sleep(pause).await;
                while host.peer(&peer).is_some() && changes.changed().await.is_ok() {}
            }
        });
    }

    /// The names of the hosts that its node has a session with which is ready, in order.
    #[must_use]
    pub fn peers(&self) -> Vec<String> {
        self.sessions.peers()
    }

    /// The id of a peer with whom there is a session that is ready.
    #[must_use]
    pub fn peer(&self, name: &str) -> Option<NodeId> {
        self.sessions.node_id(name)
    }

    /// The actor of the session with the host `peer` that is ready: another one for each session.
    #[must_use]
    pub fn session(&self, peer: &str) -> Option<ActorId> {
        self.sessions.session(peer)
    }

    /// Waits until there is a session with the host `peer` that is ready. Cancel safe.
    pub async fn ready(&self, peer: &str) -> NodeId {
        let mut changes = self.sessions.changes();
        loop {
            if let Some(node_id) = self.peer(peer) {
                return node_id;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// A number below `bound`, drawn from the seed of the simulation.
    ///
    /// # Panics
    /// `bound` is 0.
    #[must_use]
    pub fn draw(&self, bound: u64) -> u64 {
        chance::rng().random_range(0..bound)
    }

    /// Adds an event of the application's own to the trace, and so to its digest.
    pub fn record(&self, what: impl fmt::Display) {
        self.trace.note(self.name(), format_args!("{what}"));
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("name", &self.name()).finish_non_exhaustive()
    }
}
