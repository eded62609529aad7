//! What no actor can beat: an unbounded channel, and a task that receives.

use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::{Block, Casts, Life, ROUND, Ring, Round, System, Token};

/// An unbounded channel.
pub(crate) trait Channel: 'static {
    type Sender<T: Send + Unpin + 'static>: Clone + Send + Sync + 'static;
    type Receiver<T: Send + Unpin + 'static>: Send + 'static;

    fn open<T: Send + Unpin + 'static>() -> (Self::Sender<T>, Self::Receiver<T>);
    fn send<T: Send + Unpin + 'static>(sender: &Self::Sender<T>, message: T);
    fn receive<T: Send + Unpin + 'static>(
        receiver: &mut Self::Receiver<T>,
    ) -> impl Future<Output = Option<T>> + Send;
}

pub(crate) type Tokio = Bare<TokioChannel>;
pub(crate) type Flume = Bare<FlumeChannel>;
pub(crate) type Crossfire = Bare<CrossfireChannel>;

/// tokio's.
pub(crate) struct TokioChannel;

impl Channel for TokioChannel {
    type Sender<T: Send + Unpin + 'static> = mpsc::UnboundedSender<T>;
    type Receiver<T: Send + Unpin + 'static> = mpsc::UnboundedReceiver<T>;

    fn open<T: Send + Unpin + 'static>() -> (Self::Sender<T>, Self::Receiver<T>) {
        mpsc::unbounded_channel()
    }

    fn send<T: Send + Unpin + 'static>(sender: &Self::Sender<T>, message: T) {
        sender.send(message).expect("it runs");
    }

    async fn receive<T: Send + Unpin + 'static>(receiver: &mut Self::Receiver<T>) -> Option<T> {
        receiver.recv().await
    }
}

/// flume's.
pub(crate) struct FlumeChannel;

impl Channel for FlumeChannel {
    type Sender<T: Send + Unpin + 'static> = flume::Sender<T>;
    type Receiver<T: Send + Unpin + 'static> = flume::Receiver<T>;

    fn open<T: Send + Unpin + 'static>() -> (Self::Sender<T>, Self::Receiver<T>) {
        flume::unbounded()
    }

    fn send<T: Send + Unpin + 'static>(sender: &Self::Sender<T>, message: T) {
        sender.send(message).expect("it runs");
    }

    async fn receive<T: Send + Unpin + 'static>(receiver: &mut Self::Receiver<T>) -> Option<T> {
        receiver.recv_async().await.ok()
    }
}

/// crossfire's.
pub(crate) struct CrossfireChannel;

impl Channel for CrossfireChannel {
    type Sender<T: Send + Unpin + 'static> = crossfire::MTx<crossfire::mpsc::List<T>>;
    type Receiver<T: Send + Unpin + 'static> = crossfire::AsyncRx<crossfire::mpsc::List<T>>;

    fn open<T: Send + Unpin + 'static>() -> (Self::Sender<T>, Self::Receiver<T>) {
        crossfire::mpsc::unbounded_async()
    }

    fn send<T: Send + Unpin + 'static>(sender: &Self::Sender<T>, message: T) {
        sender.send(message).expect("it runs");
    }

    async fn receive<T: Send + Unpin + 'static>(receiver: &mut Self::Receiver<T>) -> Option<T> {
        receiver.recv().await.ok()
    }
}

/// A task for each actor, behind such a channel.
pub(crate) struct Bare<C>(PhantomData<C>);

type Asked<const N: usize> = (Block<N>, oneshot::Sender<Block<N>>);

impl<C: Channel, const N: usize> Casts<N> for Bare<C> {
    type Counter = C::Sender<Block<N>>;

    async fn counter(mut round: Round) -> Self::Counter {
        let (sender, mut receiver) = C::open::<Block<N>>();
        tokio::spawn(async move {
            while let Some(block) = C::receive(&mut receiver).await {
                round.count(&block);
            }
        });
        sender
    }

    fn cast(counter: &Self::Counter, block: Block<N>) {
        C::send(counter, block);
    }
}

impl<C: Channel, const N: usize> System<N> for Bare<C> {
    type Echo = C::Sender<Asked<N>>;

    async fn echo() -> Self::Echo {
        echo::<C, N>().0
    }

    async fn call(echo: &Self::Echo, block: Block<N>, _: Option<Duration>) -> Block<N> {
        let (asker, answer) = oneshot::channel();
        C::send(echo, (block, asker));
        answer.await.expect("it answers")
    }
}

fn echo<C: Channel, const N: usize>() -> (C::Sender<Asked<N>>, JoinHandle<()>) {
    let (sender, mut receiver) = C::open::<Asked<N>>();
    let task = tokio::spawn(async move {
        while let Some((block, asker)) = C::receive(&mut receiver).await {
            block.read();
            assert!(asker.send(block).is_ok(), "somebody waits");
        }
    });
    (sender, task)
}

/// A task behind crossfire's bounded channel, with room for what may be outstanding.
pub(crate) struct Bounded;

impl<const N: usize> Casts<N> for Bounded {
    type Counter = crossfire::MAsyncTx<crossfire::mpsc::Array<Block<N>>>;

    async fn counter(mut round: Round) -> Self::Counter {
        let (sender, receiver) = crossfire::mpsc::bounded_async(ROUND as usize);
        tokio::spawn(async move {
            while let Ok(block) = receiver.recv().await {
                round.count(&block);
            }
        });
        sender
    }

    fn cast(counter: &Self::Counter, block: Block<N>) {
        counter.try_send(block).expect("there is room");
    }
}

impl<C: Channel> Ring for Bare<C> {
    type Node = C::Sender<Token>;

    async fn node(ring: Arc<OnceLock<Vec<Self::Node>>>, next: usize) -> Self::Node {
        let (sender, mut receiver) = C::open::<Token>();
        tokio::spawn(async move {
            while let Some(token) = C::receive(&mut receiver).await {
                if let Some(token) = token.hop() {
                    C::send(&ring.get().expect("it is closed")[next], token);
                }
            }
        });
        sender
    }

    fn pass(node: &Self::Node, token: Token) {
        C::send(node, token);
    }
}

impl<C: Channel> Life for Bare<C> {
    type Idle = (C::Sender<Asked<8>>, JoinHandle<()>);

    async fn spawn() -> Self::Idle {
        echo::<C, 8>()
    }

    async fn stop((sender, task): Self::Idle) {
        drop(sender);
        task.await.expect("it ends");
    }
}
