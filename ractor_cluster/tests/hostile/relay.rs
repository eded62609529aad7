//! A relay in between, which passes on the frames of both ends.

use std::sync::Arc;

use ractor_cluster::client_connect_enc;
use ractor_cluster::link::options::{LinkOptions, Security};
use ractor_cluster::transport::TransportKind;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::common::{node_server, watched, Node, Stage};
use crate::logs::Mark;
use crate::scene::{tls, Scene};

/// How the relay speaks to either end.
#[derive(Clone)]
struct Relay {
    towards_dialler: Option<TlsAcceptor>,
    towards_listener: Option<Arc<TlsConnector>>,
}

impl Relay {
    /// Relays one connection to the address, unchanged but for the channel.
    async fn begin(self, to: String) -> String {
        let door = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
        let address = door.local_addr().expect("it is bound").to_string();
        tokio::spawn(async move {
            let (near, _) = door.accept().await?;
            let far = TcpStream::connect(&to).await?;
            match (self.towards_dialler, self.towards_listener) {
                (None, None) => copy(near, far).await,
                (Some(tls), None) => copy(tls.accept(near).await?, far).await,
                (near_tls, Some(tls)) => {
                    let name = "localhost".try_into().expect("it is a name");
                    let far = tls.connect(name, far).await?;
                    match near_tls {
                        Some(near_tls) => copy(near_tls.accept(near).await?, far).await,
                        None => copy(near, far).await,
                    }
                }
            }
        });
        address
    }
}

async fn copy(
    mut near: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    mut far: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
) -> std::io::Result<()> {
    copy_bidirectional(&mut near, &mut far).await.map(drop)
}

async fn dial(dialler: &Node, address: &str, by: Option<&TlsConnector>) {
    match by {
        None => dialler.connect_to(address).await,
        Some(tls) => {
            let name = "localhost".try_into().expect("it is a name");
            let connecting = client_connect_enc(&dialler.server, address, tls.clone(), name);
            watched(connecting).await.expect("the relay agrees");
        }
    }
}

/// A relay in between has a certificate that the dialler trusts. There are two connections of TLS
/// then, and a proof on one of them is not valid on the other. By default, too.
#[tokio::test]
async fn who_relays_between_two_connections_of_tls_is_noticed() {
    let scene = Scene::start("relayed").await;
    let (acceptor, believes) = tls("localhost");
    let relay = Relay {
        towards_dialler: Some(acceptor),
        towards_listener: Some(Arc::new(scene.connector.clone())),
    };
    let address = relay.begin(scene.address(TransportKind::Tls)).await;
    let mut dialler = Node::spawn(node_server("relayed-one")).await;
    let log = Mark::of(&scene.log);
    dial(&dialler, &address, Some(&believes)).await;
    dialler.next(Stage::Disconnected).await;
    log.told("its proof is wrong", "relayed-one").await;
    // Without anybody in between.
    let direct = scene.address(TransportKind::Tls);
    dial(&dialler, &direct, Some(&scene.connector)).await;
    dialler.next(Stage::Ready).await;
    dialler.stop().await;
    scene.end().await;
}

/// Where one end sees TLS and the other does not, a proxy of one's own is possible, as with stock.
/// A strict node knows of none.
#[tokio::test]
async fn who_ends_tls_in_between_is_noticed_where_one_is_strict() {
    for strict in [false, true] {
        let security = if strict { Security::strict() } else { Security::default() };
        let options = LinkOptions::default().with_security(security);
        let scene = Scene::with("proxied", options).await;
        let (acceptor, believes) = tls("localhost");
        let relays = [
            Relay { towards_dialler: Some(acceptor), towards_listener: None },
            Relay {
                towards_dialler: None,
                towards_listener: Some(Arc::new(scene.connector.clone())),
            },
        ];
        for (relay, by, to) in [
            (relays[0].clone(), Some(&believes), TransportKind::Tcp),
            (relays[1].clone(), None, TransportKind::Tls),
        ] {
            let address = relay.begin(scene.address(to)).await;
            let name = format!("proxied-to-{to}");
            let mut dialler = Node::spawn(node_server(&name)).await;
            let log = Mark::of(&scene.log);
            dial(&dialler, &address, by).await;
            if strict {
                dialler.next(Stage::Disconnected).await;
                log.told("somebody is between the two (strict)", &name).await;
            } else {
                dialler.next(Stage::Ready).await;
                log.told("a peer sees another kind of channel", &name).await;
            }
            dialler.stop().await;
        }
        scene.end().await;
    }
}

/// What both ends say of their channels is part of what they prove.
#[tokio::test]
async fn a_proof_is_of_one_channel() {
    let mut scene = Scene::start("channels").await;
    for binding in [Some([0; 32]), Some([1; 32])] {
        let mut client = scene.client(TransportKind::Tls).await.with_binding(binding);
        let challenge = client.introduce("bound").await;
        let log = Mark::of(&scene.log);
        client.answer(challenge).await;
        client.closed().await;
        log.told("its proof is wrong", "bound").await;
    }
    scene.serves(TransportKind::Tls).await;
    // One that has none, as TLS 1.2 has not, says so.
    let mut client = scene.client(TransportKind::Tls).await.with_binding(None);
    client.join("unbound").await;
    scene.end().await;
    let options = LinkOptions::default().with_security(Security::strict());
    let scene = Scene::with("strict-channels", options).await;
    let mut client = scene.client(TransportKind::Tls).await.with_binding(None);
    client.send(client.hello()).await;
    let log = Mark::of(&scene.log);
    client.send(crate::client::Client::name("unbound")).await;
    client.closed().await;
    log.told("takes TLS 1.3 at both ends (strict)", &client.address).await;
    scene.end().await;
}
