//! Events of the registry and of groups, told to the cluster where they happen.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, OnceLock};

use crate::{ActorCell, SupervisionEvent};

/// Sees the events of an actor before they are put into its mailbox. For the cluster: what a
/// session announces has to be on its way before anything that is sent after it.
pub trait EventTap: Send + Sync + UnwindSafe + RefUnwindSafe + 'static {
    /// Takes the event, or gives it back for the mailbox. Called where the event happens, with the
    /// registry's or the groups' locks held: it must neither use these nor wait.
    fn take(&self, event: SupervisionEvent) -> Option<SupervisionEvent>;
}

/// Most actors have none.
#[derive(Default)]
pub(super) struct Tap(OnceLock<Box<Arc<dyn EventTap>>>);

impl Tap {
    #[inline]
    pub(super) fn pass(&self, event: SupervisionEvent) -> Option<SupervisionEvent> {
        match self.0.get() {
            None => Some(event),
            Some(tap) => tap.take(event),
        }
    }
}

impl ActorCell {
    /// Has `tap` see the actor's events first, from here on. An actor can have one.
    pub fn set_event_tap(&self, tap: Arc<dyn EventTap>) {
        _ = self.inner.tap.0.set(Box::new(tap));
    }
}
