//! actix, whose actors live on a thread of their own: there are no others that can be sent to
//! from several threads.

use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use actix::{Actor, Addr, Arbiter, ArbiterHandle, Context, Handler, Message, MessageResult};

use super::{Block, Casts, Round, System};

/// The crate.
pub(crate) struct Actix;

impl<const N: usize> Message for Block<N> {
    type Result = ();
}

pub(crate) struct Ask<const N: usize>(Block<N>);

impl<const N: usize> Message for Ask<N> {
    type Result = Block<N>;
}

pub(crate) struct Counter<const N: usize>(Round);

impl<const N: usize> Actor for Counter<N> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        // Never full, as the others' are.
        context.set_mailbox_capacity(usize::MAX >> 8);
    }
}

impl<const N: usize> Handler<Block<N>> for Counter<N> {
    type Result = ();

    fn handle(&mut self, block: Block<N>, _: &mut Context<Self>) {
        self.0.count(&block);
    }
}

pub(crate) struct Echo<const N: usize>;

impl<const N: usize> Actor for Echo<N> {
    type Context = Context<Self>;
}

impl<const N: usize> Handler<Ask<N>> for Echo<N> {
    type Result = MessageResult<Ask<N>>;

    fn handle(&mut self, Ask(block): Ask<N>, _: &mut Context<Self>) -> MessageResult<Ask<N>> {
        block.read();
        MessageResult(block)
    }
}

/// The thread on which the actors live.
fn arbiter() -> ArbiterHandle {
    static ARBITER: OnceLock<ArbiterHandle> = OnceLock::new();
    let start = || {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let system = actix::System::new();
            tell.send(Arbiter::current()).expect("somebody waits");
            system.run().expect("it runs until the end");
        });
        told.recv().expect("it starts")
    };
    ARBITER.get_or_init(start).clone()
}

impl<const N: usize> Casts<N> for Actix {
    type Counter = Addr<Counter<N>>;

    async fn counter(round: Round) -> Self::Counter {
        Counter::start_in_arbiter(&arbiter(), |_| Counter(round))
    }

    fn cast(counter: &Self::Counter, block: Block<N>) {
        counter.do_send(block);
    }
}

impl<const N: usize> System<N> for Actix {
    type Echo = Addr<Echo<N>>;

    async fn echo() -> Self::Echo {
        Echo::start_in_arbiter(&arbiter(), |_| Echo)
    }

    async fn call(echo: &Self::Echo, block: Block<N>, _: Option<Duration>) -> Block<N> {
        echo.send(Ask(block)).await.expect("it answers")
    }
}
