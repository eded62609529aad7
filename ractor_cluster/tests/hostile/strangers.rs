//! Strangers who do not know the cookie and hold silent connections keep no peer out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ractor::{call, ActorRef, BytesConvertable};
use ractor_cluster::link::options::{Location, Peer, PeerPolicy, Security};
use ractor_cluster::link::{self, LinkOptions, Refusal};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::peers;
use ractor_cluster::transport::TransportKind;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::client::Client;
use crate::common::server::node_server;
use crate::common::{peer, until, watched, Node, Stage};
use crate::scene::{proxy_of, Count, Scene, KINDS};
use crate::wire::Frame;

/// Far below the patience with a connection that says nothing, of ten seconds.
const SOON: Duration = Duration::from_secs(3);

/// How many connections a stranger holds.
const MANY: usize = 1000;

/// What a stranger may send before it falls silent.
#[derive(Clone, Copy)]
enum Says {
    Nothing,
    HalfAFrame,
    Hello,
    Name,
}

impl Says {
    const ALL: [Self; 4] = [Self::Nothing, Self::HalfAFrame, Self::Hello, Self::Name];

    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Nothing => Vec::new(),
            Self::HalfAFrame => vec![0; 7],
            Self::Hello => {
                let hello = crate::wire::Hello {
                    version: 1,
                    nonce: vec![7; 32],
                    channel: "tcp".to_owned(),
                    ..crate::wire::Hello::default()
                };
                Client::encoded(Frame::Hello(hello))
            }
            Self::Name => Client::encoded(Client::name("stranger")),
        }
    }
}

/// Opens connections to be held.
async fn crowd(address: &str, says: Says) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for _ in 0..MANY {
        let mut stream = watched(TcpStream::connect(address)).await.expect("it is listened to");
        // It may be closed already.
        _ = stream.write_all(&says.bytes()).await;
        crowd.push(stream);
    }
    crowd
}

async fn newcomers_get_in(name: &str, security: Security) {
    let options =
        LinkOptions::default().with_reconnect_grace(Duration::ZERO).with_security(security);
    let mut scene = Scene::with(name, options).await;
    for says in Says::ALL {
        let held = [
            crowd(&scene.address(TransportKind::Tcp), says).await,
            crowd(&scene.address(TransportKind::Tls), Says::Nothing).await,
        ];
        for kind in KINDS {
            let begin = Instant::now();
            scene.serves(kind).await;
            assert!(begin.elapsed() < SOON, "{kind} took {:?}", begin.elapsed());
        }
        drop(held);
    }
    scene.end().await;
}

#[tokio::test]
async fn a_newcomer_gets_in_beside_a_thousand_strangers() {
    newcomers_get_in("thousand", Security::default()).await;
}

#[tokio::test]
async fn a_newcomer_gets_in_where_the_node_is_strict() {
    newcomers_get_in("thousand-strict", Security::strict()).await;
}

/// Adds one and asks for the sum until it is to stop. Returns how many calls were answered, which
/// are all.
async fn caller(proxy: ActorRef<Count>, stop: Arc<AtomicBool>) -> u64 {
    let mut answered = 0;
    while !stop.load(Ordering::SeqCst) {
        proxy.cast(Count::Add(1)).expect("there is room");
        let sum = watched(async { call!(proxy, Count::Sum) }).await;
        let sum = sum.unwrap_or_else(|error| panic!("call {answered} is not answered: {error}"));
        answered += 1;
        assert!(sum >= answered, "{sum} of at least {answered} were added");
    }
    answered
}

/// A session whose link breaks in the middle of it comes back, and loses nothing.
#[tokio::test]
async fn a_session_comes_back_beside_a_thousand_strangers() {
    let mut scene = Scene::with("flooded", LinkOptions::default()).await;
    let address = scene.address(TransportKind::Tcp);
    let relay = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
    let dialled = relay.local_addr().expect("it is bound").to_string();
    // Both are in this process, and shall have no link but the one that breaks.
    let remote = PeerPolicy::default().with_location(Location::Remote);
    let options = LinkOptions::default().with_peer(Peer::named("flooded"), remote);
    let mut dialler = Node::start("flooded-dialler", options).await;
    dialler.connect_to(&dialled).await;
    let (mut there, _) = watched(relay.accept()).await.expect("it connects");
    let mut here = TcpStream::connect(&address).await.expect("it is listened to");
    let first = tokio::spawn(async move {
        _ = tokio::io::copy_bidirectional(&mut there, &mut here).await;
    });
    dialler.next(Stage::Ready).await;
    let held = crowd(&address, Says::Nothing).await;
    let node_id = peer("flooded").expect("it is connected").node_id;
    let proxy = proxy_of("counters of flooded", node_id).await;
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> =
        (0..8).map(|_| tokio::spawn(caller(proxy.clone(), stop.clone()))).collect();
    let mut events = peers::events();
    first.abort();
    let again = tokio::spawn(async move {
        loop {
            let Ok((mut there, _)) = relay.accept().await else { return };
            let Ok(mut here) = TcpStream::connect(&address).await else { return };
            tokio::spawn(async move {
                _ = tokio::io::copy_bidirectional(&mut there, &mut here).await;
            });
        }
    });
    watched(async {
        loop {
            match events.recv().await.expect("there are events") {
                peers::PeerEvent::Resumed { node_id: of } if of == node_id => return,
                peers::PeerEvent::Gone { node_id: of, .. } if of == node_id => {
                    panic!("the session did not come back")
                }
                _ => {}
            }
        }
    })
    .await;
    stop.store(true, Ordering::SeqCst);
    let mut calls = 0;
    for caller in callers {
        calls += watched(caller).await.expect("each of its calls is answered");
    }
    // Each has had one under way when the link broke.
    assert!(calls >= 8, "{calls} calls");
    assert_eq!(scene.sum().await, calls);
    drop(held);
    dialler.stop().await;
    again.abort();
    until("it is gone", || peer("flooded-dialler").is_none()).await;
    let mut guest = scene.guest(TransportKind::Tcp).await;
    let answer = guest.call(scene.counter(), "Sum").await;
    assert_eq!(u64::from_bytes(answer), calls);
    drop(guest);
    scene.end().await;
}

/// How a stranger begins that goes on byte by byte.
#[derive(Debug, Clone, Copy)]
enum Drips {
    /// In its first frame.
    First,
    /// In the frame behind its `Hello`.
    Later,
}

/// A byte of a frame every so often buys no time.
#[tokio::test]
async fn a_stranger_that_drips_bytes_is_given_up_in_time() {
    const PATIENCE: Duration = Duration::from_millis(500);
    const PAUSE: Duration = Duration::from_millis(20);
    /// Of the frame, which takes twenty seconds.
    const BYTES: u64 = 1000;

    let mut scene = Scene::patient("dripped", PATIENCE).await;
    for kind in KINDS {
        for drips in [Drips::First, Drips::Later] {
            let mut client = scene.client(kind).await;
            if matches!(drips, Drips::Later) {
                client.send(client.hello()).await;
            }
            client.send_bytes(&BYTES.to_be_bytes()).await.expect("it is read");
            let mut pause = tokio::time::interval(PAUSE);
            let mut sent = 0;
            while client.send_bytes(&[0]).await.is_ok() {
                sent += 1;
                assert!(sent < BYTES / 2, "{kind}, {drips:?}: {sent} bytes were taken");
                pause.tick().await;
            }
            if kind != TransportKind::UnixSocket {
                scene.log.told("its handshake was not done in time", &client.address).await;
            }
        }
    }
    // And a handshake of TLS that never ends.
    let mut client = Client::tcp(&scene.address(TransportKind::Tls)).await;
    // A record of the handshake, of a KiB.
    client.send_bytes(&[22, 3, 1, 4, 0, 1, 0, 3, 252]).await.expect("it is read");
    let (mut sent, mut pause) = (0, tokio::time::interval(PAUSE));
    while client.send_bytes(&[0]).await.is_ok() {
        sent += 1;
        assert!(sent < BYTES / 2, "TLS: {sent} bytes were taken");
        pause.tick().await;
    }
    scene.log.told("its handshake was not done in time", &client.address).await;
    scene.serves(TransportKind::Tcp).await;
    scene.end().await;
}

/// The node that dials learns why it is refused, and the one that listens counts it.
#[tokio::test]
async fn a_refused_node_is_told_the_cause() {
    let count = |cause| {
        let all = link::refusals();
        all.into_iter().find(|(of, _)| *of == cause).map_or(0, |(_, count)| count)
    };
    let mut scene = Scene::start("refusing").await;
    for kind in KINDS {
        let before = count(Refusal::WrongCookie);
        let mut client = scene.client(kind).await.with_cookie("vanilla");
        let challenge = client.introduce("wrong").await;
        client.answer(challenge).await;
        let told = client
            .find(|frame| match frame.body {
                Some(crate::wire::Body::Ours(ours)) => match ours.frame {
                    Some(Frame::Refused(refused)) => Some(refused.code),
                    _ => None,
                },
                _ => None,
            })
            .await;
        assert_eq!(told, Refusal::WrongCookie as u32);
        client.closed().await;
        assert!(count(Refusal::WrongCookie) > before);
        scene.serves(kind).await;
    }
    // As a node of the fork learns it.
    let server = node_server("refused", "vanilla", NodeConnectionMode::Isolated);
    let mut refused = Node::spawn(server).await;
    refused.connect_to(&scene.address(TransportKind::Tcp)).await;
    refused.next(Stage::Disconnected).await;
    scene.log.told("a peer refused this node", "wrong_cookie").await;
    refused.stop().await;
    scene.end().await;
}
