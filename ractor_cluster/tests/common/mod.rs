//! A node of this process, and what its application is told of its sessions.
#![allow(unreachable_pub, reason = "the test is a crate, whose modules share what they need")]
#![allow(dead_code, reason = "every test uses a part of it")]

pub mod doubler;
pub mod server;
pub mod witness;

use std::future::Future;
use std::time::Duration;

use ractor::concurrency::JoinHandle;
use ractor::{Actor, ActorRef};
use ractor_cluster::link::{self, LinkOptions};
use ractor_cluster::node::{NodeConnectionMode, NodeServerSessionInformation};
use ractor_cluster::peers::{self, PeerInfo};
use ractor_cluster::transport::TransportKind;
use ractor_cluster::{NodeEventSubscription, NodeServer, NodeServerMessage, NodeSessionMessage};
use tokio::sync::mpsc;

/// What nodes have to know to be let in. It is nowhere to be read in a log.
pub const COOKIE: &str = "chocolate-7f3a";

/// Turns what hangs into a failure.
pub async fn watched<T>(what: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(Duration::from_secs(120), what).await;
    outcome.unwrap_or_else(|_| panic!("it hangs; the peers are {:#?}", peers::list()))
}

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Opened,
    Authenticated,
    Ready,
    Disconnected,
}

pub struct SessionEvent {
    pub stage: Stage,
    pub session: ActorRef<NodeSessionMessage>,
    pub node_id: u64,
}

/// A node server that runs.
pub struct Node {
    pub server: ActorRef<NodeServerMessage>,
    handle: JoinHandle<()>,
    events: mpsc::UnboundedReceiver<SessionEvent>,
}

impl Node {
    pub async fn start(name: &str, options: LinkOptions) -> Self {
        Self::spawn(node_server(name).with_links(options)).await
    }

    pub async fn spawn(server: NodeServer) -> Self {
        let (server, handle) = Actor::spawn(None, server, ()).await.expect("a node starts");
        let (sender, events) = mpsc::unbounded_channel();
        let subscription = Box::new(Subscription(sender));
        server
            .cast(NodeServerMessage::SubscribeToEvents { id: "test".to_owned(), subscription })
            .expect("it runs");
        Self { server, handle, events }
    }

    /// Where it listens by `kind`.
    pub fn address(&self, kind: TransportKind) -> String {
        let listening = link::listening(&self.server);
        let by_kind = listening.iter().find(|it| it.kind == kind);
        by_kind.unwrap_or_else(|| panic!("no {kind} in {listening:?}")).address.clone()
    }

    pub async fn connect(&self, other: &Self) {
        self.connect_to(&other.address(TransportKind::Tcp)).await;
    }

    pub async fn connect_to(&self, address: &str) {
        ractor_cluster::client_connect(&self.server, address).await.expect("it is listened to");
    }

    /// Waits for the next session that gets this far.
    pub async fn next(&mut self, stage: Stage) -> SessionEvent {
        watched(async {
            loop {
                let event = self.events.recv().await.expect("the node runs");
                if event.stage == stage {
                    return event;
                }
            }
        })
        .await
    }

    /// How many sessions got this far, of those that were told of and not waited for.
    pub fn passed(&mut self, stage: Stage) -> usize {
        let mut passed = 0;
        while let Ok(event) = self.events.try_recv() {
            passed += usize::from(event.stage == stage);
        }
        passed
    }

    /// Ends it, with its sessions, its listeners, and the proxies of its peers' actors.
    pub async fn stop(self) {
        self.server.stop(None);
        watched(self.handle).await.expect("it ends in order");
    }
}

/// A node server at a port of loopback that the system chooses.
pub fn node_server(name: &str) -> NodeServer {
    server::node_server(name, COOKIE, NodeConnectionMode::Isolated)
}

/// One that connects to the peers of its peers.
pub fn transitive_server(name: &str) -> NodeServer {
    server::node_server(name, COOKIE, NodeConnectionMode::Transitive)
}

/// The peer whose name begins so, as its session knows it.
pub fn peer(name: &str) -> Option<PeerInfo> {
    peers::list().into_iter().find(|peer| peer.name.split('@').next() == Some(name))
}

/// Waits until the peers are as they should be; whatever changes is an event.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    watched(async {
        let mut events = peers::events();
        while !holds() {
            _ = events.recv().await.unwrap_or_else(|error| panic!("{what}: {error}"));
        }
    })
    .await;
}

struct Subscription(mpsc::UnboundedSender<SessionEvent>);

impl Subscription {
    fn tell(&self, stage: Stage, session: NodeServerSessionInformation) {
        let event = SessionEvent { stage, session: session.actor, node_id: session.node_id };
        // The test may be over.
        _ = self.0.send(event);
    }
}

impl NodeEventSubscription for Subscription {
    fn never_blocks(&self) -> bool {
        true
    }

    fn node_session_opened(&self, session: NodeServerSessionInformation) {
        self.tell(Stage::Opened, session);
    }

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        self.tell(Stage::Disconnected, session);
    }

    fn node_session_authenticated(&self, session: NodeServerSessionInformation) {
        self.tell(Stage::Authenticated, session);
    }

    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        self.tell(Stage::Ready, session);
    }
}
