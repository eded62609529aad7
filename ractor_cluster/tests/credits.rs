//! Bounded mailboxes of another node, as senders feel them: a cast that finds no room comes back,
//! `send` waits for room, and what a policy drops is counted where it was sent.
//!
//! The nodes are of one process and have a link by TCP between them, so that a test sees both ends.
//! Each of them announces all actors of the process: a sender uses the proxy of its own node alone.

mod common;

use std::sync::Arc;

use common::{until, watched, Node, Stage};
use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
use ractor::concurrency::JoinHandle;
use ractor::errors::UndeliveredReason;
use ractor::{pg, Actor, ActorProcessingErr, ActorRef, MessagingErr, RpcReplyPort};
use ractor_cluster::link::options::{Location, Peer, PeerPolicy};
use ractor_cluster::link::{self, LinkOptions};
use ractor_cluster::peers;
use ractor_cluster::transport::TransportKind;
use ractor_cluster::RactorClusterMessage;
use tokio::sync::{mpsc, Mutex, MutexGuard, Semaphore};
use tokio::task::yield_now;

#[derive(Clone, Debug, PartialEq, Eq, RactorClusterMessage)]
enum Work {
    Number(u64),
}

#[derive(RactorClusterMessage)]
enum Ask {
    #[rpc]
    Number(RpcReplyPort<u64>),
}

/// Handles a message when it is let through, and tells which.
struct Gated {
    gate: Arc<Semaphore>,
    begun: mpsc::UnboundedSender<u64>,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Gated {
    type Msg = Work;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Work>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Work>,
        Work::Number(number): Work,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        self.begun.send(number)?;
        self.gate.acquire().await?.forget();
        Ok(())
    }
}

/// Groups and peers are of the process: one test at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A node with an actor, and nodes that send to it.
struct Scene {
    actor: ActorRef<Work>,
    handle: JoinHandle<()>,
    gate: Arc<Semaphore>,
    begun: mpsc::UnboundedReceiver<u64>,
    home: Node,
    others: Vec<Node>,
    /// The actor's proxies, one for each of the others.
    proxies: Vec<ActorRef<Work>>,
    _alone: MutexGuard<'static, ()>,
}

const GROUP: &str = "gated";
const NAMES: [&str; 3] = ["home", "first", "second"];

fn options() -> LinkOptions {
    let remote = PeerPolicy::default().with_location(Location::Remote);
    NAMES.iter().fold(LinkOptions::default(), |it, name| it.with_peer(Peer::named(*name), remote))
}

impl Scene {
    /// With so many nodes that send.
    async fn start(capacity: usize, overflow: Overflow, senders: usize) -> Self {
        Self::prepared(capacity, overflow, senders, &[]).await
    }

    /// With messages that the actor got of its own node before.
    async fn prepared(capacity: usize, overflow: Overflow, senders: usize, own: &[u64]) -> Self {
        let _alone = ALONE.lock().await;
        let gate = Arc::new(Semaphore::new(0));
        let (tell, mut begun) = mpsc::unbounded_channel();
        let bounded = ActorConfig::default().with_mailbox(Mailbox::bounded(capacity, overflow));
        let gated = Gated { gate: gate.clone(), begun: tell };
        let (actor, handle) = Actor::spawn_with_config(None, gated, (), bounded).await.unwrap();
        pg::join(GROUP.to_owned(), vec![actor.get_cell()]);
        for (place, number) in own.iter().enumerate() {
            actor.cast(Work::Number(*number)).unwrap();
            if place == 0 {
                assert_eq!(watched(begun.recv()).await, Some(*number));
            }
        }
        let home = Node::start(NAMES[0], options()).await;
        let (mut others, mut proxies) = (Vec::new(), Vec::new());
        for name in &NAMES[1..=senders] {
            let mut node = Node::start(name, options()).await;
            node.connect(&home).await;
            let session = node.next(Stage::Ready).await;
            let proxy = watched(async {
                loop {
                    let members = pg::get_members(&GROUP.to_owned());
                    let its = members.into_iter().find(|it| it.get_id().node() == session.node_id);
                    if let Some(proxy) = its {
                        return proxy.into();
                    }
                    yield_now().await;
                }
            })
            .await;
            proxies.push(proxy);
            others.push(node);
        }
        Self { actor, handle, gate, begun, home, others, proxies, _alone }
    }

    async fn next(&mut self) -> u64 {
        watched(self.begun.recv()).await.expect("it runs")
    }

    /// Waits until so many messages wait.
    async fn waits(&self, count: usize) {
        soon(|| self.actor.get_cell().mailbox_len() == count).await;
    }

    async fn end(self) {
        self.actor.stop(None);
        self.gate.close();
        watched(self.handle).await.expect("it ends in order");
        for node in self.others {
            node.stop().await;
        }
        self.home.stop().await;
        until("no peer is left", || peers::list().is_empty()).await;
    }
}

async fn soon(mut holds: impl FnMut() -> bool) {
    watched(async {
        while !holds() {
            yield_now().await;
        }
    })
    .await;
}

/// The number of a message that came back.
fn back(sent: Result<(), MessagingErr<Work>>) -> Option<u64> {
    match sent {
        Ok(()) => None,
        Err(MessagingErr::SendErr(Work::Number(number))) => Some(number),
        Err(error) => panic!("it is lost: {error}"),
    }
}

/// As many are taken as the mailbox holds, beside the one that is being handled.
#[tokio::test]
async fn a_cast_to_a_full_mailbox_elsewhere_comes_back() {
    let mut scene = Scene::start(2, Overflow::Reject, 1).await;
    let proxy = scene.proxies[0].clone();
    let (mut taken, mut returned) = (Vec::new(), Vec::new());
    for number in 0..100 {
        match back(proxy.cast(Work::Number(number))) {
            None => taken.push(number),
            Some(it) => returned.push(it),
        }
    }
    assert!((2..=3).contains(&taken.len()), "{} of 100 were taken", taken.len());
    assert_eq!(taken.len() + returned.len(), 100);
    assert!(returned.iter().all(|it| !taken.contains(it)));
    assert_eq!(scene.next().await, 0);
    // The room of the one that is being handled is lent again.
    let mut number = 100;
    soon(|| {
        if back(proxy.cast(Work::Number(number))).is_none() {
            taken.push(number);
        }
        number += 1;
        taken.len() == 3
    })
    .await;
    scene.waits(2).await;
    for number in 0..1000 {
        assert_eq!(back(proxy.cast(Work::Number(number))), Some(number));
        yield_now().await;
    }
    // In whichever way it is sent.
    let shared = Arc::new(Work::Number(7));
    let failure = proxy.cast_arc(shared.clone()).unwrap_err();
    assert_eq!(failure.reason(), UndeliveredReason::Full);
    assert!(Arc::ptr_eq(&failure.into_message(), &shared));
    let both = "the actor and its proxy".to_owned();
    pg::join(both.clone(), vec![scene.actor.get_cell(), proxy.get_cell()]);
    let report = pg::broadcast_arc(&both, shared);
    assert_eq!((report.delivered(), report.failed().len()), (0, 2));
    assert!(report.failed().iter().all(|(_, reason)| *reason == UndeliveredReason::Full));
    let asked = ActorRef::<Ask>::from(proxy.get_cell());
    let call = watched(asked.call(Ask::Number, None)).await;
    assert!(matches!(call, Err(MessagingErr::SendErr(Ask::Number(_)))), "calls count as messages");

    let cell = scene.actor.get_cell();
    assert_eq!((cell.mailbox_high_water(), cell.lost_messages(), proxy.lost_messages()), (2, 0, 0));
    assert_eq!(dead_letters(), 0);
    scene.gate.add_permits(3);
    assert_eq!([scene.next().await, scene.next().await], taken[1..]);
    // And there is room again.
    soon(|| back(proxy.cast(Work::Number(1))).is_none()).await;
    scene.end().await;
}

/// Messages of peers that found no room in the mailboxes of this process.
fn dead_letters() -> u64 {
    let full = |(cause, count): (link::Cause, u64)| {
        matches!(cause, link::Cause::Full | link::Cause::NoCredit).then_some(count)
    };
    link::dead_letters().into_iter().filter_map(full).sum()
}

#[tokio::test]
async fn send_waits_for_room_elsewhere_and_all_arrive_in_order() {
    const ALL: u64 = 500;
    for (capacity, overflow) in [
        (2, Overflow::Reject),
        (2, Overflow::DropNewest),
        (2, Overflow::DropOldest),
        (50, Overflow::Reject),
    ] {
        let mut scene = Scene::start(capacity, overflow, 1).await;
        let proxy = scene.proxies[0].clone();
        let sender = tokio::spawn(async move {
            for number in 0..ALL {
                proxy.send(Work::Number(number)).await.unwrap();
            }
        });
        assert_eq!(scene.next().await, 0);
        // The room of the one that is being handled is less than a quarter of a large mailbox.
        scene.waits(if capacity < 8 { capacity } else { capacity - 1 }).await;
        for _ in 0..1000 {
            yield_now().await;
        }
        assert!(!sender.is_finished(), "it does not wait");
        for number in 1..ALL {
            scene.gate.add_permits(1);
            assert_eq!(scene.next().await, number);
        }
        watched(sender).await.unwrap();
        let cell = scene.actor.get_cell();
        assert!(cell.mailbox_high_water() <= capacity);
        assert_eq!((cell.lost_messages(), dead_letters()), (0, 0));
        scene.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_wait_get_their_turn() {
    const SENDERS: u64 = 20;
    const EACH: u64 = 50;
    let mut scene = Scene::start(3, Overflow::Reject, 1).await;
    let mut senders = Vec::new();
    for sender in 0..SENDERS {
        let proxy = scene.proxies[0].clone();
        senders.push(tokio::spawn(async move {
            for number in 0..EACH {
                // Some change their minds.
                let changed = tokio::select! {
                    biased;
                    sent = proxy.send(Work::Number(sender * EACH + number)) => {
                        sent.unwrap();
                        continue;
                    }
                    () = yield_now(), if sender % 2 == 0 => true,
                };
                assert!(changed);
                proxy.send(Work::Number(sender * EACH + number)).await.unwrap();
            }
        }));
    }
    let mut next = [0; SENDERS as usize];
    for _ in 0..SENDERS * EACH {
        let number = scene.next().await;
        scene.gate.add_permits(1);
        let (sender, number) = ((number / EACH) as usize, number % EACH);
        assert_eq!(number, next[sender], "the order of sender {sender}");
        next[sender] += 1;
    }
    for sender in senders {
        watched(sender).await.unwrap();
    }
    scene.end().await;
}

#[tokio::test]
async fn what_a_policy_drops_is_counted_where_it_was_sent() {
    const ALL: u64 = 100;
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let mut scene = Scene::start(4, overflow, 1).await;
        let proxy = scene.proxies[0].clone();
        proxy.cast(Work::Number(0)).unwrap();
        assert_eq!(scene.next().await, 0);
        for number in 1..ALL {
            proxy.cast(Work::Number(number)).unwrap();
        }
        let cell = scene.actor.get_cell();
        soon(|| cell.lost_messages() == ALL - 5).await;
        scene.gate.add_permits(5);
        let expected = match overflow {
            Overflow::DropNewest => [1, 2, 3, 4],
            _ => [ALL - 4, ALL - 3, ALL - 2, ALL - 1],
        };
        for number in expected {
            assert_eq!(scene.next().await, number);
        }
        soon(|| proxy.lost_messages() == ALL - 5).await;
        // A message of a sender that waits is not dropped.
        for number in 0..10 {
            proxy.send(Work::Number(number)).await.unwrap();
            scene.gate.add_permits(1);
            assert_eq!(scene.next().await, number);
        }
        assert_eq!((cell.lost_messages(), proxy.lost_messages()), (ALL - 5, ALL - 5));
        assert_eq!(dead_letters(), 0);
        scene.end().await;
    }
}

/// Senders that wait for room, one message each.
async fn waiting(scene: &mut Scene) -> Vec<JoinHandle<Option<u64>>> {
    let proxy = scene.proxies[0].clone();
    proxy.send(Work::Number(0)).await.unwrap();
    assert_eq!(scene.next().await, 0);
    for number in [1, 2] {
        watched(proxy.send(Work::Number(number))).await.unwrap();
    }
    scene.waits(2).await;
    let send = |number| {
        let proxy = proxy.clone();
        tokio::spawn(async move { back(proxy.send(Work::Number(number)).await) })
    };
    let senders: Vec<_> = (3..13).map(send).collect();
    for _ in 0..1000 {
        yield_now().await;
    }
    assert!(senders.iter().all(|it| !it.is_finished()), "they do not wait");
    senders
}

#[tokio::test]
async fn who_waits_for_an_actor_that_stops_gets_the_message_back() {
    let mut scene = Scene::start(2, Overflow::Reject, 1).await;
    let senders = waiting(&mut scene).await;
    scene.actor.kill();
    for (number, sender) in (3..).zip(senders) {
        assert_eq!(watched(sender).await.unwrap(), Some(number));
    }
    let late = scene.proxies[0].cast_arc(Arc::new(Work::Number(1))).unwrap_err();
    assert_eq!(late.reason(), UndeliveredReason::Stopped);
    scene.end().await;
}

#[tokio::test]
async fn who_waits_for_a_session_that_ends_gets_the_message_back() {
    let mut scene = Scene::start(2, Overflow::Reject, 1).await;
    let senders = waiting(&mut scene).await;
    scene.others.remove(0).stop().await;
    for (number, sender) in (3..).zip(senders) {
        assert_eq!(watched(sender).await.unwrap(), Some(number));
    }
    scene.end().await;
}

/// The credits stay as they were, and senders that wait go on waiting.
#[tokio::test]
async fn a_link_that_comes_back_neither_loses_nor_doubles_credits() {
    let mut scene = Scene::start(2, Overflow::Reject, 1).await;
    let senders = waiting(&mut scene).await;
    let peer = scene.proxies[0].get_id().node();
    for round in 0..3 {
        let mut events = peers::events();
        link::close(peer, TransportKind::Tcp).unwrap();
        let is_back =
            |event| matches!(event, peers::PeerEvent::Resumed { node_id } if node_id == peer);
        watched(async { while !is_back(events.recv().await.unwrap()) {} }).await;
        let waiting = senders.iter().filter(|it| !it.is_finished()).count();
        assert_eq!(waiting, 10, "round {round}");
        assert_eq!(back(scene.proxies[0].cast(Work::Number(1))), Some(1));
    }
    let mut arrived = Vec::new();
    for _ in 1..13 {
        scene.gate.add_permits(1);
        arrived.push(scene.next().await);
    }
    for sender in senders {
        assert_eq!(watched(sender).await.unwrap(), None);
    }
    arrived.sort_unstable();
    assert_eq!(arrived, (1..13).collect::<Vec<_>>());
    assert_eq!(scene.actor.get_cell().mailbox_high_water(), 2);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_share_a_mailbox_both_get_through() {
    const CAPACITY: usize = 8;
    let mut scene = Scene::start(CAPACITY, Overflow::Reject, 2).await;
    let mut senders = Vec::new();
    for (place, proxy) in scene.proxies.iter().enumerate() {
        // Many against one: nodes share, not senders.
        for _ in 0..[1, 20][place] {
            let proxy = proxy.clone();
            senders.push(tokio::spawn(async move {
                while proxy.send(Work::Number(place as u64)).await.is_ok() {}
            }));
        }
    }
    let mut got = [0_u64; 2];
    for _ in 0..4000 {
        got[scene.next().await as usize] += 1;
        scene.gate.add_permits(1);
    }
    assert!(got.iter().all(|it| *it >= 500), "{got:?}");
    let most = scene.actor.get_cell().mailbox_high_water();
    assert!(most <= 2 * CAPACITY, "{most} waited");
    scene.actor.kill();
    for sender in senders {
        watched(sender).await.unwrap();
    }
    assert_eq!(dead_letters(), 0);
    scene.end().await;
}

/// What was there before a peer came leaves it as much room as there is.
#[tokio::test]
async fn a_full_mailbox_lends_nothing_to_a_peer_that_comes() {
    let mut scene = Scene::prepared(2, Overflow::Reject, 1, &[50, 51, 52]).await;
    let proxy = scene.proxies[0].clone();
    assert_eq!(back(proxy.cast(Work::Number(1))), Some(1));
    let sender = {
        let proxy = proxy.clone();
        tokio::spawn(async move { back(proxy.send(Work::Number(2)).await) })
    };
    for number in [51, 52, 2] {
        scene.gate.add_permits(1);
        assert_eq!(scene.next().await, number);
    }
    assert_eq!(watched(sender).await.unwrap(), None);
    assert_eq!(scene.actor.get_cell().mailbox_high_water(), 2);
    scene.end().await;
}
