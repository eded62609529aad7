//! What happens to this node's actors and groups, announced to a peer on the thread that makes it
//! happen: so that what an actor sends after it has joined a group finds it in the group on the
//! other side.

use std::sync::{Arc, Mutex};

use ractor::pg::GroupChangeMessage;
use ractor::registry::PidLifecycleEvent;
use ractor::remoting::EventTap;
use ractor::{ActorCell, SupervisionEvent};

use super::data_plane::DataPlane;
use super::locked::locked;
use crate::protocol::control::control_message::Msg;
use crate::protocol::control::{Actor, ControlMessage, PgJoin, PgLeave, Spawn, Terminate};
use crate::protocol::mycelium::envelope::Body;
use crate::protocol::mycelium::{ActorPreference, Preference, Preferences};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Announcer {
    traffic: Arc<DataPlane>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether all that there was before has been announced.
    begun: bool,
    /// Events that wait in the mailbox of the session's actor. Those that come then wait behind
    /// them.
    waiting: usize,
}

impl Announcer {
    pub(crate) fn new(traffic: Arc<DataPlane>) -> Arc<Self> {
        Arc::new(Self { traffic, state: Mutex::default() })
    }

    /// All that there was has been announced.
    pub(crate) fn begin(&self) {
        locked(&self.state).begun = true;
    }

    /// The session's actor has taken an event from its mailbox: announces it, or gives back what is
    /// none of these.
    pub(crate) fn late(&self, event: SupervisionEvent) -> Option<SupervisionEvent> {
        if !is_announced(&event) {
            return Some(event);
        }
        let mut state = locked(&self.state);
        // Those that came before the tap did not wait.
        state.waiting = state.waiting.saturating_sub(1);
        self.announce(event);
        None
    }

    fn announce(&self, event: SupervisionEvent) {
        let (message, actors) = match event {
            SupervisionEvent::PidLifecycleEvent(PidLifecycleEvent::Spawn(actor)) => {
                let Some(message) = spawned(&actor) else { return };
                (message, vec![actor])
            }
            SupervisionEvent::PidLifecycleEvent(PidLifecycleEvent::Terminate(actor)) => {
                if !actor.supports_remoting() {
                    return;
                }
                let ids = vec![actor.get_id().pid()];
                self.traffic.mailbox_closed(ids[0]);
                if self.traffic.tell_end(&actor) {
                    return;
                }
                (Msg::Terminate(Terminate { ids }), Vec::new())
            }
            SupervisionEvent::ProcessGroupChanged(GroupChangeMessage::Join(scope, group, them)) => {
                let actors = described(&them);
                if actors.is_empty() {
                    return;
                }
                (Msg::PgJoin(PgJoin { scope, group, actors }), them)
            }
            SupervisionEvent::ProcessGroupChanged(GroupChangeMessage::Leave(
                scope,
                group,
                them,
            )) => {
                let actors = described(&them);
                if actors.is_empty() {
                    return;
                }
                (Msg::PgLeave(PgLeave { scope, group, actors }), Vec::new())
            }
            _ => return,
        };
        self.traffic.announce_mailboxes(&actors);
        // Which transport actors prefer goes before they are announced.
        let actors: Vec<ActorPreference> = actors.iter().filter_map(preference_of).collect();
        if !actors.is_empty() {
            self.traffic.control(Body::Preferences(Preferences { actors }));
        }
        self.traffic.control(Body::Control(ControlMessage { msg: Some(message) }));
    }
}

impl EventTap for Announcer {
    fn take(&self, event: SupervisionEvent) -> Option<SupervisionEvent> {
        if !is_announced(&event) {
            return Some(event);
        }
        let mut state = locked(&self.state);
        if state.begun && state.waiting == 0 {
            self.announce(event);
            None
        } else {
            state.waiting += 1;
            Some(event)
        }
    }
}

fn is_announced(event: &SupervisionEvent) -> bool {
    matches!(
        event,
        SupervisionEvent::PidLifecycleEvent(_) | SupervisionEvent::ProcessGroupChanged(_)
    )
}

fn spawned(actor: &ActorCell) -> Option<Msg> {
    let actors = described(std::slice::from_ref(actor));
    (!actors.is_empty()).then_some(Msg::Spawn(Spawn { actors }))
}

/// Those actors that take messages from other nodes.
fn described(actors: &[ActorCell]) -> Vec<Actor> {
    let remotable = actors.iter().filter(|actor| actor.supports_remoting());
    remotable.map(|actor| Actor { name: actor.get_name(), pid: actor.get_id().pid() }).collect()
}

/// What an actor of this node wants of messages to it, where it is not what all have.
pub(crate) fn preference_of(actor: &ActorCell) -> Option<ActorPreference> {
    let preference = Preference::from(actor.transport_preference());
    let (pid, urgent) = (actor.get_id().pid(), actor.is_urgent());
    let has_any = urgent || preference != Preference::Adaptive;
    has_any.then(|| ActorPreference { pid, preference: preference.into(), urgent })
}
