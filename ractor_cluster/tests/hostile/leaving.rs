//! A node that leaves in order is no reason for alarm.

use ractor::call;
use ractor_cluster::link::options::{Location, Peer, PeerPolicy};
use ractor_cluster::link::LinkOptions;
use ractor_cluster::peers::{self, PeerEvent};
use ractor_cluster::transport::TransportKind;

use crate::common::{peer, until, watched, Node, Stage};
use crate::scene::{proxy_of, Count, Scene};

/// How many messages are sent just before a node leaves.
const MANY: u64 = 500;

/// Either node leaves, over each kind of link, right after messages were sent. No node warns of a
/// lost message or reports one.
#[tokio::test]
async fn who_leaves_in_order_warns_of_no_lost_messages() {
    for (location, leaver) in [
        (Location::Remote, "dialler"),
        (Location::Remote, "listener"),
        (Location::Auto, "dialler"),
        (Location::Auto, "listener"),
    ] {
        let (name, other) = (format!("left-{leaver}"), format!("leaving-{leaver}"));
        let mut scene = Scene::with(&name, LinkOptions::default()).await;
        let policy = PeerPolicy::default().with_location(location);
        let options = LinkOptions::default().with_peer(Peer::named(&name), policy);
        let mut dialler = Node::start(&other, options).await;
        dialler.connect_to(&scene.address(TransportKind::Tcp)).await;
        dialler.next(Stage::Ready).await;
        let node_id = peer(&name).expect("it is connected").node_id;
        let mut events = peers::events();
        // Within a process there are no proxies.
        let counter = match location {
            Location::Remote => proxy_of(&format!("counters of {name}"), node_id).await,
            _ => scene.actor(),
        };
        for _ in 0..MANY {
            counter.cast(Count::Add(1)).expect("there is room");
        }
        let sum = watched(async { call!(counter, Count::Sum) }).await.expect("it answers");
        assert_eq!(sum, MANY);
        let log = if leaver == "dialler" {
            dialler.stop().await;
            until("it is gone", || peer(&other).is_none()).await;
            scene.serves(TransportKind::Tcp).await;
            scene.end_with_log().await
        } else {
            let log = scene.end_with_log().await;
            until("it is gone", || peer(&name).is_none()).await;
            dialler.stop().await;
            log
        };
        for alarm in ["unacknowledged", "lost", "cannot be written to", "a link broke"] {
            // The guests of the scene, which go without a word, are another matter.
            for peer in [&format!("{name}@"), &format!("{other}@"), "this process"] {
                log.never_warns_of(alarm, peer);
            }
        }
        while let Ok(event) = events.try_recv() {
            if let PeerEvent::Gone { node_id: of, unacknowledged, .. } = event {
                assert!(of != node_id || unacknowledged == Some(0), "{unacknowledged:?} are lost");
            }
        }
    }
}
