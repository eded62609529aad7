//! Peers that know the cookie, and what they say and do about credits: what breaks the rules ends
//! their session with a line that names the rule, what they send without a credit is refused, and a
//! mailbox holds no more for it.

use std::sync::Arc;

use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
use ractor::concurrency::JoinHandle;
use ractor::{pg, Actor, ActorProcessingErr, ActorRef, MessagingErr};
use ractor_cluster::link::{self, Cause, Limit, Limits, LinkOptions};
use ractor_cluster::peers::{self, PeerEvent};
use ractor_cluster::transport::TransportKind;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};

use crate::client::Client;
use crate::common::{peer, until, watched};
use crate::greetings::add;
use crate::logs::Mark;
use crate::scene::{Count, Scene};
use crate::stock::stock;
use crate::watchdog::watch;
use crate::ways::announce;
use crate::wire::{
    ActorCredit, ActorMailbox, Announcement, Body, ControlBody, Credits, Envelope, Enveloped,
    Frame, Mailboxes, Network, NodeBody, Ours, Terminate,
};

/// The actor of the client that has a bounded mailbox.
const PID: u64 = 700;

fn mailbox(pid: u64, capacity: u64, granted: u64) -> ActorMailbox {
    ActorMailbox { pid, capacity, granted, drops: false }
}

fn mailboxes(actors: impl IntoIterator<Item = ActorMailbox>) -> Enveloped {
    Enveloped::Mailboxes(Mailboxes { actors: actors.into_iter().collect() })
}

fn total(granted: u64, dropped: u64) -> ActorCredit {
    ActorCredit { pid: PID, granted, dropped }
}

fn credits(actors: impl IntoIterator<Item = ActorCredit>) -> Enveloped {
    Enveloped::Credits(Credits { actors: actors.into_iter().collect() })
}

async fn send(client: &mut Client, body: Enveloped) {
    let envelope = client.envelope(body);
    client.send(Frame::Envelope(envelope)).await;
}

/// A peer that knows credits.
async fn knowing(scene: &Scene, name: &str) -> Client {
    let mut client = scene.client(TransportKind::Tcp).await;
    let announcement = Announcement { credits: Some(1), ..client.announcement() };
    client.join_as(name, announcement).await;
    assert_eq!(client.announced.as_ref().and_then(|it| it.credits), Some(1));
    client
}

/// Messages of peers that reached no mailbox for this cause.
fn lost(of: Cause) -> u64 {
    let counts = link::dead_letters();
    counts.into_iter().find(|(cause, _)| *cause == of).map_or(0, |(_, count)| count)
}

#[tokio::test]
async fn who_breaks_the_rules_of_credits_ends_its_session() {
    let scene = Scene::start("credits").await;
    let begin = || mailboxes([mailbox(PID, 2, 2)]);
    let many = |last: ActorCredit| {
        // Longer than what is handled where it is read.
        credits((1..100).map(|pid| ActorCredit { pid, granted: 0, dropped: 0 }).chain([last]))
    };
    let cases = [
        (vec![mailboxes([mailbox(PID, 0, 0)])], "it has a mailbox for 0 messages"),
        (
            vec![mailboxes([mailbox(PID, 2, 3)])],
            "3 credits in all, where its mailbox has room for 2",
        ),
        (
            vec![mailboxes((1..100).map(|pid| mailbox(pid, 1, 1)).chain([mailbox(PID, 0, 0)]))],
            "it has a mailbox for 0 messages",
        ),
        (vec![begin(), credits([total(1, 0)])], "credits were taken back: 1 in all after 2"),
        (vec![begin(), many(total(0, 0))], "credits were taken back: 0 in all after 2"),
        (
            vec![begin(), credits([total(3, 0)])],
            "3 credits in all, where its mailbox has room for 2",
        ),
        (vec![begin(), credits([total(u64::MAX, 0)])], "18446744073709551615 credits in all"),
        (vec![begin(), many(total(u64::MAX, 0))], "18446744073709551615 credits in all"),
        (vec![begin(), credits([total(2, 1)])], "1 messages were dropped, of 0 that were sent"),
        (
            vec![begin(), credits([total(2, u64::MAX)])],
            "messages were dropped, of 0 that were sent",
        ),
    ];
    for (number, (frames, complaint)) in cases.into_iter().enumerate() {
        let name = format!("creditor-{number}");
        let mut client = knowing(&scene, &name).await;
        let log = Mark::of(&scene.log);
        for frame in frames {
            send(&mut client, frame).await;
        }
        client.closed().await;
        log.told(complaint, &name).await;
        until("it is gone", || peer(&name).is_none()).await;
    }
    scene.end().await;
}

/// They leave nothing behind, and the session goes on.
#[tokio::test]
async fn credits_for_actors_that_there_are_not_change_nothing() {
    const FRAMES: u64 = 3000;
    let scene = Scene::start("no-actor").await;
    let mut client = knowing(&scene, "no-actor").await;
    send(&mut client, mailboxes([mailbox(PID, 2, 2)])).await;
    let proxy = announce(&mut client, "no-actor", &[PID]).await.remove(0);
    let gone = ControlBody::Terminate(Terminate { ids: vec![PID] });
    send(&mut client, gone.into()).await;
    watched(proxy.get_cell().wait(None)).await.unwrap();
    let before = scene.log.count("without a bounded mailbox");
    for number in 0..FRAMES {
        let other = ActorCredit { pid: number, granted: u64::MAX - number, dropped: number };
        send(&mut client, credits([total(number % 2, 0), other])).await;
    }
    client.call(scene.counter(), "Sum").await;
    let lines = scene.log.count("without a bounded mailbox") - before;
    assert!((1..100).contains(&lines), "{lines} lines for {FRAMES} frames");
    scene.end().await;
}

/// The node keeps to what it is granted, and a flood of grants changes nothing.
#[tokio::test]
async fn a_node_sends_what_it_was_granted_and_no_more() {
    const FRAMES: usize = 5000;
    let mut scene = Scene::start("granted").await;
    let mut client = knowing(&scene, "granted").await;
    send(&mut client, mailboxes([mailbox(PID, 3, 2)])).await;
    // Only the first announcement counts.
    send(&mut client, mailboxes([mailbox(PID, 1000, 1000)])).await;
    let proxy = announce(&mut client, "granted", &[PID]).await.remove(0);
    let is_back = || matches!(proxy.cast(Count::Add(1)), Err(MessagingErr::SendErr(Count::Add(1))));
    assert!(!is_back() && !is_back() && is_back());
    watch(async {
        for _ in 0..FRAMES {
            send(&mut client, credits([total(2, 0); 4])).await;
        }
        client.call(scene.counter(), "Sum").await;
        scene.serves(TransportKind::Tcp).await;
    })
    .await;
    assert!(is_back());
    let waiting = tokio::spawn({
        let proxy = proxy.clone();
        async move { proxy.send(Count::Add(2)).await }
    });
    send(&mut client, credits([total(5, 0)])).await;
    watched(waiting).await.unwrap().unwrap();
    assert!(!is_back() && !is_back() && is_back());
    for _ in 0..5 {
        assert_eq!(client.sent().await.to, [PID]);
    }
    scene.end().await;
}

#[tokio::test]
async fn mailboxes_are_kept_for_as_many_actors_as_there_may_be() {
    let limits = Limits::default().with_actors(5);
    let options = LinkOptions::default().with_limits(limits).with_reconnect_grace(Duration::ZERO);
    let scene = Scene::with("many-mailboxes", options).await;
    let mut client = knowing(&scene, "many-mailboxes").await;
    let node_id = peer("many-mailboxes").expect("it joined").node_id;
    let mut events = peers::events();
    for _ in 0..3 {
        send(&mut client, mailboxes((0..100).map(|pid| mailbox(pid, 1, 1)))).await;
    }
    client.call(scene.counter(), "Sum").await;
    let mut reached = Vec::new();
    while let Ok(event) = events.try_recv() {
        match event {
            PeerEvent::LimitReached { node_id: of, limit } if of == node_id => reached.push(limit),
            _ => {}
        }
    }
    assert_eq!(reached, [Limit::Actors]);
    let proxies = announce(&mut client, "many-mailboxes", &[0, 4]).await;
    for proxy in proxies {
        proxy.cast(Count::Add(1)).unwrap();
        proxy.cast(Count::Add(1)).unwrap_err();
    }
    scene.end().await;
}

/// Handles nothing before it is let.
struct Gated(Arc<Semaphore>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Gated {
    type Msg = Count;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Count>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Count>,
        message: Count,
        handled: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        self.0.acquire().await?.forget();
        *handled += 1;
        if let Count::Sum(reply) = message {
            reply.send(*handled)?;
        }
        Ok(())
    }
}

/// The counts of what is lost are the process's.
static ALONE: Mutex<()> = Mutex::const_new(());

/// An actor with a mailbox for two messages.
async fn gated(overflow: Overflow) -> (ActorRef<Count>, JoinHandle<()>, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let two = ActorConfig::default().with_mailbox(Mailbox::bounded(2, overflow));
    let spawned = Actor::spawn_with_config(None, Gated(gate.clone()), (), two).await;
    let (actor, ended) = spawned.expect("it starts");
    (actor, ended, gate)
}

/// How many messages it handles in all, once it may.
async fn handled(actor: &ActorRef<Count>, gate: &Semaphore) -> u64 {
    gate.add_permits(100_000);
    let cell = actor.get_cell();
    watched(async {
        while cell.mailbox_len() > 0 {
            tokio::task::yield_now().await;
        }
        ractor::call!(actor, Count::Sum).expect("it runs") - 1
    })
    .await
}

/// The mailbox holds what it is to, and what is beyond is counted under its own cause.
#[tokio::test]
async fn what_is_sent_without_a_credit_to_a_full_mailbox_is_refused() {
    const ALL: u64 = 500;
    let _alone = ALONE.lock().await;
    let mut scene = Scene::start("overdrawn").await;
    let (actor, ended, gate) = gated(Overflow::Reject).await;
    let (pid, cell) = (actor.get_id().pid(), actor.get_cell());
    let before = lost(Cause::NoCredit);
    for name in ["overdrawn-1", "overdrawn-2"] {
        let mut client = knowing(&scene, name).await;
        for number in 0..ALL {
            if number % 2 == 0 {
                let envelope = client.envelope(add(pid, 1));
                client.send(Frame::Envelope(envelope)).await;
            } else {
                client.many(&[pid], "Add", &[0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1]).await;
            }
        }
        client.call(scene.counter(), "Sum").await;
        assert!(cell.mailbox_high_water() <= 2, "{} waited", cell.mailbox_high_water());
    }
    scene.serves(TransportKind::Tcp).await;
    let refused = lost(Cause::NoCredit) - before;
    assert_eq!(handled(&actor, &gate).await + refused, 2 * ALL);
    assert_eq!(cell.lost_messages(), 0);
    actor.stop(None);
    watched(ended).await.expect("it ends in order");
    scene.end().await;
}

/// One that comes again and again has no more for it.
#[tokio::test]
async fn who_connects_again_is_lent_what_is_free() {
    let _alone = ALONE.lock().await;
    let scene = Scene::start("again-and-again").await;
    let (actor, ended, gate) = gated(Overflow::Reject).await;
    let (pid, cell) = (actor.get_id().pid(), actor.get_cell());
    for round in 0..10 {
        let name = format!("again-{round}");
        let mut client = knowing(&scene, &name).await;
        for _ in 0..10 {
            let envelope = client.envelope(add(pid, 1));
            client.send(Frame::Envelope(envelope)).await;
        }
        client.call(scene.counter(), "Sum").await;
        drop(client);
        until("it is gone", || peer(&name).is_none()).await;
        assert!(cell.mailbox_high_water() <= 2, "{} waited", cell.mailbox_high_water());
    }
    handled(&actor, &gate).await;
    actor.stop(None);
    watched(ended).await.expect("it ends in order");
    scene.end().await;
}

fn is_of_credits(frame: &Network) -> bool {
    matches!(
        &frame.body,
        Some(Body::Ours(Ours {
            frame: Some(Frame::Envelope(Envelope {
                body: Some(Enveloped::Mailboxes(_) | Enveloped::Credits(_)),
                ..
            }))
        }))
    )
}

/// A node of a release of the fork without credits: it is told nothing of them, and its messages
/// are treated as they were.
#[tokio::test]
async fn a_peer_that_knows_no_credits_is_not_told_of_any() {
    let _alone = ALONE.lock().await;
    let scene = Scene::start("unknowing").await;
    let (actor, ended, gate) = gated(Overflow::Reject).await;
    pg::join("unknowing".to_owned(), vec![actor.get_cell()]);
    let (pid, before) = (actor.get_id().pid(), lost(Cause::Full));
    let mut client = scene.client(TransportKind::Tcp).await;
    client.authenticate("unknowing").await;
    client.send(Frame::Announcement(client.announcement())).await;
    client.expect_announcement().await;
    client.send(Frame::Settled(crate::wire::Settled {})).await;
    client.send_ready().await;
    // What it announces itself has no effect.
    for _ in 0..10 {
        let envelope = client.envelope(add(pid, 1));
        client.send(Frame::Envelope(envelope)).await;
    }
    let call = crate::wire::Call {
        to: scene.counter(),
        what: Vec::new(),
        tag: 5,
        timeout_ms: None,
        variant: "Sum".to_owned(),
    };
    let envelope = client.envelope(NodeBody::Call(call));
    client.send(Frame::Envelope(envelope)).await;
    let is_answered = |frame: Network| {
        assert!(!is_of_credits(&frame), "{frame:?}");
        match frame.body {
            Some(Body::Ours(Ours { frame: Some(Frame::Envelope(it)) })) => match it.body {
                Some(Enveloped::Node(node)) => match node.body {
                    Some(NodeBody::Reply(reply)) => (reply.tag == 5).then_some(()),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    };
    client.find(is_answered).await;
    let refused = lost(Cause::Full) - before;
    assert!((7..=8).contains(&refused), "{refused} of 10");
    assert_eq!(handled(&actor, &gate).await + refused, 10);
    actor.stop(None);
    watched(ended).await.expect("it ends in order");
    scene.end().await;
}

#[tokio::test]
async fn a_stock_peer_is_as_before() {
    let _alone = ALONE.lock().await;
    let scene = Scene::start("stock-credits").await;
    let (actor, ended, gate) = gated(Overflow::DropNewest).await;
    let pid = actor.get_id().pid();
    pg::join("stock-credits".to_owned(), vec![actor.get_cell()]);
    let mut client = stock(&scene, "stock-credits").await;
    for _ in 0..10 {
        client.send(add(pid, 1)).await;
    }
    let call = crate::wire::Call {
        to: scene.counter(),
        what: Vec::new(),
        tag: 5,
        timeout_ms: None,
        variant: "Sum".to_owned(),
    };
    client.send(NodeBody::Call(call)).await;
    let is_answered = |frame: Network| {
        assert!(!matches!(frame.body, Some(Body::Ours(_))), "{frame:?}");
        match frame.body {
            Some(Body::Node(node)) => matches!(node.body, Some(NodeBody::Reply(_))).then_some(()),
            _ => None,
        }
    };
    client.find(is_answered).await;
    let dropped = actor.get_cell().lost_messages();
    assert_eq!(handled(&actor, &gate).await + dropped, 10);
    actor.stop(None);
    watched(ended).await.expect("it ends in order");
    scene.end().await;
}
