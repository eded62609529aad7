//! Peers that answer pings which they were not sent, or answer too often, or late: the round trip
//! of their link is measured by this node's own clock and record.

use std::time::{Duration, Instant};

use ractor_cluster::link::view::{self, RoundTrip};
use ractor_cluster::link::LinkOptions;
use ractor_cluster::transport::TransportKind;

use crate::client::Client;
use crate::common::{peer, watched};
use crate::scene::Scene;
use crate::stock::stock;
use crate::wire::{Body, ControlBody, Enveloped, Frame, Network, Ours, Ping, Pong, Timestamp};

/// So many answers to one ping.
const FLOOD: usize = 1000;

/// The control message in a frame, in an envelope or not.
fn control(frame: Network) -> Option<ControlBody> {
    match frame.body {
        Some(Body::Control(control)) => control.body,
        Some(Body::Ours(Ours { frame: Some(Frame::Envelope(envelope)) })) => match envelope.body {
            Some(Enveloped::Control(control)) => control.body,
            _ => None,
        },
        _ => None,
    }
}

/// What the node's next ping has the peer repeat.
async fn pinged(client: &mut Client) -> Timestamp {
    let timestamp = |frame| match control(frame) {
        Some(ControlBody::Ping(Ping { timestamp })) => timestamp,
        _ => None,
    };
    client.find(timestamp).await
}

/// Returns once the node has handled all that the peer has sent.
async fn handled(client: &mut Client) {
    let timestamp = Some(Timestamp { seconds: 7, nanos: 7 });
    client.send(ControlBody::Ping(Ping { timestamp })).await;
    let is_answer = |frame| match control(frame) {
        Some(ControlBody::Pong(pong)) => (pong.timestamp == timestamp).then_some(()),
        _ => None,
    };
    client.find(is_answer).await;
}

/// What the node knows of the link to this peer.
fn round_trip(name: &str) -> Option<RoundTrip> {
    let node_id = peer(name).expect("it is connected").node_id;
    let session = view::sessions().into_iter().find(|session| session.node_id == node_id);
    session.expect("it has a session").links[0].round_trip
}

/// What no ping had, or none of this link.
fn absurd(pinged: Timestamp) -> Vec<Option<Timestamp>> {
    let Timestamp { seconds, nanos } = pinged;
    let at = |seconds, nanos| Some(Timestamp { seconds, nanos });
    vec![
        None,
        at(0, 0),
        at(seconds, nanos - 1),
        at(seconds, nanos + 1),
        at(seconds + 60, nanos),
        at(seconds, -1),
        at(seconds, 1_000_000_000),
        at(-1, nanos),
        at(i64::MIN, i32::MIN),
        at(i64::MAX, i32::MAX),
    ]
}

async fn lies(client: &mut Client, name: &str, begun: Instant) {
    let pong = |timestamp| ControlBody::Pong(Pong { timestamp });
    let first = pinged(client).await;
    for timestamp in absurd(first) {
        client.send(pong(timestamp)).await;
    }
    handled(client).await;
    assert_eq!(round_trip(name), None, "none of them is an answer");

    let second = pinged(client).await;
    let answers = Client::encoded(pong(Some(second))).repeat(FLOOD);
    client.send_bytes(&answers).await.expect("the node takes it");
    // It was kept back, and comes behind the answer to the next one.
    client.send(pong(Some(first))).await;
    handled(client).await;
    let seen = round_trip(name).expect("one is an answer");
    let RoundTrip { latest, smoothed, smallest, answered, .. } = seen;
    assert_eq!(answered, 1, "{seen:?}");
    assert_eq!([smoothed, smallest], [latest, latest], "{seen:?}");
    assert!(latest > Duration::ZERO && latest <= begun.elapsed(), "{seen:?}");

    let third = pinged(client).await;
    client.send(pong(Some(third))).await;
    handled(client).await;
    let then = round_trip(name).expect("it is kept");
    assert_eq!(then.answered, 2, "{then:?}");
    assert!(then.smallest == latest.min(then.latest), "{seen:?} {then:?}");
    let (least, most) = (latest.min(then.latest), latest.max(then.latest));
    assert!(least <= then.smoothed && then.smoothed <= most, "{seen:?} {then:?}");
}

/// A node that sends the pings alone that it sends to all peers: it asks no silent one.
async fn scene(name: &str) -> Scene {
    let options = LinkOptions::default()
        .with_reconnect_grace(Duration::ZERO)
        .with_silence_timeout(Duration::ZERO);
    Scene::with(name, options).await
}

#[tokio::test]
async fn a_liar_of_the_fork_makes_no_round_trip_up() {
    let mut scene = scene("pings-fork").await;
    let begun = Instant::now();
    let mut liar = scene.guest(TransportKind::Tcp).await;
    watched(lies(&mut liar, "guest-1", begun)).await;
    scene.end().await;
}

#[tokio::test]
async fn a_stock_node_has_a_round_trip_and_makes_none_up() {
    let scene = scene("pings-stock").await;
    let begun = Instant::now();
    let mut liar = stock(&scene, "pings-stock").await;
    watched(lies(&mut liar, "pings-stock", begun)).await;
    scene.end().await;
}
