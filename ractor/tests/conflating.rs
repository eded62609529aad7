//! Mailboxes that keep the latest message of each key.

mod common;

use std::cell::Cell;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Once};

use common::{gated, rest, Gate, Gated};
use proptest::prelude::*;
use ractor::actor::actor_config::{ActorConfig, Conflate, Mailbox, NoCapacity, Overflow};
use ractor::concurrency::JoinHandle;
use ractor::errors::UndeliveredReason;
use ractor::rpc::CallResult;
use ractor::{Actor, ActorProcessingErr, ActorRef, MessagingErr, RpcReplyPort, SpawnErr};
use tokio::sync::mpsc;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::Layer;

/// By the thousands of a number. Those of 0 are kept all, and those of 99 panic.
struct ByThousand;

impl Conflate for ByThousand {
    type Message = u64;
    type Key = u64;

    fn key(number: &u64) -> Option<u64> {
        assert_ne!(number / 1000, 99, "the key that panics");
        (*number >= 1000).then_some(number / 1000)
    }
}

fn conflating<C: Conflate>(capacity: usize, overflow: Overflow) -> ActorConfig {
    // Before any line is logged: tracing would not ask a subscriber that comes in the same moment
    // as the first line of a place.
    LOGGING.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(OfKeys);
        tracing::subscriber::set_global_default(subscriber).expect("there is no other one");
    });
    ActorConfig::default().with_mailbox(Mailbox::conflating::<C>(capacity, overflow))
}

/// An actor that is in its handler with message 0.
async fn busy(capacity: usize, overflow: Overflow) -> (ActorRef<u64>, JoinHandle<()>, Gate) {
    let config = conflating::<ByThousand>(capacity, overflow);
    gated(config).await
}

#[ractor::concurrency::test]
async fn the_latest_of_each_key_is_kept_in_the_place_of_the_first() {
    let (actor, handle, gate) = busy(4, Overflow::Reject).await;

    for number in [1000, 2000, 1, 1001] {
        actor.cast(number).unwrap();
    }
    actor.cast_arc(Arc::new(2001)).unwrap();
    actor.send(1002).await.unwrap();
    actor.cast(2).unwrap();
    // All are taken, and these need no room.
    actor.cast_arc(Arc::new(1003)).unwrap();
    actor.send(2002).await.unwrap();

    assert_eq!(actor.replaced_messages(), 5);
    assert_eq!((actor.mailbox_len(), actor.mailbox_high_water()), (4, 4));
    assert_eq!(actor.lost_messages(), 0);
    assert_eq!(rest(&actor, handle, gate).await, [1003, 2002, 1, 2]);
    assert_eq!(actor.replaced_messages(), 5);
}

#[ractor::concurrency::test]
async fn a_key_that_was_taken_out_begins_anew_at_the_end() {
    let (actor, handle, mut gate) = busy(8, Overflow::Reject).await;
    actor.cast(1000).unwrap();
    actor.cast(2000).unwrap();
    gate.go_on.send(()).unwrap();
    assert_eq!(gate.entered.recv().await, Some(1000));

    actor.cast(1001).unwrap();

    assert_eq!(actor.replaced_messages(), 0);
    assert_eq!(rest(&actor, handle, gate).await, [2000, 1001]);
}

#[ractor::concurrency::test]
async fn a_sender_waits_for_room_for_its_key() {
    let (actor, handle, gate) = busy(1, Overflow::DropOldest).await;
    actor.cast(1000).unwrap();
    let sender = actor.clone();
    let sending = ractor::concurrency::spawn(async move {
        for thousand in 2..50 {
            sender.send(1000 * thousand).await.unwrap();
        }
    });

    gate.open();
    sending.await.unwrap();

    assert_eq!((actor.lost_messages(), actor.replaced_messages()), (0, 0));
    let handled = rest(&actor, handle, gate).await;
    assert_eq!(handled, (1..50).map(|thousand| 1000 * thousand).collect::<Vec<_>>());
}

#[derive(Debug, Clone)]
enum Step {
    Cast(u64),
    Arc(u64),
    Handle,
}

fn step() -> impl Strategy<Value = Step> {
    let number = || (0_u64..6, 0_u64..1000).prop_map(|(key, rest)| 1000 * key + rest);
    prop_oneof![number().prop_map(Step::Cast), number().prop_map(Step::Arc), Just(Step::Handle)]
}

/// What a conflating mailbox is, in the fewest words.
#[derive(Default)]
struct Model {
    waiting: VecDeque<u64>,
    replaced: u64,
    lost: u64,
    returned: u64,
}

impl Model {
    fn put(&mut self, number: u64, capacity: usize, overflow: Overflow) {
        let same = |it: &&mut u64| number >= 1000 && **it / 1000 == number / 1000;
        if let Some(waiting) = self.waiting.iter_mut().find(same) {
            *waiting = number;
            self.replaced += 1;
        } else if self.waiting.len() < capacity {
            self.waiting.push_back(number);
        } else if overflow == Overflow::Reject {
            self.returned += 1;
        } else {
            self.lost += 1;
            if overflow == Overflow::DropOldest {
                self.waiting.pop_front();
                self.waiting.push_back(number);
            }
        }
    }
}

async fn as_the_model(steps: Vec<Step>, capacity: usize, overflow: Overflow) {
    let (actor, handle, mut gate) = busy(capacity, overflow).await;
    let mut model = Model::default();
    let (mut sent, mut returned, mut handled) = (0, 0, 0);
    for step in steps {
        match step {
            Step::Cast(number) => {
                sent += 1;
                model.put(number, capacity, overflow);
                if let Err(MessagingErr::SendErr(back)) = actor.cast(number) {
                    assert_eq!(back, number);
                    returned += 1;
                }
            }
            Step::Arc(number) => {
                sent += 1;
                model.put(number, capacity, overflow);
                if let Err(failure) = actor.cast_arc(Arc::new(number)) {
                    assert_eq!(failure.reason(), UndeliveredReason::Full);
                    returned += 1;
                }
            }
            Step::Handle => {
                let Some(next) = model.waiting.pop_front() else { continue };
                gate.go_on.send(()).unwrap();
                assert_eq!(gate.entered.recv().await, Some(next));
                handled += 1;
            }
        }
        assert_eq!(actor.mailbox_len(), model.waiting.len());
        assert_eq!(actor.replaced_messages(), model.replaced);
        assert_eq!((actor.lost_messages(), returned), (model.lost, model.returned));
    }
    let (replaced, lost) = (actor.replaced_messages(), actor.lost_messages());
    let rest = rest(&actor, handle, gate).await;
    assert_eq!(model.waiting, rest);
    handled += rest.len() as u64;
    assert_eq!(sent, handled + replaced + lost + returned);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_and_account_are_those_of_the_model(
        steps in prop::collection::vec(step(), 0..60),
        capacity in 1_usize..8,
        overflow in prop_oneof![
            Just(Overflow::Reject),
            Just(Overflow::DropNewest),
            Just(Overflow::DropOldest),
        ],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(as_the_model(steps, capacity, overflow));
    }
}

#[ractor::concurrency::test]
async fn a_key_that_panics_gives_the_message_back_and_harms_nothing() {
    let (actor, handle, gate) = busy(4, Overflow::Reject).await;
    actor.cast(1000).unwrap();

    let failure = actor.cast(99_001).unwrap_err();
    assert!(matches!(failure, MessagingErr::SendErr(99_001)));
    assert!(failure.to_string().contains("its key for a conflating mailbox panicked"));
    let shared = Arc::new(99_002);
    let failure = actor.cast_arc(shared.clone()).unwrap_err();
    assert_eq!(failure.reason(), UndeliveredReason::KeyPanicked);
    assert!(Arc::ptr_eq(&failure.into_message(), &shared));
    assert!(matches!(actor.send(99_003).await, Err(MessagingErr::SendErr(99_003))));

    actor.cast(1001).unwrap();
    assert_eq!((actor.lost_messages(), actor.replaced_messages()), (0, 1));
    assert_eq!(rest(&actor, handle, gate).await, [1001]);
}

static LOGGING: Once = Once::new();

thread_local! {
    /// The lines on keys, of senders of this thread.
    static LOGGED: Cell<usize> = const { Cell::new(0) };
}

/// Counts what is logged of keys.
struct OfKeys;

impl<S: tracing::Subscriber> Layer<S> for OfKeys {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!("{value:?} ");
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        if text.0.contains("The key of a message") {
            LOGGED.set(LOGGED.get() + 1);
        }
    }
}

#[cfg(not(feature = "async-std"))]
#[ractor::concurrency::test]
async fn the_first_key_that_panics_is_logged_however_the_message_is_sent() {
    for way in 0..4 {
        let (actor, handle, gate) = busy(4, Overflow::Reject).await;
        for _ in 0..2 {
            let failed = match way {
                0 => actor.cast(99_001).is_err(),
                1 => actor.send(99_001).await.is_err(),
                2 => actor.cast_arc(Arc::new(99_001)).is_err(),
                _ => actor.send_arc(Arc::new(99_001)).await.is_err(),
            };
            assert!(failed);
        }
        assert_eq!(LOGGED.take(), 1, "way {way}");
        assert!(rest(&actor, handle, gate).await.is_empty());
    }
}

/// A message that boxes itself where the feature `cluster` is on, too large to wait inline, with
/// keys and contents of the application's own.
struct Large {
    symbol: Symbol,
    number: u64,
    _alive: Arc<()>,
    _ballast: [u8; 256],
}

/// Panics where it is told to.
#[derive(Clone)]
struct Symbol {
    name: &'static str,
    _alive: Arc<()>,
}

impl PartialEq for Symbol {
    fn eq(&self, other: &Self) -> bool {
        assert_ne!(other.name, "eq");
        self.name == other.name
    }
}

impl Eq for Symbol {}

impl Hash for Symbol {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        assert_ne!(self.name, "hash");
        // All hash alike, so that they are compared.
        0.hash(hasher);
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        if self.symbol.name == "drop" && !std::thread::panicking() {
            panic!("a message that panics when it is dropped");
        }
    }
}

#[cfg(feature = "cluster")]
impl ractor::Message for Large {}

impl Conflate for Large {
    type Message = Self;
    type Key = Symbol;

    fn key(message: &Self) -> Option<Symbol> {
        Some(message.symbol.clone())
    }
}

struct Collector;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Collector {
    type Msg = Large;
    type State = (mpsc::UnboundedSender<u64>, mpsc::UnboundedReceiver<()>);
    type Arguments = Self::State;

    async fn pre_start(
        &self,
        _: ActorRef<Large>,
        state: Self::State,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(state)
    }

    async fn handle(
        &self,
        _: ActorRef<Large>,
        message: Large,
        (numbers, leave): &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let number = message.number;
        if message.symbol.name == "drop" {
            // Its `drop` is not the actor's affair.
            std::mem::forget(message);
        } else {
            drop(message);
        }
        numbers.send(number)?;
        leave.recv().await;
        Ok(())
    }
}

#[ractor::concurrency::test]
async fn keys_and_messages_of_any_kind_leave_nothing_behind() {
    let (send, mut numbers) = mpsc::unbounded_channel();
    let (go_on, leave) = mpsc::unbounded_channel();
    let config = conflating::<Large>(3, Overflow::Reject);
    let (actor, handle) =
        Actor::spawn_with_config(None, Collector, (send, leave), config).await.unwrap();
    let alive = Arc::new(());
    let message = |name, number| {
        let symbol = Symbol { name, _alive: alive.clone() };
        Large { symbol, number, _alive: alive.clone(), _ballast: [0; 256] }
    };
    actor.cast(message("held", 0)).ok().unwrap();
    assert_eq!(numbers.recv().await, Some(0));
    for number in 1..=3 {
        actor.cast(message("a", number)).ok().unwrap();
        actor.cast(message("b", 10 * number)).ok().unwrap();
    }
    // One that waits, with its key, for each of the two; and what `message` holds.
    assert_eq!((actor.mailbox_len(), Arc::strong_count(&alive)), (2, 1 + 2 * 3));

    for name in ["eq", "hash"] {
        let Err(MessagingErr::SendErr(back)) = actor.cast(message(name, 4)) else {
            panic!("the key of `{name}` panics");
        };
        assert_eq!(back.number, 4);
    }
    // The one that is replaced panics in its `drop`.
    actor.cast(message("drop", 5)).ok().unwrap();
    actor.cast(message("drop", 6)).ok().unwrap();
    assert_eq!(actor.replaced_messages(), 5);

    for expected in [3, 30, 6] {
        go_on.send(()).unwrap();
        assert_eq!(numbers.recv().await, Some(expected));
    }
    go_on.send(()).unwrap();
    actor.cast(message("a", 7)).ok().unwrap();
    assert_eq!(numbers.recv().await, Some(7));
    // In the mailbox when the actor stops.
    actor.cast(message("a", 8)).ok().unwrap();
    actor.kill();
    handle.await.unwrap();
    assert_eq!(actor.mailbox_len(), 0);
    drop(actor);
    // The message whose `drop` panicked let go of its fields, and the handler forgot the other one.
    assert_eq!(Arc::strong_count(&alive), 1 + 2);
}

enum Question {
    Keyed(RpcReplyPort<u64>),
    Kept(RpcReplyPort<u64>),
}

#[cfg(feature = "cluster")]
impl ractor::Message for Question {}

impl Conflate for Question {
    type Message = Self;
    type Key = ();

    fn key(question: &Self) -> Option<()> {
        matches!(question, Self::Keyed(_)).then_some(())
    }
}

struct Answering;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Answering {
    type Msg = Question;
    type State = (u64, mpsc::UnboundedReceiver<()>);
    type Arguments = mpsc::UnboundedReceiver<()>;

    async fn pre_start(
        &self,
        _: ActorRef<Question>,
        leave: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok((0, leave))
    }

    /// Waits until the test has sent everything.
    async fn post_start(
        &self,
        _: ActorRef<Question>,
        (_, leave): &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        leave.recv().await;
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Question>,
        question: Question,
        (answered, _): &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        *answered += 1;
        let (Question::Keyed(port) | Question::Kept(port)) = question;
        Ok(port.send(*answered)?)
    }
}

#[ractor::concurrency::test]
async fn calls_without_a_key_are_all_answered_and_a_replaced_one_fails_at_once() {
    let config = conflating::<Question>(8, Overflow::Reject);
    let (go_on, leave) = mpsc::unbounded_channel();
    let (actor, handle) = Actor::spawn_with_config(None, Answering, leave, config).await.unwrap();

    // Sent one after the other; only then the actor may handle the first.
    let (first, second, third, fourth, _) = tokio::join!(
        biased;
        actor.call(Question::Keyed, None),
        actor.call(Question::Kept, None),
        actor.call(Question::Kept, None),
        actor.call(Question::Keyed, None),
        async { go_on.send(()) },
    );

    assert!(matches!(first, Ok(CallResult::SenderError)), "{first:?}");
    assert_eq!([second, third].map(|it| it.unwrap().unwrap()), [2, 3]);
    // In the place of the first.
    assert_eq!(fourth.unwrap().unwrap(), 1);
    assert_eq!(actor.replaced_messages(), 1);
    actor.stop(None);
    handle.await.unwrap();
}

#[ractor::concurrency::test]
async fn keys_of_other_messages_are_an_error_at_the_start() {
    let config = conflating::<Question>(8, Overflow::Reject);
    let (_gate, gated) = Gate::new();
    let started = Actor::spawn_with_config(Some("wrong keys".to_owned()), Gated, gated, config);

    let Err(SpawnErr::StartupFailed(error)) = started.await else {
        panic!("it has keys for questions, and handles numbers");
    };

    let text = error.to_string();
    assert!(text.contains("Question") && text.contains("u64"), "{text}");
    assert!(ractor::registry::where_is("wrong keys").is_none());
}

#[test]
fn no_capacity_is_an_error_of_its_own() {
    let none = Mailbox::try_conflating::<ByThousand>(0, Overflow::Reject);
    assert_eq!(none, Err(NoCapacity));
    assert_eq!(Mailbox::try_bounded(0, Overflow::Reject), Err(NoCapacity));
    assert!(NoCapacity.to_string().contains("capacity of 0"));
    let made = std::panic::catch_unwind(|| {
        Mailbox::conflating::<ByThousand>(std::hint::black_box(0), Overflow::Reject)
    });
    assert!(made.is_err());
}

#[test]
fn configurations_are_equal_if_their_keys_are() {
    let one = Mailbox::conflating::<ByThousand>(8, Overflow::Reject);
    assert_eq!(one, Mailbox::conflating::<ByThousand>(8, Overflow::Reject));
    assert_ne!(one, Mailbox::conflating::<Question>(8, Overflow::Reject));
    assert!(format!("{one:?}").contains("ByThousand"));
    assert_eq!(one.bound().map(|(capacity, _)| capacity.get()), Some(8));
}
