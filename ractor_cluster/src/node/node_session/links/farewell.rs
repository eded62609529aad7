//! The end of a session: the peer is told, where it can be, and so is everybody who holds a proxy.

use std::time::Duration;

use ractor::concurrency::timeout;
use ractor::{ActorCell, ActorRef};

use super::super::{NodeSession, NodeSessionState};
use super::{name_of, Active};
use crate::node::NodeSessionMessage;
use crate::peers::GONE;
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::Goodbye;

/// How long a peer has to close the links after it was told that the session ends.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long proxies have, which wait for nothing, to stop with the reason and not for it.
const PROXIES: Duration = Duration::from_secs(5);

impl Active {
    /// The peer has no claim to be told that the session ends; if it asks, it learns.
    pub(super) fn end_without_goodbye(&mut self, why: &str) {
        self.leaving = true;
        self.why.get_or_insert_with(|| why.to_owned());
    }
}

impl NodeSession {
    /// The session ends.
    pub(in crate::node::node_session) async fn part(&self, state: &mut NodeSessionState) {
        let links = self.say_goodbye(state);
        let why = state.links.0.as_deref_mut().and_then(|active| active.why.take());
        let why = why.unwrap_or_else(|| "its session ended".to_owned());
        let reason = format!("{GONE}: {}: {why}", name_of(&state.name));
        let proxies: Vec<ActorCell> =
            state.remote_actors.drain().map(|(_, proxy)| proxy.get_cell()).collect();
        for proxy in &proxies {
            proxy.stop(Some(reason.clone()));
        }
        let stopped = timeout(PROXIES, all_end(&proxies)).await.is_ok();
        // Who takes what was sent before the goodbye closes the link after it.
        if timeout(PATIENCE, all_end(&links)).await.is_err() {
            tracing::debug!(peer = name_of(&state.name), "a peer did not close its links in time");
        }
        state.links.end(&state.name, stopped);
    }

    /// Tells the peer, if it knows what that means, and returns the links by which it was told.
    fn say_goodbye(&self, state: &mut NodeSessionState) -> Vec<ActorCell> {
        let Some(active) = state.links.speaking() else { return Vec::new() };
        let is_first = !std::mem::replace(&mut active.leaving, true);
        let links: Vec<_> = active.traffic.links().into_iter().map(|(_, link)| link).collect();
        for link in links.iter().filter(|_| is_first) {
            let goodbye = Body::Goodbye(Goodbye {}).encoded();
            // One that has ended needs none.
            _ = link.cast(crate::net::SessionMessage::Last(goodbye));
        }
        match is_first {
            true => links.into_iter().map(|link| link.get_cell()).collect(),
            false => Vec::new(),
        }
    }

    /// The peer says that the session ends.
    pub(super) fn left(&self, state: &mut NodeSessionState, myself: &ActorRef<NodeSessionMessage>) {
        let node_id = self.known_as(state);
        tracing::info!(node_id, peer = name_of(&state.name), "a peer leaves");
        if let Some(active) = state.links.speaking() {
            active.leaving = true;
            active.why.get_or_insert_with(|| "it left".to_owned());
        }
        myself.stop(Some("peer_left".to_owned()));
    }
}

async fn all_end(actors: &[ActorCell]) {
    for actor in actors {
        // Without a timeout it does not fail.
        _ = actor.wait(None).await;
    }
}
