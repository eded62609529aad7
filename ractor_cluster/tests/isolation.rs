//! An application, a peer or a silent connection does not keep a node server from its work.

mod common;

use std::sync::mpsc as blocking;

use common::{peer, until, watched, Node, Stage};
use ractor_cluster::link::LinkOptions;
use ractor_cluster::node::NodeServerSessionInformation;
use ractor_cluster::{NodeEventSubscription, NodeServerMessage};
use tokio::sync::mpsc;

/// Blocks the thread that calls it until its gate's other end goes, or panics.
struct Rude {
    gate: Option<blocking::Receiver<()>>,
    panics: bool,
    told: mpsc::UnboundedSender<Stage>,
}

impl Rude {
    fn tell(&self, stage: Stage) {
        if let Some(gate) = &self.gate {
            // No peer ever sends.
            _ = gate.recv();
        }
        // The test may be over.
        _ = self.told.send(stage);
        assert!(!self.panics, "a subscriber that panics");
    }
}

impl NodeEventSubscription for Rude {
    fn node_session_opened(&self, _: NodeServerSessionInformation) {
        self.tell(Stage::Opened);
    }

    fn node_session_authenticated(&self, _: NodeServerSessionInformation) {
        self.tell(Stage::Authenticated);
    }

    fn node_session_ready(&self, _: NodeServerSessionInformation) {
        self.tell(Stage::Ready);
    }

    fn node_session_disconnected(&self, _: NodeServerSessionInformation) {
        self.tell(Stage::Disconnected);
    }
}

const ALL: [Stage; 4] = [Stage::Opened, Stage::Authenticated, Stage::Ready, Stage::Disconnected];

/// Sessions begin and end while subscribers block and panic; these are told all of it, in order,
/// when they can be.
#[tokio::test]
async fn subscribers_cannot_hurt_a_node_server() {
    let mut server = Node::start("patient-server", LinkOptions::default()).await;
    let client = Node::start("patient-client", LinkOptions::default()).await;
    let (closed, gate) = blocking::channel();
    let mut told = Vec::new();
    // The one that panics does so at once.
    for (panics, gate) in [(false, Some(gate)), (true, None)] {
        let (sender, receiver) = mpsc::unbounded_channel();
        let subscription = Box::new(Rude { gate, panics, told: sender });
        let id = format!("panics: {panics}");
        let subscribe = NodeServerMessage::SubscribeToEvents { id, subscription };
        server.server.cast(subscribe).expect("it runs");
        told.push(receiver);
    }
    client.connect(&server).await;
    let ready = server.next(Stage::Ready).await;
    ready.session.stop(None);
    server.next(Stage::Disconnected).await;
    drop(closed);
    for mut told in told {
        for stage in ALL {
            assert_eq!(watched(told.recv()).await, Some(stage));
        }
    }
    client.stop().await;
    server.stop().await;
}

/// Ids are stable across sessions, and never shared by two.
#[tokio::test]
async fn a_peer_that_connects_again_has_its_number() {
    let mut server = Node::start("numbering", LinkOptions::default()).await;
    let client = Node::start("numbered", LinkOptions::default()).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        client.connect(&server).await;
        let ready = server.next(Stage::Ready).await;
        // What the server tells is what the list of peers has.
        assert_eq!(peer("numbered").map(|peer| peer.node_id), Some(ready.node_id));
        ids.push(ready.node_id);
        // The client has another number for the server.
        let other = peer("numbering").expect("it is ready too").node_id;
        assert_ne!(other, ready.node_id);
        ready.session.stop(None);
        server.next(Stage::Disconnected).await;
        until("both are gone", || peer("numbered").is_none() && peer("numbering").is_none()).await;
    }
    assert_eq!(ids, [ids[0]; 3]);
    client.stop().await;
    server.stop().await;
}
