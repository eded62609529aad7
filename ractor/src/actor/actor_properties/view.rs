//! What an actor shows to those who watch it.

use super::ActorProperties;
use crate::view::ActorView;
use crate::ActorCell;

impl ActorProperties {
    fn view(&self) -> ActorView {
        let seen = self.mailbox.seen();
        let supervisor = self.tree.try_get_supervisor();
        ActorView {
            id: self.id,
            name: self.name.clone(),
            actor_type: (self.actor_type)(),
            status: self.get_status(),
            supervisor: supervisor.map(|supervisor| supervisor.get_id()),
            waiting: seen.waiting,
            capacity: self.mailbox.bound().map(|bound| bound.configured().0),
            high_water: seen.high_water,
            handled: seen.handled,
            events: seen.others as u64,
            is_handling: seen.is_handling,
            lost: self.lost(),
        }
    }
}

impl ActorCell {
    /// The actor as it is at this moment.
    ///
    /// It takes the locks of the mailbox and of the supervisor for a moment each, neither of which
    /// is held while code of an application runs: so it answers whatever the actor does, also
    /// while a handler blocks its thread. May be called on any thread, also outside of a runtime.
    #[must_use]
    pub fn view(&self) -> ActorView {
        self.inner.view()
    }
}
