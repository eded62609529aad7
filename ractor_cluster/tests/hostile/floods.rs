//! Peers that know the cookie, and send control traffic faster than a session handles it.

use std::time::Duration;

use ractor::pg;
use ractor_cluster::link::LinkOptions;
use ractor_cluster::transport::TransportKind;

use crate::client::Client;
use crate::common::{peer, until};
use crate::scene::{Scene, KINDS};
use crate::wire::{Acknowledgement, Actor, Body, ControlBody, Envelope, Frame, PgJoin};

fn join(group: &str, pid: u64) -> ControlBody {
    let actors = vec![Actor { pid, name: None }];
    ControlBody::PgJoin(PgJoin { group: group.to_owned(), actors, scope: pg::DEFAULT_SCOPE.into() })
}

/// The session is told of each frame when it has been handled, and not when it was read: what is acknowledged
/// can be seen.
#[tokio::test]
async fn control_traffic_is_acknowledged_when_it_is_handled() {
    const JOINS: u64 = 3000;
    let mut scene = Scene::start("handled").await;
    for kind in KINDS {
        let mut guest = scene.guest(kind).await;
        let group = format!("handled by {kind}");
        let first = guest.envelope(join(&group, 1)).sequence;
        // That number is used up, so it goes first.
        let mut bytes = Vec::new();
        for pid in 1..=JOINS {
            let body = Some(join(&group, pid).into());
            let sequence = first + pid - 1;
            let frame = Envelope { lane: 0, sequence, acknowledged: guest.seen, body };
            bytes.extend(Client::encoded(Frame::Envelope(frame)));
        }
        guest.send_bytes(&bytes).await.expect("the node takes it");
        let mut last = 0;
        while last < first + JOINS - 2048 - 1 {
            let acknowledged = guest
                .find(|frame| match frame.body? {
                    Body::Ours(ours) => match ours.frame? {
                        Frame::Acknowledgement(Acknowledgement { acknowledged, .. })
                        | Frame::Envelope(Envelope { acknowledged, .. }) => Some(acknowledged),
                        _ => None,
                    },
                    _ => None,
                })
                .await;
            let members = pg::get_members(&group).len() as u64;
            let handled = (acknowledged + 1).saturating_sub(first);
            assert!(members >= handled, "{handled} are acknowledged, and {members} handled");
            last = acknowledged;
        }
        drop(guest);
    }
    scene.end().await;
}

/// What waits of a peer keeps neither its grace nor the others waiting.
#[tokio::test]
async fn grace_does_not_wait_for_what_waits() {
    let options = LinkOptions::default().with_reconnect_grace(Duration::from_millis(50));
    let mut scene = Scene::with("grace", options).await;
    let mut guest = scene.guest(TransportKind::Tcp).await;
    let first = guest.envelope(join("grace", 1)).sequence;
    let mut bytes = Vec::new();
    for number in 0..20_000 {
        let body = Some(join(&format!("grace {number}"), number % 100).into());
        let frame = Envelope { lane: 0, sequence: first + number, acknowledged: guest.seen, body };
        bytes.extend(Client::encoded(Frame::Envelope(frame)));
    }
    guest.send_bytes(&bytes).await.expect("the node takes it");
    drop(guest);
    until("it is gone", || peer("guest-1").is_none()).await;
    let joined = (0..20_000).filter(|it| !pg::get_members(&format!("grace {it}")).is_empty());
    // The proxies have stopped with the session.
    assert_eq!(joined.count(), 0);
    scene.end().await;
}
