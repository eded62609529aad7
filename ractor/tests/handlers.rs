//! Which handler gets a message, by the handlers that an actor has.

mod common;

use std::cell::Cell;
use std::sync::Arc;

use common::{address, Owner, Reader, Running, Seen, Tick};
use ractor::message::Shared;
use ractor::thread_local::{ThreadLocalActor, ThreadLocalActorSpawner};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::sync::mpsc;

/// Writes `handle_arc` alone.
#[derive(Default)]
struct ArcOnly;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for ArcOnly {
    type Msg = Tick;
    type State = mpsc::UnboundedSender<Seen>;
    type Arguments = mpsc::UnboundedSender<Seen>;

    async fn pre_start(
        &self,
        _: ActorRef<Tick>,
        seen: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(seen)
    }

    async fn handle_arc(
        &self,
        _: ActorRef<Tick>,
        tick: Shared<Tick>,
        seen: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        tokio::task::yield_now().await;
        Ok(seen.send((tick.price, address(&tick)))?)
    }
}

fn own(price: u64) -> Tick {
    Arc::into_inner(Tick::new(price)).unwrap()
}

#[ractor::concurrency::test]
async fn an_actor_with_handle_arc_alone_gets_every_message_in_order() {
    let mut reader = Running::start(ArcOnly).await;
    let shared = Tick::new(2);
    let copies = [own(1), own(3)].map(|tick| {
        let copies = tick.copies.clone();
        (tick, copies)
    });
    let [(first, first_copies), (third, third_copies)] = copies;

    reader.actor.cast(first).unwrap();
    reader.actor.cast_arc(shared.clone()).unwrap();
    reader.actor.send(third).await.unwrap();
    reader.actor.drain().unwrap();
    reader.handle.await.unwrap();

    assert_eq!(reader.seen.recv().await.unwrap().0, 1);
    assert_eq!(reader.seen.recv().await, Some((2, address(&shared))));
    assert_eq!(reader.seen.recv().await.unwrap().0, 3);
    assert_eq!(reader.seen.recv().await, None);
    assert_eq!(reader.actor.lost_messages(), 0);
    let copied = [shared.copies.clone(), first_copies, third_copies];
    assert_eq!(copied.map(|it| it.load(std::sync::atomic::Ordering::SeqCst)), [0; 3]);
}

/// As the crate root's tests of actors that write `handle`: nothing goes round by `handle_arc`.
#[ractor::concurrency::test]
async fn who_writes_handle_gets_by_it_what_was_sent_by_value() {
    let mut owner = Running::start(Owner).await;
    owner.actor.cast(own(1)).unwrap();
    assert_eq!(owner.price().await, Some(1));
    owner.stop().await;

    let mut reader = Running::start(Reader).await;
    reader.actor.cast(own(2)).unwrap();
    assert_eq!(reader.price().await, Some(2));
    reader.stop().await;
}

/// Can neither be copied nor be sent by `Arc`.
enum Ask {
    Price(RpcReplyPort<u64>),
}

#[cfg(feature = "cluster")]
impl ractor::Message for Ask {}

#[derive(Default)]
struct Answers;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Answers {
    type Msg = Ask;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Ask>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_arc(
        &self,
        _: ActorRef<Ask>,
        ask: Shared<Ask>,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let Ask::Price(port) = ask.try_into_owned().map_err(|_| "others hold it")?;
        Ok(port.send(7)?)
    }
}

#[ractor::concurrency::test]
async fn a_message_that_cannot_be_copied_is_moved_out_by_its_only_holder() {
    let (actor, handle) = Actor::spawn(None, Answers, ()).await.unwrap();
    assert_eq!(ractor::call!(actor, Ask::Price).unwrap(), 7);
    actor.stop(None);
    handle.await.unwrap();
}

/// Writes neither, of messages that are not `Sync`.
#[derive(Default)]
struct Neither;

struct NotSync(#[allow(dead_code)] Cell<u64>);

#[cfg(feature = "cluster")]
impl ractor::Message for NotSync {}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Neither {
    type Msg = NotSync;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<NotSync>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// Writes neither, of messages that may be shared.
#[derive(Default)]
struct NeitherOfTicks;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for NeitherOfTicks {
    type Msg = Tick;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Tick>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

#[ractor::concurrency::test]
async fn messages_to_an_actor_with_no_handler_are_counted() {
    let (actor, handle) = Actor::spawn(None, Neither, ()).await.unwrap();
    actor.cast(NotSync(Cell::new(1))).unwrap();
    actor.cast(NotSync(Cell::new(2))).unwrap();
    actor.drain().unwrap();
    handle.await.unwrap();
    assert_eq!(actor.lost_messages(), 2);

    let (actor, handle) = Actor::spawn(None, NeitherOfTicks, ()).await.unwrap();
    actor.cast(own(1)).unwrap();
    actor.cast_arc(Tick::new(2)).unwrap();
    actor.drain().unwrap();
    handle.await.unwrap();
    assert_eq!(actor.lost_messages(), 2);
}

#[derive(Default)]
struct LocalArcOnly;

impl ThreadLocalActor for LocalArcOnly {
    type Msg = NotSync;
    type State = mpsc::UnboundedSender<u64>;
    type Arguments = mpsc::UnboundedSender<u64>;

    async fn pre_start(
        &self,
        _: ActorRef<NotSync>,
        seen: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(seen)
    }

    async fn handle_arc(
        &self,
        _: ActorRef<NotSync>,
        message: Shared<NotSync>,
        seen: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(seen.send(message.0.get())?)
    }
}

#[ractor::concurrency::test]
async fn a_thread_local_actor_with_handle_arc_alone_needs_no_sync() {
    let (seen_tx, mut seen) = mpsc::unbounded_channel();
    // With `async-std` a thread ends with the last of its spawners, and its actors with it.
    let spawner = ThreadLocalActorSpawner::new();
    let (actor, handle) = LocalArcOnly::spawn(None, seen_tx, spawner.clone()).await.unwrap();
    actor.cast(NotSync(Cell::new(5))).unwrap();
    actor.drain().unwrap();
    handle.await.unwrap();
    assert_eq!(seen.recv().await, Some(5));
    assert_eq!(actor.lost_messages(), 0);
}
