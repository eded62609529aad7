//! The span that a message from another node is handled in: the one that it is delivered with, and
//! never the one of the thread that reads the link.
#![cfg(feature = "message_span_propogation")]

use bytes::Bytes;
use ractor::message::{ArcMessage, BoxedDowncastErr};
use ractor::remoting::{deliver_to_each, Entry, Incoming};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, BytesConvertable, Message, Shared};
use std::marker::PhantomData;
use std::sync::Arc;
use tokio::sync::mpsc;
use tracing::Span;

/// The name of the span that something was handled in.
type Name = Option<&'static str>;

fn current() -> Name {
    Span::current().metadata().map(|span| span.name())
}

/// Tells in which span it handles each message.
struct Traced<M>(PhantomData<fn(M)>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl<M: Message + Clone + Sync> Actor for Traced<M> {
    type Msg = M;
    type State = mpsc::UnboundedSender<Name>;
    type Arguments = mpsc::UnboundedSender<Name>;

    async fn pre_start(
        &self,
        _: ActorRef<M>,
        tell: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(tell)
    }

    async fn handle(
        &self,
        _: ActorRef<M>,
        _: M,
        tell: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(tell.send(current())?)
    }

    async fn handle_arc(
        &self,
        _: ActorRef<M>,
        _: Shared<M>,
        tell: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(tell.send(current())?)
    }
}

/// Actors decode one for all.
#[derive(Clone)]
struct Common;

impl Message for Common {
    fn keeps_default_boxing() -> bool {
        true
    }

    fn serializable() -> bool {
        true
    }

    fn from_incoming(_: Incoming<'_>) -> Result<Self, BoxedDowncastErr> {
        Ok(Self)
    }

    fn arc_from_incoming(_: Incoming<'_>) -> Option<Result<ArcMessage, BoxedDowncastErr>> {
        Some(Ok(ArcMessage::new(Arc::new(Self))))
    }
}

/// Waits in a box.
#[derive(Clone)]
struct Large([u64; 100]);

impl BytesConvertable for Large {
    fn into_bytes(self) -> Vec<u8> {
        unreachable!("it goes nowhere: {}", self.0[0])
    }

    fn from_bytes(_: Vec<u8>) -> Self {
        Self([0; 100])
    }
}

fn incoming() -> Incoming<'static> {
    let args = Bytes::from(7_u64.into_bytes());
    Incoming { variant: "", args, lent: Bytes::new(), metadata: None, reply: None }
}

/// Delivers to one actor and to two, each with a span and without.
async fn is_handled_in_its_span<M: Message + Clone + Sync>() {
    let (tell, mut names) = mpsc::unbounded_channel();
    let (first, first_ended) =
        Actor::spawn(None, Traced::<M>(PhantomData), tell.clone()).await.unwrap();
    let (second, second_ended) = Actor::spawn(None, Traced::<M>(PhantomData), tell).await.unwrap();
    let cells: [ActorCell; 2] = [first.get_cell(), second.get_cell()];
    let of_sender = tracing::info_span!("of the sender");
    let of_reader = tracing::info_span!("of the reader");
    for span in [Some(&of_sender), None] {
        let expected = span.map(|_| "of the sender");
        of_reader.in_scope(|| cells[0].deliver_in(incoming(), Entry::ByPolicy, span)).unwrap();
        // An actor lives in a span, which is what is current otherwise.
        let expects = |name| match expected {
            Some(expected) => assert_eq!(name, Some(Some(expected))),
            None => assert_ne!(name, Some(Some("of the reader"))),
        };
        expects(names.recv().await);
        of_reader.in_scope(|| {
            let each = cells.iter().map(|cell| (cell, Entry::ByPolicy));
            deliver_to_each(each, incoming(), span, |_, outcome| assert!(outcome.is_ok()));
        });
        expects(names.recv().await);
        expects(names.recv().await);
    }
    for (actor, ended) in [(first, first_ended), (second, second_ended)] {
        actor.stop(None);
        ended.await.unwrap();
    }
}

#[ractor::concurrency::test]
async fn a_message_is_handled_in_the_span_that_it_is_delivered_with() {
    // For every thread, since a runtime may run the actors on another one.
    tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    is_handled_in_its_span::<u64>().await;
    is_handled_in_its_span::<Large>().await;
    is_handled_in_its_span::<Common>().await;
}
