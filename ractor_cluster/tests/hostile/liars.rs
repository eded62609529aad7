//! Peers that know the cookie, and lie.

use std::os::unix::net::UnixListener as BlockingUnixListener;
use std::path::Path;

use ractor::BytesConvertable;
use ractor_cluster::peers::Locality;
use ractor_cluster::transport::{TlsTransport, TransportKind};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, UnixListener};

use crate::client::Client;
use crate::common::{peer, until, watched};
use crate::greetings::add;
use crate::logs::{Mark, PAYLOAD};
use crate::scene::{tls, Scene, KINDS};
use crate::wire::{
    Acknowledgement, ActorPreference, Announcement, CallReply, Envelope, Enveloped, Frame,
    NodeBody, Preferences, Settled,
};

#[tokio::test]
async fn who_breaks_the_order_of_envelopes_ends_its_session() {
    let mut scene = Scene::start("order").await;
    let counter = scene.counter();
    let envelope = |lane, sequence, acknowledged| {
        Frame::Envelope(Envelope {
            lane,
            sequence,
            acknowledged,
            body: Some(add(counter, 1).into()),
        })
    };
    let acknowledge =
        |lane, acknowledged| Frame::Acknowledgement(Acknowledgement { lane, acknowledged });
    // It has sent one envelope by now, and of the node's it has all that came.
    let cases = [
        (envelope(0, 3, 0), "frame 3 came where 2 was due"),
        (envelope(0, u64::MAX, 0), "came where 2 was due"),
        (envelope(4, 2, 0), "frame 2 came where 1 was due"),
        (envelope(7, 1, 0), "there is no lane 7"),
        (envelope(15, 1, 0), "there is no lane 15"),
        (envelope(64, 1, 0), "there is no lane 64"),
        (envelope(255, 1, 0), "there is no lane 255"),
        (envelope(0, 2, u64::MAX), "was acknowledged, and"),
        (acknowledge(0, 1_000_000), "frame 1000000 was acknowledged, and"),
        (acknowledge(3, 1), "frame 1 was acknowledged, and 0 is the last sent"),
        (acknowledge(17, 1), "frame 1 was acknowledged, and 0 is the last sent"),
        (acknowledge(71, 0), "there is no lane 71"),
    ];
    for kind in KINDS {
        for (number, (frame, complaint)) in cases.iter().enumerate() {
            let name = format!("liar-{kind}-{number}");
            let mut client = scene.client(kind).await;
            client.join(&name).await;
            let log = Mark::of(&scene.log);
            client.send(frame.clone()).await;
            client.closed().await;
            log.told(complaint, &name).await;
            until("it is gone", || peer(&name).is_none()).await;
        }
        scene.serves(kind).await;
    }
    scene.end().await;
}

#[tokio::test]
async fn envelopes_that_come_twice_count_once() {
    let scene = Scene::start("twice").await;
    let mut client = scene.client(TransportKind::Tcp).await;
    client.join("echo").await;
    let mut sent = Vec::new();
    for number in 1..=10 {
        let envelope = client.envelope(add(scene.counter(), number));
        sent.push(Frame::Envelope(envelope));
    }
    for _ in 0..3 {
        for frame in &sent {
            client.send(frame.clone()).await;
        }
    }
    let sum = client.call(scene.counter(), "Sum").await;
    assert_eq!(u64::from_bytes(sum), 55);
    scene.end().await;
}

#[tokio::test]
async fn what_is_said_once_is_not_said_again() {
    let mut scene = Scene::start("again").await;
    let mut announces = scene.guest(TransportKind::Tcp).await;
    let log = Mark::of(&scene.log);
    announces.send(Frame::Announcement(announces.announcement())).await;
    announces.closed().await;
    log.told("a frame that was not due", "guest-1").await;
    let mut settles = scene.guest(TransportKind::Tcp).await;
    let log = Mark::of(&scene.log);
    settles.send(Frame::Settled(Settled {})).await;
    settles.closed().await;
    log.told("a frame that was not due", "guest-2").await;
    // Before it has announced itself, it has settled nothing.
    let mut hasty = scene.client(TransportKind::Tcp).await;
    hasty.authenticate("hasty").await;
    let log = Mark::of(&scene.log);
    hasty.send(Frame::Settled(Settled {})).await;
    hasty.closed().await;
    log.told("a frame that was not due", "hasty").await;
    for share in [0, 31, 33] {
        let mut client = scene.client(TransportKind::Tcp).await;
        client.authenticate("poor").await;
        let log = Mark::of(&scene.log);
        let announcement = Announcement { share: vec![1; share], ..client.announcement() };
        client.send(Frame::Announcement(announcement)).await;
        client.closed().await;
        log.told("no share of a secret", "poor").await;
        until("it is gone", || peer("poor").is_none()).await;
    }
    scene.end().await;
}

/// A peer does not become a neighbour by claiming to be one.
#[tokio::test]
async fn who_only_says_that_it_is_local_is_not() {
    let mut scene = Scene::start("claims").await;
    let mut client = scene.client(TransportKind::Tcp).await;
    client.authenticate("neighbour").await;
    let announcement = Announcement {
        machine: Some(vec![1; 32]),
        process: Some(vec![2; 32]),
        unix_socket: Some("/nowhere".to_owned()),
        preference: 99,
        ..client.announcement()
    };
    client.send(Frame::Announcement(announcement)).await;
    client.expect_announcement().await;
    client.send(Frame::Settled(Settled {})).await;
    client.send_ready().await;
    // It is told of the actors, which only neighbours in the process have already.
    client.await_ready().await;
    let info = peer("neighbour").expect("it is ready");
    assert_eq!((info.locality, info.active()), (Locality::Remote, Some(TransportKind::Tcp)));
    let sum = client.call(scene.counter(), "Sum").await;
    assert_eq!(u64::from_bytes(sum), 0);
    scene.serves(TransportKind::Tcp).await;
    scene.end().await;
}

/// A peer sends answers without a question, and messages about actors that do not exist.
#[tokio::test]
async fn what_concerns_nobody_is_dropped() {
    let scene = Scene::start("nobody").await;
    let mut client = scene.client(TransportKind::Tcp).await;
    client.join("chatter").await;
    let reply = CallReply { to: 1, tag: 1, what: PAYLOAD.as_bytes().to_vec() };
    let actors = vec![ActorPreference { pid: u64::MAX, preference: 99, urgent: true }];
    let bodies = [
        Enveloped::from(NodeBody::Reply(reply)),
        Enveloped::from(add(u64::MAX, 1)),
        // The node server itself, and whatever else is not announced, takes nothing from afar.
        Enveloped::from(add(scene.node.server.get_id().pid(), 1)),
        Enveloped::Preferences(Preferences { actors }),
    ];
    for body in bodies {
        let envelope = client.envelope(body);
        client.send(Frame::Envelope(envelope)).await;
    }
    // And what an actor of the node cannot read.
    let mut unreadable = add(scene.counter(), 1);
    if let NodeBody::Cast(cast) = &mut unreadable {
        cast.what = PAYLOAD.as_bytes().to_vec();
    }
    let envelope = client.envelope(unreadable);
    client.send(Frame::Envelope(envelope)).await;
    let sum = client.call(scene.counter(), "Sum").await;
    assert_eq!(u64::from_bytes(sum), 0);
    scene.end().await;
}

/// The nodes that a peer may have whose socket it names: none, no socket, one that closes, one that
/// is silent, one that is another node's.
#[derive(Clone, Copy, Debug)]
enum Socket {
    Missing,
    File,
    Folder,
    Dead,
    Closing,
    Silent,
    AnotherNode,
    TooLong,
    NoPath,
}

impl Socket {
    const ALL: [Self; 9] = [
        Self::Missing,
        Self::File,
        Self::Folder,
        Self::Dead,
        Self::Closing,
        Self::Silent,
        Self::AnotherNode,
        Self::TooLong,
        Self::NoPath,
    ];

    /// The path, and what listens there, if something does.
    fn make(self, folder: &Path, node: &str) -> (String, Option<UnixListener>) {
        let path = folder.join(format!("{self:?}"));
        let text = path.to_str().expect("it is text").to_owned();
        let mut listener = None;
        match self {
            Self::Missing => {}
            Self::File => std::fs::write(&path, "a file").expect("there is room"),
            Self::Folder => std::fs::create_dir(&path).expect("there is room"),
            Self::Dead => drop(BlockingUnixListener::bind(&path).expect("it is free")),
            Self::Closing | Self::Silent => {
                listener = Some(UnixListener::bind(&path).expect("it is free"));
            }
            Self::AnotherNode => return (node.to_owned(), None),
            Self::TooLong => return (format!("/{}", "x".repeat(1000)), None),
            Self::NoPath => return ("\0/socket\nERROR a line of the peer's own".to_owned(), None),
        }
        (text, listener)
    }
}

/// A node of the test's, to which that of the scene has connected.
struct Mirror {
    client: Client,
    name: String,
    /// What the node said of itself.
    theirs: Announcement,
}

impl Mirror {
    async fn admit(scene: &Scene, name: String) -> Self {
        let door = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
        let address = door.local_addr().expect("it is bound").to_string();
        scene.node.connect_to(&address).await;
        let (stream, _) = watched(door.accept()).await.expect("it connects");
        let mut client = Client::accepted(stream);
        let theirs = client.admit(&name).await;
        Self { client, name, theirs }
    }

    /// Announces so much more than it has to, and is served as the stranger that it is.
    async fn claim(mut self, scene: &Scene, claims: Announcement) {
        let share = self.client.announcement().share;
        self.client.send(Frame::Announcement(Announcement { share, ..claims })).await;
        loop {
            if let Frame::Settled(Settled {}) = self.client.ours().await {
                break;
            }
        }
        self.client.send_ready().await;
        self.client.await_ready().await;
        let info = peer(&self.name).expect("it is ready");
        assert_eq!(info.locality, Locality::Remote);
        assert_eq!(info.links.len(), 1);
        assert_eq!(info.active(), Some(TransportKind::Tcp));
        let sum = self.client.call(scene.counter(), "Sum").await;
        assert_eq!(u64::from_bytes(sum), 0);
        drop(self.client);
        until("it is gone", || peer(&self.name).is_none()).await;
    }
}

/// A peer gives back what the node said of itself. It is not even looked for.
#[tokio::test]
async fn an_echo_of_ones_own_identity_is_nobodys() {
    let scene = Scene::start("echoed").await;
    let mirror = Mirror::admit(&scene, "mirror".to_owned()).await;
    let theirs = mirror.theirs.clone();
    assert!(theirs.process.is_some());
    mirror.claim(&scene, theirs).await;
    assert!(!scene.log.says("looks local"));
    scene.end().await;
}

/// A peer that knows the machine, since it is there, names a socket that leads nowhere, or to
/// another process. The session keeps its link, and no other session is joined.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_socket_that_leads_elsewhere_proves_nothing() {
    let mut scene = Scene::patient("sockets", std::time::Duration::from_secs(2)).await;
    let sockets = tempfile::tempdir().expect("there is room");
    let node_socket = scene.address(TransportKind::UnixSocket);
    for socket in Socket::ALL {
        let name = format!("mirror-{socket:?}");
        let (path, listener) = socket.make(sockets.path(), &node_socket);
        let somebody = listener.map(|listener| {
            tokio::spawn(async move {
                loop {
                    let (mut stream, _) = listener.accept().await.expect("it listens");
                    if matches!(socket, Socket::Silent) {
                        // All bytes are read, and never answered.
                        _ = stream.read_to_end(&mut Vec::new()).await;
                    }
                }
            })
        });
        let log = Mark::of(&scene.log);
        let mirror = Mirror::admit(&scene, name.clone()).await;
        let claims = Announcement {
            release: "0.16.5+hostile".to_owned(),
            machine: Some(mirror.client.machine()),
            unix_socket: Some(path),
            ..Announcement::default()
        };
        mirror.claim(&scene, claims).await;
        log.told("a peer looks local, and is not", &name).await;
        scene.log.has_no_line_that_begins_with("ERROR a line");
        if let Some(somebody) = somebody {
            somebody.abort();
        }
        scene.serves(TransportKind::UnixSocket).await;
    }
    scene.end().await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let mut scene = Scene::start("names-of-tls").await;
    let address = scene.address(TransportKind::Tls);
    // By the name: the node's certificate is for `localhost`.
    let name = "example.org".try_into().expect("it is a name");
    let refused = TlsTransport::connect(&address, name, &scene.connector).await;
    let error = refused.expect_err("it is another name");
    assert!(error.to_string().contains("not valid for name"), "{error}");
    // By its signer: this client trusts no authority that signed it.
    let (_, stranger) = tls("localhost");
    let name = "localhost".try_into().expect("it is a name");
    let server = scene.node.server.clone();
    let log = Mark::of(&scene.log);
    let refused = ractor_cluster::client_connect_enc(&server, &address, stranger, name).await;
    assert!(refused.is_err());
    log.told("a connection is refused", "tls link").await;
    scene.serves(TransportKind::Tls).await;
    scene.end().await;
}
