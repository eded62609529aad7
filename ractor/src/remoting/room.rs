//! The room of a bounded mailbox, as the cluster lends it to other nodes.

use std::any::Any;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::actor::actor_config::Mailbox;
use crate::ActorCell;

/// Is told of each message that an actor takes out of its bounded mailbox. For the cluster, which
/// lends the room to senders of other nodes.
pub trait RoomWatch: Send + Sync + UnwindSafe + RefUnwindSafe + 'static {
    /// The actor took a message. `waiting` counts those that are left, at the time of its call.
    /// Runs on the actor's thread, and must not wait.
    fn taken(&self, waiting: &dyn Fn() -> usize);

    /// Itself, for the one who made it.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl ActorCell {
    /// The mailbox that the actor was spawned with. Of a proxy it is the proxy's own.
    pub fn mailbox(&self) -> Mailbox {
        let bound = self.inner.mailbox.bound().map(|it| it.configured());
        bound
            .map_or(Mailbox::Unbounded, |(capacity, overflow)| Mailbox::bounded(capacity, overflow))
    }

    /// Has the actor's bounded mailbox watched by what `make` makes, and returns that. An actor has
    /// one such watch: when it has one already, `make` is not called.
    ///
    /// `None` for an actor with an unbounded mailbox.
    pub fn watch_room(
        &self,
        make: impl FnOnce() -> Arc<dyn RoomWatch>,
    ) -> Option<Arc<dyn RoomWatch>> {
        self.inner.mailbox.bound().map(|bound| bound.watch(make).clone())
    }
}
