//! `cast_arc`: which receivers copy, and which messages come back.

mod common;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use common::{address, Owner, Reader, Running, Tick};
use ractor::errors::UndeliveredReason;
use ractor::message::{Shared, SharedMessage};
use ractor::{cast_arc, Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::sync::mpsc;

#[ractor::concurrency::test]
async fn a_reader_reads_the_very_message_that_was_sent() {
    let mut reader = Running::start(Reader).await;
    let tick = Tick::new(101);

    reader.actor.cast_arc(tick.clone()).unwrap();

    assert_eq!(reader.seen.recv().await, Some((101, address(&tick))));
    assert_eq!(tick.copies(), 0);
    reader.stop().await;
}

#[ractor::concurrency::test]
async fn the_last_reference_is_moved_into_handle() {
    let mut owner = Running::start(Owner).await;
    let tick = Tick::new(102);
    let copies = tick.copies.clone();

    owner.actor.cast_arc(tick).unwrap();

    assert_eq!(owner.price().await, Some(102));
    assert_eq!(copies.load(std::sync::atomic::Ordering::SeqCst), 0);
    owner.stop().await;
}

#[ractor::concurrency::test]
async fn a_message_that_others_hold_is_copied_for_handle() {
    let mut owner = Running::start(Owner).await;
    let tick = Tick::new(103);

    owner.actor.cast_arc(tick.clone()).unwrap();

    assert_eq!(owner.price().await, Some(103));
    assert_eq!(tick.copies(), 1);
    owner.stop().await;
}

#[ractor::concurrency::test]
async fn shared_and_owned_messages_keep_their_order() {
    let mut reader = Running::start(Reader).await;

    for price in 0..100 {
        if price % 3 == 0 {
            reader.actor.cast(Tick::clone(&Tick::new(price))).unwrap();
        } else {
            reader.actor.cast_arc(Tick::new(price)).unwrap();
        }
    }

    for price in 0..100 {
        assert_eq!(reader.price().await, Some(price));
    }
    reader.stop().await;
}

#[ractor::concurrency::test]
async fn a_stopped_actor_gives_the_very_message_back() {
    let reader = Running::start(Reader).await;
    let actor = reader.actor.clone();
    reader.stop().await;
    let tick = Tick::new(104);

    let failure = actor.cast_arc(tick.clone()).unwrap_err();

    assert_eq!(failure.reason(), UndeliveredReason::Stopped);
    assert_eq!(failure.actor(), actor.get_id());
    assert!(Arc::ptr_eq(&failure.into_message(), &tick));
    assert_eq!(tick.copies(), 0);
}

#[ractor::concurrency::test]
async fn an_actor_that_was_killed_gives_the_very_message_back() {
    let reader = Running::start(Reader).await;
    reader.actor.kill_and_wait(None).await.unwrap();
    let tick = Tick::new(105);

    let failure = reader.actor.cast_arc(tick.clone()).unwrap_err();

    assert!(Arc::ptr_eq(failure.message(), &tick));
}

#[ractor::concurrency::test]
async fn an_actor_of_another_type_gives_the_message_back() {
    let reader = Running::start(Reader).await;
    let mistaken: ActorRef<u64> = reader.actor.get_cell().into();

    let failure = mistaken.cast_arc(Arc::new(1)).unwrap_err();

    assert_eq!(failure.reason(), UndeliveredReason::WrongType);
    assert_eq!(*failure.into_message(), 1);
    // It goes on.
    reader.actor.cast_arc(Tick::new(1)).unwrap();
    reader.stop().await;
}

#[ractor::concurrency::test]
async fn a_draining_actor_takes_no_more_and_loses_nothing() {
    let mut reader = Running::start(Reader).await;
    for price in 0..10 {
        reader.actor.cast_arc(Tick::new(price)).unwrap();
    }

    reader.actor.drain().unwrap();
    let failure = reader.actor.cast_arc(Tick::new(10)).unwrap_err();

    assert_eq!(failure.reason(), UndeliveredReason::Stopped);
    reader.handle.await.unwrap();
    for price in 0..10 {
        assert_eq!(reader.seen.recv().await.map(|seen| seen.0), Some(price));
    }
    assert_eq!(reader.seen.recv().await, None);
}

#[ractor::concurrency::test]
async fn the_macro_takes_a_message_or_its_arc() {
    let mut reader = Running::start(Reader).await;
    let tick = Tick::new(1);

    cast_arc!(reader.actor, tick.clone()).unwrap();
    cast_arc!(reader.actor, Tick { copies: Arc::default(), price: 2 }).unwrap();

    assert_eq!((reader.price().await, reader.price().await), (Some(1), Some(2)));
    let actor = reader.actor.clone();
    reader.stop().await;
    let failure = cast_arc!(actor, tick.clone()).unwrap_err();
    assert!(Arc::ptr_eq(&failure.try_get_message().unwrap(), &tick));
}

#[cfg(not(feature = "async-std"))]
#[ractor::concurrency::test]
async fn thread_local_actors_read_shared_messages_too() {
    use ractor::thread_local::{ThreadLocalActor, ThreadLocalActorSpawner};

    /// Not `Send`.
    #[derive(Default)]
    struct Local(std::cell::Cell<u64>);

    impl ThreadLocalActor for Local {
        type Msg = Tick;
        type State = mpsc::UnboundedSender<common::Seen>;
        type Arguments = mpsc::UnboundedSender<common::Seen>;

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
            self.0.set(self.0.get() + 1);
            Ok(seen.send((self.0.get(), address(&tick)))?)
        }
    }

    // With `async-std` a thread ends with the last of its spawners, and its actors with it.
    let spawner = ThreadLocalActorSpawner::new();
    let (seen_tx, mut seen) = mpsc::unbounded_channel();
    let (own, own_handle) =
        <Local as ThreadLocalActor>::spawn(None, seen_tx.clone(), spawner.clone()).await.unwrap();
    // An ordinary actor that runs on a thread of its own keeps its `handle_arc`.
    let (ordinary, ordinary_handle) =
        <Reader as ThreadLocalActor>::spawn(None, seen_tx, spawner.clone()).await.unwrap();
    let tick = Tick::new(7);

    own.cast_arc(tick.clone()).unwrap();
    assert_eq!(seen.recv().await, Some((1, address(&tick))));
    ordinary.cast_arc(tick.clone()).unwrap();
    assert_eq!(seen.recv().await, Some((7, address(&tick))));

    assert_eq!(tick.copies(), 0);
    own.stop(None);
    ordinary.stop(None);
    own_handle.await.unwrap();
    ordinary_handle.await.unwrap();
}

/// Is not to be copied.
struct Fragile(u64);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        panic!("told you so");
    }
}

#[cfg(feature = "cluster")]
impl ractor::Message for Fragile {}

/// Ends on message 13.
struct Superstitious;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Superstitious {
    type Msg = Fragile;
    type State = mpsc::UnboundedSender<u64>;
    type Arguments = mpsc::UnboundedSender<u64>;

    async fn pre_start(
        &self,
        _: ActorRef<Fragile>,
        seen: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(seen)
    }

    async fn handle(
        &self,
        _: ActorRef<Fragile>,
        message: Fragile,
        seen: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        assert_ne!(message.0, 13);
        Ok(seen.send(message.0)?)
    }
}

#[ractor::concurrency::test]
async fn a_clone_that_panics_costs_the_message_and_not_the_actor() {
    let (seen_tx, mut seen) = mpsc::unbounded_channel();
    let (actor, handle) = Actor::spawn(None, Superstitious, seen_tx).await.unwrap();
    let fragile = Arc::new(Fragile(1));

    actor.cast_arc(fragile.clone()).unwrap();
    actor.cast_arc(Arc::new(Fragile(2))).unwrap();

    assert_eq!(seen.recv().await, Some(2));
    assert_eq!(actor.lost_messages(), 1);
    assert_eq!(fragile.0, 1);
    actor.stop(None);
    handle.await.unwrap();
}

#[ractor::concurrency::test]
async fn a_handler_that_panics_ends_its_own_actor_only() {
    /// Tells which of its children failed.
    struct Supervisor;

    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl Actor for Supervisor {
        type Msg = ();
        type State = mpsc::UnboundedSender<u64>;
        type Arguments = mpsc::UnboundedSender<u64>;

        async fn pre_start(
            &self,
            _: ActorRef<()>,
            failed: Self::Arguments,
        ) -> Result<Self::State, ActorProcessingErr> {
            Ok(failed)
        }

        async fn handle_supervisor_evt(
            &self,
            _: ActorRef<()>,
            event: SupervisionEvent,
            failed: &mut Self::State,
        ) -> Result<(), ActorProcessingErr> {
            if let SupervisionEvent::ActorFailed(who, _) = event {
                failed.send(who.get_id().pid())?;
            }
            Ok(())
        }
    }

    /// Reads in the shared message, where it may panic.
    struct Peeking;

    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl Actor for Peeking {
        type Msg = Fragile;
        type State = (bool, mpsc::UnboundedSender<u64>);
        type Arguments = (bool, mpsc::UnboundedSender<u64>);

        async fn pre_start(
            &self,
            _: ActorRef<Fragile>,
            state: Self::Arguments,
        ) -> Result<Self::State, ActorProcessingErr> {
            Ok(state)
        }

        async fn handle_arc(
            &self,
            _: ActorRef<Fragile>,
            message: Shared<Fragile>,
            (superstitious, seen): &mut Self::State,
        ) -> Result<(), ActorProcessingErr> {
            assert!(!(*superstitious && message.0 == 13));
            Ok(seen.send(message.0)?)
        }
    }

    let (failed_tx, mut failed) = mpsc::unbounded_channel();
    let (supervisor, supervised) = Actor::spawn(None, Supervisor, failed_tx).await.unwrap();
    let (seen_tx, mut seen) = mpsc::unbounded_channel();
    let parent = supervisor.get_cell();
    let (weak, weak_handle) =
        Actor::spawn_linked(None, Peeking, (true, seen_tx.clone()), parent.clone()).await.unwrap();
    let (firm, firm_handle) =
        Actor::spawn_linked(None, Peeking, (false, seen_tx), parent).await.unwrap();
    let thirteen = Arc::new(Fragile(13));

    weak.cast_arc(thirteen.clone()).unwrap();
    firm.cast_arc(thirteen.clone()).unwrap();

    assert_eq!(failed.recv().await, Some(weak.get_id().pid()));
    assert_eq!(seen.recv().await, Some(13));
    weak_handle.await.unwrap();
    firm.cast_arc(thirteen).unwrap();
    assert_eq!(seen.recv().await, Some(13));
    firm.stop(None);
    firm_handle.await.unwrap();
    supervisor.stop(None);
    supervised.await.unwrap();
}

/// Holds a reply port in one of its variants.
enum Book {
    Tick(u64),
    Ask(#[allow(dead_code)] RpcReplyPort<u64>),
}

#[cfg(feature = "cluster")]
impl ractor::Message for Book {}

impl SharedMessage for Book {
    fn clone_shared(&self) -> Option<Self> {
        match self {
            Self::Tick(price) => Some(Self::Tick(*price)),
            Self::Ask(_) => None,
        }
    }

    fn is_shareable(&self) -> bool {
        !matches!(self, Self::Ask(_))
    }
}

struct Books;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Books {
    type Msg = Book;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Book>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

#[ractor::concurrency::test]
async fn a_message_with_a_reply_port_is_not_shared() {
    let (books, handle) = Actor::spawn(None, Books, ()).await.unwrap();
    let (answer, _waiting) = ractor::concurrency::oneshot();
    let question = Arc::new(Book::Ask(answer.into()));

    let failure = books.cast_arc(question.clone()).unwrap_err();

    assert_eq!(failure.reason(), UndeliveredReason::NotShareable);
    assert!(Arc::ptr_eq(&failure.into_message(), &question));
    books.cast_arc(Arc::new(Book::Tick(1))).unwrap();
    books.stop(None);
    handle.await.unwrap();
}

#[ractor::concurrency::test]
async fn a_message_that_is_not_sync_works_as_ever() {
    struct Lonely;

    /// `Send`, and no more than that.
    struct Envelope(std::cell::Cell<u64>, std::sync::mpsc::Receiver<u64>);

    #[cfg(feature = "cluster")]
    impl ractor::Message for Envelope {}

    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl Actor for Lonely {
        type Msg = Envelope;
        type State = mpsc::UnboundedSender<u64>;
        type Arguments = mpsc::UnboundedSender<u64>;

        async fn pre_start(
            &self,
            _: ActorRef<Envelope>,
            seen: Self::Arguments,
        ) -> Result<Self::State, ActorProcessingErr> {
            Ok(seen)
        }

        async fn handle(
            &self,
            _: ActorRef<Envelope>,
            Envelope(number, more): Envelope,
            seen: &mut Self::State,
        ) -> Result<(), ActorProcessingErr> {
            Ok(seen.send(number.get() + more.recv()?)?)
        }
    }

    let (seen_tx, mut seen) = mpsc::unbounded_channel();
    let (actor, handle) = Actor::spawn(None, Lonely, seen_tx).await.unwrap();
    let (more_tx, more) = std::sync::mpsc::channel();
    more_tx.send(2).unwrap();

    actor.cast(Envelope(std::cell::Cell::new(40), more)).unwrap();

    assert_eq!(seen.recv().await, Some(42));
    actor.stop(None);
    handle.await.unwrap();
}

#[test]
fn a_shared_message_converts_and_says_when_it_cannot() {
    let tick = Tick::new(1);
    let shared = Shared::from(tick.clone());
    assert!(Arc::ptr_eq(&Arc::from(shared.clone()), &tick));
    assert!(Shared::<u64>::new(shared.clone().into_message()).is_err());
    assert_eq!(shared.try_into_owned().unwrap().price, 1);
    assert_eq!(tick.copies(), 1);

    let (answer, _waiting) = ractor::concurrency::oneshot();
    let question = Shared::from(Arc::new(Book::Ask(answer.into())));
    let kept = question.clone();
    assert!(question.try_into_owned().is_err());
    // No other reference is left now.
    assert!(matches!(kept.try_into_owned(), Ok(Book::Ask(_))));

    let fragile = Shared::from(Arc::new(Fragile(1)));
    let kept = fragile.clone();
    assert!(catch_unwind(AssertUnwindSafe(|| fragile.try_into_owned().map(drop))).is_err());
    assert_eq!(kept.0, 1);
}

#[cfg(feature = "message_span_propogation")]
#[ractor::concurrency::test]
async fn the_senders_span_goes_along() {
    /// Answers with the name of the span that it handles a message in.
    struct Traced;

    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl Actor for Traced {
        type Msg = String;
        type State = mpsc::UnboundedSender<Option<&'static str>>;
        type Arguments = mpsc::UnboundedSender<Option<&'static str>>;

        async fn pre_start(
            &self,
            _: ActorRef<String>,
            seen: Self::Arguments,
        ) -> Result<Self::State, ActorProcessingErr> {
            Ok(seen)
        }

        async fn handle(
            &self,
            _: ActorRef<String>,
            _: String,
            seen: &mut Self::State,
        ) -> Result<(), ActorProcessingErr> {
            Ok(seen.send(tracing::Span::current().metadata().map(|span| span.name()))?)
        }
    }

    // For every thread, since a runtime may run the actor on another one.
    tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    let (seen_tx, mut seen) = mpsc::unbounded_channel();
    let (actor, handle) = Actor::spawn(None, Traced, seen_tx).await.unwrap();

    tracing::info_span!("market").in_scope(|| actor.cast_arc(Arc::new(String::new()))).unwrap();

    assert_eq!(seen.recv().await, Some(Some("market")));
    actor.stop(None);
    handle.await.unwrap();
}
