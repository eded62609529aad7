//! One message to many: process groups, members on other nodes, derived references.

mod common;

use std::sync::Arc;

use common::{address, bounded, Gate, Gated, Owner, Reader, Running, Tick};
use ractor::actor::actor_config::Overflow;
use ractor::errors::UndeliveredReason;
use ractor::{broadcast_arc, pg, Actor, ActorProcessingErr, ActorRef};
use tokio::sync::mpsc;

#[ractor::concurrency::test]
async fn one_allocation_reaches_all_members() {
    let group = "one allocation".to_owned();
    let mut readers = Vec::new();
    for _ in 0..8 {
        let reader = Running::start(Reader).await;
        pg::join(group.clone(), vec![reader.actor.get_cell()]);
        readers.push(reader);
    }
    let tick = Tick::new(1);

    let report = pg::broadcast_arc(&group, tick.clone());

    assert_eq!((report.delivered(), report.failed().len()), (8, 0));
    for reader in &mut readers {
        assert_eq!(reader.seen.recv().await, Some((1, address(&tick))));
    }
    assert_eq!(tick.copies(), 0);
    for reader in readers {
        reader.stop().await;
    }
}

#[ractor::concurrency::test]
async fn those_who_keep_it_copy_and_those_who_read_do_not() {
    let group = "keepers".to_owned();
    let mut reader = Running::start(Reader).await;
    let mut owner = Running::start(Owner).await;
    pg::join(group.clone(), vec![reader.actor.get_cell(), owner.actor.get_cell()]);
    let tick = Tick::new(2);

    let report = broadcast_arc!(group, tick.clone());

    assert_eq!(report.delivered(), 2);
    assert_eq!((reader.price().await, owner.price().await), (Some(2), Some(2)));
    assert_eq!(tick.copies(), 1);
    reader.stop().await;
    owner.stop().await;
}

#[ractor::concurrency::test]
async fn a_scope_has_its_own_members() {
    let (scope, group) = ("an exchange".to_owned(), "in scope".to_owned());
    let mut inside = Running::start(Reader).await;
    let mut outside = Running::start(Reader).await;
    pg::join_scoped(scope.clone(), group.clone(), vec![inside.actor.get_cell()]);
    pg::join(group.clone(), vec![outside.actor.get_cell()]);

    let report = pg::broadcast_arc_scoped(&scope, &group, Tick::new(3));

    assert_eq!(report.delivered(), 1);
    assert_eq!(inside.price().await, Some(3));
    assert!(outside.seen.try_recv().is_err());
    inside.stop().await;
    outside.stop().await;
}

#[ractor::concurrency::test]
async fn a_member_that_cannot_take_it_is_reported_and_keeps_nobody_from_it() {
    let group = "mixed".to_owned();
    let mut reader = Running::start(Reader).await;
    let draining = Running::start(Reader).await;
    let (mut gate, gated) = Gate::new();
    let (other, other_handle) = Actor::spawn(None, Gated, gated).await.unwrap();
    pg::join(
        group.clone(),
        vec![other.get_cell(), draining.actor.get_cell(), reader.actor.get_cell()],
    );
    // Held in its drain by nothing but the broadcast's own speed: its status says so at once.
    draining.actor.drain().unwrap();

    let report = pg::broadcast_arc(&group, Tick::new(4));

    assert_eq!(report.delivered(), 1);
    let mut failed: Vec<_> =
        report.failed().iter().map(|(who, why)| (who.get_id(), *why)).collect();
    failed.sort_by_key(|(id, _)| *id);
    let mut expected = vec![(other.get_id(), UndeliveredReason::WrongType)];
    // It may have left the group by now.
    if failed.len() == 2 {
        expected.push((draining.actor.get_id(), UndeliveredReason::Stopped));
        expected.sort_by_key(|(id, _)| *id);
    }
    assert_eq!(failed, expected);
    assert_eq!(reader.price().await, Some(4));
    gate.open();
    assert!(gate.entered.try_recv().is_err());
    other.stop(None);
    other_handle.await.unwrap();
    draining.handle.await.unwrap();
    reader.stop().await;
}

#[ractor::concurrency::test]
async fn a_full_mailbox_is_reported() {
    let group = "full".to_owned();
    let (mut gate, gated) = Gate::new();
    let one = bounded(1, Overflow::Reject);
    let (actor, handle) = Actor::spawn_with_config(None, Gated, gated, one).await.unwrap();
    pg::join(group.clone(), vec![actor.get_cell()]);
    actor.cast(1).unwrap();
    assert_eq!(gate.entered.recv().await, Some(1));
    assert_eq!(pg::broadcast_arc(&group, Arc::new(2_u64)).delivered(), 1);

    let report = pg::broadcast_arc(&group, Arc::new(3_u64));

    let [(who, UndeliveredReason::Full)] = report.failed() else {
        panic!("there is no room for a third: {report:?}");
    };
    assert_eq!(who.get_id(), actor.get_id());
    gate.open();
    assert_eq!(gate.entered.recv().await, Some(2));
    actor.stop(None);
    handle.await.unwrap();
}

/// The messages of an order book. Ticks are a part of them.
#[derive(Debug)]
enum Book {
    Whole(Tick),
    Price(u64),
}

#[cfg(feature = "cluster")]
impl ractor::Message for Book {}

impl From<Tick> for Book {
    fn from(tick: Tick) -> Self {
        Self::Whole(tick)
    }
}

impl From<&Tick> for Book {
    fn from(tick: &Tick) -> Self {
        Self::Price(tick.price)
    }
}

impl TryFrom<Book> for Tick {
    type Error = ();

    fn try_from(book: Book) -> Result<Self, ()> {
        match book {
            Book::Whole(tick) => Ok(tick),
            Book::Price(_) => Err(()),
        }
    }
}

struct Books;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Books {
    type Msg = Book;
    type State = mpsc::UnboundedSender<Book>;
    type Arguments = mpsc::UnboundedSender<Book>;

    async fn pre_start(
        &self,
        _: ActorRef<Book>,
        seen: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(seen)
    }

    async fn handle(
        &self,
        _: ActorRef<Book>,
        book: Book,
        seen: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(seen.send(book)?)
    }
}

#[ractor::concurrency::test]
async fn a_derived_reference_converts_from_a_reference_where_it_can() {
    let (seen_tx, mut seen) = mpsc::unbounded_channel();
    let (books, handle) = Actor::spawn(None, Books, seen_tx).await.unwrap();
    let tick = Tick::new(5);

    books.get_derived_by_ref::<Tick>().cast_arc(tick.clone()).unwrap();
    assert!(matches!(seen.recv().await, Some(Book::Price(5))));
    assert_eq!(tick.copies(), 0);

    books.get_derived::<Tick>().cast_arc(tick.clone()).unwrap();
    assert!(matches!(seen.recv().await, Some(Book::Whole(Tick { price: 5, .. }))));
    assert_eq!(tick.copies(), 1);

    let derived = books.get_derived_by_ref::<Tick>().clone();
    books.stop(None);
    handle.await.unwrap();
    let failure = derived.cast_arc(tick.clone()).unwrap_err();
    assert_eq!(failure.reason(), UndeliveredReason::Stopped);
    assert!(Arc::ptr_eq(&failure.into_message(), &tick));
}

#[ractor::concurrency::test]
async fn a_derived_reference_to_the_whole_passes_the_arc_on() {
    let mut reader = Running::start(Reader).await;
    let tick = Tick::new(6);

    reader.actor.get_derived::<Tick>().cast_arc(tick.clone()).unwrap();

    assert_eq!(reader.seen.recv().await, Some((6, address(&tick))));
    reader.stop().await;
}

#[cfg(feature = "cluster")]
mod remote {
    //! To actors of another node, here proxies that keep what they would send.

    use std::sync::atomic::{AtomicUsize, Ordering};

    use ractor::message::{BoxedDowncastErr, SerializedMessage};
    use ractor::{registry, ActorId, ActorRuntime, Message};

    use super::*;

    struct Proxy;

    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl Actor for Proxy {
        type Msg = ();
        type State = mpsc::UnboundedSender<SerializedMessage>;
        type Arguments = mpsc::UnboundedSender<SerializedMessage>;

        async fn pre_start(
            &self,
            _: ActorRef<()>,
            sent: Self::Arguments,
        ) -> Result<Self::State, ActorProcessingErr> {
            Ok(sent)
        }

        async fn handle_serialized(
            &self,
            _: ActorRef<()>,
            message: SerializedMessage,
            sent: &mut Self::State,
        ) -> Result<(), ActorProcessingErr> {
            Ok(sent.send(message)?)
        }
    }

    /// What a node session is to its proxies: it lives on when one of them ends.
    struct Session;

    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl Actor for Session {
        type Msg = ();
        type State = ();
        type Arguments = ();

        async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
            Ok(())
        }

        async fn handle_supervisor_evt(
            &self,
            _: ActorRef<()>,
            _: ractor::SupervisionEvent,
            (): &mut (),
        ) -> Result<(), ActorProcessingErr> {
            Ok(())
        }
    }

    /// Counts how often it is serialised, and can be made to fail at it.
    #[derive(Clone)]
    struct Wired {
        serialised: Arc<AtomicUsize>,
        behaves: bool,
    }

    impl Message for Wired {
        fn serializable() -> bool {
            true
        }

        fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
            assert!(self.behaves);
            self.serialised.fetch_add(1, Ordering::SeqCst);
            Ok(SerializedMessage::Cast {
                variant: "Wired".to_owned(),
                args: vec![1, 2, 3],
                metadata: Some(vec![4]),
            })
        }
    }

    #[ractor::concurrency::test]
    async fn it_is_serialised_once_for_all_other_nodes() {
        let group = "wired".to_owned();
        let (session, session_handle) = Actor::spawn(None, Session, ()).await.unwrap();
        let (sent_tx, mut sent) = mpsc::unbounded_channel();
        let mut proxies = Vec::new();
        for pid in 1..=4 {
            // Where the other node is makes no difference.
            let id = match pid % 2 {
                0 => ActorId::Remote { node_id: 7, pid },
                _ => ActorId::LocalMachine { node_id: 8, pid },
            };
            let proxy = ActorRuntime::spawn_linked_remote(
                None,
                Proxy,
                id,
                sent_tx.clone(),
                session.get_cell(),
            );
            let (proxy, handle) = proxy.await.unwrap();
            pg::join(group.clone(), vec![proxy.get_cell()]);
            proxies.push((proxy, handle));
        }
        let message = Arc::new(Wired { serialised: Arc::default(), behaves: true });

        let report = pg::broadcast_arc(&group, message.clone());

        assert_eq!((report.delivered(), report.failed().len()), (4, 0));
        for _ in 0..4 {
            let Some(SerializedMessage::Cast { variant, args, metadata }) = sent.recv().await
            else {
                panic!("a proxy gets a cast");
            };
            assert_eq!((variant.as_str(), args, metadata), ("Wired", vec![1, 2, 3], Some(vec![4])));
        }
        assert_eq!(message.serialised.load(Ordering::SeqCst), 1);
        assert_eq!(Arc::strong_count(&message), 1);

        // One that cannot be serialised: every proxy is reported, and nothing is sent.
        let broken = Arc::new(Wired { serialised: Arc::default(), behaves: false });
        let report = pg::broadcast_arc(&group, broken);
        assert_eq!(report.delivered(), 0);
        assert_eq!(report.failed().len(), 4);
        assert!(report.failed().iter().all(|(_, why)| *why == UndeliveredReason::NotSerializable));

        // Nor can one that does not know how.
        let (proxy, _) = &proxies[0];
        let mistaken: ActorRef<Tick> = proxy.get_cell().into();
        let tick = Tick::new(1);
        let failure = mistaken.cast_arc(tick.clone()).unwrap_err();
        assert_eq!(failure.reason(), UndeliveredReason::NotSerializable);
        assert!(Arc::ptr_eq(&failure.into_message(), &tick));

        for (proxy, handle) in proxies {
            proxy.stop(None);
            handle.await.unwrap();
        }
        session.stop(None);
        session_handle.await.unwrap();
    }

    #[ractor::concurrency::test]
    async fn a_proxy_that_stops_leaves_a_local_actor_its_name() {
        let name = Some("on both nodes".to_owned());
        let (session, session_handle) = Actor::spawn(None, Session, ()).await.unwrap();
        let (local, local_handle) = Actor::spawn(name.clone(), Session, ()).await.unwrap();
        let (sent_tx, _sent) = mpsc::unbounded_channel();
        let id = ActorId::Remote { node_id: 9, pid: 1 };
        let (proxy, handle) =
            ActorRuntime::spawn_linked_remote(name, Proxy, id, sent_tx, session.get_cell())
                .await
                .unwrap();

        proxy.stop(None);
        handle.await.unwrap();

        let found = registry::where_is("on both nodes").map(|actor| actor.get_id());
        assert_eq!(found, Some(local.get_id()));
        local.stop(None);
        local_handle.await.unwrap();
        assert!(registry::where_is("on both nodes").is_none());
        session.stop(None);
        session_handle.await.unwrap();
    }

    #[ractor::concurrency::test]
    async fn local_members_are_those_of_this_process() {
        let group = "near and far".to_owned();
        let (session, session_handle) = Actor::spawn(None, Session, ()).await.unwrap();
        let (sent_tx, _sent) = mpsc::unbounded_channel();
        let id = ActorId::LocalMachine { node_id: 9, pid: 2 };
        let (proxy, handle) =
            ActorRuntime::spawn_linked_remote(None, Proxy, id, sent_tx, session.get_cell())
                .await
                .unwrap();
        pg::join(group.clone(), vec![session.get_cell(), proxy.get_cell()]);

        let local: Vec<_> = pg::get_local_members(&group).iter().map(|it| it.get_id()).collect();

        assert_eq!(local, [session.get_id()]);
        assert_eq!(pg::get_members(&group).len(), 2);
        assert!(registry::where_is_pid(id).is_none());
        proxy.stop(None);
        handle.await.unwrap();
        assert_eq!(pg::get_members(&group).len(), 1);
        session.stop(None);
        session_handle.await.unwrap();
    }
}
