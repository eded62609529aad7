//! Fast actors as others know them: by their cell, by a reference made of it, and in groups.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use mycelium_ext::fast_lane::{Batch, FastActor, FastActorRef, LaneConfig};
use ractor::actor::actor_config::Overflow;
use ractor::concurrency::JoinHandle;
use ractor::errors::UndeliveredReason;
use ractor::message::Shared;
use ractor::{
    Actor, ActorCell, ActorProcessingErr, ActorRef, DerivedActorRef, MessagingErr, OutputPort, pg,
};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// Counts its copies.
#[derive(Debug)]
struct Tick {
    number: u64,
    copies: Arc<AtomicUsize>,
}

impl Clone for Tick {
    fn clone(&self) -> Self {
        self.copies.fetch_add(1, Ordering::SeqCst);
        Self { number: self.number, copies: self.copies.clone() }
    }
}

#[cfg(feature = "cluster")]
impl ractor::Message for Tick {}

fn tick(number: u64) -> Tick {
    Tick { number, copies: Arc::default() }
}

/// A number, and whether it came by `Arc`.
type Seen = (u64, bool);

/// Tells what it gets, a message for each permit.
struct Fast {
    gate: Arc<Semaphore>,
    seen: mpsc::UnboundedSender<Seen>,
    owns: bool,
}

impl FastActor for Fast {
    type Msg = Tick;
    type Control = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: FastActorRef<Tick>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: FastActorRef<Tick>,
        batch: Batch<'_, Tick>,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        for tick in batch {
            self.gate.acquire().await?.forget();
            let seen = (tick.number, tick.is_shared());
            if self.owns {
                drop(tick.into_owned());
            }
            self.seen.send(seen)?;
        }
        Ok(())
    }
}

struct Started {
    fast: FastActorRef<Tick>,
    stopped: JoinHandle<()>,
    gate: Arc<Semaphore>,
    seen: mpsc::UnboundedReceiver<Seen>,
}

impl Started {
    async fn new(lane: LaneConfig, owns: bool) -> Self {
        let (seen_tx, seen) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(0));
        let fast = Fast { gate: gate.clone(), seen: seen_tx, owns };
        let (fast, stopped) = fast.spawn(None, (), lane).await.expect("it starts");
        Self { fast, stopped, gate, seen }
    }

    /// Is handling message 0, and has as many more in its lane as fit: 1 and so on.
    async fn full(capacity: u64, overflow: Overflow) -> Self {
        let lane = LaneConfig::bounded(usize::try_from(capacity).expect("few"), overflow);
        let started = Self::new(lane, false).await;
        started.fast.cast(tick(0)).expect("there is room");
        while started.fast.lane_len() > 0 {
            tokio::task::yield_now().await;
        }
        for number in 1..=capacity {
            started.fast.get_cell().send_message(tick(number)).expect("there is room");
        }
        started
    }

    fn open(&self) {
        self.gate.add_permits(10_000);
    }

    /// Lets it handle all, and returns the messages that it got.
    async fn rest(mut self) -> Vec<Seen> {
        self.open();
        self.fast.drain().expect("it runs");
        timeout(LONG, self.stopped).await.expect("it drains").expect("it ends");
        let mut all = Vec::new();
        while let Ok(seen) = self.seen.try_recv() {
            all.push(seen);
        }
        all
    }

    async fn numbers(self) -> Vec<u64> {
        self.rest().await.into_iter().map(|(number, _)| number).collect()
    }
}

fn is_pending<F: Future>(future: std::pin::Pin<&mut F>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

/// An ordinary actor of the same messages.
struct Plain(mpsc::UnboundedSender<Seen>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Plain {
    type Msg = Tick;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Tick>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_arc(
        &self,
        _: ActorRef<Tick>,
        tick: Shared<Tick>,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(self.0.send((tick.number, true))?)
    }
}

#[tokio::test]
async fn a_mixed_group_is_reached_as_a_whole_and_by_one_allocation() {
    let group = "a mixed group of lanes".to_owned();
    let reads = Started::new(LaneConfig::default(), false).await;
    let owns = Started::new(LaneConfig::default(), true).await;
    let (plain_tx, mut plain_seen) = mpsc::unbounded_channel();
    let (plain, plain_stopped) = Actor::spawn(None, Plain(plain_tx), ()).await.expect("it starts");
    let members = vec![reads.fast.get_cell(), plain.get_cell(), owns.fast.get_cell()];
    pg::join(group.clone(), members);
    let message = Arc::new(tick(7));

    let report = pg::broadcast_arc(&group, message.clone());
    assert_eq!((report.delivered(), report.failed().len()), (3, 0), "{report:?}");
    let report = pg::send_arc(&group, message.clone(), LONG).await;
    assert!(report.is_complete(), "{report:?}");

    for _ in 0..2 {
        assert_eq!(timeout(LONG, plain_seen.recv()).await.expect("it comes"), Some((7, true)));
    }
    assert_eq!(reads.rest().await, [(7, true), (7, true)]);
    assert_eq!(message.copies.load(Ordering::SeqCst), 0, "those who read copy nothing");
    assert_eq!(owns.rest().await, [(7, true), (7, true)]);
    assert_eq!(message.copies.load(Ordering::SeqCst), 2, "one who keeps it copies it once each");
    plain.stop(None);
    plain_stopped.await.expect("it ends");
    assert_eq!(Arc::strong_count(&message), 1);
}

#[tokio::test]
async fn all_ways_lead_into_one_lane_in_order() {
    let started = Started::new(LaneConfig::bounded(1000, Overflow::Reject), false).await;
    let (fast, cell) = (started.fast.clone(), started.fast.get_cell());
    let typed = ActorRef::<Tick>::from(cell.clone());
    let derived: DerivedActorRef<Tick> = typed.get_derived();
    let mut number = 0..;
    let mut next = || tick(number.next().expect("there is one"));
    for _ in 0..20 {
        fast.cast(next()).expect("there is room");
        cell.send_message(next()).expect("there is room");
        cell.cast_arc(Arc::new(next())).expect("there is room");
        fast.cast_arc(Arc::new(next())).expect("there is room");
        typed.cast(next()).expect("there is room");
        typed.send(next()).await.expect("it runs");
        typed.send_arc(Arc::new(next())).await.expect("it runs");
        cell.send_arc(Arc::new(next())).await.expect("it runs");
        derived.cast_arc(Arc::new(next())).expect("there is room");
        derived.send_arc(Arc::new(next())).await.expect("it runs");
    }
    assert!(started.numbers().await.into_iter().eq(0..200));
}

#[tokio::test]
async fn by_cell_it_is_refused_what_its_lane_does_not_take() {
    let started = Started::full(1, Overflow::Reject).await;
    let cell = started.fast.get_cell();
    assert_eq!(cell.is_message_type_of::<Tick>(), Some(true));
    assert_eq!(cell.is_message_type_of::<u64>(), Some(false));

    assert!(matches!(cell.send_message(5_u64), Err(MessagingErr::InvalidActorType)));
    let failure = cell.cast_arc(Arc::new(5_u64)).expect_err("it is of another type");
    assert_eq!(failure.reason(), UndeliveredReason::WrongType);
    let Err(MessagingErr::SendErr(back)) = cell.send_message(tick(9)) else { panic!("it is full") };
    assert_eq!(back.number, 9);
    let message = Arc::new(tick(10));
    let failure = cell.cast_arc(message.clone()).expect_err("it is full");
    assert_eq!(failure.reason(), UndeliveredReason::Full);
    assert!(failure.to_string().contains("LaneConfig"), "{failure}");
    assert!(Arc::ptr_eq(&failure.into_message(), &message));
    assert_eq!(started.fast.lost_in_lane(), 0);
    assert_eq!(started.numbers().await, [0, 1]);

    let failure = cell.send_arc(message.clone()).await.expect_err("it has ended");
    assert_eq!(failure.reason(), UndeliveredReason::Stopped);
    assert!(Arc::ptr_eq(&failure.into_message(), &message));
    assert!(matches!(cell.send_message(tick(11)), Err(MessagingErr::SendErr(_))));
}

#[tokio::test]
async fn a_broadcast_tells_what_a_lane_dropped() {
    for (overflow, expected) in
        [(Overflow::DropNewest, ((0, 1, 0), 1)), (Overflow::DropOldest, ((1, 0, 1), 7))]
    {
        let started = Started::full(1, overflow).await;
        let group = format!("{overflow:?} lanes");
        pg::join(group.clone(), vec![started.fast.get_cell()]);
        let report = pg::broadcast_arc(&group, Arc::new(tick(7)));
        let account = (report.delivered(), report.dropped().len(), report.displaced());
        assert_eq!(started.fast.lost_in_lane(), 1);
        assert_eq!((account, started.numbers().await[1]), expected);
    }
}

#[tokio::test]
async fn by_cell_senders_wait_for_room_in_the_lane() {
    for overflow in [Overflow::Reject, Overflow::DropNewest, Overflow::DropOldest] {
        let started = Started::full(1, overflow).await;
        let group = format!("{overflow:?} lanes that are waited for");
        let cell = started.fast.get_cell();
        let typed = ActorRef::<Tick>::from(cell.clone());
        pg::join(group.clone(), vec![cell.clone()]);
        let given_up = Arc::new(tick(50));
        {
            let mut cancelled = pin!(cell.send_arc(given_up.clone()));
            assert!(is_pending(cancelled.as_mut()));
            let mut first = pin!(cell.send_arc(Arc::new(tick(2))));
            let mut second = pin!(typed.send(tick(3)));
            let mut third = pin!(pg::send_arc(&group, Arc::new(tick(4)), LONG));
            assert!(is_pending(first.as_mut()));
            assert!(is_pending(second.as_mut()));
            assert!(is_pending(third.as_mut()));
            started.open();
            timeout(LONG, first).await.expect("there is room").expect("it runs");
            timeout(LONG, second).await.expect("there is room").expect("it runs");
            assert!(timeout(LONG, third).await.expect("there is room").is_complete());
        }
        assert_eq!(Arc::strong_count(&given_up), 1);
        assert_eq!(started.fast.lost_in_lane(), 0);
        assert_eq!(started.numbers().await, [0, 1, 2, 3, 4]);
    }
}

#[tokio::test]
async fn all_who_wait_by_cell_get_their_message_back_when_it_ends() {
    let ends: [fn(&ActorCell); 2] = [|it| it.stop(None), |it| it.kill()];
    for end in ends {
        let started = Started::full(1, Overflow::Reject).await;
        let (cell, message) = (started.fast.get_cell(), Arc::new(tick(2)));
        let typed = ActorRef::<Tick>::from(cell.clone());
        let mut shared = pin!(cell.send_arc(message.clone()));
        let mut owned = pin!(typed.send(tick(3)));
        assert!(is_pending(shared.as_mut()) && is_pending(owned.as_mut()));
        end(&cell);
        // Of the handler that a stop waits for.
        started.gate.add_permits(1);
        timeout(LONG, started.stopped).await.expect("it ends").expect("it ends");
        let failure = timeout(LONG, shared).await.expect("it hears of it").expect_err("it ended");
        assert_eq!(failure.reason(), UndeliveredReason::Stopped);
        assert!(Arc::ptr_eq(&failure.into_message(), &message));
        let owned = timeout(LONG, owned).await.expect("it hears of it");
        assert!(matches!(owned, Err(MessagingErr::SendErr(Tick { number: 3, .. }))));
        assert_eq!(started.fast.lost_in_lane(), 1);
        assert_eq!(Arc::strong_count(&message), 1);
    }
}

#[tokio::test]
async fn its_name_leads_to_it_by_the_type_of_its_messages() {
    let (seen, mut told) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(1));
    let fast = Fast { gate, seen, owns: false };
    let name = "mycelium-test-lane-by-name";
    let spawned = fast.spawn(Some(name.to_owned()), (), LaneConfig::default()).await;
    let (fast, stopped) = spawned.expect("the name is free");
    assert!(ActorRef::<u64>::where_is(name).is_none());
    let found = ActorRef::<Tick>::where_is(name).expect("it runs");
    found.cast(tick(1)).expect("there is room");
    assert_eq!(timeout(LONG, told.recv()).await.expect("it comes"), Some((1, false)));
    fast.stop(None);
    stopped.await.expect("it ends");
}

/// A subscriber whose lane is full misses a message, and stays one.
#[tokio::test]
async fn an_output_port_feeds_a_lane_by_its_cell() {
    for by_arc in [true, false] {
        let mut started = Started::full(1, Overflow::Reject).await;
        let port = OutputPort::<Tick>::default();
        let subscriber = ActorRef::from(started.fast.get_cell());
        if by_arc {
            port.subscribe_arc(subscriber, Some);
        } else {
            port.subscribe(subscriber, Some);
        }
        port.send_arc(Arc::new(tick(5)));
        let misses_it = async {
            while started.fast.lost_messages() == 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, misses_it).await.expect("it is counted");
        started.open();
        for number in [0, 1] {
            let seen = timeout(LONG, started.seen.recv()).await.expect("it comes");
            assert_eq!(seen, Some((number, false)));
        }
        let report = port.send_arc_within(Arc::new(tick(6)), LONG).await;
        assert!(report.is_complete() && report.delivered() == 1, "{report:?}");
        let seen = timeout(LONG, started.seen.recv()).await.expect("it comes");
        assert_eq!(seen, Some((6, by_arc)));
        started.fast.stop(None);
    }
}
