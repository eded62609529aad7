//! The core's hot path, and who is compared on it: stock, the fork, and, with the feature
//! `peers`, other actor libraries, and bare channels with a task for each actor.

#[cfg(feature = "peers")]
mod actix;
#[cfg(feature = "peers")]
mod channels;
#[cfg(feature = "peers")]
mod kameo;
mod lane;
mod memory;
mod ractors;
#[cfg(feature = "peers")]
mod xtra;

pub use memory::resident_bytes;

use std::future::Future;
use std::hint::black_box;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};

use crate::contender::{Contender, Scheduler};

/// Casts, or calls, of a round. A caster is never further ahead.
pub(crate) const ROUND: u64 = 256;
/// Messages of a round that nothing holds back.
pub(crate) const FLOOD: u64 = 2_000_000;
/// The actors of a ring, and the hops of a round.
pub(crate) const RING: u64 = 1000;
/// Actors that are spawned, or stopped, in a round.
pub(crate) const LIVES: u64 = 1000;

/// A message of `N` bytes that holds them itself.
pub(crate) struct Block<const N: usize>([u8; N]);

impl<const N: usize> Block<N> {
    fn new(number: u64) -> Self {
        Self(black_box([number as u8; N]))
    }

    fn read(&self) {
        black_box((self.0[0], self.0[N - 1]));
    }
}

/// What an actor does that counts messages: tells when a round is complete.
pub(crate) struct Round {
    messages: u64,
    handled: u64,
    complete: mpsc::UnboundedSender<()>,
}

impl Round {
    fn of(messages: u64) -> (Self, mpsc::UnboundedReceiver<()>) {
        let (complete, completed) = mpsc::unbounded_channel();
        (Self { messages, handled: 0, complete }, completed)
    }

    fn count<const N: usize>(&mut self, block: &Block<N>) {
        block.read();
        self.handled += 1;
        if self.handled == self.messages {
            self.handled = 0;
            self.complete.send(()).expect("somebody waits");
        }
    }
}

/// What goes around a ring, so many hops, and then says so.
pub(crate) struct Token {
    hops: u64,
    complete: Arc<mpsc::UnboundedSender<()>>,
}

impl Token {
    fn hop(mut self) -> Option<Self> {
        self.hops -= 1;
        if self.hops == 0 {
            self.complete.send(()).expect("somebody waits");
            return None;
        }
        Some(self)
    }
}

/// Who takes messages of `N` bytes.
pub(crate) trait Casts<const N: usize>: 'static {
    /// Refers to an actor that counts.
    type Counter: Clone + Send + Sync + 'static;

    fn counter(round: Round) -> impl Future<Output = Self::Counter> + Send;
    fn cast(counter: &Self::Counter, block: Block<N>);
}

/// Who takes messages of `N` bytes, and answers.
pub(crate) trait System<const N: usize>: Casts<N> {
    /// Refers to an actor that answers a message with the same.
    type Echo: Send + Sync + 'static;

    fn echo() -> impl Future<Output = Self::Echo> + Send;
    fn call(
        echo: &Self::Echo,
        block: Block<N>,
        timeout: Option<Duration>,
    ) -> impl Future<Output = Block<N>> + Send;
}

/// Whose actors can be put into a ring.
pub(crate) trait Ring: 'static {
    type Node: Send + Sync + 'static;

    /// A node that passes the token on to number `next` of `ring`.
    fn node(
        ring: Arc<OnceLock<Vec<Self::Node>>>,
        next: usize,
    ) -> impl Future<Output = Self::Node> + Send;
    fn pass(node: &Self::Node, token: Token);
}

/// Whose actors are spawned and stopped.
pub(crate) trait Life: 'static {
    type Idle: Send + 'static;

    /// Comes back when the actor has its state, where that can be waited for.
    fn spawn() -> impl Future<Output = Self::Idle> + Send;
    /// Comes back when it is gone.
    fn stop(idle: Self::Idle) -> impl Future<Output = ()> + Send;
}

/// One contender for each system.
macro_rules! contenders {
    ($do:ident :: <$n:tt> ($($argument:expr),*) $(, not $without:ident)?) => {{
        #[allow(unused_mut)]
        let mut contenders = vec![
            $do::<ractors::Stock, $n>("stock", $($argument),*),
            $do::<ractors::Fork, $n>("fork", $($argument),*),
        ];
        #[cfg(feature = "peers")]
        contenders.extend([
            $do::<kameo::Kameo, $n>("kameo", $($argument),*),
            $do::<xtra::Xtra, $n>("xtra", $($argument),*),
            $do::<channels::Tokio, $n>("tokio", $($argument),*),
            $do::<channels::Flume, $n>("flume", $($argument),*),
            $do::<channels::Crossfire, $n>("crossfire", $($argument),*),
        ]);
        contenders
    }};
}

/// With actix, whose actors live on a thread of their own.
#[cfg(feature = "peers")]
macro_rules! and_actix {
    ($contenders:ident, $scheduler:expr, $do:ident :: <$n:tt> ($($argument:expr),*)) => {
        if $scheduler == Scheduler::Workers {
            $contenders.push($do::<actix::Actix, $n>("actix", $($argument),*));
        }
    };
}
#[cfg(not(feature = "peers"))]
macro_rules! and_actix {
    ($($nothing:tt)*) => {};
}

/// Who casts blocks of `N` bytes, with [`ROUND`] of them outstanding at most.
pub(crate) fn casts<const N: usize>(scheduler: Scheduler) -> Vec<Contender> {
    #[allow(unused_mut)]
    let mut contenders = contenders!(window::<N>(scheduler));
    contenders.insert(2, window::<lane::Lane<{ ROUND as usize }>, N>("fast lane", scheduler));
    #[cfg(feature = "peers")]
    contenders.push(window::<channels::Bounded, N>("crossfire bounded", scheduler));
    and_actix!(contenders, scheduler, window::<N>(scheduler));
    contenders
}

/// Who casts [`FLOOD`] small blocks from so many tasks, with nothing to hold them back.
pub(crate) fn floods(senders: u64) -> Vec<Contender> {
    let scheduler = Scheduler::Workers;
    #[allow(unused_mut)]
    let mut contenders = contenders!(flood::<8>(scheduler, senders));
    and_actix!(contenders, scheduler, flood::<8>(scheduler, senders));
    contenders
}

/// Who calls with blocks of `N` bytes, one after the other.
pub(crate) fn calls<const N: usize>(
    scheduler: Scheduler,
    timeout: Option<Duration>,
) -> Vec<Contender> {
    if timeout.is_some() {
        // The others have none, or one of their own kind.
        return vec![
            call::<ractors::Stock, N>("stock", scheduler, timeout),
            call::<ractors::Fork, N>("fork", scheduler, timeout),
        ];
    }
    #[allow(unused_mut)]
    let mut contenders = contenders!(call::<N>(scheduler, timeout));
    and_actix!(contenders, scheduler, call::<N>(scheduler, timeout));
    contenders
}

/// Who passes a token around.
pub(crate) fn rings(scheduler: Scheduler) -> Vec<Contender> {
    #[allow(unused_mut)]
    let mut contenders =
        vec![ring::<ractors::Stock>("stock", scheduler), ring::<ractors::Fork>("fork", scheduler)];
    #[cfg(feature = "peers")]
    contenders.extend([
        ring::<kameo::Kameo>("kameo", scheduler),
        ring::<xtra::Xtra>("xtra", scheduler),
        ring::<channels::Tokio>("tokio", scheduler),
        ring::<channels::Flume>("flume", scheduler),
        ring::<channels::Crossfire>("crossfire", scheduler),
    ]);
    contenders
}

/// Who spawns actors, or stops them.
pub(crate) fn lives(stopping: bool) -> Vec<Contender> {
    #[allow(unused_mut)]
    let mut contenders =
        vec![life::<ractors::Stock>("stock", stopping), life::<ractors::Fork>("fork", stopping)];
    #[cfg(feature = "peers")]
    contenders.extend([
        life::<kameo::Kameo>("kameo", stopping),
        life::<xtra::Xtra>("xtra", stopping),
        life::<channels::Tokio>("tokio", stopping),
    ]);
    contenders
}

fn window<S: Casts<N>, const N: usize>(name: &'static str, scheduler: Scheduler) -> Contender {
    let runtime = scheduler.runtime();
    let (round, completed) = Round::of(ROUND);
    let counter = runtime.block_on(async { tokio::spawn(S::counter(round)).await });
    let counter = counter.expect("it starts");
    let completed = Arc::new(Mutex::new(completed));
    Contender::new(name, move |rounds| {
        let (counter, completed) = (counter.clone(), completed.clone());
        // A task, as the actor is: what casts to actors are actors, as a rule.
        let casting = async move {
            let mut completed = completed.lock().await;
            for _ in 0..rounds {
                for number in 0..ROUND {
                    S::cast(&counter, Block::new(number));
                }
                completed.recv().await.expect("it runs");
            }
        };
        runtime.block_on(async { tokio::spawn(casting).await }).expect("it casts");
    })
}

fn flood<S: Casts<N>, const N: usize>(
    name: &'static str,
    scheduler: Scheduler,
    senders: u64,
) -> Contender {
    let runtime = scheduler.runtime();
    let (round, mut completed) = Round::of(FLOOD);
    let counter = runtime.block_on(async { tokio::spawn(S::counter(round)).await });
    let counter = counter.expect("it starts");
    Contender::new(name, move |rounds| {
        for _ in 0..rounds {
            for _ in 0..senders {
                let counter = counter.clone();
                // Tasks, as the actor is: senders are no threads of their own.
                runtime.spawn(async move {
                    for number in 0..FLOOD / senders {
                        S::cast(&counter, Block::new(number));
                    }
                });
            }
            runtime.block_on(completed.recv()).expect("it runs");
        }
    })
}

fn call<S: System<N>, const N: usize>(
    name: &'static str,
    scheduler: Scheduler,
    timeout: Option<Duration>,
) -> Contender {
    let runtime = scheduler.runtime();
    let echo = runtime.block_on(async { tokio::spawn(S::echo()).await }).expect("it starts");
    let echo = Arc::new(echo);
    Contender::new(name, move |rounds| {
        let echo = echo.clone();
        let calling = async move {
            for number in 0..rounds * ROUND {
                S::call(&echo, Block::new(number), timeout).await.read();
            }
        };
        runtime.block_on(async { tokio::spawn(calling).await }).expect("it calls");
    })
}

fn ring<S: Ring>(name: &'static str, scheduler: Scheduler) -> Contender {
    let runtime = scheduler.runtime();
    let ring = Arc::new(OnceLock::new());
    let nodes = runtime.block_on(async {
        let mut nodes = Vec::with_capacity(RING as usize);
        for node in 1..=RING as usize {
            let node = S::node(ring.clone(), node % RING as usize);
            nodes.push(tokio::spawn(node).await.expect("it starts"));
        }
        nodes
    });
    assert!(ring.set(nodes).is_ok(), "it is closed once");
    let (complete, mut completed) = mpsc::unbounded_channel();
    let complete = Arc::new(complete);
    Contender::new(name, move |rounds| {
        let token = Token { hops: rounds * RING, complete: complete.clone() };
        let ring = ring.clone();
        runtime.spawn(async move { S::pass(&ring.get().expect("it is closed")[0], token) });
        runtime.block_on(completed.recv()).expect("it runs");
    })
}

fn life<S: Life>(name: &'static str, stopping: bool) -> Contender {
    let runtime = Scheduler::Workers.runtime();
    Contender::timed(name, move |rounds| {
        let living = async move {
            let (mut spawned, mut stopped) = (Duration::ZERO, Duration::ZERO);
            for _ in 0..rounds {
                let start = Instant::now();
                let mut idle = Vec::with_capacity(LIVES as usize);
                for _ in 0..LIVES {
                    idle.push(S::spawn().await);
                }
                spawned += start.elapsed();
                let start = Instant::now();
                for actor in idle {
                    S::stop(actor).await;
                }
                stopped += start.elapsed();
            }
            if stopping { stopped } else { spawned }
        };
        runtime.block_on(async { tokio::spawn(living).await }).expect("it lives")
    })
}
