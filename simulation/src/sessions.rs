//! The sessions of one host, as its node server tells of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mycelium_transport::changed::Changed;
use ractor::ActorId;
use ractor_cluster::node::NodeServerSessionInformation;
use ractor_cluster::{NodeEventSubscription, NodeId};
use tokio::sync::watch;

use crate::trace::Trace;

#[derive(Debug, Clone, Copy)]
struct Session {
    actor: ActorId,
    node_id: NodeId,
}

/// The sessions that are ready, by the name of the peer's host.
#[derive(Debug)]
pub(crate) struct Sessions {
    ready: Mutex<BTreeMap<String, Session>>,
    changes: Changed,
}

impl Sessions {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { ready: Mutex::default(), changes: Changed::default() })
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Session>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn peers(&self) -> Vec<String> {
        self.locked().keys().cloned().collect()
    }

    pub(crate) fn node_id(&self, peer: &str) -> Option<NodeId> {
        self.locked().get(peer).map(|session| session.node_id)
    }

    pub(crate) fn session(&self, peer: &str) -> Option<ActorId> {
        self.locked().get(peer).map(|session| session.actor)
    }

    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

/// Notes what the node server tells.
pub(crate) struct Watcher {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) host: String,
    pub(crate) trace: Trace,
}

fn peer_of(session: &NodeServerSessionInformation) -> String {
    let name = session.peer_name.as_ref().map_or("", |name| &name.name);
    name.split('@').next().unwrap_or_default().to_owned()
}

impl NodeEventSubscription for Watcher {
    /// It is called where the events happen, and so at their virtual time.
    fn never_blocks(&self) -> bool {
        true
    }

    fn node_session_opened(&self, _: NodeServerSessionInformation) {}

    fn node_session_authenticated(&self, _: NodeServerSessionInformation) {}

    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        let peer = peer_of(&session);
        self.trace.note(&self.host, format_args!("session with {peer} is ready"));
        let (actor, node_id) = (session.actor.get_id(), session.node_id);
        self.sessions.locked().insert(peer, Session { actor, node_id });
        self.sessions.changes.tell();
    }

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        let peer = peer_of(&session);
        self.trace.note(&self.host, format_args!("session with {peer} has ended"));
        let mut ready = self.sessions.locked();
        if ready.get(&peer).is_some_and(|it| it.actor == session.actor.get_id()) {
            ready.remove(&peer);
        }
        drop(ready);
        self.sessions.changes.tell();
    }
}
