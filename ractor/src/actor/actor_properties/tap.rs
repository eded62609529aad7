//! What few actors have: a tap of their events, and an end that other nodes are told.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, OnceLock};

use crate::remoting::Ending;
use crate::{ActorCell, SupervisionEvent};

/// Sees the events of an actor before they are put into its mailbox. For the cluster: what a
/// session announces has to be on its way before anything that is sent after it.
pub trait EventTap: Send + Sync + UnwindSafe + RefUnwindSafe + 'static {
    /// Takes the event, or gives it back for the mailbox. Called where the event happens, with the
    /// registry's or the groups' locks held: it must neither use these nor wait.
    fn take(&self, event: SupervisionEvent) -> Option<SupervisionEvent>;
}

/// Empty while an actor lives, as a rule.
#[derive(Default)]
pub(crate) struct Extras(OnceLock<Box<Rare>>);

#[derive(Default)]
struct Rare {
    tap: OnceLock<Arc<dyn EventTap>>,
    ending: OnceLock<Ending>,
}

impl Extras {
    #[inline]
    pub(super) fn pass(&self, event: SupervisionEvent) -> Option<SupervisionEvent> {
        match self.0.get().and_then(|rare| rare.tap.get()) {
            None => Some(event),
            Some(tap) => tap.take(event),
        }
    }

    pub(crate) fn ending(&self) -> Option<&Ending> {
        self.0.get()?.ending.get()
    }

    /// The first one holds.
    pub(crate) fn end(&self, ending: Ending) {
        _ = self.0.get_or_init(Box::default).ending.set(ending);
    }
}

impl ActorCell {
    /// Has `tap` see the actor's events first, from here on. An actor can have one.
    pub fn set_event_tap(&self, tap: Arc<dyn EventTap>) {
        _ = self.inner.extras.0.get_or_init(Box::default).tap.set(tap);
    }
}
