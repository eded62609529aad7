//! The fork's fast lane.

use mycelium_ext::fast_lane::{Batch, FastActor, FastActorRef, LaneConfig};
use ractor::ActorProcessingErr;
use ractor::actor::actor_config::Overflow;

use super::{Block, Casts, Round};

/// With room for so many messages.
pub(crate) struct Lane<const ROOM: usize>;

struct Counter<const N: usize>;

impl<const N: usize> FastActor for Counter<N> {
    type Msg = Block<N>;
    type Control = ();
    type State = Round;
    type Arguments = Round;

    async fn pre_start(
        &self,
        _: FastActorRef<Block<N>>,
        round: Round,
    ) -> Result<Round, ActorProcessingErr> {
        Ok(round)
    }

    async fn handle(
        &self,
        _: FastActorRef<Block<N>>,
        batch: Batch<'_, Block<N>>,
        round: &mut Round,
    ) -> Result<(), ActorProcessingErr> {
        for block in batch {
            round.count(&block);
        }
        Ok(())
    }
}

impl<const ROOM: usize, const N: usize> Casts<N> for Lane<ROOM> {
    type Counter = FastActorRef<Block<N>>;

    async fn counter(round: Round) -> Self::Counter {
        let lane = LaneConfig::bounded(ROOM, Overflow::Reject);
        Counter::<N>.spawn(None, round, lane).await.expect("it starts").0
    }

    fn cast(counter: &Self::Counter, block: Block<N>) {
        counter.cast(block).expect("there is room");
    }
}
