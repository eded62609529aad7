//! The connected peers, and the tasks that wait for changes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mycelium_transport::changed::Changed;
use mycelium_transport::log_limit::LineLimit;
use parking_lot::Mutex;
use ractor::{ActorCell, ActorId};
use ractor_cluster::NodeEventSubscription;
use ractor_cluster::node::NodeServerSessionInformation;
use ractor_cluster::peers::{self, PeerInfo};
use tokio::sync::{broadcast, watch};
use tokio::task::AbortHandle;

use super::event::NodeEvent;

/// Events that a slow listener may be behind before it misses some.
const EVENTS: usize = 256;

/// Handshake timeouts that a session gets to authentication. The cluster itself ends it after one,
/// and tells the peer why.
const GREETING: u32 = 2;

/// Handshake timeouts that a session gets from authentication to the exchange of actors. The
/// cluster itself ends those of its own kind after two.
const SETTLING: u32 = 3;

/// What a session says at its end when its handshake took too long.
pub(super) const HANDSHAKE_TIMEOUT: &str = "handshake_timeout";

/// What a stream is known by before its session exists: this end and the other. Two streams may
/// share it where both lead to one and the same peer.
pub(super) type StreamKey = (String, String);

/// How far a dialled session has come.
#[derive(Debug, Clone)]
pub(super) enum Progress {
    /// The connection is open, the handshake under way.
    Dialled,
    Ready(PeerInfo),
    Ended {
        reason: Option<String>,
    },
}

/// The state of all sessions of one server.
#[derive(Debug)]
pub(crate) struct Roster {
    state: Mutex<State>,
    /// Bumped with each change of who is ready.
    changed: Changed,
    events: broadcast::Sender<NodeEvent>,
    handshake_timeout: Duration,
    /// Of the lines about peers that connect: a peer can come and go without end.
    incoming: Incoming,
}

/// The limits of lines about peers that connect, of each kind. A node makes pauses between its own
/// tries, which have none.
#[derive(Debug)]
struct Incoming {
    /// Lines at once.
    burst: u32,
    connected: LineLimit,
    disconnected: LineLimit,
    failed: LineLimit,
}

impl Incoming {
    const fn new(burst: u32) -> Self {
        let [connected, disconnected, failed] = [const { LineLimit::new() }; 3];
        Self { burst, connected, disconnected, failed }
    }

    /// Whether a line may be logged: how many were left out before it.
    fn permit(&self, is_incoming: bool, limit: &LineLimit) -> Option<u64> {
        if is_incoming { limit.permit_at(Instant::now(), self.burst) } else { Some(0) }
    }
}

#[derive(Debug, Default)]
struct State {
    sessions: BTreeMap<ActorId, Session>,
    /// Dialled streams that the server has not taken yet.
    dialled: HashMap<StreamKey, VecDeque<watch::Sender<Progress>>>,
    /// The one whose session the server makes just now.
    opening: Option<watch::Sender<Progress>>,
    /// The session whose end the server handles just now, and why it ended.
    ending: Option<(ActorId, Option<String>)>,
}

#[derive(Debug)]
struct Session {
    #[cfg(feature = "membership")]
    actor: ActorCell,
    ready: Option<PeerInfo>,
    progress: Option<watch::Sender<Progress>>,
    watchdog: AbortHandle,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.watchdog.abort();
    }
}

impl Roster {
    /// With so many lines at once about peers that connect, of each kind.
    pub(super) fn new(handshake_timeout: Duration, log_lines: u32) -> Self {
        Self {
            state: Mutex::default(),
            changed: Changed::default(),
            events: broadcast::Sender::new(EVENTS),
            handshake_timeout,
            incoming: Incoming::new(log_lines),
        }
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<NodeEvent> {
        self.events.subscribe()
    }

    pub(super) fn tell(&self, event: NodeEvent) {
        // There may be no listener.
        let _ = self.events.send(event);
    }

    /// All peers whose session is ready.
    pub(crate) fn peers(&self) -> Vec<PeerInfo> {
        let state = self.state.lock();
        let ready = state.sessions.values().filter_map(|session| session.ready.as_ref());
        // As they are now, and not as they were when they became ready.
        let mut peers: Vec<_> = ready.filter_map(|peer| peers::get(peer.node_id)).collect();
        peers.sort_by_key(|peer| peer.node_id);
        peers
    }

    /// The peer of this name, before the `@`, if its session is ready.
    pub(super) fn find(&self, name: &str) -> Option<PeerInfo> {
        let short = |peer: &PeerInfo| peer.name.split('@').next() == Some(name);
        self.peers().into_iter().find(short)
    }

    /// The sessions with this start of the node of this full name: their actors, and whether each
    /// has a link. One whose peer is silent for too long has none.
    #[cfg(feature = "membership")]
    pub(super) fn sessions_of(&self, name: &str, incarnation: [u8; 16]) -> Vec<(ActorCell, bool)> {
        let state = self.state.lock();
        let ready = state.sessions.values().filter_map(|session| {
            let peer = session.ready.as_ref().filter(|peer| peer.name == name)?;
            let is_this = peer.incarnation.is_some_and(|it| it.to_bytes() == incarnation);
            is_this.then(|| (session.actor.clone(), peer.node_id))
        });
        let has_link = |node_id| peers::get(node_id).is_some_and(|peer| !peer.links.is_empty());
        ready.map(|(actor, node_id)| (actor, has_link(node_id))).collect()
    }

    /// Waits until [`find`](Self::find) answers as `wanted` says.
    pub(super) async fn wait_for<T>(&self, wanted: impl Fn(&Self) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            if let Some(found) = wanted(self) {
                return found;
            }
            // It does not fail: the sender is in `self`.
            let _ = changed.changed().await;
        }
    }

    /// Is called before a dialled stream is given to the server. The returned value hears of it.
    pub(super) fn dialled(&self, key: StreamKey) -> watch::Receiver<Progress> {
        let (progress, watcher) = watch::channel(Progress::Dialled);
        self.state.lock().dialled.entry(key).or_default().push_back(progress);
        watcher
    }

    /// The server takes a dialled stream, or cannot any more.
    pub(super) fn opening(&self, key: &StreamKey) {
        let mut state = self.state.lock();
        let Some(waiting) = state.dialled.get_mut(key) else { return };
        let next = waiting.pop_front();
        if waiting.is_empty() {
            state.dialled.remove(key);
        }
        state.opening = next;
    }

    /// The server has taken it. Without a session, the one who dialled learns it by the drop.
    pub(super) fn opened(&self) {
        self.state.lock().opening = None;
    }

    /// The server is about to handle the end of one of its actors.
    pub(super) fn ending(&self, actor: ActorId, reason: Option<String>) {
        self.state.lock().ending = Some((actor, reason));
    }

    /// The server has stopped: no peer is connected.
    pub(super) fn clear(&self) {
        *self.state.lock() = State::default();
        self.changed.tell();
    }

    /// Ends a session that has not come further in time.
    fn watchdog(&self, session: ActorCell, patience: Duration) -> AbortHandle {
        let watchdog = tokio::spawn(async move {
            tokio::time::sleep(patience).await;
            session.stop(Some(HANDSHAKE_TIMEOUT.to_owned()));
        });
        watchdog.abort_handle()
    }
}

/// Hears of the server's sessions.
pub(super) struct Watcher(pub(super) Arc<Roster>);

impl NodeEventSubscription for Watcher {
    /// It only notes what happened, and which session that is depends on what the server does at
    /// the time.
    fn never_blocks(&self) -> bool {
        true
    }

    fn node_session_opened(&self, it: NodeServerSessionInformation) {
        let watchdog = self.0.watchdog(it.actor.get_cell(), GREETING * self.0.handshake_timeout);
        let mut state = self.0.state.lock();
        let progress = if it.is_server { None } else { state.opening.take() };
        let session = Session {
            #[cfg(feature = "membership")]
            actor: it.actor.get_cell(),
            ready: None,
            progress,
            watchdog,
        };
        state.sessions.insert(it.actor.get_id(), session);
    }

    fn node_session_authenticated(&self, it: NodeServerSessionInformation) {
        let mut state = self.0.state.lock();
        let Some(session) = state.sessions.get_mut(&it.actor.get_id()) else { return };
        if session.ready.is_none() {
            session.watchdog.abort();
            let patience = SETTLING * self.0.handshake_timeout;
            session.watchdog = self.0.watchdog(it.actor.get_cell(), patience);
        }
    }

    fn node_session_ready(&self, it: NodeServerSessionInformation) {
        // One that has ended meanwhile is not there any more, and its end is told next.
        let Some(peer) = peers::get(it.node_id) else { return };
        {
            let mut state = self.0.state.lock();
            let Some(session) = state.sessions.get_mut(&it.actor.get_id()) else { return };
            session.watchdog.abort();
            session.ready = Some(peer.clone());
            if let Some(progress) = &session.progress {
                progress.send_replace(Progress::Ready(peer.clone()));
            }
        }
        let log = &self.0.incoming;
        if let Some(suppressed) = log.permit(it.is_server, &log.connected) {
            tracing::info!(
                peer = peer.name,
                peer.node_id = peer.node_id,
                peer.address = it.peer_addr,
                peer.locality = %peer.locality,
                link.kind = peer.active().map(|kind| kind.name()),
                link.incoming = it.is_server,
                suppressed,
                "connected"
            );
        }
        self.0.changed.tell();
        self.0.tell(NodeEvent::Connected(peer));
    }

    fn node_session_disconnected(&self, it: NodeServerSessionInformation) {
        let id = it.actor.get_id();
        let (peer, reason) = {
            let mut state = self.0.state.lock();
            let reason =
                state.ending.take_if(|(actor, _)| *actor == id).and_then(|(_, reason)| reason);
            let Some(mut session) = state.sessions.remove(&id) else { return };
            if let Some(progress) = &session.progress {
                progress.send_replace(Progress::Ended { reason: reason.clone() });
            }
            (session.ready.take(), reason)
        };
        match peer {
            Some(peer) => {
                let log = &self.0.incoming;
                if let Some(suppressed) = log.permit(it.is_server, &log.disconnected) {
                    tracing::warn!(
                        peer = peer.name,
                        peer.node_id = peer.node_id,
                        peer.address = it.peer_addr,
                        reason,
                        suppressed,
                        "disconnected"
                    );
                }
                self.0.changed.tell();
                self.0.tell(NodeEvent::Disconnected { peer, reason });
            }
            None => {
                let log = &self.0.incoming;
                if let Some(suppressed) = log.permit(it.is_server, &log.failed) {
                    tracing::info!(
                        peer.address = it.peer_addr,
                        link.incoming = it.is_server,
                        reason,
                        suppressed,
                        "handshake failed"
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Incoming;

    #[test]
    fn peers_that_come_and_go_have_few_lines_and_dialled_ones_have_all() {
        let log = &Incoming::new(3);
        for limit in [&log.connected, &log.disconnected, &log.failed] {
            let lines = |is_incoming| (0..100).filter_map(move |_| log.permit(is_incoming, limit));
            assert_eq!(lines(true).count(), 3);
            assert_eq!(lines(false).count(), 100);
        }
    }
}
