//! Messages from another node that go into a mailbox together.

use std::collections::VecDeque;

use bytes::Bytes;
use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
use ractor::message::BoxedDowncastErr;
use ractor::remoting::{Incoming, Row, Undeliverable};
use ractor::Message;

use crate::delivering::Kept;
use crate::messages::{Homely, Pair};

/// What follows a message, and what became of the row.
#[derive(Default)]
struct Following {
    rest: VecDeque<Bytes>,
    failed: Vec<Undeliverable>,
}

impl<'a> Row<'a> for Following {
    fn next(&mut self, incoming: &mut Incoming<'a>) -> bool {
        assert!(incoming.args.is_empty(), "the last one was taken");
        let next = self.rest.pop_front();
        next.map(|args| incoming.args = args).is_some()
    }

    fn failed(&mut self, why: Undeliverable) {
        self.failed.push(why);
    }
}

fn incoming(args: Bytes) -> Incoming<'static> {
    Incoming { variant: "", args, lent: Bytes::new(), metadata: None, reply: None }
}

/// Delivers rows until nothing is left. Returns how many it took, and what failed.
fn deliver<M>(to: &Kept<M>, all: impl IntoIterator<Item = Bytes>) -> (usize, Vec<Undeliverable>) {
    let mut row = Following { rest: all.into_iter().collect(), failed: Vec::new() };
    let mut rows = 0;
    while let Some(first) = row.rest.pop_front() {
        to.actor.deliver_row(incoming(first), &mut row);
        rows += 1;
    }
    (rows, row.failed)
}

fn pairs(count: u8) -> impl Iterator<Item = Bytes> {
    (0..count).map(|number| Bytes::from(vec![number, 1]))
}

#[ractor::concurrency::test]
async fn a_row_comes_whole_and_in_order_and_has_a_bound() {
    let pair = Kept::<Pair>::start().await;
    let (rows, failed) = deliver(&pair, pairs(200));
    assert_eq!(failed, []);
    assert_eq!(rows, 200_usize.div_ceil(16));
    assert!(pair.stop().await.into_iter().eq((0..200).map(|number| Pair(number, 1))));
}

/// It has one byte too few, which panics.
#[ractor::concurrency::test]
async fn one_that_is_no_message_takes_no_other_with_it() {
    let pair = Kept::<Pair>::start().await;
    let mut all: Vec<Bytes> = pairs(9).collect();
    for at in [0, 4, 8] {
        all[at].truncate(1);
    }
    let (_, failed) = deliver(&pair, all);
    assert_eq!(failed, [Undeliverable::NotDecodable; 3]);
    let got: Vec<u8> = pair.stop().await.into_iter().map(|it| it.0).collect();
    assert_eq!(got, [1, 2, 3, 5, 6, 7]);
}

#[ractor::concurrency::test]
async fn an_actor_that_is_gone_says_so_of_each() {
    let pair = Kept::<Pair>::start().await;
    let actor = pair.actor.clone();
    pair.stop().await;
    let mut row = Following { rest: pairs(5).collect(), failed: Vec::new() };
    actor.deliver_row(incoming(Bytes::from_static(&[1, 2])), &mut row);
    assert_eq!((row.failed, row.rest.len()), (vec![Undeliverable::Stopped; 6], 0));
}

#[ractor::concurrency::test]
async fn an_actor_that_takes_nothing_from_other_nodes_says_so_of_the_first() {
    let homely = Kept::<Homely>::start().await;
    let mut row = Following { rest: pairs(5).collect(), failed: Vec::new() };
    homely.actor.deliver_row(incoming(Bytes::new()), &mut row);
    assert_eq!((row.failed, row.rest.len()), (vec![Undeliverable::WrongType], 5));
    assert!(homely.stop().await.is_empty());
}

/// A mailbox of two, before an actor that has not taken any yet: its only thread is ours.
#[tokio::test(flavor = "current_thread")]
async fn a_bounded_mailbox_does_with_each_as_it_was_told() {
    for (overflow, expected, lost) in [
        (Overflow::Reject, [0, 1], 0),
        (Overflow::DropNewest, [0, 1], 2),
        (Overflow::DropOldest, [2, 3], 2),
    ] {
        let config = ActorConfig::default().with_mailbox(Mailbox::bounded(2, overflow));
        let pair = Kept::<Pair>::with(config).await;
        let (rows, failed) = deliver(&pair, pairs(4));
        let full = if overflow == Overflow::Reject { 2 } else { 0 };
        assert_eq!((rows, failed), (4, vec![Undeliverable::Full; full]));
        assert_eq!(pair.actor.lost_messages(), lost);
        let got: Vec<u8> = pair.stop().await.into_iter().map(|it| it.0).collect();
        assert_eq!(got, expected);
    }
}

/// So large that it waits in a box.
struct Large([u8; 1000]);

impl Message for Large {
    fn keeps_default_boxing() -> bool {
        true
    }

    fn serializable() -> bool {
        true
    }

    fn from_incoming(incoming: Incoming<'_>) -> Result<Self, BoxedDowncastErr> {
        Ok(Self([incoming.args[0]; 1000]))
    }
}

#[ractor::concurrency::test]
async fn large_messages_come_in_rows_too() {
    let large = Kept::<Large>::start().await;
    assert_eq!(deliver(&large, pairs(40)), (3, vec![]));
    let got = large.stop().await;
    assert!(got.iter().map(|it| it.0[999]).eq(0..40));
}
