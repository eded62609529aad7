//! From an actor's cell to its lane.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

use ractor::{ActorCell, ActorId, ActorRef, ActorStatus};

use super::actor_ref::FastActorRef;
use super::inlet::LaneInlet;

/// The actor has no lane of that type.
pub struct NoLane<M> {
    actor: ActorId,
    message: PhantomData<fn() -> M>,
}

impl<M> NoLane<M> {
    /// The actor.
    pub fn actor(&self) -> ActorId {
        self.actor
    }
}

impl<M> fmt::Display for NoLane<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "actor {} has no fast lane of `{}` in this process: it is no fast actor, handles \
             another type, or has ended",
            self.actor,
            type_name::<M>()
        )
    }
}

impl<M> fmt::Debug for NoLane<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NoLane").field(&self.actor).field(&type_name::<M>()).finish()
    }
}

impl<M> std::error::Error for NoLane<M> {}

/// The fast actor behind a cell: one that was found by name, in a group, or in a supervision event.
///
/// ```
/// use mycelium_ext::fast_lane::FastActorRef;
///
/// fn feed() -> Option<FastActorRef<u64>> {
///     FastActorRef::try_from(ractor::registry::where_is("feed")?).ok()
/// }
/// ```
impl<M: Send + Sync + 'static, C: Send + 'static> TryFrom<ActorCell> for FastActorRef<M, C> {
    type Error = NoLane<M>;

    fn try_from(cell: ActorCell) -> Result<Self, NoLane<M>> {
        let lane = cell.inlet::<M>().and_then(LaneInlet::<M, C>::queue_of);
        match lane {
            Some(queue) if cell.get_status() < ActorStatus::Stopped => {
                Ok(Self::new(ActorRef::from(cell), queue))
            }
            _ => Err(NoLane { actor: cell.get_id(), message: PhantomData }),
        }
    }
}
