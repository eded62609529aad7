//! A lane before an ordinary actor.

use std::fmt;
use std::marker::PhantomData;

use ractor::message::SharedMessage;
use ractor::{ActorProcessingErr, ActorRef};

use super::actor::FastActor;
use super::actor_ref::FastActorRef;
use super::batch::Batch;
use super::queue::Delivery;

/// A fast actor that passes on what it gets to the actor it is started with: a bounded lane before
/// an actor that was written without one. When that actor's mailbox is bounded too it waits for
/// room there. A message that came by `Arc` goes on by `Arc`.
///
/// It fails, and its supervisor is told, when the other has ended.
///
/// ```
/// use mycelium_ext::fast_lane::{FastActor, FastActorRef, Forward, LaneConfig};
/// use ractor::{ActorRef, SpawnErr};
///
/// async fn lane_to(actor: ActorRef<u64>) -> Result<FastActorRef<u64>, SpawnErr> {
///     let supervisor = actor.get_cell();
///     let lane = LaneConfig::default();
///     let (lane, _) = Forward::new().spawn_linked(None, actor, lane, supervisor).await?;
///     Ok(lane)
/// }
/// ```
pub struct Forward<M>(PhantomData<fn(M)>);

impl<M> Forward<M> {
    /// One that is not started.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<M> Default for Forward<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M> fmt::Debug for Forward<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Forward")
    }
}

impl<M: SharedMessage> FastActor for Forward<M> {
    type Msg = M;
    type Control = ();
    type State = ActorRef<M>;
    type Arguments = ActorRef<M>;

    async fn pre_start(
        &self,
        _: FastActorRef<M>,
        target: ActorRef<M>,
    ) -> Result<ActorRef<M>, ActorProcessingErr> {
        Ok(target)
    }

    async fn handle(
        &self,
        _: FastActorRef<M>,
        batch: Batch<'_, M>,
        target: &mut ActorRef<M>,
    ) -> Result<(), ActorProcessingErr> {
        for message in batch {
            match message {
                // In words: the error holds the message, which may not be fit to be in another one.
                Delivery::Owned(message) => {
                    target.send(message).await.map_err(|error| error.to_string())?;
                }
                Delivery::Shared(message) => {
                    target.send_arc(message).await.map_err(|failure| failure.to_string())?;
                }
            }
        }
        Ok(())
    }
}
