//! A peer sends bytes that are no frame, or no frame of a node.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use prost::Message as _;
use ractor_cluster::transport::TransportKind;

use crate::client::Client;
use crate::logs::{Mark, PAYLOAD};
use crate::scene::{Scene, KINDS, MAX_FRAME};
use crate::wire::{AuthBody, ClientStatus, Frame, Network, Settled};

/// A frame as it goes over the wire.
fn framed(frame: &[u8]) -> Vec<u8> {
    [(frame.len() as u64).to_be_bytes().as_slice(), frame].concat()
}

fn encoded(frame: impl Into<Network>) -> Vec<u8> {
    framed(&frame.into().encode_to_vec())
}

#[tokio::test]
async fn what_is_no_frame_is_refused_by_every_listener() {
    let mut scene = Scene::start("bytes").await;
    let no_message = [&[0xff; 16], PAYLOAD.as_bytes()].concat();
    let request = format!("GET /{PAYLOAD} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let cases: [(&[u8], &str); 6] = [
        (request.as_bytes(), "exceeds configured limit"),
        (&u64::MAX.to_be_bytes(), "exceeds configured limit"),
        (&i64::MAX.to_be_bytes(), "exceeds configured limit"),
        (&(MAX_FRAME + 1).to_be_bytes(), "exceeds configured limit"),
        (&framed(&no_message), "no frame of a node"),
        // It says that there is more, and then there is not.
        (&framed(PAYLOAD.as_bytes())[..12], "after 4 of the 12 bytes of a frame"),
    ];
    for kind in KINDS {
        for (bytes, complaint) in cases {
            let log = Mark::of(&scene.log);
            let mut client = scene.client(kind).await;
            client.send_bytes(bytes).await.unwrap();
            client.shut_down().await.unwrap();
            client.closed().await;
            log.told(complaint, &client.address).await;
        }
        scene.serves(kind).await;
    }
    scene.end().await;
}

#[tokio::test]
async fn what_is_no_frame_ends_a_session_that_began() {
    let mut scene = Scene::start("bytes-within").await;
    let no_message = [&[0xff; 16], PAYLOAD.as_bytes()].concat();
    let cases: [(&[u8], &str); 2] = [
        (&u64::MAX.to_be_bytes(), "exceeds configured limit"),
        (&framed(&no_message), "a frame is no message"),
    ];
    for kind in KINDS {
        for (bytes, complaint) in cases {
            let mut guest = scene.guest(kind).await;
            let log = Mark::of(&scene.log);
            guest.send_bytes(bytes).await.unwrap();
            guest.closed().await;
            log.told(complaint, &guest.address).await;
        }
        scene.serves(kind).await;
    }
    scene.end().await;
}

#[tokio::test]
async fn a_tls_listener_speaks_nothing_else() {
    let mut scene = Scene::start("no-tls").await;
    let address = scene.address(TransportKind::Tls);
    let mut client = Client::tcp(&address).await;
    _ = client.try_send(Client::name("no-tls-client")).await;
    client.closed().await;
    scene.log.told("a connection is refused", &client.address).await;
    scene.serves(TransportKind::Tls).await;
    scene.end().await;
}

/// What a client sends of a session, changed here and there, cut, doubled and shuffled: whatever it
/// is, the node goes on.
#[test]
fn mutated_frames_harm_nobody_else() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let scene = runtime.block_on(Scene::start("mutations"));
    let client = runtime.block_on(scene.client(TransportKind::Tcp));
    let frames = [
        encoded(client.hello()),
        encoded(Client::name("mutant")),
        encoded(Frame::Announcement(client.announcement())),
        encoded(Frame::Settled(Settled {})),
        encoded(AuthBody::ClientStatus(ClientStatus { status: true })),
    ];
    let scene = Cell::new(Some(scene));
    let mutation = (0_usize..4096, any::<u8>());
    let session = proptest::collection::vec(
        (0..frames.len(), proptest::collection::vec(mutation, 0..4)),
        1..8,
    );
    let config = Config { cases: 256, rng_seed: RngSeed::Random, ..Config::default() };
    TestRunner::new(config)
        .run(&(session, any::<bool>()), |(session, joins)| {
            let mut bytes = Vec::new();
            for (frame, mutations) in &session {
                let mut frame = frames[*frame].clone();
                for (at, with) in mutations {
                    let at = at % frame.len();
                    frame[at] = *with;
                }
                bytes.extend(frame);
            }
            runtime.block_on(async {
                let mut all = scene.take().unwrap();
                let mut client = match joins {
                    true => all.guest(TransportKind::Tcp).await,
                    false => all.client(TransportKind::Tcp).await,
                };
                // A node that has had enough takes no more.
                _ = client.send_bytes(&bytes).await;
                _ = client.shut_down().await;
                client.closed().await;
                scene.set(Some(all));
            });
            Ok(())
        })
        .unwrap();
    runtime.block_on(scene.take().unwrap().end());
}
