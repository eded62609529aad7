//! Sends of shared messages that wait for room: order, ends, cancellation.

mod common;

use std::pin::pin;
use std::sync::Arc;

use common::{bounded, gated, let_others_run, rest, Gate, Gated, Owner, Running, Tick};
use futures::poll;
use ractor::actor::actor_config::Overflow;
use ractor::concurrency::JoinHandle;
use ractor::errors::UndeliveredReason;
use ractor::{Actor, ActorRef, DerivedActorRef};
use tokio::sync::mpsc;

const POLICIES: [Overflow; 3] = [Overflow::Reject, Overflow::DropNewest, Overflow::DropOldest];

/// An actor that is in its handler with message 0, and whose mailbox is full from message 1 on.
async fn full(capacity: u64, overflow: Overflow) -> (ActorRef<u64>, JoinHandle<()>, Gate) {
    let config = bounded(usize::try_from(capacity).unwrap(), overflow);
    let (actor, handle, gate) = gated(config).await;
    for number in 1..=capacity {
        actor.cast(number).unwrap();
    }
    (actor, handle, gate)
}

#[ractor::concurrency::test]
async fn it_waits_for_room_whatever_the_policy() {
    for overflow in POLICIES {
        let (actor, handle, gate) = full(2, overflow).await;
        {
            let mut send = pin!(actor.send_arc(Arc::new(3)));
            assert!(poll!(&mut send).is_pending());
            gate.go_on.send(()).unwrap();
            send.await.unwrap();
        }
        assert_eq!(actor.lost_messages(), 0);
        assert_eq!(rest(&actor, handle, gate).await, [1, 2, 3]);
    }
}

#[ractor::concurrency::test]
async fn without_a_bound_it_never_waits() {
    let (mut gate, gated) = Gate::new();
    let (actor, handle) = Actor::spawn(None, Gated, gated).await.unwrap();
    for number in 0..100 {
        let sent = pin!(actor.send_arc(Arc::new(number)));
        let std::task::Poll::Ready(Ok(())) = poll!(sent) else { panic!("it waits") };
    }
    gate.open();
    for number in 0..100 {
        assert_eq!(gate.entered.recv().await, Some(number));
    }
    actor.stop(None);
    handle.await.unwrap();
}

#[ractor::concurrency::test]
async fn several_senders_keep_their_orders_among_casts_and_sends() {
    const SENDERS: u64 = 6;
    const EACH: u64 = 32;
    let (actor, handle, gate) = full(2, Overflow::Reject).await;
    gate.open();
    let senders: Vec<_> = (1..=SENDERS)
        .map(|sender| {
            let actor = actor.clone();
            ractor::concurrency::spawn(async move {
                let mut sent = Vec::new();
                for number in 0..EACH {
                    let number = 1000 * sender + number;
                    let went = match number % 4 {
                        0 => actor.cast(number).is_ok(),
                        1 => actor.cast_arc(Arc::new(number)).is_ok(),
                        2 => actor.send(number).await.is_ok(),
                        _ => actor.send_arc(Arc::new(number)).await.is_ok(),
                    };
                    sent.extend(went.then_some(number));
                    if number % 7 == 0 {
                        let_others_run().await;
                    }
                }
                sent
            })
        })
        .collect();
    let mut sent = Vec::new();
    for sender in senders {
        sent.push(sender.await.unwrap());
    }
    let waited = sent.iter().flatten().filter(|it| *it % 4 >= 2).count() as u64;
    assert_eq!(waited, SENDERS * EACH / 2, "what waits is refused nothing");

    gate.open();
    let all: Vec<u64> = rest(&actor, handle, gate).await;
    for (sender, sent) in (1..=SENDERS).zip(sent) {
        let of: Vec<u64> = all.iter().copied().filter(|it| it / 1000 == sender).collect();
        assert_eq!(of, sent, "what was sent arrives, once, in order");
    }
}

#[ractor::concurrency::test]
async fn all_who_wait_get_their_arc_back_when_the_actor_ends() {
    let ends: [fn(&ActorRef<u64>); 3] =
        [|actor| drop(actor.drain()), |actor| actor.stop(None), |actor| actor.kill()];
    for end in ends {
        let (actor, handle, gate) = full(1, Overflow::Reject).await;
        let messages: Vec<_> = (10..14).map(Arc::new).collect();
        let mut sends: Vec<_> =
            messages.iter().map(|it| Box::pin(actor.send_arc(it.clone()))).collect();
        for send in &mut sends {
            assert!(poll!(send).is_pending());
        }

        end(&actor);
        gate.open();
        handle.await.unwrap();

        for (send, message) in sends.into_iter().zip(&messages) {
            let failure = send.await.unwrap_err();
            assert_eq!(failure.reason(), UndeliveredReason::Stopped);
            assert_eq!(failure.actor(), actor.get_id());
            assert!(Arc::ptr_eq(failure.message(), message));
        }
        assert!(messages.iter().all(|it| Arc::strong_count(it) == 1), "none is kept");
        // One that is gone already.
        let failure = actor.send_arc(Arc::new(99)).await.unwrap_err();
        assert_eq!((failure.reason(), *failure.into_message()), (UndeliveredReason::Stopped, 99));
    }
}

#[ractor::concurrency::test]
async fn a_future_that_is_dropped_sent_nothing_and_leaves_its_room() {
    for overflow in POLICIES {
        let (actor, handle, mut gate) = full(1, overflow).await;
        let given_up = Arc::new(50);
        // Before it begins to wait.
        drop(actor.send_arc(given_up.clone()));
        // While it waits.
        {
            let mut send = pin!(actor.send_arc(given_up.clone()));
            assert!(poll!(&mut send).is_pending());
        }
        // When there is room for it, which it was told and has not taken: the next one gets it.
        let next = Arc::new(60);
        let mut second = Box::pin(actor.send_arc(next.clone()));
        {
            let mut first = Box::pin(actor.send_arc(given_up.clone()));
            assert!(poll!(&mut first).is_pending());
            assert!(poll!(&mut second).is_pending());
            gate.go_on.send(()).unwrap();
            assert_eq!(gate.entered.recv().await, Some(1));
        }
        second.await.unwrap();

        assert_eq!(Arc::strong_count(&given_up), 1);
        assert_eq!(actor.mailbox_len(), 1, "the room was not leaked");
        assert_eq!(actor.lost_messages(), 0);
        assert_eq!(rest(&actor, handle, gate).await, [60]);
    }
}

#[ractor::concurrency::test]
async fn the_only_reference_is_moved_and_not_copied() {
    let (seen_tx, mut seen) = mpsc::unbounded_channel();
    let config = bounded(1, Overflow::Reject);
    let (actor, handle) = Actor::spawn_with_config(None, Owner, seen_tx, config).await.unwrap();
    let tick = Tick::new(7);
    let copies = tick.copies.clone();

    actor.send_arc(tick).await.unwrap();

    assert_eq!(seen.recv().await.unwrap().0, 7);
    assert_eq!(copies.load(std::sync::atomic::Ordering::SeqCst), 0);
    actor.stop(None);
    handle.await.unwrap();
}

#[ractor::concurrency::test]
async fn what_the_actor_does_not_take_comes_back_at_once() {
    let running = Running::start(Owner).await;
    let message = Arc::new("no tick".to_owned());
    let failure = running.actor.get_cell().send_arc(message.clone()).await.unwrap_err();
    assert_eq!(failure.reason(), UndeliveredReason::WrongType);
    assert!(Arc::ptr_eq(&failure.into_message(), &message));
    running.stop().await;
}

/// What a [`Gated`] actor's numbers are made of.
#[derive(Clone)]
struct Small(u32);

#[cfg(feature = "cluster")]
impl ractor::Message for Small {}

impl From<Small> for u64 {
    fn from(small: Small) -> Self {
        small.0.into()
    }
}

impl From<&Small> for u64 {
    fn from(small: &Small) -> Self {
        1000 + Self::from(small.0)
    }
}

impl TryFrom<u64> for Small {
    type Error = std::num::TryFromIntError;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        Ok(Self(number.try_into()?))
    }
}

#[ractor::concurrency::test]
async fn a_derived_reference_waits_too() {
    let (actor, handle, gate) = full(1, Overflow::DropOldest).await;
    let (by_value, by_reference): (DerivedActorRef<Small>, _) =
        (actor.get_derived(), actor.get_derived_by_ref::<Small>());
    let itself: DerivedActorRef<u64> = actor.get_derived();
    let small = Arc::new(Small(5));
    {
        let mut first = pin!(by_value.send_arc(small.clone()));
        let mut second = pin!(by_reference.send_arc(small.clone()));
        let mut third = pin!(itself.send_arc(Arc::new(8)));
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
        assert!(poll!(&mut third).is_pending());
        gate.open();
        first.await.unwrap();
        second.await.unwrap();
        third.await.unwrap();
    }
    assert_eq!(rest(&actor, handle, gate).await, [1, 5, 1005, 8]);
    let failure = by_value.send_arc(small.clone()).await.unwrap_err();
    assert_eq!(failure.reason(), UndeliveredReason::Stopped);
    assert!(Arc::ptr_eq(&failure.into_message(), &small));
}
