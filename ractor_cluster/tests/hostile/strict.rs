//! A node that lets in nodes of the fork alone.

use ractor_cluster::link::options::{LinkOptions, Security};
use ractor_cluster::peers::{self, PeerEvent};
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

/// A stock node that knows the cookie is let in by default, and so is a peer that poses as one.
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

/// A name that a node of the fork had is not let in as stock without a word, and not at all where
/// the node says so.
#[tokio::test]
async fn a_downgrade_is_told_or_refused() {
    for refused in [false, true] {
        let name = if refused { "downgrade-refused" } else { "downgrade-told" };
        let options = LinkOptions::default()
            .with_reconnect_grace(std::time::Duration::ZERO)
            .with_security(Security::default().with_refused_downgrades(refused));
        let scene = Scene::with(name, options).await;
        let mut events = peers::events();
        let (guest_name, peer) = (format!("{name}-guest"), format!("{name}-guest@elsewhere"));
        let mut guest = scene.client(TransportKind::Tcp).await;
        guest.join(&guest_name).await;
        drop(guest);
        watched(async {
            while peers::list().iter().any(|it| it.name == peer) {
                tokio::task::yield_now().await;
            }
        })
        .await;

        let log = Mark::of(&scene.log);
        let mut client = scene.client(TransportKind::Tcp).await;
        if refused {
            client.send(Client::name(&guest_name)).await;
            client.closed().await;
            log.told("a node of the fork had its name before", &client.address).await;
            assert!(client.secrets().is_empty(), "it was told what a cookie can be tried on");
        } else {
            let challenge = client.challenged(Client::name(&guest_name)).await;
            client.answer(challenge).await;
            let AuthBody::Ack(_) = client.auth().await else { panic!("it is let in") };
            log.told("a node of the fork had its name before", &client.address).await;
            let told = watched(async {
                loop {
                    if let Ok(PeerEvent::StockAdmitted { name, was_fork, .. }) = events.recv().await
                    {
                        if name == peer {
                            break was_fork;
                        }
                    }
                }
            });
            assert!(told.await);
        }
        drop(client);
        scene.end().await;
    }
}
