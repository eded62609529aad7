//! Peers that claim to be another process of a peer's name.

use ractor_cluster::transport::TransportKind;

use crate::common::{peer, until};
use crate::logs::Mark;
use crate::scene::Scene;
use crate::wire::{Frame, Proof};

const GREATEST: [u8; 16] = [0xff; 16];

/// What is claimed counts from its proof on.
#[tokio::test]
async fn who_does_not_know_the_cookie_replaces_nobody() {
    let mut scene = Scene::start("claimed").await;
    let mut victim = scene.client(TransportKind::Tcp).await.with_incarnation([1; 16]);
    victim.join("victim").await;
    for cookie in ["another", crate::common::COOKIE] {
        let client = scene.client(TransportKind::Tcp).await.with_cookie(cookie);
        let mut client = client.with_incarnation(GREATEST);
        let challenge = client.introduce("victim").await;
        let log = Mark::of(&scene.log);
        // A proof by another cookie, and one by the right cookie for another incarnation.
        let client = &mut client;
        if cookie == crate::common::COOKIE {
            let mut other = scene.client(TransportKind::Tcp).await.with_incarnation([2; 16]);
            other.introduce("victim").await;
            client.send(Frame::Proof(Proof { proof: other.proof() })).await;
            _ = client.try_reply(challenge).await;
        } else {
            _ = client.try_answer(challenge).await;
        }
        client.closed().await;
        log.told("its proof is wrong", "victim").await;
        let there = peer("victim").expect("it is there").incarnation.expect("it has one");
        assert!(there.to_string().ends_with("-0101010101010101"), "{there}");
    }
    victim.call(scene.counter(), "Sum").await;
    scene.serves(TransportKind::Tcp).await;
    scene.end().await;
}

/// The greatest number there is gives a name as long as its process answers, and no longer.
#[tokio::test]
async fn the_greatest_incarnation_does_not_keep_a_name() {
    let scene = Scene::start("greatest").await;
    let mut greatest = scene.client(TransportKind::Tcp).await.with_incarnation(GREATEST);
    greatest.join("name").await;
    let is = |end: &str| {
        let incarnation = peer("name").and_then(|it| it.incarnation);
        incarnation.is_some_and(|it| it.to_string().ends_with(end))
    };
    until("it is there", || is("-ffffffffffffffff")).await;
    // It answers nothing from here on, and keeps its connection.
    let mut next = scene.client(TransportKind::Tcp).await.with_incarnation([7; 16]);
    next.join("name").await;
    until("it has the name", || is("-0707070707070707")).await;
    greatest.closed().await;
    // Nor when it comes back, since the other one answers: it is handled as older from now on.
    next.call(scene.counter(), "Sum").await;
    let mut again = scene.client(TransportKind::Tcp).await.with_incarnation([8; 16]);
    again.join("name").await;
    until("a newer one has it", || is("-0808080808080808")).await;
    scene.end().await;
}
