//! Subscribers of other nodes, served where a message is published: each node gets what several of
//! them share once.

use std::any::TypeId;
use std::future::Future;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Arc;

use futures::future::join_all;
use parking_lot::{Mutex, ReentrantMutex};

use crate::actor::actor_properties::Fanout;
use crate::concurrency::Duration;
use crate::message::SharedMessage;
use crate::pg::{send_to_members, MemberOutcome};
use crate::{ActorCell, ActorId, ActorRef};

/// What becomes of a message, actor by actor.
type Outcomes = Pin<Box<dyn Future<Output = Vec<(ActorId, MemberOutcome)>> + Send>>;

type All<TMsg> = Arc<Vec<Arc<dyn Subscriber<TMsg>>>>;

/// The subscribers of a port that are proxies with a way out. They need no task: the way takes a
/// message, or it does not.
pub(super) struct Away<TMsg>(AssertUnwindSafe<Mutex<All<TMsg>>>);

trait Subscriber<TMsg>: Send + Sync {
    fn id(&self) -> ActorId;

    /// Converts what was published, and adds it to what is to be sent. False when that panics.
    fn convert(&self, message: &Arc<TMsg>, sendings: &mut Vec<Box<dyn Sending>>) -> bool;
}

/// A message, and who is to get it.
trait Sending: Send {
    /// Whether it is of that message.
    fn is(&self, address: usize, of: TypeId) -> bool;
    fn add(&mut self, actor: ActorCell);

    /// Sends it. Returns those that will never take one again.
    fn send(self: Box<Self>) -> Vec<ActorId>;

    /// Sends it, and waits for those that have no room.
    fn send_within(self: Box<Self>, within: Duration) -> Outcomes;
}

impl<TMsg> Default for Away<TMsg> {
    fn default() -> Self {
        Self(AssertUnwindSafe(Mutex::new(Arc::default())))
    }
}

impl<TMsg: 'static> Away<TMsg> {
    /// Subscribes an actor if it has a way out; else gives the converter back.
    pub(super) fn subscribe<T, F>(&self, actor: &ActorRef<T>, converter: F) -> Result<(), F>
    where
        T: SharedMessage,
        F: Fn(Arc<TMsg>) -> Option<Arc<T>> + Send + 'static,
        TMsg: Send + Sync,
    {
        if !actor.inner.has_way_out() {
            return Err(converter);
        }
        let converting =
            Converting { actor: actor.clone(), converter: ReentrantMutex::new(converter) };
        Arc::make_mut(&mut self.0.lock()).push(Arc::new(converting));
        Ok(())
    }

    /// Sends a message to all of them; `message` is asked for it if there are any.
    pub(super) fn publish(&self, message: impl FnOnce() -> Arc<TMsg>) {
        // Without the lock from here on: converters are the application's.
        let all = self.0.lock().clone();
        if all.is_empty() {
            return;
        }
        let message = message();
        let mut sendings = Vec::new();
        let mut gone = Vec::new();
        for subscriber in all.iter() {
            if !subscriber.convert(&message, &mut sendings) {
                gone.push(subscriber.id());
            }
        }
        for sending in sendings {
            gone.extend(sending.send());
        }
        if !gone.is_empty() {
            Arc::make_mut(&mut self.0.lock()).retain(|it| !gone.contains(&it.id()));
        }
    }
}

impl<TMsg: Send + Sync + 'static> Away<TMsg> {
    /// Sends a message to all of them, and waits for those that have no room. Returns what became
    /// of it at each that did not pass over it.
    pub(super) async fn publish_within(
        &self,
        message: Arc<TMsg>,
        within: Duration,
    ) -> Vec<(ActorId, MemberOutcome)> {
        let mut sendings = Vec::new();
        let mut gone = Vec::new();
        let all = self.0.lock().clone();
        for subscriber in all.iter() {
            if !subscriber.convert(&message, &mut sendings) {
                gone.push(subscriber.id());
            }
        }
        drop((all, message));
        let sent = sendings.into_iter().map(|it| it.send_within(within)).collect::<Vec<_>>();
        let outcomes: Vec<_> = join_all(sent).await.into_iter().flatten().collect();
        gone.extend(outcomes.iter().filter_map(|(actor, outcome)| match outcome {
            MemberOutcome::Returned(reason) if !reason.is_of_one_message() => Some(*actor),
            _ => None,
        }));
        if !gone.is_empty() {
            Arc::make_mut(&mut self.0.lock()).retain(|it| !gone.contains(&it.id()));
        }
        outcomes
    }
}

struct Converting<T, F> {
    actor: ActorRef<T>,
    /// Entered again where a converter publishes on its own port.
    converter: ReentrantMutex<F>,
}

impl<TMsg, T, F> Subscriber<TMsg> for Converting<T, F>
where
    TMsg: Send + Sync + 'static,
    T: SharedMessage,
    F: Fn(Arc<TMsg>) -> Option<Arc<T>> + Send,
{
    fn id(&self) -> ActorId {
        self.actor.get_id()
    }

    fn convert(&self, message: &Arc<TMsg>, sendings: &mut Vec<Box<dyn Sending>>) -> bool {
        let message = message.clone();
        // As in a task of its own, a panic ends the subscription and nothing else.
        let converted = catch_unwind(AssertUnwindSafe(|| (self.converter.lock())(message)));
        let Ok(converted) = converted else { return false };
        let Some(message) = converted else { return true };
        let address = Arc::as_ptr(&message) as usize;
        match sendings.iter_mut().find(|it| it.is(address, TypeId::of::<T>())) {
            Some(sending) => sending.add(self.actor.get_cell()),
            None => {
                let actors = vec![self.actor.get_cell()];
                sendings.push(Box::new(Message { message, actors }));
            }
        }
        true
    }
}

struct Message<T> {
    message: Arc<T>,
    actors: Vec<ActorCell>,
}

impl<T: SharedMessage> Sending for Message<T> {
    fn is(&self, address: usize, of: TypeId) -> bool {
        address == Arc::as_ptr(&self.message) as usize && of == TypeId::of::<T>()
    }

    fn add(&mut self, actor: ActorCell) {
        self.actors.push(actor);
    }

    fn send_within(self: Box<Self>, within: Duration) -> Outcomes {
        Box::pin(async move {
            let report = send_to_members(self.actors, self.message, within).await;
            report.members().iter().map(|(actor, outcome)| (actor.get_id(), *outcome)).collect()
        })
    }

    fn send(self: Box<Self>) -> Vec<ActorId> {
        let failed = Fanout::new(self.message).send_to_all(&self.actors);
        let mut gone = Vec::new();
        for (actor, reason) in failed {
            if reason.is_of_one_message() {
                actor.lose_one::<T>(reason);
            } else {
                gone.push(actor.get_id());
            }
        }
        gone
    }
}
