//! A session without a link: it waits for one to come back, and goes on where it was, or ends.
//!
//! Both ends wait. The one who connected goes on connecting, by the ways that it knows: that of the
//! first link, and the local one. Its link joins the session by the session's secret, like any
//! other, and takes the place of those of its kind that the other end may still hold for alive. The
//! lanes have kept what was not acknowledged, and send it again.

use std::time::Duration;

use ractor::ActorRef;

use super::super::{AbortOnDropTask, NodeSession, NodeSessionState};
use super::{later, name_of, Active, Phase};
use crate::link::dial::Route;
use crate::link::directory::{self, Suspended};
use crate::link::quiet_log::peer_line;
use crate::link::Event;
use crate::net::SessionMessage;
use crate::node::NodeSessionMessage;
use crate::peers::{self, PeerEvent};
use crate::transport::TransportKind;

/// The longest pause between two tries while a session waits for them.
const PAUSE: Duration = Duration::from_millis(500);

/// A session waits for a link.
#[derive(Debug)]
pub(super) struct Waiting {
    _until: AbortOnDropTask,
    /// Another session with the peer goes before this one.
    _gives_way: Suspended,
}

impl Active {
    /// Whether the session may go on after its last link broke.
    pub(super) fn may_wait(&self, is_server: bool) -> bool {
        let known = is_server || !self.ways_back().is_empty();
        let grace = self.server.options.reconnect_grace;
        self.phase == Phase::Settled && !self.leaving && known && !grace.is_zero()
    }

    /// How the peer, which was connected to, can be reached.
    fn ways_back(&self) -> Vec<Route> {
        let first = self.connector.clone().map(Route::Direct);
        first.into_iter().chain(self.local_routes()).collect()
    }

    /// The way to make a link of this kind again, if there is one.
    pub(super) fn route_again(&self, kind: TransportKind) -> Option<Route> {
        self.ways_back().into_iter().find(|route| route.kind() == kind)
    }
}

impl NodeSession {
    /// The last link broke.
    pub(super) fn suspend(
        &self,
        state: &mut NodeSessionState,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        // What is sent meanwhile goes into the lanes, as long as there is an actor of a connection,
        // though it has ended.
        state.ping_task = None;
        let Some(active) = state.links.0.as_deref_mut() else { return };
        let grace = active.server.options.reconnect_grace;
        active.waiting = Some(Waiting {
            _until: later(myself, grace, Event::GraceOver),
            _gives_way: directory::suspend(myself.get_id()),
        });
        active.redials.clear();
        if let Some(dialler) = &active.dialler {
            for route in active.ways_back() {
                let redial = dialler.clone().keep_dialling(route.clone(), PAUSE);
                active.redials.insert(route.kind(), redial);
            }
        }
        let (node_id, peer) = (active.traffic.node_id(), name_of(&state.name));
        peer_line!(
            active.log(),
            Suspended,
            warn,
            node_id,
            peer,
            ?grace,
            "a session waits for a link to come back"
        );
        self.publish_news(state);
        peers::tell(PeerEvent::Suspended { node_id });
    }

    /// There is a link; whether the session waited for one.
    pub(super) fn resume(
        &self,
        state: &mut NodeSessionState,
        by: ActorRef<SessionMessage>,
    ) -> bool {
        let Some(active) = state.links.0.as_deref_mut() else { return false };
        if active.waiting.take().is_none() {
            return false;
        }
        active.liveness.restart();
        active.why = None;
        // The others have the time that they have otherwise.
        for kind in active.redials.keys().copied().collect::<Vec<_>>() {
            active.redial(kind);
        }
        let (node_id, peer) = (active.traffic.node_id(), name_of(&state.name));
        peer_line!(
            active.log(),
            Resumed,
            info,
            node_id,
            peer,
            "a session goes on by a link that came back"
        );
        state.tcp = Some(by);
        state.start_ping_loop();
        peers::tell(PeerEvent::Resumed { node_id });
        true
    }

    /// No link came back.
    pub(super) fn give_up(
        &self,
        state: &mut NodeSessionState,
        why: &str,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let Some(active) = state.links.0.as_deref_mut() else { return };
        if active.waiting.is_some() {
            active.why.get_or_insert_with(|| why.to_owned());
            // As when a connection ends.
            myself.stop(Some("tcp_session_closed".to_owned()));
        }
    }
}
