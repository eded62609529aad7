//! A transport of the application's own: dialled, listened to, pinned, and made again when it
//! breaks.

mod common;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use common::doubler::{Doubler, Question};
use common::{node_server, peer, until, watched, Node, Stage, COOKIE};
use ractor::actor::actor_config::{ActorConfig, TransportPreference};
use ractor::{pg, Actor, ActorRef};
use ractor_cluster::link::options::{Location, Peer, PeerPolicy};
use ractor_cluster::link::{self, LinkOptions};
use ractor_cluster::peers::{self, PeerEvent};
use ractor_cluster::transport::{
    Channel, Connecting, Connector, FrameSink, FrameStream, TcpTransport, Transport, TransportKind,
};
use ractor_cluster::{NodeServer, NodeServerMessage};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What an application may have, for instance over QUIC; here it is TCP under another name.
struct Mine(TcpTransport);

impl Transport for Mine {
    fn kind(&self) -> TransportKind {
        TransportKind::External
    }

    fn peer(&self) -> String {
        format!("mine://{}", self.0.peer())
    }

    fn local(&self) -> String {
        format!("mine://{}", self.0.local())
    }

    /// `link::connect` is told how.
    fn connector(&self) -> Option<Arc<dyn Connector>> {
        None
    }

    fn channel(&self) -> Channel {
        self.0.channel()
    }

    fn split(self: Box<Self>, max_frame: u64) -> (Box<dyn FrameSink>, Box<dyn FrameStream>) {
        Box::new(self.0).split(max_frame)
    }
}

#[derive(Debug)]
struct Dialled {
    address: SocketAddr,
    times: AtomicUsize,
}

#[derive(Debug, Clone)]
struct MyConnector(Arc<Dialled>);

impl Connector for MyConnector {
    fn kind(&self) -> TransportKind {
        TransportKind::External
    }

    fn connect(&self) -> Connecting {
        let dialled = self.0.clone();
        Box::pin(async move {
            dialled.times.fetch_add(1, Ordering::SeqCst);
            let made: Box<dyn Transport> =
                Box::new(Mine(TcpTransport::connect(dialled.address).await?));
            Ok(made)
        })
    }
}

#[tokio::test]
async fn it_is_dialled_listened_to_pinned_and_made_again() {
    let remote = PeerPolicy::default().with_location(Location::Remote);
    let options = LinkOptions::default().with_peer(Peer::named("listening"), remote);
    let mut listening = Node::start("listening", LinkOptions::default()).await;
    let mut dialling = Node::spawn(node_server("dialling").with_links(options)).await;
    let pinned = ActorConfig::default().with_transport(TransportPreference::External);
    let (doubler, task) = Actor::spawn_with_config(None, Doubler, (), pinned).await.unwrap();
    pg::join("own transport".to_owned(), vec![doubler.get_cell()]);
    let (address, listener) = listen(listening.server.clone()).await;
    let dialled = Arc::new(Dialled { address, times: AtomicUsize::new(0) });

    link::connect(&dialling.server, Arc::new(MyConnector(dialled.clone()))).await.unwrap();

    let there = dialling.next(Stage::Ready).await.node_id;
    listening.next(Stage::Ready).await;
    let info = peer("listening").expect("it is ready");
    assert_eq!(info.active(), Some(TransportKind::External));
    assert!(info.links[0].peer.starts_with("mine://"), "{info:?}");
    let members = pg::get_members(&"own transport".to_owned());
    let proxy = members.into_iter().find(|it| it.get_id().node() == there).expect("announced");
    assert_eq!(proxy.transport_preference(), TransportPreference::External);
    let proxy = ActorRef::<Question>::from(proxy);
    assert_eq!(ractor::call_t!(proxy, Question::Twice, 60_000, 21).unwrap(), 42);

    let mut events = peers::events();
    link::close(there, TransportKind::External).unwrap();
    watched(async {
        let resumed =
            |it: &PeerEvent| matches!(it, PeerEvent::Resumed { node_id } if *node_id == there);
        while !resumed(&events.recv().await.expect("the peer is still there")) {}
    })
    .await;

    assert_eq!(dialled.times.load(Ordering::SeqCst), 2);
    assert_eq!(ractor::call_t!(proxy, Question::Twice, 60_000, 4).unwrap(), 8);
    listener.abort();
    dialling.stop().await;
    listening.stop().await;
    until("no peer is left", || peers::list().is_empty()).await;
    doubler.stop(None);
    task.await.unwrap();
}

/// Accepts for ever, as an application does that has a listener of its own.
async fn listen(server: ActorRef<NodeServerMessage>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let (server, transport) = (server.clone(), Box::new(Mine(TcpTransport::new(stream))));
            tokio::spawn(async move { link::accept(&server, transport, Some(peer.ip())).await });
        }
    });
    (address, accepting)
}

#[tokio::test]
async fn nodes_that_do_not_listen_are_reached_by_it() {
    let remote = PeerPolicy::default().with_location(Location::Remote);
    let options = LinkOptions::default().with_listens(false).with_peer(Peer::named("deaf"), remote);
    // They have no port, by which others of one host name are told apart.
    let server = |name: &str| {
        let (cookie, name) = (COOKIE.to_owned(), name.to_owned());
        NodeServer::new(0, cookie, name.clone(), name, None, None).with_links(options.clone())
    };
    let mut deaf = Node::spawn(server("deaf")).await;
    let mut mute = Node::spawn(server("mute")).await;
    assert_eq!(link::listening(&deaf.server), []);
    let (address, listener) = listen(deaf.server.clone()).await;
    let dialled = Arc::new(Dialled { address, times: AtomicUsize::new(0) });

    link::connect(&mute.server, Arc::new(MyConnector(dialled))).await.unwrap();

    mute.next(Stage::Ready).await;
    deaf.next(Stage::Ready).await;
    listener.abort();
    mute.stop().await;
    deaf.stop().await;
}

#[tokio::test]
async fn a_node_that_has_ended_takes_no_connection() {
    let node = Node::start("ended", LinkOptions::default()).await;
    let server = node.server.clone();
    node.stop().await;
    let (address, listener) = listen(server.clone()).await;

    let dialled = Arc::new(Dialled { address, times: AtomicUsize::new(0) });
    let error = link::connect(&server, Arc::new(MyConnector(dialled))).await.unwrap_err();

    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected);
    listener.abort();
}
