//! From an actor to its lane, by the actor's id.

use std::any::{Any, type_name};
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::RwLock;
use ractor::{ActorCell, ActorId, ActorRef};

use super::actor_ref::FastActorRef;
use super::queue::Queue;
use super::runtime::FastMessage;

type Lane = Weak<dyn Any + Send + Sync>;

static LANES: LazyLock<RwLock<HashMap<ActorId, Lane>>> = LazyLock::new(RwLock::default);

/// An actor's entry, which goes when it is dropped.
pub(super) struct Entry(ActorId);

impl Entry {
    pub(super) fn new<M: Send + Sync + 'static>(actor: ActorId, queue: &Arc<Queue<M>>) -> Self {
        let lane: Arc<dyn Any + Send + Sync> = queue.clone();
        LANES.write().insert(actor, Arc::downgrade(&lane));
        Self(actor)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        LANES.write().remove(&self.0);
    }
}

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
        let lane = LANES.read().get(&cell.get_id()).and_then(Weak::upgrade);
        let is_told = cell.is_message_type_of::<FastMessage<M, C>>() == Some(true);
        match lane.map(Arc::downcast::<Queue<M>>) {
            Some(Ok(queue)) if is_told => Ok(Self::new(ActorRef::from(cell), queue)),
            _ => Err(NoLane { actor: cell.get_id(), message: PhantomData }),
        }
    }
}
