//! Handshakes that begin and do not end.

use std::future::Future;
use std::task::{Context, Waker};
use std::time::Duration;

use ractor::{pg, ActorRef, MessagingErr};
use ractor_cluster::link::LinkOptions;
use ractor_cluster::transport::TransportKind;
use tokio::runtime::Handle;

use crate::client::Client;
use crate::common::{peer, until, watched};
use crate::logs::Mark;
use crate::scene::{Count, Scene, KINDS};
use crate::wire::{Actor, ControlBody, Frame, Network, PgJoin};

/// The node's patience; that of the test is without end.
const SHORT: Duration = Duration::from_secs(2);

/// How far a client goes before it falls silent, and what is said of it then.
#[derive(Clone, Copy)]
enum Silent {
    Connected,
    WithinAFrame,
    AfterNothing,
    AfterHello,
    AfterName,
    AfterAuthentication,
    AfterAnnouncement,
    WhileAttaching,
}

impl Silent {
    const ALL: [Self; 8] = [
        Self::Connected,
        Self::WithinAFrame,
        Self::AfterNothing,
        Self::AfterHello,
        Self::AfterName,
        Self::AfterAuthentication,
        Self::AfterAnnouncement,
        Self::WhileAttaching,
    ];

    async fn go(self, client: &mut Client, guest: &Client, name: &str) {
        match self {
            Self::Connected => {}
            Self::WithinAFrame => client.send_bytes(&[0, 0, 0, 0, 0]).await.unwrap(),
            Self::AfterNothing => client.send(Network { body: None }).await,
            Self::AfterHello => client.send(client.hello()).await,
            Self::AfterName => _ = client.introduce(name).await,
            Self::AfterAuthentication => client.authenticate(name).await,
            Self::AfterAnnouncement => {
                client.authenticate(name).await;
                client.send(Frame::Announcement(client.announcement())).await;
                client.expect_announcement().await;
            }
            Self::WhileAttaching => _ = client.attach(guest).await,
        }
    }

    fn complaint(self) -> &'static str {
        match self {
            Self::Connected | Self::WithinAFrame | Self::WhileAttaching => {
                "a connection is refused: its handshake was not done in time"
            }
            _ => "its handshake was not done in time",
        }
    }
}

#[tokio::test]
async fn a_handshake_that_stalls_is_given_up() {
    let mut scene = Scene::patient("stalls", SHORT).await;
    let guest = scene.guest(TransportKind::Tcp).await;
    let mut silent = Vec::new();
    for kind in KINDS {
        for (step, how) in Silent::ALL.into_iter().enumerate() {
            let mut client = scene.client(kind).await;
            how.go(&mut client, &guest, &format!("{kind}-{step}")).await;
            silent.push((client, how, kind));
        }
    }
    // Not even a handshake of TLS.
    let tls = scene.address(TransportKind::Tls);
    silent.push((Client::tcp(&tls).await, Silent::Connected, TransportKind::Tls));
    scene.serves(TransportKind::Tcp).await;
    for (client, how, kind) in &mut silent {
        watched(client.closed()).await;
        // Processes of this machine are all called the same by their sockets.
        if *kind != TransportKind::UnixSocket {
            scene.log.told(how.complaint(), &client.address).await;
        }
    }
    drop(guest);
    scene.end().await;
}

/// Connections under way have a bound, and none lasts for ever.
#[tokio::test]
async fn more_handshakes_than_there_may_be_are_closed() {
    let mut scene = Scene::patient("crowd", SHORT).await;
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(scene.client(TransportKind::Tcp).await);
    }
    scene.serves(TransportKind::UnixSocket).await;
    for client in &mut crowd {
        watched(client.closed()).await;
    }
    scene.end().await;
}

#[tokio::test]
async fn one_place_for_handshakes_does_for_all_listeners() {
    let mut options = LinkOptions::default();
    options.max_handshakes = 1;
    let scene = Scene::with("one-place", options).await;
    // Every listener serves a peer.
    scene.end().await;
}

/// A peer that reads nothing holds up no other peer. The backlog for it has a bound, and is gone
/// when its node ends.
#[tokio::test]
async fn a_peer_that_reads_nothing_is_left_behind() {
    const WINDOW: usize = 4 * 1024 * 1024;
    const BLOB: usize = 64 * 1024;

    let before = Handle::current().metrics().num_alive_tasks();
    let options = LinkOptions::default().with_replay_window(WINDOW);
    let mut scene = Scene::with("deaf", options).await;
    let mut deaf = scene.guest(TransportKind::Tcp).await;
    let proxy = proxy_of(&mut deaf, "deaf").await;
    // It acknowledges nothing, so that the window says when it is enough.
    let mut taken = 0;
    let back = loop {
        match proxy.cast(Count::Blob(vec![7; BLOB])) {
            Ok(()) => taken += BLOB,
            Err(error) => break error,
        }
        assert!(taken <= WINDOW, "{taken} bytes were taken");
        tokio::task::yield_now().await;
    };
    assert!(taken > WINDOW - 2 * BLOB, "{taken} bytes were taken");
    let MessagingErr::SendErr(Count::Blob(blob)) = back else { panic!("{back:?}") };
    assert_eq!(blob, vec![7; BLOB]);
    // A call has nowhere to wait either, and `send` waits.
    let call = proxy.call(Count::Sum, None).await;
    assert!(matches!(call, Err(MessagingErr::SendErr(Count::Sum(_)))));
    let mut send = std::pin::pin!(proxy.send(Count::Blob(Vec::new())));
    let mut nobody = Context::from_waker(Waker::noop());
    assert!(send.as_mut().poll(&mut nobody).is_pending());
    for kind in KINDS {
        scene.serves(kind).await;
    }
    scene.end().await;
    // There will be no room any more.
    let back = watched(send).await;
    assert!(matches!(back, Err(MessagingErr::SendErr(Count::Blob(_)))), "{back:?}");
    watched(async {
        while Handle::current().metrics().num_alive_tasks() > before {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Until now it had the connection open.
    drop(deaf);
}

/// Patience with a peer that reads nothing has an end.
#[tokio::test]
async fn a_link_that_takes_nothing_is_closed() {
    let mut options = LinkOptions::default().with_write_deadline(Duration::from_millis(200));
    options.reconnect_grace = Duration::ZERO;
    let mut scene = Scene::with("stuck", options).await;
    let mut stuck = scene.guest(TransportKind::Tcp).await;
    let proxy = proxy_of(&mut stuck, "stuck").await;
    let log = Mark::of(&scene.log);
    while proxy.cast(Count::Blob(vec![7; 64 * 1024])).is_ok() {
        tokio::task::yield_now().await;
    }
    log.told("a connection cannot be written to", "bytes was taken within").await;
    until("it is gone", || peer("guest-1").is_none()).await;
    scene.serves(TransportKind::Tcp).await;
    scene.end().await;
    drop(stuck);
}

/// The proxy of an actor that the client announces.
async fn proxy_of(client: &mut Client, group: &str) -> ActorRef<Count> {
    let (group, scope) = (group.to_owned(), pg::DEFAULT_SCOPE.to_owned());
    let actors = vec![Actor { pid: 7, name: None }];
    let join = ControlBody::PgJoin(PgJoin { group: group.clone(), actors, scope });
    let envelope = client.envelope(join);
    client.send(Frame::Envelope(envelope)).await;
    watched(async {
        loop {
            if let Some(proxy) = pg::get_members(&group).pop() {
                return ActorRef::from(proxy);
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}
