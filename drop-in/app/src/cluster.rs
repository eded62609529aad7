//! Two nodes in this process: an actor that both have is called through its group.

use ractor::{call_t, pg, Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::node::{NodeConnectionMode, NodeServerSessionInformation};
use ractor_cluster::{
    IncomingEncryptionMode, NodeEventSubscription, NodeServer, NodeServerMessage,
    RactorClusterMessage,
};
use tokio::sync::mpsc;

const GROUP: &str = "doublers";

/// Answers with twice the number.
struct Doubler;

#[derive(RactorClusterMessage)]
enum DoublerMessage {
    #[rpc]
    Double(u64, RpcReplyPort<u64>),
}

impl Actor for Doubler {
    type Msg = DoublerMessage;
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<DoublerMessage>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<DoublerMessage>,
        DoublerMessage::Double(number, reply): DoublerMessage,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(reply.send(number * 2)?)
    }
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback has ports");
    listener.local_addr().expect("it is bound").port()
}

fn node(name: &str, port: u16) -> NodeServer {
    NodeServer::new(
        port,
        "a cookie".to_owned(),
        name.to_owned(),
        "localhost".to_owned(),
        Some(IncomingEncryptionMode::Raw),
        Some(NodeConnectionMode::Isolated),
    )
}

/// Starts a doubler in the group.
async fn doubler() -> (ActorRef<DoublerMessage>, ractor::concurrency::JoinHandle<()>) {
    let (doubler, ended) = Actor::spawn(None, Doubler, ()).await.expect("the doubler starts");
    pg::join(GROUP.to_owned(), vec![doubler.get_cell()]);
    (doubler, ended)
}

/// Starts a node, and gives its port.
pub async fn start(name: &str) -> (ActorRef<NodeServerMessage>, u16) {
    let port = free_port();
    let (node, _) = Actor::spawn(None, node(name, port), ()).await.expect("a node starts");
    (node, port)
}

/// Tells that a session is ready.
struct Readiness(mpsc::UnboundedSender<()>);

impl NodeEventSubscription for Readiness {
    fn node_session_opened(&self, _: NodeServerSessionInformation) {}
    fn node_session_disconnected(&self, _: NodeServerSessionInformation) {}
    fn node_session_authenticated(&self, _: NodeServerSessionInformation) {}

    fn node_session_ready(&self, _: NodeServerSessionInformation) {
        // The nodes may outlive who listens.
        _ = self.0.send(());
    }
}

/// Two nodes in this process. Whether the group has the doubler only, or proxies of it as well:
/// each member answers.
pub async fn run() {
    let (doubler, ended) = doubler().await;
    let (first, port) = start("first").await;
    let (second, _) = start("second").await;
    let (sender, mut ready) = mpsc::unbounded_channel();
    for node in [&first, &second] {
        let (id, subscription) = ("app".to_owned(), Box::new(Readiness(sender.clone())));
        node.cast(NodeServerMessage::SubscribeToEvents { id, subscription }).expect("it runs");
    }
    ractor_cluster::client_connect(&second, ("127.0.0.1", port)).await.expect("they connect");
    for _ in 0..2 {
        ready.recv().await.expect("both nodes run");
    }
    let members = pg::get_members(&GROUP.to_owned());
    assert!(members.iter().any(|member| member.get_id().is_local()));
    for member in members {
        let member = ActorRef::<DoublerMessage>::from(member);
        let doubled = call_t!(member, DoublerMessage::Double, 5000, 21).expect("it answers");
        assert_eq!(doubled, 42);
    }
    doubler.stop(None);
    ended.await.expect("the doubler ends");
    first.stop(None);
    second.stop(None);
}
