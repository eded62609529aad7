//! What those see who watch a node, and what they can do to it.

#[path = "common/watched.rs"]
mod watched;

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use mycelium_ext::config::{Config, Environment};
use mycelium_ext::node::Node;
use mycelium_ext::view::{
    self, ActorView, PeerView, Request, RoundTripView, Sort, Target, ViewServer,
};
use ractor::actor::actor_config::{Mailbox, Overflow};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent, pg};

use watched::{Far, Handles, LONG, node, soon, until};

/// Nodes of one process share its groups: those of another test would carry this one's as well.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Does as it is told.
enum Told {
    /// To handle it, and nothing else.
    Nothing,
    /// To block its thread until it is let go.
    Block(Sender<()>, Arc<Mutex<Receiver<()>>>),
    /// To spawn a child, which blocks in the handler of the supervision event of its end.
    Child(Sender<()>, Arc<Mutex<Receiver<()>>>),
}
impl ractor::Message for Told {}

struct Worker;

type Blocked = Option<(Sender<()>, Arc<Mutex<Receiver<()>>>)>;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Worker {
    type Msg = Told;
    type State = Blocked;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Told>, (): ()) -> Result<Blocked, ActorProcessingErr> {
        Ok(None)
    }

    async fn handle(
        &self,
        myself: ActorRef<Told>,
        told: Told,
        blocked: &mut Blocked,
    ) -> Result<(), ActorProcessingErr> {
        match told {
            Told::Nothing => {}
            Told::Block(entered, end) => {
                entered.send(())?;
                let _ = end.lock().expect("no panic").recv();
            }
            Told::Child(entered, end) => {
                *blocked = Some((entered, end));
                let child = Actor::spawn_linked(None, Self, (), myself.get_cell()).await?.0;
                child.stop(None);
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Told>,
        event: SupervisionEvent,
        blocked: &mut Blocked,
    ) -> Result<(), ActorProcessingErr> {
        if let (SupervisionEvent::ActorTerminated(..), Some((entered, end))) = (event, blocked) {
            entered.send(())?;
            let _ = end.lock().expect("no panic").recv();
        }
        Ok(())
    }
}

fn served(folder: &Path) -> (ViewServer, Target) {
    let view = ViewServer::start_in(folder, "seen@test", Vec::new()).expect("a socket");
    let target = Target::at(view.path());
    (view, target)
}

fn actor(target: &Target, name: &str) -> Option<ActorView> {
    let request = Request::all(100).filtered(name);
    let snapshot = target.ask(&request).unwrap_or_else(|error| panic!("{error}"));
    snapshot.actors.into_iter().find(|actor| actor.name.as_deref() == Some(name))
}

#[test]
fn handlers_that_block_every_thread_of_the_runtime_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_view, target) = served(&folder.path().join("view"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let spawn = |name: &str| {
        let spawned = Actor::spawn(Some(name.to_owned()), Worker, ());
        runtime.block_on(spawned).expect("it starts").0
    };
    let (one, two, idle) = (spawn("stuck-one"), spawn("stuck-two"), spawn("stuck-not"));
    let (entered, entries) = channel();
    let (end, ends) = channel::<()>();
    let ends = Arc::new(Mutex::new(ends));
    one.cast(Told::Nothing).expect("it lives");
    one.cast(Told::Block(entered.clone(), ends.clone())).expect("it lives");
    two.cast(Told::Child(entered, ends)).expect("it lives");
    for _ in 0..2 {
        entries.recv_timeout(LONG).expect("a handler blocks");
    }
    one.cast(Told::Nothing).expect("it lives");
    // No thread is left for it.
    idle.cast(Told::Nothing).expect("it lives");

    let seen = |name| actor(&target, name).expect("it is seen");
    let first = seen("stuck-one");
    assert!(first.handling_ms.is_some(), "{first:?}");
    assert_eq!((first.waiting, first.handled), (1, 1), "{first:?}");
    assert!(first.actor_type.ends_with("::Worker"), "{first:?}");
    let event = seen("stuck-two");
    assert!(event.handling_ms.is_some(), "the handler of an event counts: {event:?}");
    assert_eq!((event.waiting, event.handled), (0, 1), "{event:?}");
    let waits = seen("stuck-not");
    assert_eq!(waits.handling_ms, None, "it has no turn, and so no handler: {waits:?}");
    assert_eq!((waits.waiting, waits.handled), (1, 0), "{waits:?}");
    // It is known for how long.
    until(|| seen("stuck-one").handling_ms.filter(|time| *time > 0));
    let order = target.ask(&Request::all(2).filtered("stuck-")).expect("it answers");
    let names: Vec<_> = order.actors.iter().filter_map(|it| it.name.as_deref()).collect();
    assert!(!names.contains(&"stuck-not"), "those that handle come first: {names:?}");

    drop(end);
    let done = until(|| actor(&target, "stuck-one").filter(|it| it.handling_ms.is_none()));
    assert_eq!((done.waiting, done.handled), (0, 3), "{done:?}");
    until(|| actor(&target, "stuck-not").filter(|it| it.handled == 1 && it.waiting == 0));
    for actor in [one, two, idle] {
        runtime.block_on(actor.stop_and_wait(None, Some(LONG))).expect("it stops");
    }
    assert_eq!(actor(&target, "stuck-one"), None);
}

#[tokio::test]
async fn a_snapshot_has_parents_bounds_and_groups() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_view, target) = served(&folder.path().join("view"));
    let parent =
        Actor::spawn(Some("family-parent".to_owned()), Worker, ()).await.expect("it runs").0;
    let config = ractor::ActorConfig::default().with_mailbox(Mailbox::bounded(7, Overflow::Reject));
    let name = Some("family-child".to_owned());
    let child = Worker::spawn_linked_with_config(name, Worker, (), parent.get_cell(), config);
    let child = child.await.expect("it runs").0;
    pg::join("family".to_owned(), vec![child.get_cell()]);

    let seen = actor(&target, "family-child").expect("it is seen");
    assert_eq!(seen.parent, Some(parent.get_id().pid()));
    assert_eq!(seen.capacity, Some(7));
    let snapshot = target.ask(&Request::all(1).sorted(Sort::Name)).expect("it answers");
    assert_eq!(snapshot.actors.len(), 1);
    assert!(snapshot.totals.actors >= 2, "{:?}", snapshot.totals);
    assert_eq!(snapshot.node.pid, std::process::id());
    let group = snapshot.groups.iter().find(|it| it.group == "family").expect("the group");
    assert_eq!((group.local, group.remote), (1, 0));
    child.stop_and_wait(None, Some(LONG)).await.expect("it stops");
    parent.stop_and_wait(None, Some(LONG)).await.expect("it stops");
}

#[test]
fn what_is_no_request_harms_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_view, target) = served(&folder.path().join("view"));
    let connect = || UnixStream::connect(target.path()).expect("it listens");
    let answer = |mut stream: UnixStream| {
        stream.set_read_timeout(Some(LONG)).expect("a timeout");
        let mut bytes = Vec::new();
        // It may be closed before all was taken.
        _ = stream.read_to_end(&mut bytes);
        bytes
    };
    // Too long, no JSON, no request, and nothing at all.
    let mut long = connect();
    long.write_all(&(1_u32 << 20).to_be_bytes()).expect("it is taken");
    assert_eq!(answer(long), b"");
    for text in ["{", "[true]", "\"all\""] {
        let mut wrong = connect();
        wrong.write_all(&(text.len() as u32).to_be_bytes()).expect("it is taken");
        wrong.write_all(text.as_bytes()).expect("it is taken");
        assert_eq!(answer(wrong), b"");
    }
    let mute = connect();
    // Others are served once the patience with it is over.
    assert!(target.ask(&Request::hello()).is_ok());
    assert_eq!(answer(mute), b"");
}

#[test]
fn nodes_are_listed_and_the_sockets_of_dead_ones_removed() {
    let base = tempfile::tempdir().expect("a folder");
    let folder = base.path().join("view");
    assert_eq!(view::list(&folder).expect("there is none"), []);
    let (first, target) = served(&folder);
    // A process that is gone: no number is as high.
    let dead = folder.join("2147483647-0.sock");
    drop(UnixListener::bind(&dead).expect("a socket"));
    assert_eq!(view::list(&folder).expect("the folder"), std::slice::from_ref(&target));
    assert!(!dead.exists(), "it is removed");
    // A node that starts removes them too.
    drop(UnixListener::bind(&dead).expect("a socket"));
    let (second, other) = served(&folder);
    assert!(!dead.exists(), "it is removed");
    assert_eq!(view::list(&folder).expect("the folder"), [target.clone(), other]);
    drop(first);
    assert!(!target.path().exists(), "it is removed at the end");
    drop(second);
    assert!(!folder.exists(), "nothing is left");
    assert_eq!(view::list(&folder).expect("the folder"), []);
    let error = target.ask(&Request::hello()).expect_err("it has ended").to_string();
    assert!(error.contains("no node serves"), "{error}");
}

fn peer(target: &Target, name: &str) -> Option<PeerView> {
    let snapshot = target.ask(&Request::all(0)).unwrap_or_else(|error| panic!("{error}"));
    snapshot.peers.into_iter().find(|peer| peer.name == name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_balanced_and_show_no_secret() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (_view, target) = served(&folder.path().join("view"));
    let actor = Actor::spawn(None, Handles, ()).await.expect("it runs").0;
    let group = "view-far".to_owned();
    pg::join(group.clone(), vec![actor.get_cell()]);
    let a = soon(node("view", "a").start()).await.expect("it starts");
    let b = soon(node("view", "b").start()).await.expect("it starts");
    soon(b.connect(a.addresses()[0].clone())).await.expect("a session");
    let proxy = until(|| {
        let members = pg::get_members(&group);
        members.into_iter().find(|actor| !actor.get_id().is_local())
    });
    let proxy: ActorRef<Far> = proxy.into();
    for number in 0..100 {
        soon(proxy.send(Far::One(number.to_string()))).await.expect("there is room");
    }
    let (of_a, of_b) = until(|| {
        let (to_a, to_b) = (peer(&target, "view-a@view-test")?, peer(&target, "view-b@view-test")?);
        let (of_b, of_a) = (to_a.session?, to_b.session?);
        // One of the two has sent them to the other. They were asked one after the other, and
        // may have sent and received between.
        let have_come = of_a.received + of_b.received >= 100
            && (of_a.sent, of_b.sent) == (of_b.received, of_a.received);
        have_come.then_some((of_a, of_b))
    });
    for of in [of_a, of_b] {
        assert!(of.is_balanced() && of.frames > 0, "{of:?}");
        assert_eq!(of.dead_letters, 0);
    }
    let handled = until(|| {
        let actors = target.ask(&Request::all(100).filtered("Handles")).expect("it answers").actors;
        actors.into_iter().find(|it| it.handled == 100)
    });
    assert_eq!(handled.waiting, 0);
    let to_a = peer(&target, "view-a@view-test").expect("it is connected");
    assert!(to_a.links.iter().any(|it| it.active && it.sent_bytes > 0), "{to_a:?}");
    // A node pings its peers, also while nothing is sent.
    for name in ["view-a@view-test", "view-b@view-test"] {
        let measured = until(|| {
            let of = peer(&target, name)?.round_trip()?;
            (of.answered >= 2).then_some(of)
        });
        let RoundTripView { latest_ns, smoothed_ns, smallest_ns, .. } = measured;
        assert!(0 < smallest_ns && smallest_ns <= smoothed_ns, "{measured:?}");
        assert!(smallest_ns <= latest_ns, "{measured:?}");
    }

    let snapshot = target.ask(&Request::all(1000)).expect("it answers");
    let text = serde_json::to_string(&snapshot).expect("JSON");
    assert!(!text.contains("never-to-be-seen"), "{text}");
    a.stop().await;
    b.stop().await;
    actor.stop_and_wait(None, Some(LONG)).await.expect("it stops");
}

/// An actor that reads a connection waits for bytes in its handler, for as long as there are none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_runs_comes_before_those_that_read_connections() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (_view, target) = served(&folder.path().join("view"));
    let a = soon(node("order", "a").start()).await.expect("it starts");
    let b = soon(node("order", "b").start()).await.expect("it starts");
    soon(b.connect(a.addresses()[0].clone())).await.expect("a session");
    let actors = || {
        let request = Request::all(1000).sorted(Sort::Handling);
        target.ask(&request).expect("it answers").actors
    };
    until(|| actors().into_iter().find(|it| it.reads_connection() && it.handling_ms > Some(0)));

    // It has run for less long than that.
    let worker = Actor::spawn(Some("order-worker".into()), Worker, ()).await.expect("it runs").0;
    let (entered, entries) = channel();
    let (end, ends) = channel::<()>();
    worker.cast(Told::Block(entered, Arc::new(Mutex::new(ends)))).expect("it lives");
    tokio::task::block_in_place(|| entries.recv_timeout(LONG)).expect("it blocks");
    let actors = actors();
    let place = |what: &dyn Fn(&ActorView) -> bool| actors.iter().position(what);
    let blocked = place(&|it| it.name.as_deref() == Some("order-worker")).expect("it is seen");
    assert!(actors[blocked].handling_ms.is_some(), "{:?}", actors[blocked]);
    let reader = place(&|it| it.reads_connection()).expect("there is a session");
    assert!(blocked < reader, "{actors:#?}");

    drop(end);
    worker.stop_and_wait(None, Some(LONG)).await.expect("it stops");
    a.stop().await;
    b.stop().await;
}

#[tokio::test]
async fn a_node_serves_its_view_as_it_is_configured() {
    let started = |text: &str| {
        let text = format!("[node]\nname = \"configured\"\nhost = \"h\"\ncookie = \"s\"\n{text}");
        let config = Config::parse(&text, "mycelium.toml", &Environment::of([("", ""); 0]));
        let config = config.unwrap_or_else(|error| panic!("{error}"));
        async move { soon(Node::from_config(&config).expect("right").start()).await.expect("starts") }
    };
    let is_listed = || {
        let targets = view::list(&view::folder()).expect("the folder");
        let hello = targets.iter().filter_map(|it| it.ask(&Request::hello()).ok());
        let mut own = hello.filter(|it| it.node.pid == std::process::id());
        own.any(|it| it.node.name == "configured@h" && !it.node.addresses.is_empty())
    };
    let node = started("").await;
    assert!(is_listed());
    node.stop().await;
    assert!(!is_listed());
    let node = started("[view]\nsocket = \"off\"\n").await;
    assert!(!is_listed());
    node.stop().await;
}
