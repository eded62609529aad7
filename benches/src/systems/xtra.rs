//! xtra, with unbounded mailboxes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt;
use tokio::task::JoinHandle;
use xtra::{Actor, Address, Context, Handler, Mailbox};

use super::{Block, Casts, Life, Ring, Round, System, Token};

/// The crate.
pub(crate) struct Xtra;

pub(crate) struct Counter<const N: usize>(Round);

impl<const N: usize> Actor for Counter<N> {
    type Stop = ();

    async fn stopped(self) {}
}

impl<const N: usize> Handler<Block<N>> for Counter<N> {
    type Return = ();

    async fn handle(&mut self, block: Block<N>, _: &mut Context<Self>) {
        self.0.count(&block);
    }
}

pub(crate) struct Echo<const N: usize>;

impl<const N: usize> Actor for Echo<N> {
    type Stop = ();

    async fn stopped(self) {}
}

impl<const N: usize> Handler<Block<N>> for Echo<N> {
    type Return = Block<N>;

    async fn handle(&mut self, block: Block<N>, _: &mut Context<Self>) -> Block<N> {
        block.read();
        block
    }
}

/// Sends without waiting for the handler; an unbounded mailbox takes it at once.
fn tell<A: Handler<M>, M: Send + 'static>(actor: &Address<A>, message: M)
where
    A::Return: Send,
{
    let sent = actor.send(message).detach().now_or_never().expect("there is room");
    drop(sent.expect("it runs"));
}

impl<const N: usize> Casts<N> for Xtra {
    type Counter = Address<Counter<N>>;

    async fn counter(round: Round) -> Self::Counter {
        xtra::spawn_tokio(Counter(round), Mailbox::unbounded())
    }

    fn cast(counter: &Self::Counter, block: Block<N>) {
        tell(counter, block);
    }
}

impl<const N: usize> System<N> for Xtra {
    type Echo = Address<Echo<N>>;

    async fn echo() -> Self::Echo {
        xtra::spawn_tokio(Echo, Mailbox::unbounded())
    }

    async fn call(echo: &Self::Echo, block: Block<N>, _: Option<Duration>) -> Block<N> {
        echo.send(block).await.expect("it answers")
    }
}

pub(crate) struct Node(Arc<OnceLock<Vec<Address<Node>>>>, usize);

impl Actor for Node {
    type Stop = ();

    async fn stopped(self) {}
}

impl Handler<Token> for Node {
    type Return = ();

    async fn handle(&mut self, token: Token, _: &mut Context<Self>) {
        if let Some(token) = token.hop() {
            tell(&self.0.get().expect("it is closed")[self.1], token);
        }
    }
}

impl Ring for Xtra {
    type Node = Address<Node>;

    async fn node(ring: Arc<OnceLock<Vec<Self::Node>>>, next: usize) -> Self::Node {
        xtra::spawn_tokio(Node(ring, next), Mailbox::unbounded())
    }

    fn pass(node: &Self::Node, token: Token) {
        tell(node, token);
    }
}

impl Life for Xtra {
    type Idle = (Address<Echo<8>>, JoinHandle<()>);

    async fn spawn() -> Self::Idle {
        let (address, mailbox) = Mailbox::unbounded();
        (address, tokio::spawn(xtra::run(mailbox, Echo)))
    }

    async fn stop((address, task): Self::Idle) {
        drop(address);
        task.await.expect("it stops");
    }
}
