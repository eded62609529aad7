//! Messages from another node, on their way into a mailbox.

use bytes::Bytes;
use ractor::actor::actor_config::{ActorConfig, Conflate, Mailbox, Overflow};
use ractor::concurrency::{oneshot, JoinHandle};
use ractor::remoting::{deliver_to_all, Incoming, Undeliverable};
use ractor::thread_local::{ThreadLocalActor, ThreadLocalActorSpawner};
use ractor::{Actor, ActorProcessingErr, ActorRef, Message};
use tokio::sync::mpsc;

use crate::messages::{Homely, New, Old, Pair};
use crate::outlet::{Remote, Session};

/// Passes on what it gets.
struct Keeper<M>(mpsc::UnboundedSender<M>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl<M: Message + Sync> Actor for Keeper<M> {
    type Msg = M;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<M>, _: ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<M>,
        message: M,
        _: &mut (),
    ) -> Result<(), ActorProcessingErr> {
        self.0.send(message).map_err(|_| "nobody listens".into())
    }
}

pub struct Kept<M> {
    pub actor: ActorRef<M>,
    got: mpsc::UnboundedReceiver<M>,
    handle: JoinHandle<()>,
}

impl<M: Message + Sync> Kept<M> {
    pub async fn start() -> Self {
        Self::with(ActorConfig::default()).await
    }

    pub async fn with(config: ActorConfig) -> Self {
        let (tell, got) = mpsc::unbounded_channel();
        let keeper = Keeper(tell);
        let (actor, handle) = Actor::spawn_with_config(None, keeper, (), config).await.unwrap();
        Self { actor, got, handle }
    }

    /// All that it got.
    pub async fn stop(mut self) -> Vec<M> {
        self.actor.drain().unwrap();
        self.handle.await.unwrap();
        let mut all = Vec::new();
        while let Ok(message) = self.got.try_recv() {
            all.push(message);
        }
        all
    }
}

fn cast<'a>(variant: &'a str, args: impl Into<Vec<u8>>) -> Incoming<'a> {
    Incoming {
        variant,
        args: Bytes::from(args.into()),
        lent: Bytes::new(),
        metadata: Some(b"meta"),
        reply: None,
    }
}

#[ractor::concurrency::test]
async fn a_cast_is_decoded_and_handled_in_order() {
    let old = Kept::<Old>::start().await;
    let text = Kept::<Pair>::start().await;

    for number in 0..200_u64 {
        old.actor.deliver(cast("tick", number.to_le_bytes())).unwrap();
        text.actor.deliver(cast("", [1, number as u8])).unwrap();
    }

    let prices = old.stop().await.into_iter().map(|it| match it {
        Old::Tick(price, _) => price,
        _ => panic!("another message"),
    });
    assert!(prices.eq(0..200));
    assert!(text.stop().await.into_iter().eq((0..200).map(|number| Pair(1, number))));
}

#[ractor::concurrency::test]
async fn bytes_that_are_of_no_message_harm_nobody() {
    let old = Kept::<Old>::start().await;
    let pair = Kept::<Pair>::start().await;
    let new = Kept::<New>::start().await;

    assert_eq!(old.actor.deliver(cast("what?", [])), Err(Undeliverable::NotDecodable));
    // These panic while they are decoded.
    assert_eq!(old.actor.deliver(cast("tick", [1, 2])), Err(Undeliverable::NotDecodable));
    assert_eq!(pair.actor.deliver(cast("", [1])), Err(Undeliverable::NotDecodable));
    let mut number = 0x2545_F491_4F6C_DD1D_u64;
    for length in 0..64 {
        let noise: Vec<u8> = (0..length)
            .map(|_| {
                number ^= number << 13;
                number ^= number >> 7;
                number ^= number << 17;
                number as u8
            })
            .collect();
        assert_eq!(new.actor.deliver(cast("New", noise)), Err(Undeliverable::NotDecodable));
    }

    old.actor.deliver(cast("tick", 7_u64.to_le_bytes())).unwrap();
    pair.actor.deliver(cast("", [1, 2])).unwrap();
    new.actor.deliver(cast("New", [0, 0, 0, 0, 0, 0, 0, 1, b'x'])).unwrap();
    assert!(matches!(old.stop().await[..], [Old::Tick(7, _)]));
    assert_eq!(pair.stop().await, [Pair(1, 2)]);
    assert_eq!(new.stop().await[0].name, "x");
}

#[ractor::concurrency::test]
async fn who_takes_nothing_from_other_nodes_says_so() {
    let homely = Kept::<Homely>::start().await;
    let session = Session::new();
    let remote = Remote::of(&session).await;

    assert_eq!(homely.actor.deliver(cast("", [])), Err(Undeliverable::WrongType));
    assert_eq!(remote.cell.deliver(cast("", [])), Err(Undeliverable::WrongType));

    assert!(homely.stop().await.is_empty());
    assert!(session.take().is_empty());
    remote.stop().await;
}

#[ractor::concurrency::test]
async fn an_actor_that_is_gone_says_so() {
    let pair = Kept::<Pair>::start().await;
    let actor = pair.actor.clone();
    pair.stop().await;
    let (port, answer) = oneshot();

    assert_eq!(actor.deliver(cast("", [1, 2])), Err(Undeliverable::Stopped));
    let call = Incoming {
        variant: "",
        args: Bytes::new(),
        lent: Bytes::new(),
        metadata: None,
        reply: Some(port.into()),
    };
    actor.deliver(call).unwrap_err();
    assert!(answer.await.is_err());
}

/// A mailbox of two, before an actor that has not taken any yet: its only thread is ours.
async fn overflowing(overflow: Overflow) -> (Vec<Result<(), Undeliverable>>, Vec<u8>, u64) {
    let config = ActorConfig::default().with_mailbox(Mailbox::bounded(2, overflow));
    let pair = Kept::<Pair>::with(config).await;
    let delivered = (0..4).map(|it| pair.actor.deliver(cast("", [0, it]))).collect();
    let actor = pair.actor.clone();
    let got = pair.stop().await.into_iter().map(|it| it.1).collect();
    (delivered, got, actor.lost_messages())
}

#[tokio::test(flavor = "current_thread")]
async fn a_full_mailbox_does_as_it_was_told() {
    let full = Err(Undeliverable::Full);
    let rejecting = overflowing(Overflow::Reject).await;
    assert_eq!(rejecting, (vec![Ok(()), Ok(()), full, full], vec![0, 1], 0));
    assert_eq!(overflowing(Overflow::DropNewest).await, (vec![Ok(()); 4], vec![0, 1], 2));
    assert_eq!(overflowing(Overflow::DropOldest).await, (vec![Ok(()); 4], vec![2, 3], 2));
}

#[ractor::concurrency::test]
async fn a_call_is_answered_by_its_port_and_a_dropped_one_is_told() {
    let mut old = Kept::<Old>::start().await;
    let ask = || {
        let (port, answer) = oneshot::<Vec<u8>>();
        let reply = Some(port.into());
        (
            Incoming {
                variant: "ask",
                args: Bytes::new(),
                lent: Bytes::new(),
                metadata: None,
                reply,
            },
            answer,
        )
    };
    let (first, answer) = ask();
    let (second, no_answer) = ask();

    old.actor.deliver(first).unwrap();
    old.actor.deliver(second).unwrap();

    match old.got.recv().await {
        Some(Old::Ask(port)) => port.send(b"answer".to_vec()).unwrap(),
        _ => panic!("another message"),
    }
    assert_eq!(answer.await.unwrap(), b"answer");
    drop(old.got.recv().await);
    assert!(no_answer.await.is_err());
    old.stop().await;
}

/// Stays on its thread.
#[derive(Default)]
struct Local;

impl ThreadLocalActor for Local {
    type Msg = Pair;
    type State = mpsc::UnboundedSender<Pair>;
    type Arguments = mpsc::UnboundedSender<Pair>;

    async fn pre_start(
        &self,
        _: ActorRef<Pair>,
        tell: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(tell)
    }

    async fn handle(
        &self,
        _: ActorRef<Pair>,
        pair: Pair,
        tell: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(tell.send(pair)?)
    }
}

#[ractor::concurrency::test]
async fn an_actor_of_one_thread_gets_its_messages_too() {
    let (tell, mut got) = mpsc::unbounded_channel();
    let spawner = ThreadLocalActorSpawner::new();
    let (actor, handle) =
        <Local as ThreadLocalActor>::spawn(None, tell, spawner.clone()).await.unwrap();

    actor.deliver(cast("", [1])).unwrap_err();
    actor.deliver(cast("", [3, 4])).unwrap();

    assert_eq!(got.recv().await, Some(Pair(3, 4)));
    actor.stop(None);
    handle.await.unwrap();
}

#[ractor::concurrency::test]
async fn several_actors_get_one_message_each() {
    let pairs = [Kept::<Pair>::start().await, Kept::<Pair>::start().await];
    let homely = Kept::<Homely>::start().await;
    let gone = Kept::<Pair>::start().await;
    let cells = [
        pairs[0].actor.get_cell(),
        homely.actor.get_cell(),
        gone.actor.get_cell(),
        pairs[1].actor.get_cell(),
    ];
    gone.stop().await;

    let failed = deliver_to_all(&cells, cast("", [5, 6]));
    let alone = deliver_to_all(&cells[..1], cast("", [7, 8]));
    let noise = deliver_to_all(&cells, cast("", []));
    let none = deliver_to_all(&[], cast("", [1, 2]));
    let (port, answer) = oneshot();
    let call = Incoming {
        variant: "",
        args: Bytes::new(),
        lent: Bytes::new(),
        metadata: None,
        reply: Some(port.into()),
    };
    let calls = deliver_to_all(&cells, call);

    let wrong = (cells[1].get_id(), Undeliverable::WrongType);
    assert_eq!(failed, [wrong, (cells[2].get_id(), Undeliverable::Stopped)]);
    assert_eq!((alone, none), (vec![], vec![]));
    assert_eq!(noise.len(), 4);
    assert_eq!(calls.len(), 4);
    assert!(answer.await.is_err());
    let [first, second] = pairs;
    assert_eq!(first.stop().await, [Pair(5, 6), Pair(7, 8)]);
    assert_eq!(second.stop().await, [Pair(5, 6)]);
    homely.stop().await;
}

/// By the first number. That of 99 panics.
impl Conflate for Pair {
    type Message = Self;
    type Key = u8;

    fn key(pair: &Self) -> Option<u8> {
        assert_ne!(pair.0, 99, "the key that panics");
        (pair.0 > 0).then_some(pair.0)
    }
}

#[ractor::concurrency::test]
async fn what_comes_from_another_node_conflates_as_the_rest_does() {
    let latest = Mailbox::conflating::<Pair>(3, Overflow::Reject);
    let pair = Kept::<Pair>::with(ActorConfig::default().with_mailbox(latest)).await;
    let deliver = |numbers: [u8; 2]| pair.actor.deliver(cast("", numbers));

    deliver([1, 1]).unwrap();
    deliver([0, 1]).unwrap();
    pair.actor.cast(Pair(2, 1)).unwrap();
    deliver([2, 2]).unwrap();
    pair.actor.cast(Pair(1, 2)).unwrap();
    assert_eq!(deliver_to_all(&[pair.actor.get_cell()], cast("", [1, 3])), []);
    assert_eq!(deliver([0, 2]), Err(Undeliverable::Full));
    // Neither the reader of the link nor the actor sees the panic.
    assert_eq!(deliver([99, 1]), Err(Undeliverable::KeyPanicked));
    deliver([2, 3]).unwrap();

    assert_eq!((pair.actor.replaced_messages(), pair.actor.lost_messages()), (4, 0));
    assert_eq!(pair.stop().await, [Pair(1, 3), Pair(0, 1), Pair(2, 3)]);
}

#[ractor::concurrency::test]
async fn actors_that_get_one_message_conflate_it_each() {
    let mut kept = Vec::new();
    for _ in 0..2 {
        let latest = Mailbox::conflating::<ByName>(3, Overflow::Reject);
        kept.push(Kept::<New>::with(ActorConfig::default().with_mailbox(latest)).await);
    }
    let cells: Vec<_> = kept.iter().map(|it| it.actor.get_cell()).collect();
    for _ in 0..3 {
        let bytes = [0, 0, 0, 0, 0, 0, 0, 1, b'x'];
        assert_eq!(deliver_to_all(&cells, cast("New", bytes)), []);
    }
    for actor in kept {
        assert_eq!(actor.actor.replaced_messages(), 2);
        assert_eq!(actor.stop().await.len(), 1);
    }
}

struct ByName;

impl Conflate for ByName {
    type Message = New;
    type Key = String;

    fn key(message: &New) -> Option<String> {
        Some(message.name.clone())
    }
}
