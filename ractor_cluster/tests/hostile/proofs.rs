//! Peers that say that they are of the fork, and cannot prove that they know the cookie.

use ractor_cluster::transport::TransportKind;
use tokio::net::TcpListener;

use crate::client::Client;
use crate::common::{peer, watched};
use crate::logs::{Mark, PAYLOAD};
use crate::scene::{Scene, KINDS};
use crate::wire::{AuthBody, Challenge, ChallengeAck, Flags, Frame, Proof, ServerStatus};

/// A listener of the test's to which the node of the scene has connected.
async fn dialled(scene: &Scene) -> Client {
    let door = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
    let address = door.local_addr().expect("it is bound").to_string();
    scene.node.connect_to(&address).await;
    let (stream, _) = watched(door.accept()).await.expect("it connects");
    Client::accepted(stream)
}

/// Stock's handshake alone, which 32 bits protect, is not enough for who says hello.
#[tokio::test]
async fn stocks_handshake_proves_nothing_of_a_node_of_the_fork() {
    let mut scene = Scene::start("proofs").await;
    for kind in KINDS {
        // The right answer to stock's challenge, and no proof.
        let mut client = scene.client(kind).await;
        let challenge = client.introduce("unproven").await;
        let log = Mark::of(&scene.log);
        client.try_reply(challenge).await.expect("the node takes it");
        client.closed().await;
        log.told("it has not proven that it knows the cookie", "unproven").await;
        // A proof of another connection of the same node, one cut short, and none.
        let mut other = scene.client(kind).await;
        other.introduce("unproven").await;
        let of_another = other.proof();
        for wrong in [of_another, other.proof()[1..].to_vec(), vec![0; 32], Vec::new()] {
            let mut client = scene.client(kind).await;
            let challenge = client.introduce("unproven").await;
            let log = Mark::of(&scene.log);
            client.send(Frame::Proof(Proof { proof: wrong })).await;
            _ = client.try_reply(challenge).await;
            client.closed().await;
            log.told("its proof is wrong", "unproven").await;
        }
        // The right one, too early, and twice.
        let mut client = scene.client(kind).await;
        client.send(client.hello()).await;
        let log = Mark::of(&scene.log);
        let proof = PAYLOAD.as_bytes().to_vec();
        client.send(Frame::Proof(Proof { proof })).await;
        client.closed().await;
        log.told("it has not proven", &client.address).await;
        let mut client = scene.client(kind).await;
        client.introduce("twice").await;
        let proof = client.proof();
        client.send(Frame::Proof(Proof { proof: proof.clone() })).await;
        let log = Mark::of(&scene.log);
        client.send(Frame::Proof(Proof { proof })).await;
        client.closed().await;
        log.told("it has not proven", "twice").await;
        scene.serves(kind).await;
    }
    assert!(peer("unproven").is_none() && peer("twice").is_none());
    scene.end().await;
}

/// A proof of one end is none of the other: an echo lets no peer in.
#[tokio::test]
async fn a_node_that_dials_demands_a_proof_too() {
    let scene = Scene::start("proofs-of-others").await;
    for (name, with) in [("mute", None), ("parrot", Some(false)), ("zeros", Some(true))] {
        let mut server = dialled(&scene).await;
        let AuthBody::Name(_) = server.auth().await else { panic!("the node gave no name") };
        server.send(server.hello()).await;
        server.send(AuthBody::ServerStatus(ServerStatus { status: 0 })).await;
        server.send(server.challenge(name)).await;
        let AuthBody::Reply(reply) = server.auth().await else { panic!("no answer") };
        let theirs = server.their_proof().expect("it comes before the answer");
        let log = Mark::of(&scene.log);
        if let Some(zeros) = with {
            let proof = if zeros { vec![0; 32] } else { theirs };
            server.send(Frame::Proof(Proof { proof })).await;
        }
        let digest = server.digest(reply.challenge);
        _ = server.try_send(AuthBody::Ack(ChallengeAck { digest })).await;
        server.closed().await;
        let complaint = if with.is_none() { "it has not proven" } else { "its proof is wrong" };
        log.told(complaint, name).await;
    }
    assert!(["mute", "parrot", "zeros"].iter().all(|name| peer(name).is_none()));
    scene.end().await;
}

/// Who has named itself as a stock node does does not turn into another one.
#[tokio::test]
async fn a_hello_comes_before_the_name() {
    let scene = Scene::start("late-hello").await;
    let mut client = scene.client(TransportKind::Tcp).await;
    client.challenged(Client::name("late")).await;
    let log = Mark::of(&scene.log);
    client.send(client.hello()).await;
    client.closed().await;
    log.told("its Hello came behind its name", "late").await;
    scene.end().await;
}

/// Stock announces the version of its protocol, and never looks at the peer's.
#[tokio::test]
async fn another_version_of_stocks_protocol_is_refused_by_its_number() {
    let scene = Scene::start("old").await;
    for version in [0, 2, 99] {
        for hello in [false, true] {
            let mut client = scene.client(TransportKind::Tcp).await;
            if hello {
                client.send(client.hello()).await;
            }
            let AuthBody::Name(mut name) = Client::name("other") else { unreachable!() };
            name.flags = Some(Flags { version });
            let log = Mark::of(&scene.log);
            client.send(AuthBody::Name(name)).await;
            client.closed().await;
            let complaint = format!("it speaks version {version} of the protocol");
            log.told(&complaint, &client.address).await;
        }
        // And where the node dials.
        let mut server = dialled(&scene).await;
        let AuthBody::Name(name) = server.auth().await else { panic!("the node gave no name") };
        assert_eq!(name.flags, Some(Flags { version: 1 }));
        server.send(AuthBody::ServerStatus(ServerStatus { status: 0 })).await;
        let AuthBody::Challenge(challenge) = server.challenge("other") else { unreachable!() };
        let flags = Some(Flags { version });
        let log = Mark::of(&scene.log);
        server.send(AuthBody::Challenge(Challenge { flags, ..challenge })).await;
        server.closed().await;
        let complaint = format!("it speaks version {version} of the protocol");
        log.told(&complaint, &server.peer).await;
        assert!(server.secrets().is_empty(), "it was told what a cookie can be tried on");
    }
    // A name without flags is of no version.
    let mut client = scene.client(TransportKind::Tcp).await;
    let AuthBody::Name(mut name) = Client::name("other") else { unreachable!() };
    name.flags = None;
    let log = Mark::of(&scene.log);
    client.send(AuthBody::Name(name)).await;
    client.closed().await;
    log.told("it speaks version 0 of the protocol", &client.address).await;
    scene.end().await;
}
