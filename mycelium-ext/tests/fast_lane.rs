//! What the fast lane promises, through its public interface.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use mycelium_ext::fast_lane::{
    BATCH, Batch, Delivery, FastActor, FastActorRef, Forward, LaneConfig,
};
use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
use ractor::dead_letters::{DeadLetter, DeadLetters, Event, Options};
use ractor::errors::{UndeliveredCause, UndeliveredReason};
use ractor::{Actor, ActorProcessingErr, ActorRef, ActorStatus, OutputPort, SupervisionEvent};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// What a [`Reader`] tells.
#[derive(Debug, PartialEq)]
enum Seen {
    Batch(Vec<u64>),
    Stopped,
}

/// Tells what it gets, a batch for each permit.
struct Reader {
    gate: Arc<Semaphore>,
    seen: mpsc::UnboundedSender<Seen>,
}

/// The message that makes a [`Reader`] fail, and the one that makes it panic.
const FAIL: u64 = u64::MAX;
const PANIC: u64 = u64::MAX - 1;

impl FastActor for Reader {
    type Msg = u64;
    type Control = ();
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: FastActorRef<u64>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: FastActorRef<u64>,
        batch: Batch<'_, u64>,
        handled: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        self.gate.acquire().await?.forget();
        let batch: Vec<_> = batch.map(Delivery::into_owned).collect();
        *handled += batch.len() as u64;
        if batch.contains(&FAIL) {
            return Err("it was told to".into());
        }
        assert!(!batch.contains(&PANIC), "it was told to");
        self.seen.send(Seen::Batch(batch))?;
        Ok(())
    }

    async fn post_stop(&self, _: FastActorRef<u64>, _: &mut u64) -> Result<(), ActorProcessingErr> {
        Ok(self.seen.send(Seen::Stopped)?)
    }
}

struct Started {
    reader: FastActorRef<u64>,
    stopped: ractor::concurrency::JoinHandle<()>,
    gate: Arc<Semaphore>,
    seen: mpsc::UnboundedReceiver<Seen>,
}

/// A reader that may handle so many batches.
async fn reader(lane: LaneConfig, batches: usize) -> Started {
    let gate = Arc::new(Semaphore::new(batches));
    let (sender, seen) = mpsc::unbounded_channel();
    let reader = Reader { gate: gate.clone(), seen: sender };
    let (reader, stopped) = reader.spawn(None, (), lane).await.expect("it starts");
    Started { reader, stopped, gate, seen }
}

impl Started {
    /// Fills the lane behind a message that is being handled.
    async fn busy(lane: LaneConfig) -> Self {
        let started = reader(lane, 0).await;
        started.reader.cast(0).expect("there is room");
        while started.reader.lane_len() > 0 {
            tokio::task::yield_now().await;
        }
        started
    }

    /// Lets it handle all, and returns its messages one by one.
    async fn rest(mut self) -> Vec<u64> {
        self.gate.add_permits(Semaphore::MAX_PERMITS / 2);
        self.reader.drain().expect("it runs");
        timeout(LONG, self.stopped).await.expect("it drains").expect("it ends");
        let mut all = Vec::new();
        while let Ok(seen) = self.seen.try_recv() {
            if let Seen::Batch(batch) = seen {
                all.extend(batch);
            }
        }
        all
    }
}

const REJECT: LaneConfig = LaneConfig::bounded(4, Overflow::Reject);

#[tokio::test]
async fn messages_arrive_in_order_in_batches_and_all() {
    const MESSAGES: u64 = 10_000;
    let started = reader(LaneConfig::bounded(300, Overflow::Reject), Semaphore::MAX_PERMITS / 2);
    let mut started = started.await;
    for number in 0..MESSAGES {
        started.reader.send(number).await.expect("it runs");
    }
    started.reader.drain().expect("it runs");
    timeout(LONG, started.stopped).await.expect("it drains").expect("it ends");
    let (mut next, mut batches) = (0, 0);
    while let Some(Seen::Batch(batch)) = started.seen.recv().await {
        assert!((1..=BATCH).contains(&batch.len()));
        assert!(batch.iter().copied().eq(next..next + batch.len() as u64));
        next += batch.len() as u64;
        batches += 1;
    }
    assert_eq!(next, MESSAGES);
    assert!(batches < MESSAGES / 2, "{batches} batches");
    assert!((2..=300).contains(&started.reader.lane_high_water()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_keep_their_orders() {
    const SENDERS: u64 = 4;
    const EACH: u64 = 20_000;
    let started = reader(LaneConfig::bounded(64, Overflow::Reject), Semaphore::MAX_PERMITS / 2);
    let started = started.await;
    let senders = (0..SENDERS).map(|sender| {
        let reader = started.reader.clone();
        tokio::spawn(async move {
            for number in 0..EACH {
                reader.send(sender << 32 | number).await.expect("it runs");
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        timeout(LONG, sender).await.expect("nobody waits for ever").expect("it sends");
    }
    let mut next = [0; SENDERS as usize];
    for message in started.rest().await {
        let (sender, number) = ((message >> 32) as usize, message & u64::from(u32::MAX));
        assert_eq!(number, next[sender]);
        next[sender] += 1;
    }
    assert_eq!(next, [EACH; SENDERS as usize]);
}

#[tokio::test]
async fn a_full_lane_returns_the_message() {
    let started = Started::busy(REJECT).await;
    for number in 1..=4 {
        started.reader.cast(number).expect("there is room");
    }
    let failure = started.reader.cast(5).expect_err("there is no room");
    assert_eq!(failure.reason(), UndeliveredReason::Full);
    assert_eq!(failure.actor(), started.reader.get_id());
    assert_eq!(failure.into_message(), 5);
    let shared = Arc::new(6);
    let failure = started.reader.cast_arc(shared.clone()).expect_err("there is no room");
    assert!(Arc::ptr_eq(&failure.into_message(), &shared));
    assert_eq!((started.reader.lane_len(), started.reader.lane_high_water()), (4, 4));
    assert_eq!(started.reader.lost_in_lane(), 0);
    assert_eq!(started.rest().await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_full_lane_drops_and_counts_as_it_is_told() {
    let newest = Started::busy(LaneConfig::bounded(2, Overflow::DropNewest)).await;
    let oldest = Started::busy(LaneConfig::bounded(2, Overflow::DropOldest)).await;
    for number in 1..=5 {
        newest.reader.cast(number).expect("it drops");
        oldest.reader.cast(number).expect("it drops");
    }
    assert_eq!(newest.reader.lost_in_lane(), 3);
    assert_eq!(oldest.reader.lost_in_lane(), 3);
    assert_eq!(newest.rest().await, [0, 1, 2]);
    assert_eq!(oldest.rest().await, [0, 4, 5]);
}

#[tokio::test]
async fn a_sender_waits_for_room_and_may_give_up() {
    let started = Started::busy(LaneConfig::bounded(1, Overflow::Reject)).await;
    started.reader.cast(1).expect("there is room");
    {
        let mut gives_up = pin!(started.reader.send(99));
        let once = poll_fn(|context| Poll::Ready(gives_up.as_mut().poll(context).is_pending()));
        assert!(once.await, "there is no room");
    }
    let waiting = started.reader.clone();
    let waits = tokio::spawn(async move { waiting.send(2).await });
    tokio::task::yield_now().await;
    assert!(!waits.is_finished());
    started.gate.add_permits(1);
    timeout(LONG, waits).await.expect("there is room").expect("it sends").expect("it runs");
    assert_eq!(started.rest().await, [0, 1, 2]);
}

#[tokio::test]
async fn what_is_shared_is_not_copied() {
    struct Keeper;
    impl FastActor for Keeper {
        type Msg = String;
        type Control = ();
        type State = mpsc::UnboundedSender<Arc<String>>;
        type Arguments = mpsc::UnboundedSender<Arc<String>>;

        async fn pre_start(
            &self,
            _: FastActorRef<String>,
            kept: Self::Arguments,
        ) -> Result<Self::State, ActorProcessingErr> {
            Ok(kept)
        }

        async fn handle(
            &self,
            _: FastActorRef<String>,
            batch: Batch<'_, String>,
            kept: &mut Self::State,
        ) -> Result<(), ActorProcessingErr> {
            for message in batch {
                assert!(message.is_shared());
                kept.send(message.into_arc())?;
            }
            Ok(())
        }
    }
    let (sender, mut kept) = mpsc::unbounded_channel();
    let (keeper, _) = Keeper.spawn(None, sender, LaneConfig::default()).await.expect("it starts");
    let tick = Arc::new("tick".to_owned());
    keeper.cast_arc(tick.clone()).expect("there is room");
    keeper.as_actor_ref().cast(tick.clone().into()).expect("it runs");
    for _ in 0..2 {
        let kept = timeout(LONG, kept.recv()).await.expect("it comes").expect("it runs");
        assert!(Arc::ptr_eq(&kept, &tick));
    }
    keeper.stop(None);
}

#[tokio::test]
async fn what_a_handler_leaves_comes_again() {
    struct OneByOne;
    impl FastActor for OneByOne {
        type Msg = u64;
        type Control = ();
        type State = VecDeque<u64>;
        type Arguments = VecDeque<u64>;

        async fn pre_start(
            &self,
            _: FastActorRef<u64>,
            expected: VecDeque<u64>,
        ) -> Result<VecDeque<u64>, ActorProcessingErr> {
            Ok(expected)
        }

        async fn handle(
            &self,
            myself: FastActorRef<u64>,
            mut batch: Batch<'_, u64>,
            expected: &mut VecDeque<u64>,
        ) -> Result<(), ActorProcessingErr> {
            assert_eq!(batch.next().map(|message| *message), expected.pop_front());
            if expected.is_empty() {
                assert_eq!(batch.len(), 0);
                myself.stop(None);
            }
            Ok(())
        }
    }
    let expected = (0..300).collect();
    let lane = LaneConfig::default();
    let (actor, stopped) = OneByOne.spawn(None, expected, lane).await.expect("it starts");
    for number in 0..300 {
        actor.cast(number).expect("there is room");
    }
    timeout(LONG, stopped).await.expect("it gets all").expect("it ends");
}

#[tokio::test]
async fn a_stop_waits_for_the_batch_and_not_for_the_lane() {
    let mut started = Started::busy(REJECT).await;
    started.reader.cast(1).expect("there is room");
    started.reader.stop(None);
    started.gate.add_permits(1);
    timeout(LONG, started.stopped).await.expect("it stops").expect("it ends");
    assert_eq!(started.seen.recv().await, Some(Seen::Batch(vec![0])));
    assert_eq!(started.seen.recv().await, Some(Seen::Stopped));
    let failure = started.reader.cast(2).expect_err("it has ended");
    assert_eq!(failure.reason(), UndeliveredReason::Stopped);
    assert_eq!(started.reader.lost_in_lane(), 1, "the one that waited");
}

#[tokio::test]
async fn a_drain_by_its_cell_handles_what_waits() {
    let started = Started::busy(REJECT).await;
    started.reader.cast(1).expect("there is room");
    started.reader.get_cell().drain().expect("it runs");
    assert_eq!(started.rest().await, [0, 1]);
}

#[tokio::test]
async fn nothing_is_admitted_after_a_drain() {
    let started = Started::busy(REJECT).await;
    started.reader.drain().expect("it runs");
    let failure = started.reader.cast(1).expect_err("it drains");
    assert_eq!((failure.reason(), failure.into_message()), (UndeliveredReason::Stopped, 1));
    assert_eq!(started.rest().await, [0]);
}

#[tokio::test]
async fn a_kill_interrupts_a_handler_and_returns_what_comes_later() {
    let started = Started::busy(LaneConfig::bounded(1, Overflow::Reject)).await;
    started.reader.cast(1).expect("there is room");
    let waiting = started.reader.clone();
    let waits = tokio::spawn(async move { waiting.send(2).await });
    tokio::task::yield_now().await;
    started.reader.kill();
    timeout(LONG, started.stopped).await.expect("it is killed").expect("it ends");
    let failure = timeout(LONG, waits).await.expect("it hears of it").expect("it sends");
    assert_eq!(failure.expect_err("nobody is there").into_message(), 2);
    assert_eq!(started.reader.cast(3).expect_err("nobody is there").into_message(), 3);
    assert_eq!(started.reader.lost_in_lane(), 2, "the one in the handler, and the one behind it");
}

/// Watches one reader.
struct Supervisor;

type Events = mpsc::UnboundedSender<String>;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Supervisor {
    type Msg = ();
    type State = Events;
    type Arguments = Events;

    async fn pre_start(&self, _: ActorRef<()>, told: Events) -> Result<Events, ActorProcessingErr> {
        Ok(told)
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        told: &mut Events,
    ) -> Result<(), ActorProcessingErr> {
        let event = match event {
            SupervisionEvent::ActorTerminated(_, state, reason) => {
                let state = state.ok_or("there is a state")?.take::<u64>();
                format!(
                    "stopped with {:?}, {reason:?}",
                    state.map_err(|_| "it is the actor's own")?
                )
            }
            SupervisionEvent::ActorFailed(_, error) => format!("failed: {error}"),
            _ => return Ok(()),
        };
        Ok(told.send(event)?)
    }
}

#[tokio::test]
async fn it_is_supervised_named_and_grouped_as_any_actor() {
    let (sender, mut events) = mpsc::unbounded_channel();
    let (supervisor, _) = Actor::spawn(None, Supervisor, sender).await.expect("it starts");
    let (seen, _seen) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS / 2));
    for (last, expected) in [
        (None, "stopped with 1, Some(\"enough\")"),
        (Some(FAIL), "failed: it was told to"),
        (Some(PANIC), "failed: it was told to"),
    ] {
        let name = "mycelium-test-lane".to_owned();
        let reader = Reader { gate: gate.clone(), seen: seen.clone() };
        let lane = LaneConfig::default();
        let supervisor = supervisor.get_cell();
        let spawned = reader.spawn_linked(Some(name.clone()), (), lane, supervisor).await;
        let (reader, stopped) = spawned.expect("the name is free");
        ractor::pg::join("mycelium-test-lanes".into(), vec![reader.get_cell()]);
        let members = ractor::pg::get_members(&"mycelium-test-lanes".into());
        assert_eq!(members, [reader.get_cell()]);

        // Its name leads to its cell, and that to its lane.
        let cell = ractor::registry::where_is(name).expect("it is registered");
        let found = FastActorRef::<u64>::try_from(cell.clone()).expect("it has a lane");
        found.cast(7).expect("it runs");
        let no_lane = FastActorRef::<String>::try_from(cell).expect_err("it reads numbers");
        assert_eq!(no_lane.actor(), reader.get_id());
        while reader.lane_len() > 0 || reader.mailbox_len() > 0 {
            tokio::task::yield_now().await;
        }
        match last {
            None => reader.stop(Some("enough".into())),
            Some(last) => reader.cast(last).expect("it runs"),
        }
        let event = timeout(LONG, events.recv()).await.expect("it hears of it").expect("it runs");
        assert_eq!(event, expected);
        timeout(LONG, stopped).await.expect("it ends").expect("it ends");
        assert_eq!(reader.get_status(), ActorStatus::Stopped);
        let gone = FastActorRef::<u64>::try_from(reader.get_cell()).expect_err("it has ended");
        assert!(gone.to_string().contains("has no fast lane of `u64`"), "{gone}");
    }
    supervisor.stop(None);
}

#[tokio::test]
async fn an_ordinary_actor_has_no_lane() {
    let (sender, _events) = mpsc::unbounded_channel();
    let (supervisor, _) = Actor::spawn(None, Supervisor, sender).await.expect("it starts");
    assert!(FastActorRef::<u64>::try_from(supervisor.get_cell()).is_err());
    supervisor.stop(None);
}

#[tokio::test]
async fn an_output_port_feeds_a_lane_actor() {
    let mut started = reader(REJECT, 1).await;
    let port = OutputPort::<u64>::default();
    port.subscribe(started.reader.as_actor_ref().clone(), |number| Some(number.into()));
    port.send(5);
    let seen = timeout(LONG, started.seen.recv()).await.expect("it comes");
    assert_eq!(seen, Some(Seen::Batch(vec![5])));
    started.reader.stop(None);
}

/// Counts, and holds each message until it may go on.
struct Slow(Arc<Semaphore>, Arc<AtomicUsize>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Slow {
    type Msg = u64;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<u64>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<u64>,
        _: u64,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        self.0.acquire().await?.forget();
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test]
async fn a_lane_before_an_ordinary_actor_waits_for_it() {
    let (gate, handled) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let one = ActorConfig::default().with_mailbox(Mailbox::bounded(1, Overflow::Reject));
    let slow = Slow(gate.clone(), handled.clone());
    let (slow, _) = Actor::spawn_with_config(None, slow, (), one).await.expect("it starts");
    let lane = LaneConfig::bounded(8, Overflow::Reject);
    let (lane, stopped) = Forward::new().spawn(None, slow.clone(), lane).await.expect("it starts");
    for number in 0..4 {
        lane.send(number).await.expect("it runs");
        lane.send_arc(Arc::new(number)).await.expect("it runs");
    }
    gate.add_permits(8);
    lane.drain().expect("it runs");
    timeout(LONG, stopped).await.expect("it passes all on").expect("it ends");
    slow.drain_and_wait(Some(LONG)).await.expect("it handles all");
    assert_eq!(handled.load(Ordering::Relaxed), 8);
}

#[tokio::test]
async fn no_flooded_lane_starves_its_neighbours() {
    /// Feeds itself.
    struct Endless;
    impl FastActor for Endless {
        type Msg = ();
        type Control = ();
        type State = ();
        type Arguments = ();

        async fn pre_start(&self, _: FastActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
            Ok(())
        }

        async fn handle(
            &self,
            myself: FastActorRef<()>,
            batch: Batch<'_, ()>,
            (): &mut (),
        ) -> Result<(), ActorProcessingErr> {
            for _ in batch {
                myself.cast(()).map_err(|error| error.to_string())?;
            }
            Ok(())
        }
    }
    let (endless, stopped) =
        Endless.spawn(None, (), LaneConfig::default()).await.expect("it starts");
    for _ in 0..1000 {
        endless.cast(()).expect("there is room");
    }
    // On the same thread: that this gets a turn is what is shown.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(endless.lost_in_lane(), 0);
    endless.stop(None);
    timeout(LONG, stopped).await.expect("it is heard").expect("it ends");
}

#[tokio::test]
#[should_panic(expected = "room for one message at least")]
async fn a_lane_without_room_is_refused() {
    let _ = LaneConfig::bounded(0, Overflow::Reject);
}

/// The next letter for this actor; other tests run beside.
async fn letter(letters: &mut DeadLetters, reader: &FastActorRef<u64>) -> Arc<DeadLetter> {
    loop {
        match timeout(LONG, letters.recv()).await.expect("a letter comes") {
            Event::Letter(letter) if letter.actor() == Some(reader.get_id()) => return letter,
            Event::Letter(_) => {}
            Event::Missed(missed) => panic!("{missed} letters are missing"),
        }
    }
}

#[tokio::test]
async fn each_message_that_a_lane_does_not_deliver_gives_one_letter() {
    let many = std::num::NonZeroUsize::new(1 << 20).expect("it is some");
    let mut letters = Options::default().with_capacity(many).with_rate(None).subscribe();

    let full = Started::busy(LaneConfig::bounded(1, Overflow::Reject)).await;
    full.reader.cast(1).expect("there is room");
    let shared = Arc::new(2);
    full.reader.cast_arc(shared.clone()).unwrap_err();
    let it = letter(&mut letters, &full.reader).await;
    assert_eq!((it.cause(), it.message_type()), (UndeliveredCause::Full, "u64"));
    assert!(it.is_returned());
    assert!(Arc::ptr_eq(&it.shared::<u64>().expect("it is there"), &shared));
    // By the actor's cell it is the same.
    let by_cell = ActorRef::<u64>::from(full.reader.get_cell());
    by_cell.cast(2).unwrap_err();
    assert_eq!(letter(&mut letters, &full.reader).await.cause(), UndeliveredCause::Full);
    let reader = full.reader.clone();
    assert_eq!(full.rest().await, [0, 1]);
    reader.cast(3).unwrap_err();
    by_cell.cast(4).unwrap_err();
    for _ in 0..2 {
        let it = letter(&mut letters, &reader).await;
        // Of the message, and not of what would have brought it.
        assert_eq!((it.cause(), it.message_type()), (UndeliveredCause::Stopped, "u64"));
    }

    for (overflow, dropped) in [(Overflow::DropOldest, 1), (Overflow::DropNewest, 2)] {
        let lossy = Started::busy(LaneConfig::bounded(1, overflow)).await;
        lossy.reader.cast(1).expect("it is taken");
        lossy.reader.cast(2).expect("it is taken");
        let it = letter(&mut letters, &lossy.reader).await;
        assert_eq!((it.cause(), it.is_returned()), (UndeliveredCause::Overflow, false));
        assert_eq!(it.take::<u64>(), Some(dropped));
        lossy.rest().await;
    }

    // Those that wait when the actor is killed are lost together, with the one in hand.
    let killed = Started::busy(LaneConfig::bounded(5, Overflow::Reject)).await;
    for number in 1..4 {
        killed.reader.cast(number).expect("there is room");
    }
    killed.reader.kill();
    killed.stopped.await.expect("it ends");
    let it = letter(&mut letters, &killed.reader).await;
    assert_eq!((it.cause(), it.count()), (UndeliveredCause::Stopped, 4));
}
