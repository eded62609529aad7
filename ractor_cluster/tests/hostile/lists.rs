//! Peers that know the cookie, and announce long lists at once: honest ones are handled while
//! others have their turns, and others are refused by a name that both sides read.

use ractor::pg::{self, GroupChangeMessage};
use ractor::{ActorProcessingErr, ActorRef, SupervisionEvent};
use ractor_cluster::link::{refusals, Limits, LinkOptions, Refusal};
use ractor_cluster::transport::TransportKind;
use std::time::Duration;
use tokio::sync::{mpsc, Mutex};

use crate::client::Client;
use crate::common::{peer, until, watched};
use crate::logs::Mark;
use crate::scene::{Scene, KINDS};
use crate::stock::stock;
use crate::watchdog::watch;
use crate::wire::{
    Actor, ActorPreference, ControlBody, Enveloped, Frame, Name, NodeSessions, PgJoin, PgLeave,
    Preferences, Spawn, Terminate,
};

/// More than a slice of a list, and less than a frame holds.
const MANY: u64 = 3000;

fn actors(count: u64) -> Vec<Actor> {
    (1..=count).map(|pid| Actor { pid, name: None }).collect()
}

fn join(group: &str, actors: Vec<Actor>) -> ControlBody {
    let (group, scope) = (group.to_owned(), pg::DEFAULT_SCOPE.to_owned());
    ControlBody::PgJoin(PgJoin { group, actors, scope })
}

fn leave(group: &str, actors: Vec<Actor>) -> ControlBody {
    let (group, scope) = (group.to_owned(), pg::DEFAULT_SCOPE.to_owned());
    ControlBody::PgLeave(PgLeave { group, actors, scope })
}

async fn members(group: &str, count: u64) {
    let group = group.to_owned();
    watched(async {
        while pg::get_members(&group).len() as u64 != count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn send(client: &mut Client, body: impl Into<Enveloped>) {
    let envelope = client.envelope(body);
    client.send(Frame::Envelope(envelope)).await;
}

#[tokio::test]
async fn a_long_list_of_an_honest_peer_is_handled_and_stalls_nothing() {
    let mut scene = Scene::start("long-lists").await;
    let mut guest = scene.guest(TransportKind::Tcp).await;
    watch(async {
        send(&mut guest, join("long-lists", actors(MANY))).await;
        // Behind all of it.
        guest.call(scene.counter(), "Sum").await;
        assert_eq!(pg::get_members(&"long-lists".to_owned()).len() as u64, MANY);
        send(&mut guest, leave("long-lists", actors(MANY - 1))).await;
        guest.call(scene.counter(), "Sum").await;
        assert_eq!(pg::get_members(&"long-lists".to_owned()).len(), 1);
    })
    .await;
    drop(guest);
    scene.end().await;
}

#[tokio::test]
async fn so_is_that_of_a_stock_peer() {
    let scene = Scene::start("long-stock").await;
    let mut client = stock(&scene, "long-stock").await;
    watch(async {
        client.send(ControlBody::Spawn(Spawn { actors: actors(MANY) })).await;
        client.send(join("long-stock", actors(MANY))).await;
        members("long-stock", MANY).await;
        client.send(leave("long-stock", actors(MANY))).await;
        members("long-stock", 0).await;
        client.send(ControlBody::Terminate(Terminate { ids: (1..=MANY).collect() })).await;
        // Behind all of it.
        client.send(join("long-stock", vec![Actor { pid: MANY + 1, name: None }])).await;
        members("long-stock", 1).await;
    })
    .await;
    drop(client);
    scene.end().await;
}

/// Half as many elements as a frame may have: to decode them takes longer than a poll may.
#[tokio::test]
async fn to_decode_the_longest_lists_stalls_nothing() {
    const MANY: u64 = 131_072;
    let mut scene = Scene::roomy("longest").await;
    let named = |pid| Actor { pid, name: Some(format!("longest {pid}")) };
    let many: Vec<Actor> = (0..MANY).map(named).collect();
    let lists = [
        ControlBody::Terminate(Terminate { ids: (0..MANY).collect() }),
        leave("longest", many.clone()),
        // All are left out for the name.
        join(&"n".repeat(5_000), many),
    ];
    let mut guest = scene.guest(TransportKind::Tcp).await;
    watch(async {
        for list in &lists {
            send(&mut guest, list.clone()).await;
            guest.call(scene.counter(), "Sum").await;
        }
        // No list, but as much to look at: fields that the protocol does not have.
        let fields = [0x78, 0].repeat(2_000_000);
        guest.send_bytes(&(fields.len() as u64).to_be_bytes()).await.expect("the node takes it");
        guest.send_bytes(&fields).await.expect("the node takes it");
        guest.call(scene.counter(), "Sum").await;
    })
    .await;
    // As stock sends them; and a session that ends while they wait.
    let mut client = stock(&scene, "longest-stock").await;
    watch(async {
        for list in &lists {
            client.send(list.clone()).await;
        }
        client.send(join("longest", actors(1))).await;
        members("longest", 1).await;
        client.send(lists[1].clone()).await;
        drop(client);
        members("longest", 0).await;
        for list in &lists {
            send(&mut guest, list.clone()).await;
        }
        drop(guest);
        until("it is gone", || peer("guest-1").is_none()).await;
    })
    .await;
    scene.end().await;
}

/// Each of two bytes, and as many as fit into a frame.
fn lists() -> [Enveloped; 5] {
    const FIT: usize = 30_000;
    let nobody = vec![Actor { pid: 0, name: None }; FIT];
    let sessions = vec![Name::default(); FIT];
    let pins = vec![ActorPreference::default(); FIT];
    [
        ControlBody::Spawn(Spawn { actors: nobody.clone() }).into(),
        ControlBody::Terminate(Terminate { ids: vec![1; FIT] }).into(),
        join("too-long", nobody).into(),
        ControlBody::NodeSessions(NodeSessions { sessions }).into(),
        Enveloped::Preferences(Preferences { actors: pins }),
    ]
}

fn counted() -> u64 {
    let counts = refusals();
    counts.iter().find(|(cause, _)| *cause == Refusal::ListTooLong).expect("it is counted").1
}

/// The counts of refusals are the process's.
static ALONE: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn a_list_that_is_too_long_is_refused_by_its_name_on_both_sides() {
    let _alone = ALONE.lock().await;
    let options = LinkOptions::default()
        .with_limits(Limits::default().with_actors(100))
        .with_reconnect_grace(Duration::ZERO);
    let scene = Scene::with("too-long", options).await;
    for kind in KINDS {
        for (number, list) in lists().into_iter().enumerate() {
            let name = format!("too-long-{kind}-{number}");
            let mut client = scene.client(kind).await;
            client.join(&name).await;
            let (log, before) = (Mark::of(&scene.log), counted());
            watch(async {
                send(&mut client, list).await;
                loop {
                    if let Frame::Refused(refused) = client.ours().await {
                        assert_eq!(refused.code, Refusal::ListTooLong as u32);
                        break;
                    }
                }
            })
            .await;
            log.told("cause=\"list_too_long\"", &name).await;
            assert_eq!(counted() - before, 1);
            drop(client);
            until("it is gone", || peer(&name).is_none()).await;
        }
    }
    assert!(pg::get_members(&"too-long".to_owned()).is_empty());
    // Also of a stock peer, which is only closed.
    let mut client = stock(&scene, "too-long-stock").await;
    let log = Mark::of(&scene.log);
    client.send(ControlBody::Terminate(Terminate { ids: vec![1; 30_000] })).await;
    client.closed().await;
    log.told("cause=\"list_too_long\"", "too-long-stock").await;
    scene.end().await;
}

/// A peer that is not authenticated may send no list, in its first frame or in a later one.
#[tokio::test]
async fn a_stranger_sends_no_list_at_all() {
    let _alone = ALONE.lock().await;
    let mut scene = Scene::start("listed-stranger").await;
    for kind in KINDS {
        let log = Mark::of(&scene.log);
        let mut client = scene.client(kind).await;
        client.send(join("strangers", actors(1))).await;
        client.closed().await;
        log.told("cause=\"list_too_long\"", &client.address).await;
        let log = Mark::of(&scene.log);
        let mut client = scene.client(kind).await;
        client.introduce(&format!("lister-{kind}")).await;
        client.send(join("strangers", actors(1))).await;
        client.closed().await;
        log.told("cause=\"list_too_long\"", &format!("lister-{kind}")).await;
        scene.serves(kind).await;
    }
    assert!(pg::get_members(&"strangers".to_owned()).is_empty());
    scene.end().await;
}

/// Passes on what happens to a group: whether actors joined, and their numbers.
struct Monitor(mpsc::UnboundedSender<(bool, Vec<u64>)>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl ractor::Actor for Monitor {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ProcessGroupChanged(change) = event {
            let (joined, actors) = match change {
                GroupChangeMessage::Join(_, _, actors) => (true, actors),
                GroupChangeMessage::Leave(_, _, actors) => (false, actors),
            };
            let pids = actors.iter().map(|actor| actor.get_id().pid()).collect();
            self.0.send((joined, pids))?;
        }
        Ok(())
    }
}

/// A frame that changes nothing is passed on to no peer, however often it is repeated.
#[tokio::test]
async fn only_what_changes_a_group_is_told_to_those_who_monitor_it() {
    let mut scene = Scene::start("monitored").await;
    let (sender, mut events) = mpsc::unbounded_channel();
    let (monitor, ended) = ractor::Actor::spawn(None, Monitor(sender), ()).await.expect("a start");
    pg::monitor("monitored".to_owned(), monitor.get_cell());
    let actor = |pid| Actor { pid, name: None };
    let mut guest = scene.guest(TransportKind::Tcp).await;
    for _ in 0..3 {
        send(&mut guest, leave("monitored", vec![actor(1), actor(2)])).await;
    }
    for _ in 0..3 {
        send(&mut guest, join("monitored", vec![actor(1), actor(1), actor(2), actor(1)])).await;
    }
    for _ in 0..3 {
        send(&mut guest, leave("monitored", vec![actor(3), actor(2), actor(2)])).await;
    }
    send(&mut guest, join("monitored", vec![actor(1), actor(4)])).await;
    let mut told = Vec::new();
    while told.last() != Some(&(true, vec![4])) {
        told.push(watched(events.recv()).await.expect("it monitors"));
    }
    assert_eq!(told, [(true, vec![1, 2]), (false, vec![2]), (true, vec![4])]);
    drop(guest);
    monitor.stop(None);
    watched(ended).await.expect("it ends in order");
    scene.end().await;
}

/// What a peer tells of others, and what leaves a group, is held to the same names as the rest.
#[tokio::test]
async fn long_names_are_left_out_of_every_list() {
    let limits = Limits::default().with_name_bytes(64);
    let options = LinkOptions::default().with_limits(limits).with_reconnect_grace(Duration::ZERO);
    let scene = Scene::with("long-names", options).await;
    let long = "n".repeat(65);
    let session = Name { name: long.clone(), ..Name::default() };
    let address = Name { connection_string: long.clone(), ..Name::default() };
    let actors = vec![Actor { pid: 1, name: None }];
    let sessions = |name| ControlBody::NodeSessions(NodeSessions { sessions: vec![name] });
    for (number, body) in
        [sessions(session), sessions(address), leave(&long, actors)].into_iter().enumerate()
    {
        let name = format!("long-names-{number}");
        let log = Mark::of(&scene.log);
        let mut client = scene.client(TransportKind::Tcp).await;
        client.join(&name).await;
        send(&mut client, body).await;
        log.told("limit=bytes of a name", &name).await;
    }
    scene.end().await;
}
