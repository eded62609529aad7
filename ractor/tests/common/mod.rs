//! What the tests of shared messages have in common.
#![allow(unreachable_pub, reason = "the test is a crate, whose modules share what they need")]
#![allow(dead_code)] // Each takes its part.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
use ractor::concurrency::JoinHandle;
use ractor::message::Shared;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::mpsc;

/// Counts its copies.
#[derive(Debug)]
pub struct Tick {
    pub copies: Arc<AtomicUsize>,
    pub price: u64,
}

impl Clone for Tick {
    fn clone(&self) -> Self {
        self.copies.fetch_add(1, Ordering::SeqCst);
        Self { copies: self.copies.clone(), price: self.price }
    }
}

#[cfg(feature = "cluster")]
impl ractor::Message for Tick {}

impl Tick {
    pub fn new(price: u64) -> Arc<Self> {
        Arc::new(Self { copies: Arc::default(), price })
    }

    pub fn copies(&self) -> usize {
        self.copies.load(Ordering::SeqCst)
    }
}

/// Keeps what it gets for itself: the default.
#[derive(Default)]
pub struct Owner;

/// Reads what others hold too.
#[derive(Default)]
pub struct Reader;

/// What a reader saw: the price, and where the message lies.
pub type Seen = (u64, usize);

/// Where a message lies.
pub fn address(tick: &Tick) -> usize {
    std::ptr::from_ref(tick) as usize
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Owner {
    type Msg = Tick;
    type State = mpsc::UnboundedSender<Seen>;
    type Arguments = mpsc::UnboundedSender<Seen>;

    async fn pre_start(
        &self,
        _: ActorRef<Tick>,
        seen: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(seen)
    }

    async fn handle(
        &self,
        _: ActorRef<Tick>,
        tick: Tick,
        seen: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(seen.send((tick.price, address(&tick)))?)
    }
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Reader {
    type Msg = Tick;
    type State = mpsc::UnboundedSender<Seen>;
    type Arguments = mpsc::UnboundedSender<Seen>;

    async fn pre_start(
        &self,
        _: ActorRef<Tick>,
        seen: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(seen)
    }

    async fn handle(
        &self,
        _: ActorRef<Tick>,
        tick: Tick,
        seen: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(seen.send((tick.price, address(&tick)))?)
    }

    async fn handle_arc(
        &self,
        _: ActorRef<Tick>,
        tick: Shared<Tick>,
        seen: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(seen.send((tick.price, address(&tick)))?)
    }
}

/// An actor, what it sees, and its task.
pub struct Running {
    pub actor: ActorRef<Tick>,
    pub seen: mpsc::UnboundedReceiver<Seen>,
    pub handle: JoinHandle<()>,
}

impl Running {
    pub async fn start<A>(handler: A) -> Self
    where
        A: Actor<Msg = Tick, Arguments = mpsc::UnboundedSender<Seen>>,
    {
        let (seen_tx, seen) = mpsc::unbounded_channel();
        let (actor, handle) = Actor::spawn(None, handler, seen_tx).await.unwrap();
        Self { actor, seen, handle }
    }

    /// The next price seen.
    pub async fn price(&mut self) -> Option<u64> {
        self.seen.recv().await.map(|(price, _)| price)
    }

    pub async fn stop(self) {
        self.actor.stop(None);
        self.handle.await.unwrap();
    }
}

/// A mailbox with a bound.
pub fn bounded(capacity: usize, overflow: Overflow) -> ActorConfig {
    ActorConfig::default().with_mailbox(Mailbox::bounded(capacity, overflow))
}

/// Comes back when the other tasks had their turn.
pub async fn let_others_run() {
    let mut asked = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut asked, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// Holds the actor in its handler until told otherwise, so that its mailbox fills.
pub struct Gate {
    pub entered: mpsc::UnboundedReceiver<u64>,
    pub go_on: mpsc::UnboundedSender<()>,
}

/// Reports each number it begins to handle, and waits for leave to finish.
#[derive(Default)]
pub struct Gated;

pub type GatedState = (mpsc::UnboundedSender<u64>, mpsc::UnboundedReceiver<()>);

impl Gate {
    pub fn new() -> (Self, GatedState) {
        let (enter, entered) = mpsc::unbounded_channel();
        let (go_on, leave) = mpsc::unbounded_channel();
        (Self { entered, go_on }, (enter, leave))
    }

    /// Lets it handle whatever comes.
    pub fn open(&self) {
        for _ in 0..1000 {
            let _ = self.go_on.send(());
        }
    }
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Gated {
    type Msg = u64;
    type State = GatedState;
    type Arguments = GatedState;

    async fn pre_start(
        &self,
        _: ActorRef<u64>,
        gate: GatedState,
    ) -> Result<GatedState, ActorProcessingErr> {
        Ok(gate)
    }

    async fn handle(
        &self,
        _: ActorRef<u64>,
        number: u64,
        (entered, leave): &mut GatedState,
    ) -> Result<(), ActorProcessingErr> {
        let _ = entered.send(number);
        leave.recv().await;
        Ok(())
    }
}

/// Starts an actor that is in its handler with message 0.
pub async fn gated(config: ActorConfig) -> (ActorRef<u64>, JoinHandle<()>, Gate) {
    let (mut gate, gated) = Gate::new();
    let (actor, handle) = Actor::spawn_with_config(None, Gated, gated, config).await.unwrap();
    actor.cast(0).unwrap();
    assert_eq!(gate.entered.recv().await, Some(0));
    (actor, handle, gate)
}

/// Drains such an actor, and returns what it handled after message 0.
pub async fn rest(actor: &ActorRef<u64>, handle: JoinHandle<()>, mut gate: Gate) -> Vec<u64> {
    actor.drain().unwrap();
    gate.open();
    handle.await.unwrap();
    let mut handled = Vec::new();
    while let Some(number) = gate.entered.recv().await {
        handled.push(number);
    }
    handled
}
