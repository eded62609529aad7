//! What peers are told of the ends of actors, and what they may tell: a text has a bound, a word of
//! a later version is no reason to stop, and a peer that knows no ends hears of none.

use ractor::concurrency::JoinHandle;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use ractor_cluster::transport::TransportKind;

use crate::client::Client;
use crate::common::witness::{witness, Told};
use crate::common::{peer, until, watched};
use crate::logs::Mark;
use crate::scene::{Count, Scene};
use crate::stock::stock;
use crate::watchdog::watch;
use crate::ways::announce;
use crate::wire::{
    ActorEnd, Announcement, Body, ControlBody, Ends, Enveloped, Frame, Network, Ours,
};

const STOPPED: i32 = 1;
const KILLED: i32 = 2;
const FAILED: i32 = 3;
const PANICKED: i32 = 4;
/// Of no version that there is.
const LATER: i32 = 99;

fn end(pid: u64, kind: i32, text: Option<&[u8]>) -> ActorEnd {
    ActorEnd { pid, kind, text: text.map(<[u8]>::to_vec) }
}

async fn send(client: &mut Client, ends: Vec<ActorEnd>) {
    let envelope = client.envelope(Enveloped::Ends(Ends { actors: ends }));
    client.send(Frame::Envelope(envelope)).await;
}

/// A peer that knows ends, or one of a release before them.
async fn joined(scene: &Scene, name: &str, ends: Option<u32>) -> Client {
    let mut client = scene.client(TransportKind::Tcp).await;
    let announcement = Announcement { ends, ..client.announcement() };
    client.join_as(name, announcement).await;
    assert_eq!(client.announced.as_ref().and_then(|it| it.ends), Some(1));
    client
}

/// An actor of this node that a client is told of.
struct Mortal;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Mortal {
    type Msg = Count;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Count>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Count>,
        _: Count,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Err("it is told to fail".into())
    }
}

async fn mortal() -> (ActorRef<Count>, JoinHandle<()>) {
    Actor::spawn(None, Mortal, ()).await.expect("it starts")
}

#[tokio::test]
async fn a_peer_may_say_anything_of_its_ends_within_bounds() {
    let scene = Scene::start("said-of-ends").await;
    let mut client = joined(&scene, "said-of-ends", Some(1)).await;
    let long = "x".repeat(60_000);
    let stopped = |reason: &str| Told::Terminated(Some(reason.to_owned()));
    let failed = |text: &str, panic| Told::Failed { text: text.to_owned(), panic: Some(panic) };
    let cases = [
        (end(1, FAILED, Some(long.as_bytes())), failed(&"x".repeat(1024), false)),
        (end(2, STOPPED, Some(long.as_bytes())), stopped(&"x".repeat(1024))),
        (end(3, LATER, Some(b"tomorrow")), stopped("remote")),
        (end(4, PANICKED, None), failed("", true)),
        (end(5, KILLED, Some(b"by a letter")), stopped("killed")),
        (end(6, STOPPED, None), Told::Terminated(None)),
    ];
    let pids: Vec<u64> = cases.iter().map(|(end, _)| end.pid).collect();
    let proxies = announce(&mut client, "said-of-ends", &pids).await;
    for (ending, expected) in cases {
        let proxy = proxies.iter().find(|it| it.get_id().pid() == ending.pid).expect("it is one");
        let (witness, mut told) = witness().await;
        proxy.link(witness.get_cell());
        // Again, and another way; and of an actor that there never was.
        let other = end(ending.pid, KILLED, Some(b"again"));
        send(&mut client, vec![end(4711, FAILED, Some(b"who")), ending, other]).await;
        assert_eq!(watched(told.recv()).await, Some(expected));
        watched(proxy.get_cell().wait(None)).await.expect("it has no timeout");
        witness.stop(None);
    }
    client.call(scene.counter(), "Sum").await;
    scene.end().await;
}

#[tokio::test]
async fn a_text_that_is_no_text_ends_the_session() {
    let scene = Scene::start("no-text").await;
    let mut client = joined(&scene, "no-text", Some(1)).await;
    announce(&mut client, "no-text", &[7]).await;
    let log = Mark::of(&scene.log);
    send(&mut client, vec![end(7, FAILED, Some(&[0xff, 0xfe]))]).await;
    client.closed().await;
    log.told("data is not UTF-8", &client.address).await;
    until("it is gone", || peer("no-text").is_none()).await;
    scene.end().await;
}

#[tokio::test]
async fn a_long_list_of_ends_stalls_nothing() {
    const MANY: u64 = 3000;
    let scene = Scene::start("many-ends").await;
    let mut client = joined(&scene, "many-ends", Some(1)).await;
    let pids: Vec<u64> = (1..=MANY).collect();
    let proxies = announce(&mut client, "many-ends", &pids).await;
    watch(async {
        send(&mut client, pids.iter().map(|pid| end(*pid, FAILED, Some(b"all"))).collect()).await;
        // Behind all of it.
        client.call(scene.counter(), "Sum").await;
    })
    .await;
    assert!(ractor::pg::get_members(&"many-ends".to_owned()).is_empty());
    for proxy in proxies {
        watched(proxy.get_cell().wait(None)).await.expect("it has no timeout");
    }
    scene.end().await;
}

/// What a frame says of the end of an actor: with its own words, or with upstream's.
fn told(frame: Network, pid: u64) -> Option<Result<ActorEnd, ()>> {
    let control = match frame.body? {
        Body::Control(control) => control,
        Body::Ours(Ours { frame: Some(Frame::Envelope(envelope)) }) => match envelope.body? {
            Enveloped::Ends(ends) => {
                return ends.actors.into_iter().find(|it| it.pid == pid).map(Ok);
            }
            Enveloped::Control(control) => control,
            _ => return None,
        },
        _ => return None,
    };
    match control.body? {
        ControlBody::Terminate(it) => it.ids.contains(&pid).then_some(Err(())),
        _ => None,
    }
}

#[tokio::test]
async fn only_a_peer_that_knows_ends_is_told_how() {
    let scene = Scene::start("tells-ends").await;
    let mut knowing = joined(&scene, "tells-ends", Some(1)).await;
    let mut older = joined(&scene, "tells-no-ends", None).await;
    let mut stock = stock(&scene, "stock-ends").await;
    let (failing, stopped) = (mortal().await, mortal().await);
    let pids = [&failing, &stopped].map(|(actor, _)| actor.get_id().pid());
    failing.0.cast(Count::Add(1)).expect("it runs");
    watched(failing.1).await.expect("it ends");
    stopped.0.stop(None);
    watched(stopped.1).await.expect("it ends");
    let expected = [end(pids[0], FAILED, Some(b"it is told to fail")), end(pids[1], STOPPED, None)];
    for (pid, expected) in pids.into_iter().zip(expected) {
        assert_eq!(knowing.find(|frame| told(frame, pid)).await, Ok(expected));
        assert_eq!(older.find(|frame| told(frame, pid)).await, Err(()));
        assert_eq!(stock.find(|frame| told(frame, pid)).await, Err(()));
    }
    // Once, and not in both ways.
    let (last, ended) = mortal().await;
    last.stop(None);
    watched(ended).await.expect("it ends");
    let pid = last.get_id().pid();
    let next = |frame: Network| {
        let again = pids.iter().any(|it| told(frame.clone(), *it).is_some());
        assert!(!again, "{frame:?}");
        told(frame, pid)
    };
    assert_eq!(knowing.find(next).await, Ok(end(pid, STOPPED, None)));
    scene.end().await;
}
