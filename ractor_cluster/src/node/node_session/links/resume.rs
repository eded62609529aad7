//! A session without a link: it waits for one to come back, and goes on where it was, or ends.
//!
//! Both ends wait. The one who connected goes on connecting, by the ways that it knows: that of the
//! first link, and the local one. Its link joins the session by the session's secret, like any
//! other, and takes the place of those of its kind that the other end may still hold for alive. The
//! lanes have kept what was not acknowledged, and send it again.

use std::time::Duration;

use ractor::ActorRef;

use super::super::{AbortOnDropTask, NodeSession, NodeSessionState};
use super::state::{Established, State};
use super::{later, name_of, Active};
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
        let is_settled = matches!(self.state, State::Established(Established::Fork { .. }));
        is_settled && known && !grace.is_zero()
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
        if let Some(waiting) = active.state.waiting() {
            *waiting = Some(Waiting {
                _until: later(myself, grace, Event::GraceOver),
                _gives_way: directory::suspend(myself.get_id()),
            });
        }
        let (ways_back, dialler) = (active.ways_back(), active.dialler());
        if let Some(fork) = active.state.fork_mut() {
            fork.redials.clear();
            for route in ways_back {
                let Some(dialler) = dialler.clone() else { break };
                let redial = dialler.keep_dialling(route.clone(), PAUSE);
                fork.redials.insert(route.kind(), redial);
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
        if active.state.waiting().and_then(Option::take).is_none() {
            return false;
        }
        active.liveness.restart();
        active.lost = None;
        // The others have the time that they have otherwise.
        let redials = active.state.fork().map(|fork| fork.redials.keys().copied().collect());
        for kind in redials.unwrap_or_else(Vec::new) {
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
        state.start_pings();
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
        if active.state.waiting().is_some_and(|waiting| waiting.is_some()) {
            active.lost.get_or_insert_with(|| why.to_owned());
            // As when a connection ends.
            myself.stop(Some("tcp_session_closed".to_owned()));
        }
    }
}
