//! Peers that know the cookie, and ask for more than they may: they get what they may, one line of
//! the log says so, and the others are served.

use std::time::Duration;

use ractor::pg;
use ractor_cluster::link::{Limit, Limits, LinkOptions};
use ractor_cluster::peers::{self, PeerEvent};
use ractor_cluster::transport::TransportKind;
use tokio::sync::broadcast;

use crate::client::Client;
use crate::common::{peer, until, watched};
use crate::logs::Mark;
use crate::scene::{Scene, KINDS};
use crate::watchdog::{watch, watch_queue};
use crate::wire::{
    Actor, ActorPreference, AuthBody, ControlBody, Enveloped, Frame, PgJoin, Preferences, Ready,
    Spawn, Terminate,
};

fn actors(pids: std::ops::Range<u64>) -> Vec<Actor> {
    pids.map(|pid| Actor { pid, name: Some(format!("actor-{pid}")) }).collect()
}

fn join(group: &str, actors: Vec<Actor>) -> ControlBody {
    let scope = pg::DEFAULT_SCOPE.to_owned();
    ControlBody::PgJoin(PgJoin { group: group.to_owned(), actors, scope })
}

async fn send(client: &mut Client, body: impl Into<Enveloped>) {
    let envelope = client.envelope(body);
    client.send(Frame::Envelope(envelope)).await;
}

/// Waits until the node has handled all that it was sent.
async fn handled(scene: &Scene, client: &mut Client) {
    client.call(scene.counter(), "Sum").await;
}

/// Which limits the peer came up against from here on, in order and with repetitions.
fn reached(events: &mut broadcast::Receiver<PeerEvent>, node_id: u64) -> Vec<Limit> {
    let mut limits = Vec::new();
    while let Ok(event) = events.try_recv() {
        match event {
            PeerEvent::LimitReached { node_id: of, limit } if of == node_id => limits.push(limit),
            _ => {}
        }
    }
    limits
}

#[tokio::test]
async fn a_peer_announces_as_much_as_it_may() {
    let limits =
        Limits::default().with_actors(5).with_groups(2).with_memberships(6).with_name_bytes(64);
    let options = LinkOptions::default().with_limits(limits).with_reconnect_grace(Duration::ZERO);
    let mut scene = Scene::with("excess", options).await;
    for kind in KINDS {
        let mut events = peers::events();
        let log = Mark::of(&scene.log);
        let mut client = scene.client(kind).await;
        let name = format!("greedy-{kind}");
        client.join(&name).await;
        let node_id = peer(&name).expect("it joined").node_id;
        let group = |number: u32| format!("greedy {kind} {number}");
        let members = |number| pg::get_members(&group(number)).len();
        // Many times, and all at once.
        for _ in 0..3 {
            send(&mut client, ControlBody::Spawn(Spawn { actors: actors(0..100) })).await;
        }
        handled(&scene, &mut client).await;
        for pid in 0..100 {
            let named = peers::where_is(node_id, &format!("actor-{pid}"));
            assert_eq!(named.is_some(), pid < 5, "{pid}");
        }
        send(&mut client, join(&group(0), actors(0..100))).await;
        send(&mut client, join(&group(1), actors(0..5))).await;
        for number in 2..100 {
            send(&mut client, join(&group(number), actors(0..1))).await;
        }
        let long = "x".repeat(65);
        send(&mut client, join(&long, actors(0..1))).await;
        let named = vec![Actor { pid: 0, name: Some(long.clone()) }];
        send(&mut client, ControlBody::Spawn(Spawn { actors: named })).await;
        let pins =
            (0..100).map(|pid| ActorPreference { pid, preference: 4, urgent: true }).collect();
        send(&mut client, Enveloped::Preferences(Preferences { actors: pins })).await;
        handled(&scene, &mut client).await;
        assert_eq!((members(0), members(1), members(2)), (5, 1, 0));
        assert!(pg::get_members(&long).is_empty());
        let expected = [
            Limit::Actors,
            Limit::Memberships,
            Limit::Groups,
            Limit::NameBytes,
            Limit::Preferences,
        ];
        assert_eq!(reached(&mut events, node_id), expected);
        for limit in expected {
            log.told(&format!("limit={limit}"), &name).await;
        }
        // What it gives up makes room.
        send(&mut client, ControlBody::Terminate(Terminate { ids: (0..5).collect() })).await;
        send(&mut client, join(&group(2), actors(200..205))).await;
        handled(&scene, &mut client).await;
        watched(async {
            while members(0) + members(1) > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(members(2), 5);
        drop(client);
        until("it is gone", || peer(&name).is_none()).await;
        assert!(peers::where_is(node_id, "actor-200").is_none());
        scene.serves(kind).await;
    }
    scene.end().await;
}

/// Frames that a node logs something of: a burst of lines, however many there are.
#[tokio::test]
async fn a_peer_has_no_line_logged_for_each_of_its_frames() {
    const FRAMES: usize = 300;
    let scene = Scene::start("chatter").await;
    let mut client = scene.client(TransportKind::Tcp).await;
    client.join("chatterbox").await;
    let before = scene.log.count("node_session");
    for _ in 0..FRAMES {
        let AuthBody::Name(who) = Client::name("chatterbox") else { panic!("it is a name") };
        send(&mut client, ControlBody::EnumerateNodeSessions(who)).await;
        send(&mut client, ControlBody::Ready(Ready {})).await;
    }
    handled(&scene, &mut client).await;
    let lines = scene.log.count("node_session") - before;
    // The names of the sessions, and that it is ready twice.
    assert!((2..FRAMES / 10).contains(&lines), "{lines} lines for {} frames", 2 * FRAMES);
    drop(client);
    scene.end().await;
}

/// The proxies of a peer end in many turns, and not in one that keeps everybody waiting.
#[tokio::test]
async fn a_peer_with_many_actors_stalls_nothing_when_it_leaves() {
    let scene = Scene::start("exodus").await;
    let mut client = scene.client(TransportKind::Tcp).await;
    client.join("crowd").await;
    for first in (0..30_000).step_by(500) {
        let spawn = Spawn { actors: actors(first..first + 500) };
        send(&mut client, ControlBody::Spawn(spawn)).await;
    }
    handled(&scene, &mut client).await;
    let node_id = peer("crowd").expect("it joined").node_id;
    assert!(peers::where_is(node_id, "actor-29999").is_some());
    watch(async {
        drop(client);
        until("it is gone", || peer("crowd").is_none()).await;
    })
    .await;
    scene.end().await;
}

/// An actor that ends and is announced again at once is another one: its memberships stay when
/// those of the former end.
#[tokio::test]
async fn a_number_that_is_announced_again_at_once_keeps_its_groups() {
    let mut scene = Scene::start("reborn").await;
    let mut client = scene.guest(TransportKind::Tcp).await;
    for round in 0..20 {
        let joined = |number: u32| format!("reborn {round} {number}");
        // One of them is in so many groups that it leaves them one by one.
        for (pid, groups) in [(1, 1), (2, 3), (3, 70)] {
            send(&mut client, ControlBody::Spawn(Spawn { actors: actors(pid..pid + 1) })).await;
            for number in 0..groups {
                send(&mut client, join(&joined(number), actors(pid..pid + 1))).await;
            }
            send(&mut client, ControlBody::Terminate(Terminate { ids: vec![pid] })).await;
            send(&mut client, ControlBody::Spawn(Spawn { actors: actors(pid..pid + 1) })).await;
            for number in 0..groups {
                send(&mut client, join(&joined(number), actors(pid..pid + 1))).await;
            }
        }
        handled(&scene, &mut client).await;
        // What ends late ends now.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        for (number, members) in [(0, 3), (1, 2), (2, 2), (3, 1), (69, 1)] {
            assert_eq!(pg::get_members(&joined(number)).len(), members, "{}", joined(number));
        }
    }
    drop(client);
    until("it is gone", || pg::get_members(&"reborn 19 0".to_owned()).is_empty()).await;
    scene.end().await;
}

/// Actors without end, each of them in a group, and their ends: no other task waits behind all of
/// them.
#[test]
fn a_peer_with_many_actors_in_groups_keeps_no_task_waiting() {
    watch_queue(async {
        let scene = Scene::start("hordes").await;
        let mut client = scene.client(TransportKind::Tcp).await;
        client.join("horde").await;
        for number in 0..500 {
            let pids = number * 40..(number + 1) * 40;
            send(&mut client, join(&format!("hordes {}", number % 50), actors(pids))).await;
        }
        handled(&scene, &mut client).await;
        assert_eq!(pg::get_members(&"hordes 49".to_owned()).len(), 400);
        send(&mut client, ControlBody::Terminate(Terminate { ids: (0..4_000).collect() })).await;
        handled(&scene, &mut client).await;
        assert_eq!(pg::get_members(&"hordes 49".to_owned()).len(), 320);
        drop(client);
        until("it is gone", || peer("horde").is_none()).await;
        // The log is that of this thread alone, which runs no actor.
        scene.node.stop().await;
    });
}

/// What the node keeps by name is in trees: a table of hashes that grows hashes all names again.
#[tokio::test]
async fn many_long_names_stall_nothing() {
    const MANY: u64 = 4_000;
    let mut scene = Scene::start("verbose").await;
    let mut client = scene.guest(TransportKind::Tcp).await;
    let long = |number: u64| format!("{number:04000}");
    watch(async {
        for pid in 0..MANY {
            let named = vec![Actor { pid, name: Some(long(pid)) }];
            send(&mut client, ControlBody::Spawn(Spawn { actors: named })).await;
        }
        handled(&scene, &mut client).await;
        for number in 0..MANY {
            let (scope, group) = ("verbose".to_owned(), long(number));
            let join = PgJoin { scope, group, actors: vec![Actor { pid: 1, name: None }] };
            send(&mut client, ControlBody::PgJoin(join)).await;
        }
        handled(&scene, &mut client).await;
        assert_eq!(pg::get_scoped_members(&"verbose".into(), &long(MANY - 1)).len(), 1);
        drop(client);
        until("it is gone", || !pg::which_scopes().contains(&"verbose".to_owned())).await;
    })
    .await;
    scene.end().await;
}

/// One actor may be in as many groups as there may be: they end in many turns too.
#[tokio::test]
async fn an_actor_in_many_groups_stalls_nothing_when_it_ends() {
    let scene = Scene::start("joiners").await;
    for says_so in [true, false] {
        let mut client = scene.client(TransportKind::Tcp).await;
        client.join("joiner").await;
        for number in 0..12_000 {
            let (scope, group) = ("joiners".to_owned(), format!("group-{number}"));
            let join = PgJoin { scope, group, actors: actors(1..2) };
            send(&mut client, ControlBody::PgJoin(join)).await;
        }
        handled(&scene, &mut client).await;
        assert_eq!(pg::get_scoped_members(&"joiners".into(), &"group-11999".into()).len(), 1);
        watch(async {
            if says_so {
                send(&mut client, ControlBody::Terminate(Terminate { ids: vec![1] })).await;
                handled(&scene, &mut client).await;
            }
            drop(client);
            until("it is gone", || peer("joiner").is_none()).await;
        })
        .await;
        assert!(!pg::which_scopes().contains(&"joiners".to_owned()));
    }
    scene.end().await;
}

/// A newcomer is told of the groups of this node alone: those that others told of take no time.
#[tokio::test]
async fn many_groups_stall_nothing_when_another_peer_comes() {
    let mut scene = Scene::start("crowded").await;
    let mut first = scene.client(TransportKind::Tcp).await;
    first.join("first").await;
    for number in 0..8_000 {
        send(&mut first, join(&format!("crowded {number:04000}"), actors(1..2))).await;
    }
    handled(&scene, &mut first).await;
    assert_eq!(pg::get_members(&format!("crowded {:04000}", 7_999)).len(), 1);
    watch(async {
        let mut second = scene.guest(TransportKind::Tcp).await;
        handled(&scene, &mut second).await;
    })
    .await;
    drop(first);
    until("it is gone", || peer("first").is_none()).await;
    scene.end().await;
}

#[tokio::test]
async fn a_peer_does_not_describe_itself_without_end() {
    let options = LinkOptions::default().with_limits(Limits::default().with_name_bytes(100));
    let scene = Scene::with("boaster", options).await;
    let mut client = scene.client(TransportKind::Tcp).await;
    client.authenticate("boaster").await;
    let log = Mark::of(&scene.log);
    let announcement =
        crate::wire::Announcement { release: "9".repeat(101), ..client.announcement() };
    client.send(Frame::Announcement(announcement)).await;
    client.closed().await;
    log.told("what it says of itself is too long", "boaster").await;
    scene.end().await;
}

#[tokio::test]
async fn more_peers_than_there_may_be_are_refused() {
    let options = LinkOptions::default()
        .with_limits(Limits::default().with_peers(2))
        .with_reconnect_grace(Duration::ZERO);
    let mut scene = Scene::with("full-house", options).await;
    let first = scene.guest(TransportKind::Tcp).await;
    let mut second = scene.guest(TransportKind::UnixSocket).await;
    let log = Mark::of(&scene.log);
    let mut third = scene.client(TransportKind::Tcp).await;
    third.authenticate("one-too-many").await;
    third.closed().await;
    log.told("there are as many peers as there may be", "one-too-many").await;
    handled(&scene, &mut second).await;
    drop(first);
    until("it is gone", || peer("guest-1").is_none()).await;
    drop(second);
    until("it is gone", || peer("guest-2").is_none()).await;
    scene.end().await;
}

/// Connections that say something, and do not authenticate, have so many places: the oldest goes
/// for a newcomer. Memory is not theirs to take either.
#[tokio::test]
async fn who_is_not_authenticated_has_a_place_and_small_frames() {
    let mut options = LinkOptions::default()
        .with_handshake_timeout(Duration::from_secs(600))
        .with_limits(Limits::default().with_first_frame(1024))
        .with_reconnect_grace(Duration::ZERO);
    options.max_handshakes = 2;
    let mut scene = Scene::with("strangers", options).await;
    let mut strangers = Vec::new();
    for number in 0..2 {
        let mut stranger = scene.client(TransportKind::Tcp).await;
        stranger.introduce(&format!("stranger-{number}")).await;
        strangers.push(stranger);
    }
    let log = Mark::of(&scene.log);
    let mut newcomer = scene.client(TransportKind::Tcp).await;
    let challenge = newcomer.introduce("newcomer").await;
    newcomer.answer(challenge).await;
    strangers[0].closed().await;
    log.told("its place goes to a newer connection", &strangers[0].address).await;
    // The other one has its place still.
    let stays = &mut strangers[1];
    stays.answer(0).await;
    stays.closed().await;
    log.told("it was not authenticated", &stays.address).await;
    drop((newcomer, strangers));
    for kind in KINDS {
        // In the first frame, and in a later one.
        let log = Mark::of(&scene.log);
        let mut client = scene.client(kind).await;
        client.send_bytes(&1025_u64.to_be_bytes()).await.unwrap();
        client.closed().await;
        log.told("1025 bytes exceeds configured limit of 1024", &client.address).await;
        let log = Mark::of(&scene.log);
        let mut client = scene.client(kind).await;
        client.introduce("wordy").await;
        client.send_bytes(&1025_u64.to_be_bytes()).await.unwrap();
        client.closed().await;
        log.told("1025 bytes exceeds configured limit of 1024", &client.address).await;
        // Who is authenticated sends what the node takes.
        let mut guest = scene.guest(kind).await;
        let many = actors(0..200);
        send(&mut guest, ControlBody::Spawn(Spawn { actors: many })).await;
        handled(&scene, &mut guest).await;
    }
    scene.end().await;
}

/// Messages within messages: the decoder stops at a fixed depth, so that no stack overflows.
#[tokio::test]
async fn nesting_has_an_end() {
    let mut scene = Scene::start("nested").await;
    // Groups of an unknown field: all begin, and none ends.
    let nested = [0x7b].repeat(20_000);
    let frame = [(nested.len() as u64).to_be_bytes().as_slice(), &nested].concat();
    for kind in KINDS {
        let log = Mark::of(&scene.log);
        let mut client = scene.client(kind).await;
        client.send_bytes(&frame).await.unwrap();
        client.closed().await;
        log.told("recursion limit reached", &client.address).await;
        let mut guest = scene.guest(kind).await;
        let log = Mark::of(&scene.log);
        guest.send_bytes(&frame).await.unwrap();
        guest.closed().await;
        log.told("recursion limit reached", &guest.address).await;
        scene.serves(kind).await;
    }
    scene.end().await;
}
