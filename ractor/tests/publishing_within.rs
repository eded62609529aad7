//! Output ports that wait for their subscribers; with the feature `output-port-v2` too.

mod common;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use common::{bounded, let_others_run, Gate, Gated};
use futures::poll;
use ractor::actor::actor_config::Overflow;
use ractor::concurrency::JoinHandle;
use ractor::errors::UndeliveredReason;
use ractor::pg::MemberOutcome;
use ractor::port::PublishReport;
use ractor::{Actor, ActorRef, OutputPort};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// An actor that is in its handler with message 0, and has so many more waiting.
struct Subscriber {
    actor: ActorRef<u64>,
    handle: JoinHandle<()>,
    gate: Gate,
}

impl Subscriber {
    async fn new(overflow: Overflow, waiting: u64) -> Self {
        let (mut gate, gated) = Gate::new();
        let config = bounded(1, overflow);
        let (actor, handle) = Actor::spawn_with_config(None, Gated, gated, config).await.unwrap();
        actor.cast(0).unwrap();
        assert_eq!(gate.entered.recv().await, Some(0));
        (1..=waiting).for_each(|number| actor.cast(number).unwrap());
        Self { actor, handle, gate }
    }

    /// Drains the actor, and returns what it handled after message 0.
    async fn rest(mut self) -> Vec<u64> {
        self.actor.drain().unwrap();
        self.gate.open();
        self.handle.await.unwrap();
        let mut handled = Vec::new();
        while let Some(number) = self.gate.entered.recv().await {
            handled.push(number);
        }
        handled
    }

    fn outcome(&self, report: &PublishReport) -> Option<MemberOutcome> {
        let id = self.actor.get_id();
        report.subscribers().iter().find(|(it, _)| *it == id).map(|(_, outcome)| *outcome)
    }
}

async fn others_run() {
    for _ in 0..20 {
        let_others_run().await;
    }
}

#[ractor::concurrency::test]
async fn it_waits_for_all_whatever_their_policy() {
    let port = OutputPort::<u64>::default();
    let free = Subscriber::new(Overflow::Reject, 0).await;
    let mut slow = Vec::new();
    for overflow in [Overflow::Reject, Overflow::DropNewest, Overflow::DropOldest] {
        slow.push(Subscriber::new(overflow, 1).await);
    }
    // Both kinds of subscriptions.
    port.subscribe_arc(free.actor.clone(), Some);
    port.subscribe_arc(slow[0].actor.clone(), Some);
    port.subscribe_arc(slow[1].actor.clone(), Some);
    port.subscribe(slow[2].actor.clone(), Some);
    let message = Arc::new(7);
    let report = {
        let mut publish = pin!(port.send_arc_within(message.clone(), LONG));
        assert!(poll!(&mut publish).is_pending());
        while free.actor.mailbox_len() == 0 {
            let_others_run().await;
        }
        others_run().await;
        assert!(poll!(&mut publish).is_pending());
        for subscriber in &mut slow {
            subscriber.gate.go_on.send(()).unwrap();
            assert_eq!(subscriber.gate.entered.recv().await, Some(1));
        }
        publish.await
    };

    assert!(report.is_complete(), "{report:?}");
    assert_eq!((report.delivered(), report.subscribers().len()), (4, 4));
    assert_eq!(free.rest().await, [7]);
    for subscriber in slow {
        assert_eq!(subscriber.actor.lost_messages(), 0);
        assert_eq!(subscriber.rest().await, [7]);
    }
}

#[ractor::concurrency::test]
async fn order_is_that_of_publishing() {
    let port = OutputPort::<u64>::default();
    let (mut gate, gated) = Gate::new();
    gate.open();
    let (actor, handle) =
        Actor::spawn_with_config(None, Gated, gated, bounded(2, Overflow::Reject)).await.unwrap();
    port.subscribe_arc(actor.clone(), Some);
    for number in 0..200 {
        if number % 2 == 0 {
            port.send_arc(Arc::new(number));
        } else {
            let report = port.send_arc_within(Arc::new(number), LONG).await;
            assert!(report.is_complete(), "{report:?}");
        }
    }
    actor.drain().unwrap();
    handle.await.unwrap();
    let mut handled = Vec::new();
    while let Some(number) = gate.entered.recv().await {
        handled.push(number);
    }
    assert!(handled.is_sorted_by(|one, next| one < next), "{handled:?}");
    assert_eq!(handled.iter().filter(|it| *it % 2 == 1).count(), 100, "{handled:?}");
    // Those that are not waited for may have found no room.
    assert_eq!(handled.len() as u64 + actor.lost_messages(), 200);
}

#[ractor::concurrency::test]
async fn each_subscriber_has_its_own_outcome() {
    let port = OutputPort::<u64>::default();
    let free = Subscriber::new(Overflow::Reject, 0).await;
    let slow = Subscriber::new(Overflow::Reject, 1).await;
    let slow_by_value = Subscriber::new(Overflow::DropOldest, 1).await;
    let indifferent = Subscriber::new(Overflow::Reject, 1).await;
    for it in [&free, &slow] {
        port.subscribe_arc(it.actor.clone(), Some);
    }
    port.subscribe(slow_by_value.actor.clone(), Some);
    port.subscribe_arc(indifferent.actor.clone(), |_| None);

    let report = port.send_arc_within(Arc::new(7), Duration::from_secs(1)).await;

    assert!(!report.is_unreached() && !report.is_complete(), "{report:?}");
    assert_eq!((report.delivered(), report.undelivered().count()), (1, 2));
    assert_eq!(free.outcome(&report), Some(MemberOutcome::Delivered));
    assert_eq!(slow.outcome(&report), Some(MemberOutcome::DeadlinePassed));
    assert_eq!(slow_by_value.outcome(&report), Some(MemberOutcome::DeadlinePassed));
    assert_eq!(indifferent.outcome(&report), None);

    // A subscriber that missed it does not get it later, and gets the next one.
    slow.gate.open();
    slow_by_value.gate.open();
    free.gate.open();
    let report = port.send_arc_within(Arc::new(8), LONG).await;
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.delivered(), 3);
    assert_eq!(free.rest().await, [7, 8]);
    assert_eq!(slow.rest().await, [1, 8]);
    assert_eq!(slow_by_value.rest().await, [1, 8]);
    assert_eq!(indifferent.rest().await, [1]);
}

#[ractor::concurrency::test]
async fn a_subscriber_that_ends_is_waited_for_no_more_and_forgotten() {
    let port = OutputPort::<u64>::default();
    let ending = Subscriber::new(Overflow::Reject, 1).await;
    port.subscribe_arc(ending.actor.clone(), Some);
    let report = {
        let mut publish = pin!(port.send_arc_within(Arc::new(7), LONG));
        assert!(poll!(&mut publish).is_pending());
        others_run().await;
        ending.actor.kill();
        publish.await
    };
    let stopped = MemberOutcome::Returned(UndeliveredReason::Stopped);
    assert_eq!(ending.outcome(&report), Some(stopped));
    ending.handle.await.unwrap();
    // As soon as the port's task has heard of it.
    let forgotten = async {
        while !port.send_arc_within(Arc::new(8), LONG).await.subscribers().is_empty() {
            let_others_run().await;
        }
    };
    ractor::concurrency::timeout(LONG, forgotten).await.expect("it is forgotten");
}

#[ractor::concurrency::test]
async fn a_future_that_is_dropped_gives_the_subscribers_up() {
    let port = OutputPort::<u64>::default();
    let slow = Subscriber::new(Overflow::Reject, 1).await;
    port.subscribe_arc(slow.actor.clone(), Some);
    let (never, early, late) = (Arc::new(7), Arc::new(8), Arc::new(9));
    // Before it is polled.
    drop(port.send_arc_within(never.clone(), LONG));
    // Before the port's task comes to it.
    {
        let mut publish = pin!(port.send_arc_within(early.clone(), LONG));
        assert!(poll!(&mut publish).is_pending());
    }
    // While the subscriber is waited for.
    {
        let mut publish = pin!(port.send_arc_within(late.clone(), LONG));
        assert!(poll!(&mut publish).is_pending());
        others_run().await;
        assert!(poll!(&mut publish).is_pending());
    }
    let dropped = async {
        while [&never, &early, &late].into_iter().any(|it| Arc::strong_count(it) > 1) {
            let_others_run().await;
        }
    };
    ractor::concurrency::timeout(LONG, dropped).await.expect("none is kept");
    slow.gate.open();
    let report = port.send_arc_within(Arc::new(10), LONG).await;
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(slow.rest().await, [1, 10]);
}

#[ractor::concurrency::test]
async fn a_port_without_subscribers_waits_for_none() {
    let port = OutputPort::<u64>::default();
    let report = port.send_arc_within(Arc::new(7), Duration::MAX).await;
    assert!(report.is_complete() && report.subscribers().is_empty(), "{report:?}");
}

/// What is not reached in time never comes.
#[ractor::concurrency::test]
async fn with_no_time_the_report_says_what_happens() {
    let port = OutputPort::<u64>::default();
    let free = Subscriber::new(Overflow::Reject, 0).await;
    port.subscribe_arc(free.actor.clone(), Some);
    let report = port.send_arc_within(Arc::new(7), Duration::ZERO).await;
    assert_eq!(report.delivered() == 1, report.is_complete(), "{report:?}");
    others_run().await;
    let expected = if report.is_complete() { vec![7] } else { Vec::new() };
    assert_eq!(free.rest().await, expected);
}
