//! Nodes that find each other by gossip.

use std::collections::HashSet;

use mycelium_ext::config::ClusterSettings;
use mycelium_ext::membership::{MemberEvent, MemberState, Membership};

use super::*;

/// The settings of a cluster whose nodes find each other fast.
pub(super) fn cluster(seed: Option<&Node>) -> ClusterSettings {
    let mut cluster = ClusterSettings::default();
    cluster.pace.interval = Duration::from_millis(50).into();
    match seed {
        Some(node) => cluster.with_seed(&membership(node).address().to_string()).expect("a seed"),
        None => cluster,
    }
}

pub(super) fn membership(node: &Node) -> &Membership {
    node.membership().expect("it has a cluster")
}

pub(super) async fn member(name: &str, seed: Option<&Node>) -> Node {
    started(node(name).limits(eager()).cluster(cluster(seed))).await
}

/// Waits until these members are alive, and no others.
pub(super) async fn sees(node: &Node, names: &[&str]) {
    let alive = membership(node).wait_for(|members| {
        let alive = members.iter().filter(|it| it.state.is_alive());
        alive.map(|it| it.name.split('@').next()).eq(names.iter().map(|name| Some(*name)))
    });
    soon(alive).await;
}

/// The first event of the members that `wanted` takes.
async fn told<T>(
    events: &mut Receiver<MemberEvent>,
    wanted: impl Fn(MemberEvent) -> Option<T>,
) -> T {
    soon(async {
        loop {
            if let Some(found) = wanted(events.recv().await.expect("an event")) {
                return found;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_cluster_is_found_from_one_seed_and_sessions_are_kept() {
    let seed = member("b", None).await;
    let (first, last) = (member("a", Some(&seed)).await, member("c", Some(&seed)).await);
    let nodes = [(&first, ["b", "c"]), (&seed, ["a", "c"]), (&last, ["a", "b"])];
    for (node, others) in nodes {
        sees(node, &["a", "b", "c"]).await;
        for other in others {
            soon(node.connected(other)).await;
        }
        // One session for each pair, whoever dialled.
        assert_eq!(node.peers().len(), 2);
    }
    let members = membership(&seed).members();
    let of_first = members.iter().find(|it| &*it.name == "a@test").expect("it is one");
    assert_eq!(of_first.addresses[0], first.addresses()[0].to_string());
    let session = soon(seed.connected("a")).await;
    let announced = session.incarnation.expect("a node of the fork").to_bytes();
    assert_eq!(of_first.incarnation.expect("it tells").to_bytes(), announced);

    // One goes, and comes back.
    let (mut events, mut members) = (seed.events(), membership(&seed).events());
    first.stop().await;
    assert_eq!(event(&mut events, disconnected).await, "a@test");
    let down = |event| match event {
        MemberEvent::Down(it) => Some((it.name.to_string(), it.state)),
        _ => None,
    };
    assert_eq!(told(&mut members, down).await, ("a@test".to_owned(), MemberState::Down));
    let first = member("a", Some(&last)).await;
    for node in [&first, &seed, &last] {
        sees(node, &["a", "b", "c"]).await;
    }
    let again = soon(seed.connected("a")).await.incarnation.expect("a node of the fork");
    assert_ne!(again.to_bytes(), announced);
    soon(last.connected("a")).await;
    for node in [first, seed, last] {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_configuration_says_where_the_cluster_is() {
    let seed = member("seed", None).await;
    let address = membership(&seed).address().to_string();
    let environment = Environment::of([
        ("MYCELIUM_NODE_COOKIE", "new sesame"),
        ("MYCELIUM_CLUSTER_SEEDS", &address),
        ("OLD_COOKIE", "sesame"),
    ]);
    let text = "[node]\nname = \"worker\"\nhost = \"test\"\n\
                [cluster]\ninterval = \"50ms\"\nalso_accept_env = \"OLD_COOKIE\"\n";
    let config = Config::parse(text, "mycelium.toml", &environment).expect("right");
    let worker = started(Node::from_config(&config).expect("supported")).await;
    // It understands the old cookie. Those that do not know the new one do not understand it.
    let counted = async {
        let refused = mycelium_ext::membership::Refused::Unsealed;
        while membership(&seed).refused(refused) == 0 {
            tokio::time::sleep(SHORT).await;
        }
    };
    soon(counted).await;
    let mut both = cluster(Some(&seed));
    both.also_accept = Some(mycelium_ext::config::Secret::new("new sesame").into());
    let between = started(node("between").cluster(both)).await;
    sees(&between, &["between", "seed"]).await;
    let mut late = cluster(Some(&between));
    late.also_accept = Some(mycelium_ext::config::Secret::new("sesame").into());
    let late = started(node("late").cookie("new sesame").cluster(late)).await;
    sees(&late, &["between", "late", "seed"]).await;
    // Their sessions need the same cookie.
    soon(between.connected("seed")).await;
    for node in [seed, worker, between, late] {
        node.stop().await;
    }
}

#[tokio::test]
async fn two_nodes_of_one_name_are_told_of_and_the_later_one_has_the_session() {
    let a = member("a", None).await;
    let mut events = membership(&a).events();
    let first = member("twin", Some(&a)).await;
    let before = soon(a.connected("twin")).await.incarnation;
    let second = member("twin", Some(&a)).await;
    let contested = |event| match event {
        MemberEvent::Contested { name, holder, .. } => Some((name.to_string(), holder)),
        _ => None,
    };
    let (name, holder) = told(&mut events, contested).await;
    assert_eq!(name, "twin@test");
    let held =
        || a.peers().iter().find_map(|peer| peer.incarnation).filter(|it| Some(*it) != before);
    soon(async {
        while held().is_none_or(|it| it.to_bytes() != holder.to_bytes()) {
            tokio::time::sleep(SHORT).await;
        }
    })
    .await;
    assert_eq!(a.peers().len(), 1);
    for node in [a, first, second] {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_node_without_a_seed_runs_and_peers_of_the_configuration_are_dialled_as_before() {
    let plain = started(node("plain")).await;
    assert!(plain.membership().is_none());
    let nowhere = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it");
    let alone = cluster(None).with_seed(&nowhere.to_string()).expect("a seed");
    let peer = plain.addresses()[0].clone();
    let alone = started(node("alone").cluster(alone).peer(name("plain"), peer)).await;
    let mut events = membership(&alone).events();
    let nobody = |event| match event {
        MemberEvent::NoSeedAlive { seeds } => Some(seeds.to_vec()),
        _ => None,
    };
    assert_eq!(told(&mut events, nobody).await, [nowhere.to_string()]);
    soon(alone.connected("plain")).await;
    let names: HashSet<_> = membership(&alone).members().iter().map(|it| it.name.clone()).collect();
    assert_eq!(names, HashSet::from(["alone@test".into()]));
    // Its port for gossip is free when it has stopped.
    let gossip = membership(&alone).address();
    alone.stop().await;
    std::net::UdpSocket::bind(gossip).expect("the port is free");
    plain.stop().await;
}

#[tokio::test]
async fn what_cannot_gossip_does_not_start() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().map(|it| (taken, it)).expect("an address");
    let mut settings = cluster(None);
    settings.gossip =
        Some(taken.1.to_string().parse::<mycelium_ext::address::Endpoint>().expect("one").into());
    let error = soon(node("a").cluster(settings).start()).await.expect_err("it is taken");
    assert!(matches!(error, StartError::Membership(_)), "{error}");
    assert!(error.to_string().contains("by UDP"), "{error}");
    let mut settings = cluster(None);
    settings.advertise = Some(
        "no-such-host.invalid:1".parse::<mycelium_ext::address::Endpoint>().expect("one").into(),
    );
    let error = soon(node("a").cluster(settings).start()).await.expect_err("no such host");
    assert!(matches!(error, StartError::Resolve { .. }), "{error}");
}
