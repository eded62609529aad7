//! Two nodes in this process, or one here and one in another process: one calls an actor of the
//! other over TCP.

use ractor::{call_t, pg, Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{IncomingEncryptionMode, NodeServer, RactorClusterMessage};

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
async fn start(name: &str) -> (ActorRef<ractor_cluster::NodeServerMessage>, u16) {
    let port = free_port();
    let (node, _) = Actor::spawn(None, node(name, port), ()).await.expect("a node starts");
    (node, port)
}

/// Connects `node` to the one at `port`, and calls the doubler that the group gains by it.
async fn connect_and_call(node: &ActorRef<ractor_cluster::NodeServerMessage>, port: u16) {
    ractor_cluster::client_connect(node, ("127.0.0.1", port)).await.expect("they connect");
    let remote = loop {
        let members = pg::get_members(&GROUP.to_owned());
        if let Some(remote) = members.into_iter().find(|member| !member.get_id().is_local()) {
            break ActorRef::<DoublerMessage>::from(remote);
        }
        tokio::task::yield_now().await;
    };
    let doubled = call_t!(remote, DoublerMessage::Double, 5000, 21).expect("it answers");
    assert_eq!(doubled, 42);
}

/// Two nodes in this process.
pub async fn run() {
    let (doubler, ended) = doubler().await;
    let (first, port) = start("first").await;
    let (second, _) = start("second").await;
    connect_and_call(&second, port).await;
    doubler.stop(None);
    ended.await.expect("the doubler ends");
    first.stop(None);
    second.stop(None);
}

/// A node with a doubler: prints its port, and serves until its standard input is closed.
pub async fn serve() {
    let (_doubler, _) = doubler().await;
    let (_node, port) = start("server").await;
    println!("{port}");
    let closed = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    closed.await.expect("the reader ends").expect("standard input can be read");
}

/// A node that calls the doubler of the node at `port`.
pub async fn call(port: u16) {
    let (node, _) = start("caller").await;
    connect_and_call(&node, port).await;
    node.stop(None);
    println!("drop-in: 21 doubled over the wire is 42");
}
