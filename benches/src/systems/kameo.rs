//! kameo, with unbounded mailboxes.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::mailbox::unbounded;
use kameo::message::{Context, Message};

use super::{Block, Casts, Life, Ring, Round, System, Token};

/// The crate.
pub(crate) struct Kameo;

pub(crate) struct Counter<const N: usize>(Round);

impl<const N: usize> Actor for Counter<N> {
    type Args = Round;
    type Error = Infallible;

    async fn on_start(round: Round, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self(round))
    }
}

impl<const N: usize> Message<Block<N>> for Counter<N> {
    type Reply = ();

    async fn handle(&mut self, block: Block<N>, _: &mut Context<Self, ()>) {
        self.0.count(&block);
    }
}

pub(crate) struct Echo<const N: usize>;

impl<const N: usize> Actor for Echo<N> {
    type Args = ();
    type Error = Infallible;

    async fn on_start((): (), _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

impl<const N: usize> Message<Block<N>> for Echo<N> {
    type Reply = Result<Block<N>, Infallible>;

    async fn handle(&mut self, block: Block<N>, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        block.read();
        Ok(block)
    }
}

impl<const N: usize> Casts<N> for Kameo {
    type Counter = ActorRef<Counter<N>>;

    async fn counter(round: Round) -> Self::Counter {
        let actor = Counter::spawn_with_mailbox(round, unbounded());
        actor.wait_for_startup().await;
        actor
    }

    fn cast(counter: &Self::Counter, block: Block<N>) {
        counter.tell(block).try_send().expect("it runs");
    }
}

impl<const N: usize> System<N> for Kameo {
    type Echo = ActorRef<Echo<N>>;

    async fn echo() -> Self::Echo {
        let actor = Echo::spawn_with_mailbox((), unbounded());
        actor.wait_for_startup().await;
        actor
    }

    async fn call(echo: &Self::Echo, block: Block<N>, _: Option<Duration>) -> Block<N> {
        echo.ask(block).await.expect("it answers")
    }
}

pub(crate) struct Node(Arc<OnceLock<Vec<ActorRef<Node>>>>, usize);

impl Actor for Node {
    type Args = (Arc<OnceLock<Vec<ActorRef<Node>>>>, usize);
    type Error = Infallible;

    async fn on_start((ring, next): Self::Args, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self(ring, next))
    }
}

impl Message<Token> for Node {
    type Reply = ();

    async fn handle(&mut self, token: Token, _: &mut Context<Self, ()>) {
        if let Some(token) = token.hop() {
            Kameo::pass(&self.0.get().expect("it is closed")[self.1], token);
        }
    }
}

impl Ring for Kameo {
    type Node = ActorRef<Node>;

    async fn node(ring: Arc<OnceLock<Vec<Self::Node>>>, next: usize) -> Self::Node {
        Node::spawn_with_mailbox((ring, next), unbounded())
    }

    fn pass(node: &Self::Node, token: Token) {
        node.tell(token).try_send().expect("it runs");
    }
}

impl Life for Kameo {
    type Idle = ActorRef<Echo<8>>;

    async fn spawn() -> Self::Idle {
        <Self as System<8>>::echo().await
    }

    async fn stop(actor: Self::Idle) {
        actor.stop_gracefully().await.expect("it runs");
        actor.wait_for_shutdown().await;
    }
}
