//! Mailboxes with a bound: which senders are refused or wait, and which messages are dropped.

mod common;

use std::sync::Arc;

use common::{bounded, gated, rest, Gate, Gated};
use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow, TransportPreference};
use ractor::concurrency::JoinHandle;
use ractor::errors::UndeliveredReason;
use ractor::factory::{queues, routing, Factory, FactoryArguments, FactoryMessage, WorkerBuilder};
#[cfg(not(feature = "async-std"))]
use ractor::ActorProcessingErr;
use ractor::{Actor, ActorRef, MessagingErr, RactorErr};

/// An actor that is in its handler with message 0, and so many more in its mailbox.
async fn busy(
    capacity: usize,
    overflow: Overflow,
    waiting: u64,
) -> (ActorRef<u64>, JoinHandle<()>, Gate) {
    let config = bounded(capacity, overflow);
    let (actor, handle, gate) = gated(config).await;
    for number in 1..=waiting {
        actor.cast(number).unwrap();
    }
    (actor, handle, gate)
}

#[ractor::concurrency::test]
async fn a_full_mailbox_gives_the_message_back() {
    let (actor, handle, gate) = busy(2, Overflow::Reject, 2).await;

    let failure = actor.cast(3).unwrap_err();
    assert!(matches!(failure, MessagingErr::SendErr(3)));
    let text = failure.to_string();
    assert!(text.contains("its bounded mailbox") && !text.contains("terminated"), "{text}");
    let shared = Arc::new(4);
    let failure = actor.cast_arc(shared.clone()).unwrap_err();
    assert_eq!(failure.reason(), UndeliveredReason::Full);
    assert!(Arc::ptr_eq(&failure.into_message(), &shared));

    assert_eq!(actor.lost_messages(), 0);
    assert_eq!(rest(&actor, handle, gate).await, [1, 2]);
}

#[ractor::concurrency::test]
async fn the_newest_is_dropped_and_counted() {
    let (actor, handle, gate) = busy(2, Overflow::DropNewest, 2).await;

    actor.cast(3).unwrap();
    actor.cast_arc(Arc::new(4)).unwrap();

    assert_eq!(actor.lost_messages(), 2);
    assert_eq!(rest(&actor, handle, gate).await, [1, 2]);
}

#[ractor::concurrency::test]
async fn the_oldest_is_dropped_and_counted() {
    let (actor, handle, gate) = busy(2, Overflow::DropOldest, 2).await;

    actor.cast(3).unwrap();
    actor.cast_arc(Arc::new(4)).unwrap();

    assert_eq!(actor.lost_messages(), 2);
    assert_eq!(rest(&actor, handle, gate).await, [3, 4]);
}

#[ractor::concurrency::test]
async fn whoever_waits_for_room_gets_in_in_order_and_loses_nothing() {
    for overflow in [Overflow::Reject, Overflow::DropNewest, Overflow::DropOldest] {
        let (actor, handle, mut gate) = busy(1, overflow, 1).await;
        let sender = actor.clone();
        let sending = ractor::concurrency::spawn(async move {
            for number in 2..100 {
                sender.send(number).await.unwrap();
            }
        });

        gate.open();
        sending.await.unwrap();

        for number in 1..99 {
            assert_eq!(gate.entered.recv().await, Some(number));
        }
        assert_eq!(actor.lost_messages(), 0);
        assert_eq!(rest(&actor, handle, gate).await, [99]);
    }
}

#[ractor::concurrency::test]
async fn several_wait_and_all_get_in() {
    let (actor, handle, mut gate) = busy(1, Overflow::Reject, 1).await;
    let senders: Vec<_> = (0..8)
        .map(|sender| {
            let actor = actor.clone();
            ractor::concurrency::spawn(async move {
                for number in 0..10 {
                    actor.send(1000 * (sender + 1) + number).await.unwrap();
                }
            })
        })
        .collect();

    gate.open();
    for sender in senders {
        sender.await.unwrap();
    }

    assert_eq!(gate.entered.recv().await, Some(1));
    let mut next = [0_u64; 8];
    for _ in 0..80 {
        let number = gate.entered.recv().await.unwrap();
        let sender = usize::try_from(number / 1000 - 1).unwrap();
        assert_eq!(number % 1000, next[sender], "messages of one sender keep their order");
        next[sender] += 1;
    }
    actor.stop(None);
    handle.await.unwrap();
}

/// A send that waits, seen to wait: polled once.
macro_rules! waiting {
    ($send:ident) => {
        let mut $send = std::pin::pin!($send);
        assert!(futures::poll!($send.as_mut()).is_pending());
    };
}

#[ractor::concurrency::test]
async fn a_sender_that_waits_gets_its_message_back_when_the_actor_ends() {
    for end in [
        (|actor| drop(actor.drain())) as fn(&ActorRef<u64>),
        |actor| actor.stop(None),
        |actor| actor.kill(),
    ] {
        let (actor, handle, gate) = busy(1, Overflow::Reject, 1).await;
        let send = actor.send(2);
        waiting!(send);

        end(&actor);
        gate.open();
        handle.await.unwrap();

        assert!(matches!(send.await, Err(MessagingErr::SendErr(2))));
    }
}

#[ractor::concurrency::test]
async fn a_sender_that_stops_waiting_leaves_its_room_to_the_next() {
    let (actor, handle, gate) = busy(1, Overflow::Reject, 1).await;
    {
        let cancelled = actor.send(2);
        waiting!(cancelled);
    }
    let send = actor.send(3);
    waiting!(send);

    gate.open();
    send.await.unwrap();

    assert_eq!(rest(&actor, handle, gate).await, [1, 3]);
}

#[ractor::concurrency::test]
async fn stops_and_kills_need_no_room() {
    let (actor, handle, gate) = busy(1, Overflow::Reject, 1).await;
    actor.kill();
    handle.await.unwrap();
    drop(gate);

    let (actor, handle, mut gate) = busy(1, Overflow::Reject, 1).await;
    actor.stop(None);
    gate.open();
    handle.await.unwrap();
    // A stop goes before the messages that wait.
    assert_eq!(gate.entered.recv().await, None);
}

/// An actor whose mailbox never empties must still let others of its thread run. On a thread of
/// its own, so that a failure is seen and does not hang the test.
#[cfg(feature = "tokio_runtime")]
#[test]
fn an_actor_that_floods_itself_lets_its_neighbours_run() {
    struct Perpetual;

    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl Actor for Perpetual {
        type Msg = u64;
        type State = Option<tokio::sync::oneshot::Sender<()>>;
        type Arguments = tokio::sync::oneshot::Sender<()>;

        async fn pre_start(
            &self,
            myself: ActorRef<u64>,
            running: Self::Arguments,
        ) -> Result<Self::State, ractor::ActorProcessingErr> {
            myself.cast(0)?;
            Ok(Some(running))
        }

        async fn handle(
            &self,
            myself: ActorRef<u64>,
            number: u64,
            running: &mut Self::State,
        ) -> Result<(), ractor::ActorProcessingErr> {
            // Well beyond what a task may do in one go.
            if number == 10_000 {
                let _ = running.take().map(|running| running.send(()));
            }
            Ok(myself.cast(number + 1)?)
        }
    }

    let (ended_tx, ended) = std::sync::mpsc::channel();
    let flooded = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (running_tx, running) = tokio::sync::oneshot::channel();
            let config = bounded(4, Overflow::DropOldest);
            let (actor, handle) =
                Actor::spawn_with_config(None, Perpetual, running_tx, config).await.unwrap();
            // This task is its neighbour.
            running.await.unwrap();
            actor.kill();
            handle.await.unwrap();
        });
        ended_tx.send(()).unwrap();
    });

    ended.recv_timeout(std::time::Duration::from_secs(10)).expect("its neighbour runs");
    flooded.join().unwrap();
}

#[ractor::concurrency::test]
async fn without_a_bound_a_send_is_a_cast() {
    let (mut gate, gated) = Gate::new();
    let (actor, handle) = Actor::spawn(None, Gated, gated).await.unwrap();

    for number in 0..100 {
        actor.send(number).await.unwrap();
    }

    gate.open();
    for number in 0..100 {
        assert_eq!(gate.entered.recv().await, Some(number));
    }
    actor.stop(None);
    handle.await.unwrap();
    assert!(matches!(actor.send(100).await, Err(MessagingErr::SendErr(100))));
    let mistaken: ActorRef<String> = actor.get_cell().into();
    assert!(mistaken.send(String::new()).await.is_err());
}

#[ractor::concurrency::test]
async fn a_linked_actor_has_its_configuration_and_its_supervisor() {
    let (gate, gated) = Gate::new();
    let (parent, parent_handle) = Actor::spawn(None, Gated, gated).await.unwrap();
    let (child_gate, gated) = Gate::new();
    let config = bounded(1, Overflow::Reject).with_transport(TransportPreference::UnixSocket);

    let (child, child_handle) =
        Actor::spawn_linked_with_config(None, Gated, gated, parent.get_cell(), config)
            .await
            .unwrap();

    assert_eq!(child.try_get_supervisor().map(|it| it.get_id()), Some(parent.get_id()));
    assert_eq!(child.transport_preference(), TransportPreference::UnixSocket);
    assert_eq!(parent.transport_preference(), TransportPreference::Adaptive);
    drop((gate, child_gate));
    parent.stop(None);
    parent_handle.await.unwrap();
    child_handle.await.unwrap();
}

#[cfg(not(feature = "async-std"))]
#[ractor::concurrency::test]
async fn thread_local_actors_have_bounds_too() {
    use ractor::thread_local::{ThreadLocalActor, ThreadLocalActorSpawner};

    // With `async-std` a thread ends with the last of its spawners, and its actors with it.
    let spawner = ThreadLocalActorSpawner::new();
    let (mut gate, gated) = Gate::new();
    let config = bounded(1, Overflow::Reject);
    let (actor, handle) =
        <Gated as ThreadLocalActor>::spawn_with_config(None, gated, spawner.clone(), config)
            .await
            .unwrap();
    let (_, child_gated) = Gate::new();
    let (child, child_handle) = <Gated as ThreadLocalActor>::spawn_linked_with_config(
        None,
        child_gated,
        actor.get_cell(),
        spawner.clone(),
        config,
    )
    .await
    .unwrap();
    assert_eq!(child.try_get_supervisor().map(|it| it.get_id()), Some(actor.get_id()));
    actor.cast(0).unwrap();
    assert_eq!(gate.entered.recv().await, Some(0));
    actor.cast(1).unwrap();

    assert!(matches!(actor.cast(2), Err(MessagingErr::SendErr(2))));

    drop(gate);
    actor.stop(None);
    handle.await.unwrap();
    child_handle.await.unwrap();
}

#[test]
#[should_panic = "room for one message"]
fn a_mailbox_without_room_is_refused() {
    let _ = Mailbox::bounded(0, Overflow::Reject);
}

#[test]
fn the_default_is_stock() {
    let config = ActorConfig::default();
    assert_eq!(config.mailbox, Mailbox::Unbounded);
    assert_eq!(config.transport, TransportPreference::Adaptive);
}

/// A factory's heartbeat goes through its own mailbox.
#[ractor::concurrency::test]
async fn a_factory_refuses_a_bound() {
    struct Nobody;

    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl ractor::factory::Worker for Nobody {
        type Key = ();
        type Message = ();
        type State = ();
        type Arguments = ();

        async fn pre_start(
            &self,
            _: ractor::factory::WorkerId,
            _: &ActorRef<FactoryMessage<(), ()>>,
            (): (),
        ) -> Result<(), ractor::ActorProcessingErr> {
            Ok(())
        }
    }

    struct Builder;

    impl WorkerBuilder<Nobody, ()> for Builder {
        fn build(&mut self, _: usize) -> (Nobody, ()) {
            (Nobody, ())
        }
    }

    type Pool =
        Factory<(), (), (), Nobody, routing::QueuerRouting<(), ()>, queues::DefaultQueue<(), ()>>;
    let arguments = FactoryArguments::builder()
        .worker_builder(Box::new(Builder))
        .queue(Default::default())
        .router(Default::default())
        .num_initial_workers(1)
        .build();

    let refused =
        Actor::spawn_with_config(None, Pool::default(), arguments, bounded(8, Overflow::Reject))
            .await;

    let error = refused.expect_err("it would lose its own heartbeat").to_string();
    assert!(error.contains("unbounded mailbox"), "{error}");
}

#[ractor::concurrency::test]
async fn an_actor_that_is_gone_cannot_be_drained() {
    let (actor, handle, gate) = busy(2, Overflow::Reject, 0).await;
    actor.stop(None);
    gate.open();
    handle.await.unwrap();
    assert!(matches!(actor.drain(), Err(MessagingErr::SendErr(()))));
    let waited = actor.drain_and_wait(None).await;
    assert!(matches!(waited, Err(RactorErr::Messaging(MessagingErr::SendErr(())))), "{waited:?}");
}

/// A message that panics when it is dropped, if told so.
#[derive(Clone)]
#[cfg(not(feature = "async-std"))]
struct Spiteful(bool);

#[cfg(all(feature = "cluster", not(feature = "async-std")))]
impl ractor::Message for Spiteful {}

#[cfg(not(feature = "async-std"))]
impl Drop for Spiteful {
    fn drop(&mut self) {
        if self.0 && !std::thread::panicking() {
            panic!("a message that panics when it is dropped");
        }
    }
}

#[cfg(not(feature = "async-std"))]
struct Patient;

#[cfg(not(feature = "async-std"))]
#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Patient {
    type Msg = Spiteful;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Spiteful>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Spiteful>,
        _: Spiteful,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

// On one thread, so that the actor takes nothing before this test waits.
#[cfg(not(feature = "async-std"))]
#[ractor::concurrency::test]
async fn what_a_full_mailbox_drops_does_not_harm_its_sender() {
    let config = bounded(1, Overflow::DropOldest);
    let (actor, handle) = Actor::spawn_with_config(None, Patient, (), config).await.unwrap();
    actor.cast(Spiteful(true)).unwrap();
    actor.cast(Spiteful(false)).unwrap();
    assert_eq!(actor.lost_messages(), 1);
    actor.cast_arc(Arc::new(Spiteful(true))).unwrap();
    actor.cast(Spiteful(false)).unwrap();
    assert_eq!(actor.lost_messages(), 3);
    actor.drain().unwrap();
    handle.await.unwrap();
}

/// What `view` says of one that is in its handler with a message, and when it has handled all.
#[ractor::concurrency::test]
async fn a_view_counts_what_is_handled_and_what_is_in_hand() {
    // Beyond the messages of a turn, so that the actor yields with some that it took.
    const MANY: u64 = 300;
    let unbounded = ActorConfig::default();
    for config in [unbounded, bounded(MANY as usize, Overflow::Reject)] {
        let (actor, handle, mut gate) = gated(config).await;
        let seen = actor.view();
        assert_eq!((seen.handled, seen.waiting, seen.is_handling), (0, 0, true), "{seen:?}");
        for number in 1..=MANY {
            actor.cast(number).unwrap();
        }
        assert_eq!(actor.view().waiting, MANY as usize);
        gate.open();
        for number in 1..=MANY {
            assert_eq!(gate.entered.recv().await, Some(number));
            let seen = actor.view();
            assert!(seen.handled <= MANY + 1 && seen.waiting as u64 <= MANY, "{seen:?}");
            // It may have handled more since it said so, and never less.
            assert!(seen.handled >= number, "{number}: {seen:?}");
        }
        while actor.view().is_handling {
            common::let_others_run().await;
        }
        let seen = actor.view();
        assert_eq!((seen.handled, seen.waiting, seen.events), (MANY + 1, 0, 0), "{seen:?}");
        assert!(seen.actor_type.ends_with("Gated"), "{seen:?}");
        rest(&actor, handle, gate).await;
    }
}
