//! Sessions of a cluster that is larger than its full mesh. `tests/names` has names of such a one,
//! whose nodes are processes: nodes of one process find each other's actors without a session.

use std::collections::BTreeSet;

use mycelium_ext::names::Names;
use mycelium_ext::ractor_cluster::NodeServerMessage;

use super::members::{cluster, sees};
use super::names::answers;
use super::*;

async fn member(name: &str, seed: Option<&Node>, full_mesh: u64) -> Node {
    let cluster = cluster(seed).with_full_mesh_up_to(full_mesh);
    started(node(name).limits(eager()).cluster(cluster)).await
}

fn names(node: &Node) -> &Names {
    node.names().expect("it has a cluster")
}

/// The names of the peers with which a node has sessions.
fn peers(node: &Node) -> BTreeSet<String> {
    let short = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
    node.peers().iter().map(|peer| short(&peer.name)).collect()
}

/// Waits until a node has sessions with these, and with no others.
async fn has(node: &Node, others: &[&str]) {
    let others: BTreeSet<String> = others.iter().map(|name| (*name).to_owned()).collect();
    soon(async {
        while peers(node) != others {
            tokio::time::sleep(SHORT / 10).await;
        }
    })
    .await;
}

/// Ends all sessions of a node.
async fn end_sessions(node: &Node) {
    let sessions = node.server().call(NodeServerMessage::GetSessions, None);
    let sessions = soon(sessions).await.expect("it is sent").expect("an answer");
    sessions.into_values().for_each(|session| session.actor.stop(Some("a test".to_owned())));
}

/// A node has never had a session with this one, as far as it was told.
fn never_met(events: &mut Receiver<NodeEvent>, other: &str) {
    while let Ok(event) = events.try_recv() {
        if let NodeEvent::Connected(peer) = event {
            assert_ne!(peer.name, format!("{other}@test"), "they have no use for each other");
        }
    }
}

#[tokio::test]
async fn beyond_the_full_mesh_a_node_has_the_sessions_that_it_asks_for() {
    let a = member("a", None, 1).await;
    let (b, c) = (member("b", Some(&a), 1).await, member("c", Some(&a), 1).await);
    for node in [&a, &b, &c] {
        sees(node, &["a", "b", "c"]).await;
    }
    let mut of_a = a.events();
    // The greater name dials as well, and at once.
    let reach = b.reach("a").expect("it has a cluster");
    has(&b, &["a"]).await;
    has(&a, &["b"]).await;

    // It is made again when it breaks.
    let mut of_b = b.events();
    end_sessions(&a).await;
    assert_eq!(event(&mut of_b, disconnected).await, "a@test");
    has(&b, &["a"]).await;

    // When nobody asks any more it stays, and is not made again: `a` has none with `c` below.
    let mut of_c = c.events();
    let reach_of_c = c.reach("a").expect("it has a cluster");
    has(&c, &["a"]).await;
    drop(reach_of_c);
    end_sessions(&c).await;
    assert_eq!(event(&mut of_c, disconnected).await, "a@test");
    has(&a, &["b"]).await;
    drop(reach);

    // Who has a name has sessions with all, also with those that come later.
    let actor = answers(7).await;
    let archive = soon(names(&b).register("archive", &actor)).await.expect("it is free");
    has(&b, &["a", "c"]).await;
    let d = member("d", Some(&c), 1).await;
    has(&b, &["a", "c", "d"]).await;
    has(&c, &["b"]).await;
    has(&a, &["b"]).await;
    never_met(&mut of_a, "d");
    archive.unregister();

    // And so has who asks for all.
    let all = a.reach_all().expect("it has a cluster");
    has(&a, &["b", "c", "d"]).await;
    drop(all);
    for node in [d, c, b, a] {
        node.stop().await;
    }
}

#[tokio::test]
async fn up_to_the_full_mesh_all_have_sessions_with_all() {
    let a = member("a", None, 3).await;
    let (b, c) = (member("b", Some(&a), 3).await, member("c", Some(&a), 3).await);
    has(&a, &["b", "c"]).await;
    has(&b, &["a", "c"]).await;
    has(&c, &["a", "b"]).await;
    // One more is too many. Sessions that are there stay.
    let d = member("d", Some(&a), 3).await;
    for node in [&a, &b, &c, &d] {
        sees(node, &["a", "b", "c", "d"]).await;
    }
    let reach = d.reach("c").expect("it has a cluster");
    soon(d.connected("c")).await;
    assert!(peers(&a).is_superset(&["b", "c"].map(str::to_owned).into()));
    drop(reach);
    // There are three again: all meet.
    b.stop().await;
    has(&a, &["c", "d"]).await;
    has(&d, &["a", "c"]).await;
    let plain = started(node("plain")).await;
    assert!(plain.reach("a").is_none() && plain.reach_all().is_none());
    for node in [plain, d, c, a] {
        node.stop().await;
    }
}
