//! The lane as the actor's cell knows it.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use ractor::actor::actor_config::Overflow;
use ractor::concurrency::Notify;
use ractor::inlet::{Inlet, Owner};

use super::queue::{Delivery, Queue, Refused};
use super::runtime::begin_of;

/// The way into the lane of an actor that handles `M`, and `C` beside. It holds no reference to the
/// actor, which holds it.
pub(super) struct LaneInlet<M, C> {
    queue: Arc<Queue<M>>,
    control: PhantomData<fn(C)>,
}

impl<M: Send + Sync + 'static, C: Send + 'static> LaneInlet<M, C> {
    pub(super) fn of(queue: &Arc<Queue<M>>) -> Arc<dyn Inlet<M>> {
        Arc::new(Self { queue: queue.clone(), control: PhantomData })
    }

    /// The lane of an actor that handles `C` beside, by its inlet.
    pub(super) fn queue_of(inlet: Arc<dyn Inlet<M>>) -> Option<Arc<Queue<M>>> {
        let inlet = inlet.into_any().downcast::<Self>().ok()?;
        Some(inlet.queue.clone())
    }
}

impl<M: Send + Sync + 'static, C: Send + 'static> Inlet<M> for LaneInlet<M, C> {
    fn put(&self, message: Delivery<M>, owner: Owner<'_>) -> Result<Option<Overflow>, Refused<M>> {
        self.queue.put(message, |turn| begin_of::<M, C>(owner, turn))
    }

    fn put_if_room(&self, message: Delivery<M>, owner: Owner<'_>) -> Result<(), Refused<M>> {
        self.queue.put_if_room(message, |turn| begin_of::<M, C>(owner, turn))
    }

    fn has_room(&self) -> bool {
        self.queue.has_room()
    }

    fn room(&self) -> &Notify {
        self.queue.room()
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}
