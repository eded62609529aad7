//! A fast actor as the `ractor` actor that it runs as.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use ractor::actor::actor_config::Overflow;
use ractor::concurrency::JoinHandle;
use ractor::dead_letters::quietly;
use ractor::inlet::Owner;
use ractor::{
    Actor, ActorCell, ActorName, ActorProcessingErr, ActorRef, ActorStatus, MessagingErr, SpawnErr,
    SupervisionEvent,
};

use super::actor::FastActor;
use super::actor_ref::FastActorRef;
use super::batch::Batch;
use super::config::{LaneConfig, POLICIES, WhenFull};
use super::inlet::LaneInlet;
use super::queue::{Delivery, Queue, Turn};

/// What a fast actor handles as a `ractor` actor. Made of a message, or of an `Arc` of one, it is
/// handled in a batch of one. It waits in the actor's mailbox, beside the lane, and neither knows
/// the lane's bound nor keeps an order with what goes there. The message itself, sent by the
/// actor's cell, goes into the lane.
pub struct FastMessage<M, C = ()>(Work<M, C>);

enum Work<M, C> {
    One(Delivery<M>),
    Control(C),
    Turn(Turn<M>),
}

ractor::local_message!(<M: Send + Sync + 'static, C: Send + 'static> FastMessage<M, C>);

impl<M, C> FastMessage<M, C> {
    /// What [`FastActorRef::control`] sends.
    pub const fn control(control: C) -> Self {
        Self(Work::Control(control))
    }
}

impl<M, C> From<M> for FastMessage<M, C> {
    fn from(message: M) -> Self {
        Self(Work::One(Delivery::Owned(message)))
    }
}

impl<M, C> From<Arc<M>> for FastMessage<M, C> {
    fn from(message: Arc<M>) -> Self {
        Self(Work::One(Delivery::Shared(message)))
    }
}

impl<M, C> fmt::Debug for FastMessage<M, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Work::One(_) => "FastMessage",
            Work::Control(_) => "FastMessage (control)",
            Work::Turn(_) => "FastMessage (a turn)",
        })
    }
}

/// Sends a turn, or gives it back when the actor takes none any more.
#[cold]
pub(super) fn begin<M: Send + Sync + 'static, C: Send + 'static>(
    actor: &ActorRef<FastMessage<M, C>>,
    turn: Turn<M>,
) -> Result<(), Turn<M>> {
    begun(quietly(|| actor.cast(FastMessage(Work::Turn(turn)))))
}

/// As [`begin`], by the actor as its inlet knows it.
#[cold]
pub(super) fn begin_of<M: Send + Sync + 'static, C: Send + 'static>(
    owner: Owner<'_>,
    turn: Turn<M>,
) -> Result<(), Turn<M>> {
    begun(quietly(|| owner.send_message(FastMessage::<M, C>(Work::Turn(turn)))))
}

fn begun<M, C>(sent: Result<(), MessagingErr<FastMessage<M, C>>>) -> Result<(), Turn<M>> {
    match sent {
        Err(MessagingErr::SendErr(FastMessage(Work::Turn(turn)))) => Err(turn),
        // The types are right, so that nothing else is refused.
        _ => Ok(()),
    }
}

/// Sends control, or gives it back when the actor takes none any more.
pub(super) fn tell<M: Send + Sync + 'static, C: Send + 'static>(
    actor: &ActorRef<FastMessage<M, C>>,
    control: C,
) -> Result<(), C> {
    match actor.cast(FastMessage(Work::Control(control))) {
        Err(MessagingErr::SendErr(FastMessage(Work::Control(control)))) => Err(control),
        _ => Ok(()),
    }
}

struct Runtime<A: FastActor> {
    actor: A,
    queue: Arc<Queue<A::Msg>>,
}

impl<A: FastActor> Runtime<A> {
    fn fast(
        &self,
        myself: ActorRef<FastMessage<A::Msg, A::Control>>,
    ) -> FastActorRef<A::Msg, A::Control> {
        FastActorRef::new(myself, self.queue.clone())
    }
}

pub(super) async fn spawn<A: FastActor>(
    actor: A,
    name: Option<ActorName>,
    arguments: A::Arguments,
    lane: LaneConfig,
    supervisor: Option<ActorCell>,
) -> Result<(FastActorRef<A::Msg, A::Control>, JoinHandle<()>), SpawnErr> {
    spawn_knowing(&POLICIES, actor, name, arguments, lane, supervisor).await
}

/// As [`spawn`], with these policies.
async fn spawn_knowing<A: FastActor>(
    policies: &[(Overflow, WhenFull)],
    actor: A,
    name: Option<ActorName>,
    arguments: A::Arguments,
    lane: LaneConfig,
    supervisor: Option<ActorCell>,
) -> Result<(FastActorRef<A::Msg, A::Control>, JoinHandle<()>), SpawnErr> {
    let when_full = WhenFull::of(lane.overflow, policies)
        .map_err(|unknown| SpawnErr::StartupFailed(unknown.into()))?;
    let queue = Queue::new(lane.capacity, when_full);
    let runtime = Runtime { actor, queue: queue.clone() };
    let (actor, handle) = match supervisor {
        None => Actor::spawn(name, runtime, arguments).await?,
        Some(supervisor) => Actor::spawn_linked(name, runtime, arguments, supervisor).await?,
    };
    Ok((FastActorRef::new(actor, queue), handle))
}

ractor::library_actor! {
    impl<A: FastActor> Actor for Runtime<A> {
        type Msg = FastMessage<A::Msg, A::Control>;
        type State = A::State;
        type Arguments = A::Arguments;

        async fn pre_start(
            &self,
            myself: ActorRef<Self::Msg>,
            arguments: A::Arguments,
        ) -> Result<A::State, ActorProcessingErr> {
            self.queue.set_owner(&myself);
            myself.set_inlet(LaneInlet::<A::Msg, A::Control>::of(&self.queue));
            self.actor.pre_start(self.fast(myself), arguments).await
        }

        async fn post_start(
            &self,
            myself: ActorRef<Self::Msg>,
            state: &mut A::State,
        ) -> Result<(), ActorProcessingErr> {
            self.actor.post_start(self.fast(myself), state).await
        }

        async fn handle(
            &self,
            myself: ActorRef<Self::Msg>,
            message: Self::Msg,
            state: &mut A::State,
        ) -> Result<(), ActorProcessingErr> {
            let mut turn = match message.0 {
                Work::Turn(turn) => turn,
                Work::Control(control) => {
                    return self.actor.handle_control(self.fast(myself), control, state).await;
                }
                Work::One(message) => {
                    let mut batch = VecDeque::from([message]);
                    while !batch.is_empty() {
                        let myself = self.fast(myself.clone());
                        self.actor.handle(myself, Batch::of(&mut batch), state).await?;
                    }
                    return Ok(());
                }
            };
            loop {
                if myself.get_status() >= ActorStatus::Draining {
                    self.queue.refuse();
                }
                let batch = Batch::of(turn.take());
                self.actor.handle(self.fast(myself.clone()), batch, state).await?;
                let Some(unfinished) = turn.rest() else {
                    return Ok(());
                };
                yield_now().await;
                // As a message, so that signals and stops come before the next batch.
                match begin(&myself, unfinished) {
                    Ok(()) => return Ok(()),
                    // The actor drains: what was admitted is handled here and now.
                    Err(back) => turn = back,
                }
            }
        }

        async fn handle_supervisor_evt(
            &self,
            myself: ActorRef<Self::Msg>,
            event: SupervisionEvent,
            state: &mut A::State,
        ) -> Result<(), ActorProcessingErr> {
            self.actor.handle_supervisor_evt(self.fast(myself), event, state).await
        }

        async fn post_stop(
            &self,
            myself: ActorRef<Self::Msg>,
            state: &mut A::State,
        ) -> Result<(), ActorProcessingErr> {
            self.queue.refuse();
            self.actor.post_stop(self.fast(myself), state).await
        }
    }
}

/// Gives the others on the thread a turn.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fast_lane::UnknownOverflow;

    /// Does nothing.
    struct Idle;

    impl FastActor for Idle {
        type Msg = u64;
        type Control = ();
        type State = ();
        type Arguments = ();

        async fn pre_start(&self, _: FastActorRef<u64>, (): ()) -> Result<(), ActorProcessingErr> {
            Ok(())
        }

        async fn handle(
            &self,
            _: FastActorRef<u64>,
            _: Batch<'_, u64>,
            (): &mut (),
        ) -> Result<(), ActorProcessingErr> {
            Ok(())
        }
    }

    /// As it is with a policy that `ractor` has and lanes do not know yet.
    #[tokio::test]
    async fn an_actor_with_an_unknown_policy_does_not_start() {
        let lane = LaneConfig::bounded(1, Overflow::DropOldest);
        let name = Some("unknown policy".to_owned());
        let spawned = spawn_knowing(&POLICIES[..2], Idle, name, (), lane, None).await;
        let Err(SpawnErr::StartupFailed(error)) = spawned else { panic!("it starts") };
        let unknown = error.downcast_ref::<UnknownOverflow>().expect("its own error");
        assert_eq!(unknown.policy(), Overflow::DropOldest);
        let text = error.to_string();
        for part in ["no overflow policy DropOldest", "choose one of Reject DropNewest"] {
            assert!(text.contains(part), "no {part:?} in {text:?}");
        }
        assert!(ractor::registry::where_is("unknown policy").is_none());

        let (known, ended) = spawn(Idle, None, (), lane, None).await.expect("it starts");
        known.stop(None);
        ended.await.expect("it ends in order");
    }
}
