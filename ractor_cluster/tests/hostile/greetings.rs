//! Handshakes that break the protocol.

use ractor::{ActorStatus, BytesConvertable};
use ractor_cluster::peers;
use ractor_cluster::transport::TransportKind;

use crate::client::Client;
use crate::common::{peer, until, Stage};
use crate::logs::{Mark, PAYLOAD};
use crate::scene::{Scene, KINDS};
use crate::wire::{
    Acknowledgement, Attach, AttachAccepted, AttachChallenge, AttachProof, AuthBody, Body, Cast,
    ChallengeReply, Frame, Hello, Network, Node, NodeBody, Settled,
};

/// A message that adds to the counter.
pub fn add(to: u64, number: u64) -> NodeBody {
    // As the derive has it: each argument behind its length.
    let argument = number.into_bytes();
    let what = [(argument.len() as u64).to_be_bytes().as_slice(), &argument].concat();
    NodeBody::Cast(Cast { to, what, variant: "Add".to_owned() })
}

#[tokio::test]
async fn nothing_is_taken_before_authentication() {
    let mut scene = Scene::start("early").await;
    let (counter, before) = (scene.counter(), scene.sum().await);
    for kind in KINDS {
        let frames = {
            let mut client = scene.client(kind).await;
            let bytes = PAYLOAD.as_bytes().to_vec();
            [
                Frame::Envelope(client.envelope(add(counter, 1))),
                Frame::Announcement(client.announcement()),
                Frame::Settled(Settled {}),
                Frame::Acknowledgement(Acknowledgement { lane: 0, acknowledged: 1 }),
                Frame::AttachChallenge(AttachChallenge {
                    nonce: bytes.clone(),
                    proof: bytes.clone(),
                }),
                Frame::AttachProof(AttachProof { proof: bytes }),
                Frame::AttachAccepted(AttachAccepted {}),
            ]
        };
        for frame in frames {
            for step in 0..3 {
                let mut client = scene.client(kind).await;
                let name = format!("early-{step}");
                match step {
                    0 => {}
                    1 => client.send(client.hello()).await,
                    _ => _ = client.introduce(&name).await,
                }
                let log = Mark::of(&scene.log);
                client.send(frame.clone()).await;
                client.closed().await;
                // A listener knows no peer yet.
                log.told("is refused", &client.address).await;
            }
        }
        // Stock's own are dropped, as stock does.
        let mut client = scene.client(kind).await;
        client.introduce("early-stock").await;
        let cast = Node { body: Some(add(counter, 1)) };
        client.send(Network { body: Some(Body::Node(cast)) }).await;
    }
    for kind in KINDS {
        scene.serves(kind).await;
    }
    assert_eq!(scene.sum().await, before);
    scene.end().await;
}

#[tokio::test]
async fn a_hello_comes_once_and_is_one() {
    let mut scene = Scene::start("hello").await;
    let hello = |version, nonce: usize| {
        Frame::Hello(Hello { version, nonce: vec![1; nonce], ..Hello::default() })
    };
    for kind in KINDS {
        for bad in [hello(0, 32), hello(1, 0), hello(1, 31), hello(1, 4096)] {
            let mut client = scene.client(kind).await;
            let log = Mark::of(&scene.log);
            client.send(bad).await;
            client.closed().await;
            log.told("invalid or repeated Hello", &client.address).await;
        }
        let mut client = scene.client(kind).await;
        client.send(client.hello()).await;
        let log = Mark::of(&scene.log);
        client.send(client.hello()).await;
        client.closed().await;
        log.told("invalid or repeated Hello", &client.address).await;
        // And not later either.
        let mut client = scene.guest(kind).await;
        let log = Mark::of(&scene.log);
        client.send(client.hello()).await;
        client.closed().await;
        log.told("invalid or repeated Hello", &client.address).await;
    }
    scene.end().await;
}

/// A later release of the fork is spoken to as one of this release.
#[tokio::test]
async fn later_versions_are_welcome() {
    let scene = Scene::start("versions").await;
    let mut client = scene.client(TransportKind::Tcp).await;
    let channel = "tcp".to_owned();
    let hello = Hello { version: 7, nonce: vec![3; 32], channel, ..Hello::default() };
    client.send(Frame::Hello(hello)).await;
    let challenge = client.challenged(Client::name("later")).await;
    client.answer(challenge).await;
    client.send(Frame::Announcement(client.announcement())).await;
    client.expect_announcement().await;
    client.send(Frame::Settled(Settled {})).await;
    client.send_ready().await;
    client.await_ready().await;
    let answer = client.call(scene.counter(), "Sum").await;
    assert_eq!(u64::from_bytes(answer), 0);
    scene.end().await;
}

#[tokio::test]
async fn who_does_not_know_the_cookie_is_refused() {
    let mut scene = Scene::start("cookie").await;
    for kind in KINDS {
        for cookie in ["vanilla", ""] {
            let mut client = scene.client(kind).await.with_cookie(cookie);
            let name = format!("{}-no-cookie", kind.name());
            let challenge = client.introduce(&name).await;
            let log = Mark::of(&scene.log);
            client.answer(challenge).await;
            client.closed().await;
            log.told("its proof is wrong", &name).await;
            // As a stock node says it.
            let mut client = scene.client(kind).await.with_cookie(cookie);
            let challenge = client.challenged(Client::name(&name)).await;
            let log = Mark::of(&scene.log);
            client.answer(challenge).await;
            client.closed().await;
            log.told("it was not authenticated", &name).await;
        }
        // What answers another question than that which was asked.
        let mut client = scene.client(kind).await;
        let challenge = client.introduce("parrot").await;
        let log = Mark::of(&scene.log);
        client.answer(challenge ^ 1).await;
        client.closed().await;
        log.told("it was not authenticated", "parrot").await;
        // What was never asked.
        let mut client = scene.client(kind).await;
        let log = Mark::of(&scene.log);
        client.send(AuthBody::Reply(ChallengeReply { challenge: 0, digest: Vec::new() })).await;
        client.closed().await;
        log.told("it was not authenticated", &client.address).await;
        scene.serves(kind).await;
    }
    assert!(peer("parrot").is_none());
    scene.end().await;
}

#[tokio::test]
async fn of_two_peers_with_one_name_one_is_let_in() {
    let mut scene = Scene::start("names").await;
    let mut first = scene.client(TransportKind::Tcp).await;
    first.join("twin").await;
    let mut second = scene.client(TransportKind::Tcp).await;
    let log = Mark::of(&scene.log);
    // Who of the two stays is decided by numbers that they drew, as between stock nodes.
    second.send(second.hello()).await;
    second.send(Client::name("twin")).await;
    let challenge = second.try_challenge().await;
    let survivor = match challenge {
        Some(challenge) => {
            second.answer(challenge).await;
            first.closed().await;
            log.told("duplicate_connection", "twin").await;
            second.send(Frame::Announcement(second.announcement())).await;
            second.expect_announcement().await;
            second.send(Frame::Settled(Settled {})).await;
            second.send_ready().await;
            second.await_ready().await;
            &mut second
        }
        None => {
            second.closed().await;
            log.told("it was not authenticated", "twin").await;
            &mut first
        }
    };
    let answer = survivor.call(scene.counter(), "Sum").await;
    assert_eq!(u64::from_bytes(answer), 0);
    let is_twin = |peer: &peers::PeerInfo| peer.name == "twin@elsewhere";
    until("one twin is left", || peers::list().iter().filter(|it| is_twin(it)).count() == 1).await;
    // And no peer may have the node's own name.
    let log = Mark::of(&scene.log);
    let mut client = scene.client(TransportKind::Tcp).await;
    client.send(client.hello()).await;
    let AuthBody::Name(mut name) = Client::name("names") else { unreachable!() };
    name.name = "names@localhost".to_owned();
    client.send(AuthBody::Name(name)).await;
    if let Some(challenge) = client.try_challenge().await {
        _ = client.try_answer(challenge).await;
    }
    client.closed().await;
    log.told("it has the name or the address of this node", &client.address).await;
    scene.node.next(Stage::Disconnected).await;
    scene.end().await;
}

/// A peer that is back at once under its name does not lose to its session of before, which ends
/// and takes its time for that.
#[tokio::test]
async fn a_session_that_ends_takes_no_name_from_its_successor() {
    let mut scene = Scene::start("successors").await;
    for kind in KINDS {
        let name = format!("{}-successor", kind.name());
        let mut first = scene.client(kind).await;
        first.join(&name).await;
        let ending = scene.node.next(Stage::Ready).await.session;
        // Its end waits for the first client, which keeps its connection.
        ending.stop(None);
        while ending.get_status() < ActorStatus::Stopping {
            tokio::task::yield_now().await;
        }
        let mut second = scene.client(kind).await;
        second.send(second.hello()).await;
        let AuthBody::Name(mut named) = Client::name(&name) else { unreachable!() };
        // Of two sessions that stay this one would be the one to go.
        named.connection_id = u64::MAX;
        second.send(AuthBody::Name(named)).await;
        let challenge = second.try_challenge().await.expect("the name is free");
        second.answer(challenge).await;
        assert!(matches!(second.auth().await, AuthBody::Ack(_)), "{kind}: it is let in");
        second.send(Frame::Announcement(second.announcement())).await;
        second.expect_announcement().await;
        first.closed().await;
    }
    scene.end().await;
}

#[tokio::test]
async fn a_link_joins_no_session_without_proof() {
    let mut scene = Scene::start("attach").await;
    let mut guest = scene.guest(TransportKind::Tcp).await;
    for kind in KINDS {
        // A session that does not exist; a nonce of a wrong length.
        for (session, nonce) in [(32, 32), (0, 32), (7, 32), (32, 1)] {
            let mut link = scene.client(kind).await;
            let log = Mark::of(&scene.log);
            let attach = Attach { session: vec![1; session], nonce: vec![2; nonce] };
            link.send(Frame::Attach(attach)).await;
            link.closed().await;
            log.told("no session here takes this link", &link.address).await;
        }
        // A proof of nothing, and one of another link of the same session, listened to.
        let mut link = scene.client(kind).await;
        let proof = link.attach(&guest).await;
        let mut other = scene.client(kind).await;
        let fresh = other.attach(&guest).await;
        assert_ne!(proof, fresh);
        for wrong in [vec![0; 32], Vec::new(), proof.proof.clone()] {
            let mut thief = scene.client(kind).await;
            thief.attach(&guest).await;
            let log = Mark::of(&scene.log);
            thief.send(Frame::AttachProof(AttachProof { proof: wrong })).await;
            thief.closed().await;
            log.told("does not know the session's secret", &thief.address).await;
        }
        // Something else in its place.
        let mut link = scene.client(kind).await;
        link.attach(&guest).await;
        let log = Mark::of(&scene.log);
        link.send(Frame::AttachAccepted(AttachAccepted {})).await;
        link.closed().await;
        log.told("did not send its proof", &link.address).await;
    }
    // None of these took the session, and a client that knows the secret may join it a few times.
    let mut links = Vec::new();
    for _ in 0..7 {
        let mut link = scene.client(TransportKind::Tcp).await;
        let proof = link.attach(&guest).await;
        link.send(Frame::AttachProof(proof)).await;
        let Frame::AttachAccepted(_) = link.ours().await else { panic!("it was proven") };
        links.push(link);
    }
    let mut link = scene.client(TransportKind::Tcp).await;
    let proof = link.attach(&guest).await;
    let log = Mark::of(&scene.log);
    link.send(Frame::AttachProof(proof)).await;
    link.closed().await;
    log.told("there are enough", "guest-1").await;
    let answer = guest.call(scene.counter(), "Sum").await;
    assert_eq!(u64::from_bytes(answer), 0);
    // An attach is the first of a connection, or nothing.
    let log = Mark::of(&scene.log);
    let attach = Attach { session: vec![1; 32], nonce: vec![2; 32] };
    guest.send(Frame::Attach(attach)).await;
    guest.closed().await;
    log.told("a frame that was not due", "guest-1").await;
    scene.end().await;
}
