//! Publishing that waits for the subscribers.
//!
//! The message goes the way of all others, so that order is kept, and carries a [`Ticket`]. The
//! task that serves a subscriber claims it with the ticket, waits for room, and notes the outcome.
//! Once the publisher has given up no claim is granted, so that its report stays true.

use std::future::Future;
use std::pin::{pin, Pin};
use std::sync::Arc;

use futures::future::{select, Either};
use parking_lot::Mutex;

use crate::concurrency::{timeout, Duration, Instant, Notify};
use crate::errors::UndeliveredReason;
use crate::message::SharedMessage;
use crate::pg::MemberOutcome;
use crate::{ActorId, ActorRef, Message};

/// What became of a published message, subscriber by subscriber. A subscriber whose converter
/// passed over the message is not listed.
#[derive(Debug, Clone, Default)]
#[must_use = "the subscribers that did not get the message are reported here only"]
pub struct PublishReport {
    subscribers: Vec<(ActorId, MemberOutcome)>,
    unreached: bool,
}

impl PublishReport {
    /// The subscribers, each with what became of the message; an actor that subscribed twice is
    /// there twice.
    pub fn subscribers(&self) -> &[(ActorId, MemberOutcome)] {
        &self.subscribers
    }

    /// How many subscriptions delivered the message.
    pub fn delivered(&self) -> usize {
        self.subscribers.len() - self.undelivered().count()
    }

    /// The subscribers that did not get the message, each with the reason.
    pub fn undelivered(&self) -> impl Iterator<Item = (ActorId, MemberOutcome)> + '_ {
        let all = self.subscribers.iter().copied();
        all.filter(|(_, outcome)| *outcome != MemberOutcome::Delivered)
    }

    /// Whether the deadline passed before the port came to the message for all subscribers, since
    /// it had older ones to pass on; or a subscription fell behind and missed it, or ended. Those
    /// subscribers are not listed, and will not get the message.
    pub fn is_unreached(&self) -> bool {
        self.unreached
    }

    /// Whether every subscriber got the message; so without any.
    pub fn is_complete(&self) -> bool {
        !self.unreached && self.undelivered().next().is_none()
    }

    /// Together with subscribers of other nodes.
    pub(super) fn with(mut self, away: Vec<(ActorId, MemberOutcome)>) -> Self {
        self.subscribers.extend(away);
        self
    }
}

/// A message that waits for room at its subscriber.
pub(super) type Sending = Pin<Box<dyn Future<Output = Result<(), UndeliveredReason>> + Send>>;

/// What serves a subscriber, and says whether it takes further messages.
#[cfg(feature = "output-port-v2")]
pub(super) type Serving = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Sends what a subscriber shares.
pub(super) fn share<T: SharedMessage>(subscriber: &ActorRef<T>, message: Arc<T>) -> Sending {
    let subscriber = subscriber.clone();
    Box::pin(async move { subscriber.send_arc(message).await.map_err(|it| it.reason()) })
}

/// Sends what a subscriber keeps for itself.
pub(super) fn give<T: Message>(subscriber: &ActorRef<T>, message: T) -> Sending {
    let subscriber = subscriber.clone();
    Box::pin(
        async move { subscriber.send(message).await.map_err(|error| subscriber.reason_of(&error)) },
    )
}

#[derive(Debug, Default)]
struct State {
    /// The publisher waits no more.
    over: bool,
    /// Tickets that there are.
    held: usize,
    /// Subscribers that are being waited for.
    claimed: usize,
    /// Subscriptions, once that is known.
    expected: Option<usize>,
    /// Subscribers whose converter passed over the message.
    passed: usize,
    outcomes: Vec<(ActorId, MemberOutcome)>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    deadline: Option<Instant>,
    /// Notified when a ticket or a claim ends.
    progress: Notify,
    /// Notified when the publisher waits no more.
    over: Notify,
}

impl Shared {
    fn give_up(&self) {
        self.state.lock().over = true;
        self.over.notify_waiters();
    }

    async fn until(&self, is_done: impl Fn(&State) -> bool) {
        loop {
            // Listens before it looks: progress between the two is not missed.
            let mut progress = pin!(self.progress.notified());
            progress.as_mut().enable();
            if is_done(&self.state.lock()) {
                return;
            }
            progress.await;
        }
    }
}

/// The publisher's part. Dropped, it gives up.
#[derive(Debug)]
pub(super) struct Publishing {
    shared: Arc<Shared>,
    within: Duration,
}

impl Publishing {
    pub(super) fn new(within: Duration) -> Self {
        let deadline = Instant::now().checked_add(within);
        Self { shared: Arc::new(Shared { deadline, ..Shared::default() }), within }
    }

    pub(super) fn ticket(&self) -> Ticket {
        Ticket::of(&self.shared)
    }

    /// Waits until all subscribers are served, or the deadline passes.
    pub(super) async fn wait(self) -> PublishReport {
        if timeout(self.within, self.shared.until(|it| it.held == 0)).await.is_err() {
            self.shared.give_up();
            // Subscribers that were waited for at that moment have their outcome at once.
            self.shared.until(|it| it.claimed == 0).await;
        }
        let mut state = self.shared.state.lock();
        let subscribers = std::mem::take(&mut state.outcomes);
        let unreached = state.expected != Some(subscribers.len() + state.passed);
        PublishReport { subscribers, unreached }
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        self.shared.give_up();
    }
}

/// What goes with the message. Each copy of the message has one; the publisher waits for their end.
#[derive(Debug)]
pub(super) struct Ticket(Arc<Shared>);

impl Ticket {
    fn of(shared: &Arc<Shared>) -> Self {
        shared.state.lock().held += 1;
        Self(shared.clone())
    }

    /// There are so many subscriptions.
    pub(super) fn expect(&self, subscriptions: usize) {
        self.0.state.lock().expected = Some(subscriptions);
    }

    /// Sends to a subscriber, and notes the outcome; `None` where its converter passed over the
    /// message. Returns whether the subscriber takes further messages.
    pub(super) async fn serve(self, subscriber: ActorId, sending: Option<Sending>) -> bool {
        let Some(sending) = sending else {
            self.0.state.lock().passed += 1;
            return true;
        };
        let mut over = pin!(self.0.over.notified());
        over.as_mut().enable();
        let Some(claim) = Claim::of(&self.0) else { return true };
        let left = self.0.deadline.map(|it| it.saturating_duration_since(Instant::now()));
        let sent = pin!(timeout(left.unwrap_or(Duration::MAX), sending));
        let outcome = match select(sent, over).await {
            Either::Left((Ok(Ok(())), _)) => MemberOutcome::Delivered,
            Either::Left((Ok(Err(reason)), _)) => MemberOutcome::Returned(reason),
            Either::Left((Err(_), _)) | Either::Right(_) => MemberOutcome::DeadlinePassed,
        };
        claim.settle(subscriber, outcome);
        match outcome {
            MemberOutcome::Returned(reason) => reason.is_of_one_message(),
            _ => true,
        }
    }
}

impl Clone for Ticket {
    fn clone(&self) -> Self {
        Self::of(&self.0)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.state.lock().held -= 1;
        self.0.progress.notify_one();
    }
}

/// A subscriber that is waited for.
struct Claim<'a>(&'a Shared);

impl<'a> Claim<'a> {
    /// `None` once the publisher has given up.
    fn of(shared: &'a Shared) -> Option<Self> {
        let mut state = shared.state.lock();
        if state.over {
            return None;
        }
        state.claimed += 1;
        Some(Self(shared))
    }

    fn settle(self, subscriber: ActorId, outcome: MemberOutcome) {
        self.0.state.lock().outcomes.push((subscriber, outcome));
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.0.state.lock().claimed -= 1;
        self.0.progress.notify_one();
    }
}
