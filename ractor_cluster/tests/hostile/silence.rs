//! Peers that are connected, and say nothing or little.

use std::time::Duration;

use ractor::BytesConvertable;
use ractor_cluster::link::LinkOptions;
use ractor_cluster::transport::TransportKind;

use crate::client::Client;
use crate::common::{peer, until};
use crate::logs::Mark;
use crate::scene::{Scene, KINDS};
use crate::wire::{Call, Frame, NodeBody};

/// The node's patience; that of the test is without end.
fn options() -> LinkOptions {
    LinkOptions::default()
        .with_silence_timeout(Duration::from_secs(1))
        .with_reconnect_grace(Duration::ZERO)
}

/// A stock peer is asked for signs of life as stock peers are, and one of the fork too; who gives
/// none has its connection closed, though that is open at both ends.
#[tokio::test]
async fn a_silent_peer_is_given_up() {
    let scene = Scene::with("silence", options()).await;
    for kind in KINDS {
        let log = Mark::of(&scene.log);
        let stock_name = format!("silent-stock-{kind}");
        let mut stock = scene.client(kind).await;
        let challenge = stock.challenged(Client::name(&stock_name)).await;
        stock.answer(challenge).await;
        let fork_name = format!("silent-fork-{kind}");
        let mut fork = scene.client(kind).await;
        fork.join(&fork_name).await;
        // It reads all that it is sent.
        stock.closed().await;
        fork.closed().await;
        for name in [stock_name, fork_name] {
            log.told("nothing came from a peer for too long", &name).await;
            until("it is gone", || peer(&name).is_none()).await;
        }
    }
    scene.end().await;
}

/// A frame may take longer than a silence: its parts are life enough.
#[tokio::test]
async fn a_peer_that_is_slow_is_not_silent() {
    let mut scene = Scene::with("slowness", options()).await;
    let mut slow = scene.guest(TransportKind::Tcp).await;
    let (variant, what) = ("Sum".to_owned(), Vec::new());
    let call = Call { to: scene.counter(), what, tag: 1, timeout_ms: None, variant };
    let envelope = slow.envelope(NodeBody::Call(call));
    let bytes = Client::encoded(Frame::Envelope(envelope));
    let (last, first) = bytes.split_last().expect("it is a frame");
    // Each question is answered by a byte, until several silences are over.
    let questions = first.len().min(10);
    let (each, rest) = first.split_at(questions);
    for byte in each {
        slow.receive().await.expect("it is not given up");
        slow.send_bytes(&[*byte]).await.unwrap();
    }
    slow.send_bytes(rest).await.unwrap();
    slow.send_bytes(&[*last]).await.unwrap();
    assert_eq!(u64::from_bytes(slow.reply(1).await), scene.sum().await);
    scene.end().await;
}
