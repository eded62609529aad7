//! Subscribers with a queue and a task of their own.

use std::collections::VecDeque;
use std::future::{poll_fn, Future};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use parking_lot::Mutex;

use super::forward::{send_own, Forwarded};
use super::options::{PortLosses, PortOptions, SubscribeOptions};
use crate::actor::mailbox::{discard, Found, Queue, Refused, Way};
use crate::{ActorId, ActorRef, Message, OutputMessage};

type Sending = Pin<Box<dyn Future<Output = Forwarded> + Send>>;
/// Converts a message, and sends it.
type Forward<T> = Box<dyn FnMut(T) -> Sending + Send>;

/// The subscribers of a port that have queues, and what the port lost. Most ports have none of
/// them.
pub(super) struct Fed<TMsg> {
    port: AssertUnwindSafe<OnceLock<Box<dyn Feeding<TMsg>>>>,
    losses: Arc<Losses>,
}

/// Without the need for `TMsg` to be `Sync`, which a port's messages are not in general.
trait Feeding<TMsg>: Send + Sync {
    fn publish(&self, message: &mut dyn FnMut() -> Arc<TMsg>);
    fn takes_all(&self) -> bool;
    fn subscribe(&self, subscriber: Subscriber<TMsg>);
    fn subscribe_owning(&self, id: ActorId, forward: Forward<TMsg>);
    fn replaced(&self) -> u64;
}

/// Counts what subscribers missed.
#[derive(Default)]
pub(super) struct Losses {
    lagged: AtomicU64,
    key_panicked: AtomicU64,
    refused: AtomicU64,
    converter_panicked: AtomicU64,
}

impl Losses {
    /// Counts messages that a subscriber missed because as many waited for it as may.
    pub(super) fn lag(&self, count: u64) {
        count_up(&self.lagged, count, "as many messages wait for a subscriber as may");
    }

    fn converter_panicked(&self, subscriber: ActorId) {
        self.converter_panicked.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(%subscriber, "A converter of an output port panicked: its subscription ends");
    }
}

/// Logs the first of a cause.
fn count_up(counter: &AtomicU64, count: u64, why: &str) {
    if counter.fetch_add(count, Ordering::Relaxed) == 0 {
        tracing::warn!(
            "A subscriber of an output port misses messages: {why}. Further ones are counted only \
             (OutputPort::losses)."
        );
    }
}

/// A subscription before it has begun.
struct Subscriber<TMsg> {
    id: ActorId,
    last: bool,
    forward: Forward<Arc<TMsg>>,
    report: Option<Forward<u64>>,
}

impl<TMsg> Default for Fed<TMsg> {
    fn default() -> Self {
        Self { port: AssertUnwindSafe(OnceLock::new()), losses: Arc::default() }
    }
}

impl<TMsg> Fed<TMsg> {
    /// Puts a message into all queues; `message` is asked for it if there are any.
    #[inline]
    pub(super) fn publish(&self, mut message: impl FnMut() -> Arc<TMsg>) {
        if let Some(port) = self.port.get() {
            port.publish(&mut message);
        }
    }

    /// Subscribes an actor if all of the port's subscribers have queues; else gives the converter
    /// back.
    pub(super) fn subscribe<R, F>(&self, receiver: &ActorRef<R>, converter: F) -> Result<(), F>
    where
        R: Message,
        F: Fn(TMsg) -> Option<R> + Send + 'static,
    {
        match self.port.get() {
            Some(port) if port.takes_all() => {
                let forward = forward(receiver.clone(), converter, send_own);
                port.subscribe_owning(receiver.get_id(), forward);
                Ok(())
            }
            _ => Err(converter),
        }
    }

    #[cfg(not(feature = "output-port-v2"))]
    pub(super) fn counts(&self) -> Arc<Losses> {
        self.losses.clone()
    }

    pub(super) fn losses(&self) -> PortLosses {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PortLosses {
            lagged: read(&self.losses.lagged),
            replaced: self.port.get().map_or(0, |port| port.replaced()),
            key_panicked: read(&self.losses.key_panicked),
            refused: read(&self.losses.refused),
            converter_panicked: read(&self.losses.converter_panicked),
        }
    }
}

impl<TMsg: OutputMessage + Sync> Fed<TMsg> {
    /// Of a port all of whose subscribers have queues.
    pub(super) fn with(options: PortOptions<TMsg>) -> Self {
        let this = Self::default();
        this.port.get_or_init(|| Port::boxed(options, true, this.losses.clone()));
        this
    }

    /// Whether all subscribers have queues.
    pub(super) fn takes_all(&self) -> bool {
        self.port.get().is_some_and(|port| port.takes_all())
    }

    /// Subscribes an actor with a queue, to which `send` sends.
    pub(super) fn subscribe_with<R, O, F, S, Sent>(
        &self,
        receiver: ActorRef<R>,
        options: SubscribeOptions<R>,
        converter: F,
        send: S,
    ) where
        R: Message,
        O: 'static,
        F: Fn(Arc<TMsg>) -> Option<O> + Send + 'static,
        S: Fn(ActorRef<R>, O) -> Sent + Send + 'static,
        Sent: Future<Output = Forwarded> + Send + 'static,
    {
        let report = options.on_lag.map(|on_lag| forward(receiver.clone(), on_lag, send_own));
        let subscriber = Subscriber {
            id: receiver.get_id(),
            last: options.last,
            forward: forward(receiver, converter, send),
            report,
        };
        let port = || Port::boxed(PortOptions::default(), false, self.losses.clone());
        self.port.get_or_init(port).subscribe(subscriber);
    }
}

/// What converts a message and sends it, without the receiver's type.
fn forward<T, R, O, F, S, Sent>(receiver: ActorRef<R>, converter: F, send: S) -> Forward<T>
where
    R: Message,
    F: Fn(T) -> Option<O> + Send + 'static,
    S: Fn(ActorRef<R>, O) -> Sent + Send + 'static,
    Sent: Future<Output = Forwarded> + Send + 'static,
{
    Box::new(move |message| match converter(message) {
        Some(message) => Box::pin(send(receiver.clone(), message)),
        None => Box::pin(std::future::ready(Forwarded::Done)),
    })
}

struct Port<TMsg: Send + Sync> {
    options: PortOptions<TMsg>,
    takes_all: bool,
    list: Mutex<List<TMsg>>,
    /// Of subscribers that are gone.
    replaced: AtomicU64,
    losses: Arc<Losses>,
}

struct List<TMsg> {
    feeds: Arc<Vec<Arc<Feed<TMsg>>>>,
    last: Option<Arc<TMsg>>,
}

/// What waits for a subscriber.
struct Feed<TMsg> {
    queue: Queue<Arc<TMsg>>,
    /// Since the last report.
    missed: AtomicU64,
}

impl<TMsg: OutputMessage + Sync> Port<TMsg> {
    fn boxed(
        options: PortOptions<TMsg>,
        takes_all: bool,
        losses: Arc<Losses>,
    ) -> Box<dyn Feeding<TMsg>> {
        let list = Mutex::new(List { feeds: Arc::default(), last: None });
        Box::new(Self { options, takes_all, list, replaced: AtomicU64::new(0), losses })
    }

    /// Forgets subscribers that take nothing any more.
    fn forget(&self, gone: &[Arc<Feed<TMsg>>]) {
        let mut list = self.list.lock();
        let before = list.feeds.len();
        Arc::make_mut(&mut list.feeds).retain(|it| {
            let is_gone = gone.iter().any(|gone| Arc::ptr_eq(it, gone));
            if is_gone {
                self.replaced.fetch_add(it.queue.replaced(), Ordering::Relaxed);
            }
            !is_gone
        });
        debug_assert!(list.feeds.len() <= before);
    }
}

impl<TMsg: OutputMessage + Sync> Feeding<TMsg> for Port<TMsg> {
    fn publish(&self, message: &mut dyn FnMut() -> Arc<TMsg>) {
        if !self.options.keeps_last && self.list.lock().feeds.is_empty() {
            return;
        }
        // Without the lock: it may be the application's `clone`.
        let message = message();
        let (feeds, last) = {
            let mut list = self.list.lock();
            let kept = self.options.keeps_last.then(|| message.clone());
            (list.feeds.clone(), std::mem::replace(&mut list.last, kept))
        };
        discard(last);
        let mut gone = Vec::new();
        for feed in feeds.iter() {
            match feed.queue.put(message.clone(), Way::ByPolicy) {
                Ok(None) => {}
                Ok(Some(displaced)) => {
                    discard(displaced);
                    self.losses.lag(1);
                    feed.miss();
                }
                Err(Refused::Full(_)) => {
                    self.losses.lag(1);
                    feed.miss();
                }
                Err(Refused::NoKey(_)) => {
                    count_up(&self.losses.key_panicked, 1, "the key of a message panicked");
                    feed.miss();
                }
                Err(Refused::Closed(_)) => gone.push(feed.clone()),
            }
        }
        if !gone.is_empty() {
            self.forget(&gone);
        }
    }

    fn takes_all(&self) -> bool {
        self.takes_all
    }

    fn subscribe(&self, subscriber: Subscriber<TMsg>) {
        let Subscriber { id, last, forward, report } = subscriber;
        let feed = Arc::new(Feed { queue: self.options.queue(), missed: AtomicU64::new(0) });
        let first = {
            // One lock for both: what is published later comes after the last message.
            let mut list = self.list.lock();
            Arc::make_mut(&mut list.feeds).push(feed.clone());
            list.last.clone().filter(|_| last)
        };
        let losses = self.losses.clone();
        let serving = Serving { feed, id, forward, report, losses, owed: 0 };
        crate::concurrency::spawn(serving.run(first));
    }

    fn subscribe_owning(&self, id: ActorId, mut forward: Forward<TMsg>) {
        self.subscribe(Subscriber {
            id,
            last: false,
            forward: Box::new(move |message| forward(Arc::unwrap_or_clone(message))),
            report: None,
        });
    }

    fn replaced(&self) -> u64 {
        let list = self.list.lock();
        let gone = self.replaced.load(Ordering::Relaxed);
        gone + list.feeds.iter().map(|it| it.queue.replaced()).sum::<u64>()
    }
}

impl<TMsg: Send + Sync> Drop for Port<TMsg> {
    fn drop(&mut self) {
        // Subscribers get what waits, and end then.
        for feed in self.list.get_mut().feeds.iter() {
            feed.queue.drain();
        }
    }
}

/// What a subscriber's task has to do.
enum Next<TMsg> {
    Report,
    Message(Arc<TMsg>),
    End,
}

impl<TMsg> Feed<TMsg> {
    /// Counts a message that the subscriber missed, and wakes its task to report it.
    fn miss(&self) {
        self.missed.fetch_add(1, Ordering::Relaxed);
        self.queue.wake(false);
    }

    fn poll_next(
        &self,
        reports: bool,
        batch: &mut VecDeque<Arc<TMsg>>,
        context: &mut Context<'_>,
    ) -> Poll<Next<TMsg>> {
        let is_missed = || reports && self.missed.load(Ordering::Relaxed) > 0;
        if is_missed() {
            return Poll::Ready(Next::Report);
        }
        match self.queue.receive(batch, context.waker()) {
            Found::Some => {}
            Found::Drained => return Poll::Ready(Next::End),
            // One may have been missed before the task was registered, and have woken nothing.
            Found::Nothing if is_missed() => return Poll::Ready(Next::Report),
            Found::Nothing => return Poll::Pending,
        }
        Poll::Ready(batch.pop_front().map_or(Next::End, Next::Message))
    }
}

/// A subscriber's task.
struct Serving<TMsg> {
    feed: Arc<Feed<TMsg>>,
    id: ActorId,
    forward: Forward<Arc<TMsg>>,
    report: Option<Forward<u64>>,
    losses: Arc<Losses>,
    /// Missed messages whose report was refused.
    owed: u64,
}

impl<TMsg> Serving<TMsg> {
    async fn run(mut self, first: Option<Arc<TMsg>>) {
        let mut batch = VecDeque::new();
        let mut next = first.map(Next::Message);
        loop {
            let reports = self.report.is_some();
            let feed = &self.feed;
            let poll = poll_fn(|context| feed.poll_next(reports, &mut batch, context));
            let going_on = match next.take() {
                Some(Next::Message(message)) => self.pass(message).await,
                _ => match poll.await {
                    Next::Report => self.tell().await,
                    Next::Message(message) => self.pass(message).await,
                    Next::End => false,
                },
            };
            if !going_on {
                return;
            }
        }
    }

    /// Passes a message on. False when the subscription is over.
    async fn pass(&mut self, message: Arc<TMsg>) -> bool {
        if self.owed > 0 && !self.tell().await {
            return false;
        }
        let sending = catch_unwind(AssertUnwindSafe(|| (self.forward)(message)));
        let Ok(sending) = sending else {
            self.losses.converter_panicked(self.id);
            return false;
        };
        match sending.await {
            Forwarded::Done => true,
            Forwarded::Gone => false,
            Forwarded::Refused => {
                let why = "its actor or the way to its node refused one";
                count_up(&self.losses.refused, 1, why);
                self.feed.missed.fetch_add(1, Ordering::Relaxed);
                true
            }
        }
    }

    /// Reports what was missed. False when the subscription is over.
    async fn tell(&mut self) -> bool {
        let Some(report) = &mut self.report else { return true };
        let missed = self.owed + self.feed.missed.swap(0, Ordering::Relaxed);
        let sending = catch_unwind(AssertUnwindSafe(|| report(missed)));
        let Ok(sending) = sending else {
            self.losses.converter_panicked(self.id);
            return false;
        };
        let told = sending.await;
        // Told with the next one.
        self.owed = if matches!(told, Forwarded::Refused) { missed } else { 0 };
        !matches!(told, Forwarded::Gone)
    }
}

impl<TMsg> Drop for Serving<TMsg> {
    fn drop(&mut self) {
        // However the task ends: the port then forgets the subscriber.
        self.feed.queue.clear();
    }
}

/// Runs a converter that the port has no task for. A panic ends the subscription and nothing else.
#[cfg(feature = "output-port-v2")]
pub(super) fn unless_panics(send: impl FnOnce() -> bool) -> bool {
    catch_unwind(AssertUnwindSafe(send)).unwrap_or_else(|_| {
        tracing::warn!("A converter of an output port panicked: its subscription ends");
        false
    })
}
