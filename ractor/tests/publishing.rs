//! Output ports and timers that send what is shared.

mod common;

use std::sync::Arc;

use common::{address, bounded, let_others_run, Gate, Gated, Owner, Reader, Running, Tick};
use ractor::actor::actor_config::Overflow;
use ractor::concurrency::{Duration, JoinHandle};
use ractor::errors::UndeliveredReason;
use ractor::{time, Actor, ActorRef, OutputPort};

#[ractor::concurrency::test]
async fn all_subscribers_of_a_port_share_one_allocation() {
    let port = OutputPort::<Tick>::default();
    let mut readers = Vec::new();
    for _ in 0..4 {
        let reader = Running::start(Reader).await;
        port.subscribe_arc(reader.actor.clone(), Some);
        readers.push(reader);
    }
    let tick = Tick::new(1);

    port.send_arc(tick.clone());

    for reader in &mut readers {
        assert_eq!(reader.seen.recv().await, Some((1, address(&tick))));
    }
    assert_eq!(tick.copies(), 0);
    for reader in readers {
        reader.stop().await;
    }
}

#[ractor::concurrency::test]
async fn old_and_new_pairs_mix_and_keep_the_order() {
    let port = OutputPort::<Tick>::default();
    let mut sharing = Running::start(Reader).await;
    let mut owning = Running::start(Owner).await;
    port.subscribe_arc(sharing.actor.clone(), |tick| (tick.price != 3).then_some(tick));
    port.subscribe(owning.actor.clone(), Some);

    for price in 0..8 {
        if price % 2 == 0 {
            port.send_arc(Tick::new(price));
        } else {
            port.send(Tick::clone(&Tick::new(price)));
        }
    }

    for price in [0, 1, 2, 4, 5, 6, 7] {
        assert_eq!(sharing.price().await, Some(price));
    }
    for price in 0..8 {
        assert_eq!(owning.price().await, Some(price));
    }
    sharing.stop().await;
    owning.stop().await;
}

#[ractor::concurrency::test]
async fn a_subscriber_that_stopped_is_forgotten_and_one_that_is_full_is_not() {
    let port = OutputPort::<u64>::default();
    let (mut gate, gated) = Gate::new();
    let one = bounded(1, Overflow::Reject);
    let (full, handle) = Actor::spawn_with_config(None, Gated, gated, one).await.unwrap();
    let (mut old_gate, gated) = Gate::new();
    let (old, old_handle) = Actor::spawn_with_config(None, Gated, gated, one).await.unwrap();
    let (gone_gate, gated) = Gate::new();
    let (gone, gone_handle) = Actor::spawn(None, Gated, gated).await.unwrap();
    port.subscribe_arc(full.clone(), Some);
    port.subscribe(old.clone(), Some);
    port.subscribe_arc(gone.clone(), Some);
    gone.stop(None);
    gone_handle.await.unwrap();
    drop(gone_gate);

    port.send_arc(Arc::new(0));
    assert_eq!(gate.entered.recv().await, Some(0));
    assert_eq!(old_gate.entered.recv().await, Some(0));
    // The first of these finds room, the second does not.
    port.send_arc(Arc::new(1));
    port.send_arc(Arc::new(2));
    while full.lost_messages() == 0 || old.lost_messages() == 0 {
        let_others_run().await;
    }
    gate.open();
    old_gate.open();
    assert_eq!(gate.entered.recv().await, Some(1));
    assert_eq!(old_gate.entered.recv().await, Some(1));
    port.send_arc(Arc::new(3));

    assert_eq!(gate.entered.recv().await, Some(3));
    assert_eq!(old_gate.entered.recv().await, Some(3));
    assert_eq!((full.lost_messages(), old.lost_messages()), (1, 1));
    full.stop(None);
    old.stop(None);
    handle.await.unwrap();
    old_handle.await.unwrap();
}

#[ractor::concurrency::test]
async fn a_timer_sends_one_allocation_again_and_again() {
    let mut reader = Running::start(Reader).await;
    let tick = Tick::new(1);

    let timer = reader.actor.send_interval_arc(Duration::from_millis(1), tick.clone());

    for _ in 0..3 {
        assert_eq!(reader.seen.recv().await, Some((1, address(&tick))));
    }
    reader.stop().await;
    // It ends with its actor.
    let _ = timer.await;
    assert_eq!((Arc::strong_count(&tick), tick.copies()), (1, 0));
}

#[ractor::concurrency::test]
async fn a_timer_survives_a_full_mailbox() {
    const PERIOD: Duration = Duration::from_millis(1);
    type Timer = fn(&ActorRef<u64>) -> JoinHandle<()>;
    let timers: [Timer; 3] = [
        |actor| actor.send_interval_arc(PERIOD, Arc::new(1)),
        |actor| actor.send_interval(PERIOD, || 1),
        |actor| actor.get_derived::<u64>().send_interval(PERIOD, || 1),
    ];
    for timer in timers {
        let (mut gate, gated) = Gate::new();
        let one = bounded(1, Overflow::Reject);
        let (actor, handle) = Actor::spawn_with_config(None, Gated, gated, one).await.unwrap();

        let timer = timer(&actor);

        // One is being handled, one waits, and the next ones find no room.
        while actor.lost_messages() < 2 {
            let_others_run().await;
        }
        gate.open();
        for _ in 0..3 {
            assert_eq!(gate.entered.recv().await, Some(1));
        }
        drop(gate);
        actor.stop(None);
        handle.await.unwrap();
        let _ = timer.await;
    }
}

#[ractor::concurrency::test]
async fn a_delayed_message_comes_back_when_its_actor_is_gone() {
    let mut reader = Running::start(Reader).await;
    let tick = Tick::new(1);
    let delay = Duration::from_millis(1);

    let sent = reader.actor.send_after_arc(delay, tick.clone()).await;
    assert!(sent.is_ok_and(|sent| sent.is_ok()));
    assert_eq!(reader.seen.recv().await, Some((1, address(&tick))));

    let actor = reader.actor.clone();
    reader.stop().await;
    let Ok(Err(failure)) = time::send_after_arc(delay, actor.get_cell(), tick.clone()).await else {
        panic!("nobody takes it");
    };
    assert_eq!(failure.reason(), UndeliveredReason::Stopped);
    assert!(Arc::ptr_eq(&failure.into_message(), &tick));
}
