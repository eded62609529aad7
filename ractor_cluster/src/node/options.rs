//! Telling a node server of links and peers.

use std::time::Duration;

use ractor::{Actor, ActorId, ActorRef, ActorStatus};

use super::{
    NodeServer, NodeServerMessage, NodeServerSessionInformation, NodeServerState,
    NodeSessionMessage,
};
use crate::link::directory;
use crate::link::options::LinkOptions;
use crate::link::quiet_log::peer_line;
use crate::peers::identities;

/// How long the sessions of a server may take to end with it.
const PATIENCE: Duration = Duration::from_secs(2);

impl NodeServer {
    /// Listens, and links itself to peers of the fork, as `options` say. Without it, as the default
    /// has it: a peer on this machine is reached by a Unix socket as soon as it is found to be
    /// there.
    #[must_use]
    pub fn with_links(mut self, options: LinkOptions) -> Self {
        self.links = options;
        self
    }

    /// Lets the listeners and sessions of this server know its options.
    pub(super) fn open(&self, myself: &ActorRef<<Self as Actor>::Msg>) {
        directory::register(myself, self.links.clone(), self.max_inbound_frame_size);
    }

    pub(super) fn sessions(state: &NodeServerState) -> Vec<ActorRef<NodeSessionMessage>> {
        state.node_sessions.values().map(|it| it.actor.clone()).collect()
    }

    /// Closes the listening sockets, and ends the sessions in order, so that peers are told.
    pub(super) async fn close(
        &self,
        myself: &ActorRef<NodeServerMessage>,
        sessions: Vec<ActorRef<NodeSessionMessage>>,
    ) {
        if let Some(server) = directory::server(myself.get_id()) {
            server.close();
        }
        for session in &sessions {
            session.stop(Some("node_stops".to_owned()));
        }
        let all = async {
            for session in &sessions {
                // Without a timeout it does not fail.
                _ = session.wait(None).await;
            }
        };
        if ractor::concurrency::timeout(PATIENCE, all).await.is_err() {
            tracing::debug!("a session did not end in time with its node server");
        }
        directory::unregister(myself.get_id());
    }

    /// A session has ended. Why a peer was refused before it was authenticated is logged by its
    /// session.
    pub(super) fn tell_end(
        myself: &ActorRef<NodeServerMessage>,
        session: &NodeServerSessionInformation,
        authenticated: bool,
        reason: &Option<String>,
    ) {
        let (node_id, peer) = (session.node_id, session.peer_name.as_ref());
        let peer = peer.map_or("", |name| name.name.as_str());
        let reason = reason.as_deref().unwrap_or("no reason");
        let server = directory::server(myself.get_id());
        let log = server.as_ref().map(|server| &*server.strangers.log);
        // An authenticated session of the same name has taken the place of such a one.
        if authenticated || reason == "duplicate_connection" {
            peer_line!(log, SessionEnded, warn, node_id, peer, reason, "a session ended");
        } else {
            tracing::debug!(node_id, peer, reason, "a session ended before authentication");
        }
    }

    /// An authenticated peer has the number from here on that its name had before.
    pub(super) fn identify(state: &mut NodeServerState, session: ActorId) {
        let own = state.this_node_name.name.as_str();
        if let Some(entry) = state.node_sessions.get_mut(&session) {
            if let Some(peer) = &entry.peer_name {
                entry.node_id = identities::take(own, &peer.name, session, entry.node_id);
                // It may have ended without it.
                if entry.actor.get_status() >= ActorStatus::Stopping {
                    identities::release(session, false);
                }
            }
        }
    }
}
