//! What is said between nodes stays between them.

use ractor::BytesConvertable;
use ractor_cluster::transport::TransportKind;
use tokio::net::TcpListener;

use crate::client::{Client, ANSWER_TAG};
use crate::common::{node_server, watched, COOKIE};
use crate::logs::PAYLOAD;
use crate::scene::{Scene, KINDS};
use crate::wire::{Call, CallReply, Cast, Frame, NodeBody, Settled};

fn blob(to: u64, variant: &str) -> NodeBody {
    let bytes = PAYLOAD.as_bytes().to_vec().into_bytes();
    let what = [(bytes.len() as u64).to_be_bytes().as_slice(), &bytes].concat();
    NodeBody::Cast(Cast { to, what, variant: variant.to_owned() })
}

/// At any level: neither messages, nor what a cookie could be tried on, nor a share of a session's
/// secret.
#[tokio::test]
async fn the_log_tells_nothing_of_handshakes_and_messages() {
    let mut scene = Scene::start("quiet").await;
    let mut secrets = Vec::new();
    for kind in KINDS {
        let mut guest = scene.guest(kind).await;
        // Messages that an actor takes, that no actor can read, and that are for no actor.
        for body in [
            blob(scene.counter(), "Blob"),
            blob(scene.counter(), PAYLOAD),
            blob(u64::MAX, "Blob"),
            NodeBody::Reply(CallReply { to: 1, tag: 1, what: PAYLOAD.as_bytes().to_vec() }),
            NodeBody::Call(Call {
                to: scene.counter(),
                what: PAYLOAD.as_bytes().to_vec(),
                tag: ANSWER_TAG + 1,
                timeout_ms: None,
                variant: "Sum".to_owned(),
            }),
        ] {
            let envelope = guest.envelope(body.clone());
            guest.send(Frame::Envelope(envelope)).await;
            // And as stock sends them.
            guest.send(body).await;
        }
        guest.call(scene.counter(), "Sum").await;
        secrets.extend(guest.secrets());
        // As a stock node.
        let mut stock = scene.client(kind).await;
        let challenge = stock.challenged(Client::name("stock")).await;
        stock.answer(challenge).await;
        stock.auth().await;
        stock.send(blob(scene.counter(), "Blob")).await;
        secrets.extend(stock.secrets());
    }
    // The node as the one who dials.
    let door = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
    let address = door.local_addr().expect("it is bound").to_string();
    scene.node.connect_to(&address).await;
    let (stream, _) = watched(door.accept()).await.expect("it connects");
    let mut server = Client::accepted(stream);
    server.admit("quiet-server").await;
    server.send(Frame::Announcement(server.announcement())).await;
    loop {
        if let Frame::Settled(Settled { .. }) = server.ours().await {
            break;
        }
    }
    secrets.extend(server.secrets());
    assert!(secrets.len() > 3 * 6, "{} digests, proofs and shares", secrets.len());
    scene.serves(TransportKind::Tcp).await;
    scene.log.tells_nothing_of(secrets.iter().map(Vec::as_slice));
    scene.end().await;
}

#[test]
fn a_node_server_does_not_print_its_cookie() {
    let server = node_server("printed");
    let text = format!("{server:?}");
    assert!(text.contains("printed") && !text.contains(COOKIE), "{text}");
}
