//! `dead_letters`: each undelivered message gives one letter, with its message where that is left.

mod common;

use std::num::NonZeroUsize;
use std::sync::Arc;

use common::{bounded, gated, rest, Gated, Owner, Reader, Running, Tick};
use ractor::actor::actor_config::{ActorConfig, Conflate, Mailbox, Overflow};
use ractor::concurrency::{timeout, Duration};
use ractor::dead_letters::{self, DeadLetter, DeadLetters, Event, Options};
use ractor::errors::UndeliveredCause as Cause;
use ractor::message::SharedMessage;
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, OutputPort, RpcReplyPort};
use tokio::sync::{Mutex, MutexGuard};

/// Letters are of the whole process, so that the tests take turns.
async fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// The next letter, which was posted already, or will be soon.
async fn next(letters: &mut DeadLetters) -> Arc<DeadLetter> {
    let next = timeout(Duration::from_secs(30), letters.recv());
    match next.await.expect("a letter comes") {
        Event::Letter(letter) => letter,
        Event::Missed(missed) => panic!("{missed} letters are missing"),
    }
}

/// Checks what every letter of an actor has, and that there is no further one.
async fn only(letters: &mut DeadLetters, actor: ActorId, cause: Cause) -> Arc<DeadLetter> {
    let letter = next(letters).await;
    assert_eq!((letter.cause(), letter.actor(), letter.count()), (cause, Some(actor), 1));
    assert!(letters.try_recv().is_none(), "a message gives one letter");
    letter
}

async fn stopped() -> ActorRef<Tick> {
    let reader = Running::start(Reader).await;
    let actor = reader.actor.clone();
    reader.stop().await;
    actor
}

/// Has neither handler.
struct Deaf;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Deaf {
    type Msg = u64;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<u64>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// A message that cannot be copied, or not be shared at all.
#[derive(Debug)]
enum Rigid {
    Shared,
    Asking(#[allow(dead_code, reason = "for its type")] RpcReplyPort<u64>),
}

#[cfg(feature = "cluster")]
impl ractor::Message for Rigid {}

impl SharedMessage for Rigid {
    fn clone_shared(&self) -> Option<Self> {
        None
    }

    fn is_shareable(&self) -> bool {
        matches!(self, Self::Shared)
    }
}

struct Rigids;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Rigids {
    type Msg = Rigid;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Rigid>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Rigid>,
        _: Rigid,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// Has no key for large numbers.
struct Picky;

impl Conflate for Picky {
    type Message = u64;
    type Key = u64;

    fn key(message: &u64) -> Option<u64> {
        assert!(*message < 99, "no key");
        Some(*message)
    }
}

#[ractor::concurrency::test]
async fn a_message_that_comes_back_gives_a_letter_and_by_arc_the_letter_has_that_arc() {
    let _alone = alone().await;
    let actor = stopped().await;
    let mut letters = dead_letters::subscribe();

    let tick = Tick::new(7);
    actor.cast_arc(tick.clone()).unwrap_err();
    let letter = only(&mut letters, actor.get_id(), Cause::Stopped).await;
    assert!(letter.is_returned() && letter.message_type().ends_with("Tick"));
    assert!(Arc::ptr_eq(&letter.shared::<Tick>().expect("it is there"), &tick));
    assert!(letter.shared::<u64>().is_none());
    // A subscriber that takes it gets a copy, since others hold it.
    assert_eq!(letter.take::<Tick>().expect("a copy").price, 7);
    assert_eq!((tick.copies(), letter.has_message()), (1, false));

    // By value its sender has it.
    actor.cast(Tick::clone(&tick)).unwrap_err();
    let letter = only(&mut letters, actor.get_id(), Cause::Stopped).await;
    assert!(letter.is_returned() && !letter.has_message());
    actor.send(Tick::clone(&tick)).await.unwrap_err();
    only(&mut letters, actor.get_id(), Cause::Stopped).await;
    actor.send_arc(tick).await.unwrap_err();
    assert!(only(&mut letters, actor.get_id(), Cause::Stopped).await.has_message());
}

#[ractor::concurrency::test]
async fn a_full_mailbox_gives_a_letter_with_the_name_of_its_actor() {
    let _alone = alone().await;
    let mut letters = dead_letters::subscribe();
    let (gate, state) = common::Gate::new();
    let (name, config) = (Some("full".to_owned()), bounded(1, Overflow::Reject));
    let (actor, handle) = Actor::spawn_with_config(name, Gated, state, config).await.unwrap();
    actor.cast(0).unwrap();
    let refused = loop {
        // The actor may have taken the first out, or not yet.
        if let Err(refused) = actor.cast(1) {
            break refused;
        }
    };
    assert!(refused.to_string().contains("full"));
    let letter = only(&mut letters, actor.get_id(), Cause::Full).await;
    assert_eq!((letter.actor_name(), letter.message_type()), (Some("full"), "u64"));
    assert!(letter.to_string().contains("u64") && letter.to_string().contains("(full)"));
    rest(&actor, handle, gate).await;
}

#[ractor::concurrency::test]
async fn a_mailbox_that_drops_gives_a_letter_with_the_message_that_it_dropped() {
    let _alone = alone().await;
    for (overflow, dropped) in [(Overflow::DropOldest, 1), (Overflow::DropNewest, 2)] {
        let mut letters = dead_letters::subscribe();
        let (actor, handle, gate) = gated(bounded(1, overflow)).await;
        actor.cast(1).unwrap();
        actor.cast(2).unwrap();
        let letter = only(&mut letters, actor.get_id(), Cause::Overflow).await;
        assert!(!letter.is_returned());
        assert_eq!(letter.take::<String>(), None);
        assert_eq!(letter.take::<u64>(), Some(dropped));
        assert_eq!(letter.take::<u64>(), None);

        // By `Arc` it is the same `Arc`.
        let shared = Arc::new(3);
        if overflow == Overflow::DropOldest {
            actor.cast_arc(shared.clone()).unwrap();
            assert_eq!(next(&mut letters).await.take::<u64>(), Some(2));
            actor.cast(4).unwrap();
        } else {
            actor.cast_arc(shared.clone()).unwrap();
        }
        let letter = only(&mut letters, actor.get_id(), Cause::Overflow).await;
        assert!(Arc::ptr_eq(&letter.shared::<u64>().expect("it is there"), &shared));
        rest(&actor, handle, gate).await;
    }
}

/// Waits in a box of its own.
struct Large([u64; 64]);

#[cfg(feature = "cluster")]
impl ractor::Message for Large {}

struct LargeReader;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for LargeReader {
    type Msg = Large;
    type State = tokio::sync::mpsc::UnboundedReceiver<()>;
    type Arguments = Self::State;

    async fn pre_start(
        &self,
        myself: ActorRef<Large>,
        leave: Self::State,
    ) -> Result<Self::State, ActorProcessingErr> {
        // These wait before the actor handles any.
        for number in 0..2 {
            myself.cast(Large([number; 64]))?;
        }
        Ok(leave)
    }

    async fn handle(
        &self,
        _: ActorRef<Large>,
        _: Large,
        leave: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        leave.recv().await;
        Ok(())
    }
}

#[ractor::concurrency::test]
async fn a_large_message_that_is_dropped_is_taken_out_of_its_letter() {
    let _alone = alone().await;
    let mut letters = dead_letters::subscribe();
    let (go_on, leave) = tokio::sync::mpsc::unbounded_channel();
    let config = bounded(1, Overflow::DropOldest);
    let (actor, handle) = Actor::spawn_with_config(None, LargeReader, leave, config).await.unwrap();
    let letter = only(&mut letters, actor.get_id(), Cause::Overflow).await;
    assert_eq!(letter.take::<Large>().expect("it is there").0[63], 0);
    drop(go_on);
    actor.stop(None);
    handle.await.unwrap();
}

#[ractor::concurrency::test]
async fn a_message_that_no_handler_can_take_gives_a_letter_with_it() {
    let _alone = alone().await;
    let mut letters = dead_letters::subscribe();
    let (deaf, deaf_handle) = Actor::spawn(None, Deaf, ()).await.unwrap();
    deaf.cast(5).unwrap();
    let letter = only(&mut letters, deaf.get_id(), Cause::Unhandled).await;
    assert_eq!((letter.is_returned(), letter.take::<u64>()), (false, Some(5)));

    let (rigid, rigid_handle) = Actor::spawn(None, Rigids, ()).await.unwrap();
    let message = Arc::new(Rigid::Shared);
    rigid.cast_arc(message.clone()).unwrap();
    let letter = only(&mut letters, rigid.get_id(), Cause::NotCopyable).await;
    assert!(Arc::ptr_eq(&letter.shared::<Rigid>().expect("it is there"), &message));
    // It cannot be copied, and so stays.
    assert!(letter.take::<Rigid>().is_none() && letter.has_message());
    drop(message);
    assert!(letter.take::<Rigid>().is_some() && !letter.has_message());

    let (reply, _answer) = ractor::concurrency::oneshot();
    let asking = Arc::new(Rigid::Asking(reply.into()));
    rigid.cast_arc(asking.clone()).unwrap_err();
    let letter = only(&mut letters, rigid.get_id(), Cause::NotShareable).await;
    assert!(Arc::ptr_eq(&letter.shared::<Rigid>().expect("it is there"), &asking));
    deaf.stop(None);
    rigid.stop(None);
    deaf_handle.await.unwrap();
    rigid_handle.await.unwrap();
}

#[ractor::concurrency::test]
async fn a_wrong_type_and_a_key_that_panics_give_letters() {
    let _alone = alone().await;
    let mut letters = dead_letters::subscribe();
    let reader = Running::start(Owner).await;
    let mistaken: ActorRef<u64> = reader.actor.get_cell().into();
    mistaken.cast(1).unwrap_err();
    let letter = only(&mut letters, reader.actor.get_id(), Cause::WrongType).await;
    assert_eq!(letter.message_type(), "u64");
    mistaken.cast_arc(Arc::new(1)).unwrap_err();
    only(&mut letters, reader.actor.get_id(), Cause::WrongType).await;
    reader.stop().await;

    let capacity = NonZeroUsize::new(4).unwrap();
    let mailbox = Mailbox::conflating::<Picky>(capacity.get(), Overflow::Reject);
    let (actor, handle, gate) = gated(ActorConfig::default().with_mailbox(mailbox)).await;
    actor.cast(100).unwrap_err();
    only(&mut letters, actor.get_id(), Cause::KeyPanicked).await;
    rest(&actor, handle, gate).await;
}

#[ractor::concurrency::test]
async fn each_member_of_a_group_that_gets_nothing_gives_a_letter() {
    let _alone = alone().await;
    let mut letters = dead_letters::subscribe();
    let (actor, handle, gate) = gated(bounded(1, Overflow::Reject)).await;
    actor.cast(1).unwrap();
    let group = "dead_letters".to_owned();
    ractor::pg::join(group.clone(), vec![actor.get_cell()]);
    let message = Arc::new(2_u64);
    assert_eq!(ractor::pg::broadcast_arc(&group, message.clone()).failed().len(), 1);
    let letter = only(&mut letters, actor.get_id(), Cause::Full).await;
    assert!(Arc::ptr_eq(&letter.shared::<u64>().expect("it is there"), &message));
    let report = ractor::pg::send_arc(&group, message, Duration::ZERO).await;
    assert!(!report.is_complete());
    only(&mut letters, actor.get_id(), Cause::Full).await;
    rest(&actor, handle, gate).await;
}

#[ractor::concurrency::test]
async fn a_sender_that_waits_for_room_and_gets_it_gives_no_letter() {
    let _alone = alone().await;
    let mut letters = dead_letters::subscribe();
    let (actor, handle, gate) = gated(bounded(1, Overflow::Reject)).await;
    actor.cast(1).unwrap();
    let waiting = {
        let actor = actor.clone();
        ractor::concurrency::spawn(async move {
            actor.send(2).await.unwrap();
            actor.send_arc(Arc::new(3)).await.unwrap();
        })
    };
    common::let_others_run().await;
    gate.open();
    waiting.await.unwrap();
    assert_eq!(rest(&actor, handle, gate).await, [1, 2, 3]);
    assert!(letters.try_recv().is_none());
}

#[ractor::concurrency::test]
async fn what_an_output_port_cannot_pass_on_gives_one_letter() {
    let _alone = alone().await;
    let mut letters = dead_letters::subscribe();
    let (actor, handle, gate) = gated(bounded(1, Overflow::Reject)).await;
    actor.cast(1).unwrap();
    let port = OutputPort::<u64>::default();
    port.subscribe(actor.clone(), Some);
    port.send(2);
    only(&mut letters, actor.get_id(), Cause::Full).await;
    // It is counted behind its letter.
    while actor.lost_messages() == 0 {
        common::let_others_run().await;
    }
    assert!(letters.try_recv().is_none());
    rest(&actor, handle, gate).await;
}

#[ractor::concurrency::test]
async fn a_slow_subscriber_is_told_how_many_it_missed_and_where() {
    let _alone = alone().await;
    let actor = stopped().await;
    let two = NonZeroUsize::new(2).unwrap();
    let mut slow = Options::default().with_capacity(two).with_rate(None).subscribe();
    let mut other = dead_letters::subscribe();
    let post = |from, to| {
        for price in from..to {
            actor.cast_arc(Tick::new(price)).unwrap_err();
        }
    };
    let price = |event: Option<Event>| match event {
        Some(Event::Letter(letter)) => Ok(letter.shared::<Tick>().expect("it is there").price),
        Some(Event::Missed(missed)) => Err(missed),
        None => Err(0),
    };
    post(0, 5);
    assert_eq!(price(slow.try_recv()), Ok(0));
    // There is room for one.
    post(5, 7);
    let received: Vec<_> = (0..5).map(|_| price(slow.try_recv())).collect();
    assert_eq!(received, [Ok(1), Err(3), Ok(5), Err(1), Err(0)]);
    for expected in 0..7 {
        assert_eq!(price(other.try_recv()), Ok(expected));
    }
}

#[ractor::concurrency::test]
async fn letters_beyond_the_rate_are_missed() {
    let _alone = alone().await;
    let actor = stopped().await;
    let mut letters = Options::default().with_rate(Some(0)).subscribe();
    for price in 0..3 {
        actor.cast_arc(Tick::new(price)).unwrap_err();
    }
    assert!(matches!(letters.try_recv(), Some(Event::Missed(3))));
    assert!(letters.try_recv().is_none());

    // The second of a rate is that of the subscription's clock.
    let mut letters = Options::default().with_rate(Some(2)).subscribe();
    let begun = std::time::Instant::now();
    for price in 0..3 {
        actor.cast_arc(Tick::new(price)).unwrap_err();
    }
    if begun.elapsed() < Duration::from_secs(1) {
        next(&mut letters).await;
        next(&mut letters).await;
        assert!(matches!(letters.try_recv(), Some(Event::Missed(1))));
    }
}

#[ractor::concurrency::test]
async fn a_letter_holds_no_message_where_no_subscriber_wants_it() {
    let _alone = alone().await;
    let actor = stopped().await;
    let mut without = Options::default().with_messages(false).subscribe();
    let tick = Tick::new(1);
    actor.cast_arc(tick.clone()).unwrap_err();
    assert!(!next(&mut without).await.has_message());
    assert_eq!(Arc::strong_count(&tick), 1);
}

#[ractor::concurrency::test]
async fn dropping_the_subscription_ends_it_and_lets_the_messages_go() {
    let _alone = alone().await;
    let actor = stopped().await;
    let letters = dead_letters::subscribe();
    assert!(dead_letters::is_watched());
    let tick = Tick::new(1);
    actor.cast_arc(tick.clone()).unwrap_err();
    assert_eq!(Arc::strong_count(&tick), 2);
    drop(letters);
    assert!(!dead_letters::is_watched());
    assert_eq!(Arc::strong_count(&tick), 1);
    actor.cast_arc(tick.clone()).unwrap_err();
    assert_eq!(Arc::strong_count(&tick), 1);
}
