//! A node that lets in nodes of the fork alone.

use ractor_cluster::link::options::{LinkOptions, Security};
use ractor_cluster::transport::TransportKind;
use tokio::net::TcpListener;

use crate::client::Client;
use crate::common::{node_server, watched, Node, Stage};
use crate::logs::Mark;
use crate::scene::{Scene, KINDS};
use crate::wire::{AuthBody, ServerStatus};

fn strict() -> LinkOptions {
    LinkOptions::default().with_security(Security::strict())
}

/// A stock node that knows the cookie is let in by default, and so is whoever passes for one.
#[tokio::test]
async fn a_strict_node_lets_in_no_stock_node() {
    let scene = Scene::start("open").await;
    let mut client = scene.client(TransportKind::Tcp).await;
    let challenge = client.challenged(Client::name("stock")).await;
    client.answer(challenge).await;
    let AuthBody::Ack(_) = client.auth().await else { panic!("it is let in") };
    drop(client);
    scene.end().await;

    let mut scene = Scene::with("strict", strict()).await;
    for kind in KINDS {
        let mut client = scene.client(kind).await;
        let log = Mark::of(&scene.log);
        client.send(Client::name("stock")).await;
        client.closed().await;
        log.told("it is a stock node, or passes for one", &client.address).await;
        assert!(client.secrets().is_empty(), "it was told what a cookie can be tried on");
        scene.serves(kind).await;
    }
    scene.end().await;
}

/// A stock node that it dials learns nothing on which it could try cookies.
#[tokio::test]
async fn a_strict_node_answers_no_challenge_of_a_stock_node() {
    let scene = Scene::with("strict-dialler", strict()).await;
    let door = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
    let address = door.local_addr().expect("it is bound").to_string();
    scene.node.connect_to(&address).await;
    let (stream, _) = watched(door.accept()).await.expect("it connects");
    let mut server = Client::accepted(stream);
    let AuthBody::Name(_) = server.auth().await else { panic!("the node gave no name") };
    server.send(AuthBody::ServerStatus(ServerStatus { status: 0 })).await;
    let log = Mark::of(&scene.log);
    server.send(server.challenge("stock")).await;
    server.closed().await;
    log.told("it is a stock node, or passes for one", &server.peer).await;
    assert!(server.secrets().is_empty(), "it was told what a cookie can be tried on");
    scene.end().await;
}

#[tokio::test]
async fn strict_nodes_are_one_cluster() {
    let mut nodes = Vec::new();
    for name in ["strict-one", "strict-two"] {
        nodes.push(Node::start(name, strict()).await);
    }
    // One that is not strict is of the fork all the same.
    nodes.push(Node::spawn(node_server("strict-three")).await);
    let [one, two, three] = &mut nodes[..] else { unreachable!() };
    for dialler in [two, three] {
        dialler.connect(one).await;
        dialler.next(Stage::Ready).await;
        one.next(Stage::Ready).await;
    }
    for node in nodes {
        node.stop().await;
    }
}
