//! The room of a bounded mailbox, as the cluster lends it to other nodes.

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::actor::actor_config::Overflow;
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
    /// The bound of the actor's mailbox, in messages, and its policy, where room in it may be lent.
    ///
    /// `None` for an unbounded mailbox, and for a conflating one: a message that replaces another
    /// needs no room there, which its sender cannot know. Of a proxy it is the proxy's own.
    pub fn lendable_room(&self) -> Option<(NonZeroUsize, Overflow)> {
        let bound = self.inner.mailbox.bound().filter(|_| !self.inner.mailbox.is_conflating())?;
        let (capacity, overflow) = bound.configured();
        Some((NonZeroUsize::new(capacity)?, overflow))
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
