//! Output ports whose capacity the application chose, and subscribers that hear what they missed.
//!
//! With a runtime of one thread: what is sent before a test awaits is sent before any subscriber
//! has its turn.
#![cfg(feature = "tokio_runtime")]

mod common;

use std::sync::Arc;

use common::{bounded, let_others_run};
use ractor::actor::actor_config::{ActorConfig, Conflate, NoCapacity, Overflow};
use ractor::concurrency::JoinHandle;
use ractor::port::output::{PortLosses, PortOptions, PortOverflow, SubscribeOptions};
use ractor::{Actor, ActorProcessingErr, ActorRef, OutputPort};
use tokio::sync::mpsc;

#[derive(Debug, Clone, PartialEq)]
enum Got {
    Number(u64),
    Missed(u64),
}

#[cfg(feature = "cluster")]
impl ractor::Message for Got {}

/// Tells what it gets.
struct Telling;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Telling {
    type Msg = Got;
    type State = mpsc::UnboundedSender<Got>;
    type Arguments = Self::State;

    async fn pre_start(
        &self,
        _: ActorRef<Got>,
        tell: Self::State,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(tell)
    }

    async fn handle(
        &self,
        _: ActorRef<Got>,
        got: Got,
        tell: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(tell.send(got)?)
    }
}

struct Running {
    actor: ActorRef<Got>,
    handle: JoinHandle<()>,
    got: mpsc::UnboundedReceiver<Got>,
}

impl Running {
    async fn start() -> Self {
        Self::with(ActorConfig::default()).await
    }

    async fn with(config: ActorConfig) -> Self {
        let (tell, got) = mpsc::unbounded_channel();
        let (actor, handle) = Actor::spawn_with_config(None, Telling, tell, config).await.unwrap();
        Self { actor, handle, got }
    }

    async fn next(&mut self) -> Got {
        self.got.recv().await.unwrap()
    }

    async fn numbers(&mut self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            assert_eq!(self.next().await, Got::Number(number));
        }
    }

    /// Stops it, and returns what it had not told before.
    async fn stop(mut self) -> Vec<Got> {
        self.actor.drain().unwrap();
        self.handle.await.unwrap();
        let mut rest = Vec::new();
        while let Some(got) = self.got.recv().await {
            rest.push(got);
        }
        rest
    }
}

/// A port of numbers for so many messages.
fn port(capacity: usize, overflow: PortOverflow) -> OutputPort<u64> {
    OutputPort::with_options(PortOptions::new(capacity, overflow).unwrap())
}

fn reporting() -> SubscribeOptions<Got> {
    SubscribeOptions::default().on_lag(|count| Some(Got::Missed(count)))
}

fn number(number: Arc<u64>) -> Option<Got> {
    Some(Got::Number(*number))
}

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

/// What is published with a deadline reaches those with a queue of their own as well, which are not
/// waited for.
#[ractor::concurrency::test]
async fn a_publisher_that_waits_reaches_subscribers_with_queues() {
    let (mut queued, mut plain) = (Running::start().await, Running::start().await);
    for with_options in [true, false] {
        let port = match with_options {
            true => port(8, PortOverflow::DropOldest),
            false => OutputPort::default(),
        };
        port.subscribe_with(queued.actor.clone(), reporting(), number);
        port.subscribe(plain.actor.clone(), |it| Some(Got::Number(it)));
        for number in 1..=3 {
            let within = ractor::concurrency::Duration::from_secs(60);
            let report = port.send_arc_within(Arc::new(number), within).await;
            // A port with options has queues for all.
            let expected = usize::from(!with_options);
            assert!(report.is_complete(), "{report:?}");
            assert_eq!(report.delivered(), expected);
        }
        queued.numbers(1..=3).await;
        plain.numbers(1..=3).await;
    }
    assert_eq!((queued.stop().await, plain.stop().await), (Vec::new(), Vec::new()));
}

#[ractor::concurrency::test]
async fn a_subscriber_misses_the_oldest_and_hears_how_many() {
    let port = port(3, PortOverflow::DropOldest);
    let mut told = Running::start().await;
    let mut untold = Running::start().await;
    port.subscribe_with(told.actor.clone(), reporting(), number);
    port.subscribe_with(untold.actor.clone(), SubscribeOptions::default(), number);

    // No task of this thread has a turn meanwhile.
    (1..=10).for_each(|number| port.send(number));

    assert_eq!(port.losses().lagged, 2 * 7);
    assert_eq!(told.next().await, Got::Missed(7));
    told.numbers(8..=10).await;
    untold.numbers(8..=10).await;
    port.send_arc(Arc::new(11));
    told.numbers([11]).await;
    untold.numbers([11]).await;
    assert_eq!(told.stop().await, []);
    assert_eq!(untold.stop().await, []);
    assert_eq!(port.losses().lagged, 2 * 7);
}

#[ractor::concurrency::test]
async fn a_subscriber_misses_the_newest_and_hears_how_many() {
    let port = port(3, PortOverflow::DropNewest);
    let mut told = Running::start().await;
    port.subscribe_arc_with(told.actor.clone(), reporting(), |number| {
        Some(Arc::new(Got::Number(*number)))
    });

    (1..=10).for_each(|number| port.send(number));

    assert_eq!(told.next().await, Got::Missed(7));
    told.numbers(1..=3).await;
    port.send(11);
    told.numbers([11]).await;
    assert_eq!(told.stop().await, []);
    assert_eq!(port.losses(), losses(|it| it.lagged = 7));
}

fn losses(with: impl FnOnce(&mut PortLosses)) -> PortLosses {
    let mut losses = PortLosses::default();
    with(&mut losses);
    losses
}

#[ractor::concurrency::test]
async fn a_port_conflates() {
    let options = PortOptions::new(3, PortOverflow::DropOldest).unwrap();
    let port = OutputPort::with_options(options.conflating::<ByThousand>());
    let mut one = Running::start().await;
    let mut gone = Running::start().await;
    port.subscribe_with(one.actor.clone(), reporting(), number);
    port.subscribe(gone.actor.clone(), |number| Some(Got::Number(number)));

    for number in [1000, 2000, 1, 1001, 2001, 1002] {
        port.send(number);
    }
    assert_eq!(port.losses(), losses(|it| it.replaced = 2 * 3));
    one.numbers([1002, 2001, 1]).await;
    gone.numbers([1002, 2001, 1]).await;

    // Counts of one that is gone stay.
    assert_eq!(gone.stop().await, []);
    for _ in 0..10 {
        port.send(3);
        one.numbers([3]).await;
        let_others_run().await;
    }
    assert_eq!(port.losses(), losses(|it| it.replaced = 2 * 3));

    // A key that panics is a miss, and no more.
    port.send(99_000);
    port.send(4);
    assert_eq!(one.next().await, Got::Missed(1));
    one.numbers([4]).await;
    assert_eq!(port.losses(), losses(|it| (it.replaced, it.key_panicked) = (6, 1)));
    assert_eq!(one.stop().await, []);
}

#[ractor::concurrency::test]
async fn a_late_subscriber_gets_the_last_message_if_it_asks() {
    let options = PortOptions::new(8, PortOverflow::DropOldest).unwrap();
    let port = OutputPort::with_options(options.keeping_last());
    let last = || SubscribeOptions::default().with_last();
    let mut early = Running::start().await;
    // There is none yet.
    port.subscribe_with(early.actor.clone(), last(), number);
    port.send(1);
    port.send(2);
    let mut late = Running::start().await;
    port.subscribe_with(late.actor.clone(), last(), number);
    let mut unasked = Running::start().await;
    port.subscribe_with(unasked.actor.clone(), SubscribeOptions::default(), number);
    port.send(3);

    early.numbers([1, 2, 3]).await;
    late.numbers([2, 3]).await;
    unasked.numbers([3]).await;

    let forgets = self::port(8, PortOverflow::DropOldest);
    forgets.send(1);
    let mut asks = Running::start().await;
    forgets.subscribe_with(asks.actor.clone(), last(), number);
    forgets.send(2);
    asks.numbers([2]).await;
    for it in [early, late, unasked, asks] {
        assert_eq!(it.stop().await, []);
    }
}

#[ractor::concurrency::test]
async fn a_converter_that_panics_ends_its_own_subscription_only() {
    let own = port(2, PortOverflow::DropOldest);
    let stock = OutputPort::default();
    for port in [&own, &stock] {
        let mut good = Running::start().await;
        let mut bad = Running::start().await;
        let bad_report = Running::start().await;
        let panics = |number: u64| {
            assert_ne!(number, 2, "the converter that panics");
            Some(Got::Number(number))
        };
        let report = SubscribeOptions::default().on_lag(|count| panic!("a report of {count}"));
        port.subscribe_with(bad_report.actor.clone(), report, number);
        port.subscribe(bad.actor.clone(), panics);
        port.subscribe(good.actor.clone(), |number| Some(Got::Number(number)));

        for number in 1..=4 {
            port.send(number);
            good.numbers([number]).await;
        }
        bad.numbers([1]).await;
        // The last of them makes the report due.
        if std::ptr::eq(port, &own) {
            (5..=7).for_each(|number| port.send(number));
            good.numbers([6, 7]).await;
            let expected = losses(|it| (it.lagged, it.converter_panicked) = (2, 2));
            while port.losses() != expected {
                let_others_run().await;
            }
        }
        assert_eq!(good.stop().await, []);
        assert_eq!(bad.stop().await, []);
        bad_report.stop().await;
    }
}

#[ractor::concurrency::test]
async fn all_ways_to_subscribe_have_the_bound_of_the_port() {
    let port = port(2, PortOverflow::DropOldest);
    let mut owning = Running::start().await;
    let mut sharing = Running::start().await;
    port.subscribe(owning.actor.clone(), |number| Some(Got::Number(number)));
    port.subscribe_arc(sharing.actor.clone(), |number| Some(Arc::new(Got::Number(*number))));

    (1..=5).for_each(|number| port.send(number));

    assert_eq!(port.losses().lagged, 2 * 3);
    owning.numbers([4, 5]).await;
    sharing.numbers([4, 5]).await;
    assert_eq!(owning.stop().await, []);
    assert_eq!(sharing.stop().await, []);
}

#[ractor::concurrency::test]
async fn a_full_mailbox_is_waited_for() {
    let port = port(100, PortOverflow::DropOldest);
    let one = bounded(1, Overflow::Reject);
    let mut owning = Running::with(one).await;
    let mut sharing = Running::with(one).await;
    port.subscribe_with(owning.actor.clone(), reporting(), number);
    port.subscribe_arc_with(sharing.actor.clone(), reporting(), |number| {
        Some(Arc::new(Got::Number(*number)))
    });

    (0..100).for_each(|number| port.send(number));

    owning.numbers(0..100).await;
    sharing.numbers(0..100).await;
    assert_eq!(port.losses(), PortLosses::default());
    assert_eq!(owning.actor.lost_messages() + sharing.actor.lost_messages(), 0);
    assert_eq!(owning.stop().await, []);
    assert_eq!(sharing.stop().await, []);
}

#[ractor::concurrency::test]
async fn a_port_that_is_dropped_passes_on_what_waits() {
    let port = port(8, PortOverflow::DropOldest);
    let mut one = Running::start().await;
    port.subscribe_with(one.actor.clone(), reporting(), number);
    (1..=9).for_each(|number| port.send(number));
    drop(port);

    assert_eq!(one.next().await, Got::Missed(1));
    one.numbers(2..=9).await;
    assert_eq!(one.stop().await, []);
}

#[cfg(not(feature = "output-port-v2"))]
#[ractor::concurrency::test]
async fn what_a_port_without_options_drops_is_counted() {
    let port = OutputPort::default();
    let mut owning = Running::start().await;
    let mut sharing = Running::start().await;
    port.subscribe(owning.actor.clone(), |number| Some(Got::Number(number)));
    port.subscribe_arc(sharing.actor.clone(), |number| Some(Arc::new(Got::Number(*number))));

    (1..=100).for_each(|number| port.send(number));
    // The buffer is of 16, a power of two.
    let first = owning.next().await;
    sharing.next().await;
    let Got::Number(first) = first else { panic!("{first:?}") };
    owning.numbers(first + 1..=100).await;
    sharing.numbers(first + 1..=100).await;

    assert!(first > 1);
    assert_eq!(port.losses(), losses(|it| it.lagged = 2 * (first - 1)));
    assert_eq!(owning.stop().await, []);
    assert_eq!(sharing.stop().await, []);
}

#[test]
fn a_port_without_capacity_is_an_error() {
    assert_eq!(PortOptions::<u64>::new(0, PortOverflow::DropOldest).unwrap_err(), NoCapacity);
}
