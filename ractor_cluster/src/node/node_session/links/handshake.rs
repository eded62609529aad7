//! From the first words to the announcement of actors: finding out where the peer is.

use std::time::Duration;

use ractor::{ActorProcessingErr, ActorRef};

use super::super::{AbortOnDropTask, NodeSession, NodeSessionState};
use super::{name_of, Active, Farewell, Phase};
use crate::link::dial::Dialler;
use crate::link::directory;
use crate::link::options::Location;
use crate::link::proven_names;
use crate::link::quiet_log::{limited_info, limited_warn};
use crate::link::{Event, LinkEvent, Refusal};
use crate::net::SessionMessage;
use crate::node::{NodeServerMessage, NodeSessionMessage};
use crate::peers::{self, PeerEvent};
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::{Announcement, Hello, Preference, Refused, Settled};
use crate::transport::Locality;
use crate::transport::TransportKind;
use mycelium_link::secret::{Role, Secret, BYTES};

impl NodeSession {
    /// Whether the announcement of actors has to wait, or has been done in another way.
    pub(in crate::node::node_session) fn holds_back(
        &self,
        myself: &ActorRef<NodeSessionMessage>,
        state: &mut NodeSessionState,
    ) -> bool {
        if state.links.is_greeting() && !self.is_let_in(state, myself) {
            return true;
        }
        let Some(active) = state.links.0.as_deref_mut() else { return false };
        match active.state.phase() {
            _ if active.state.is_leaving() => true,
            Phase::Stock => false,
            Phase::Greeting if active.peer_nonce.is_none() => {
                active.state.admit_stock();
                if let (Some(tcp), Some(deadline)) = (&state.tcp, active.traffic.write_deadline()) {
                    _ = tcp.cast(SessionMessage::Deadline(deadline));
                }
                self.publish(state);
                self.tell_of_stock(state);
                false
            }
            Phase::Greeting => {
                let policy = active.server.options.policy(name_of(&state.name), None);
                // Both ends' handshakes have to fit in.
                let timeout = 2 * active.server.options.handshake_timeout;
                active.state.admit_fork(policy, deadline(myself, timeout));
                if let Some(link) = active.traffic.any() {
                    // Before the peer is told anything that it could answer with a message.
                    _ = link.cast(SessionMessage::Join(active.traffic.clone()));
                }
                if !self.is_server {
                    let announcement = active.announcement(self.is_server);
                    state.send_frame(Body::Announcement(announcement));
                }
                true
            }
            Phase::Holding => true,
            Phase::Settled => {
                let same_process = active.traffic.locality() == Locality::SameProcess;
                if same_process {
                    state.be_ready_without_actors();
                }
                same_process
            }
        }
    }

    /// Logs that a peer was let in by stock's handshake alone, and tells those who listen to
    /// events.
    fn tell_of_stock(&self, state: &NodeSessionState) {
        let Some(active) = state.links.0.as_deref() else { return };
        let (node_id, peer) = (active.traffic.node_id(), name_of(&state.name).to_owned());
        let was_fork = proven_names::is_known(&peer);
        if was_fork {
            tracing::warn!(
                node_id,
                peer,
                address = state.links.address(),
                "a peer is let in by stock's challenge of 32 bits, and a node of the fork had its name before: \
                 it was replaced, or somebody passes for it (refuse_downgrade refuses it)"
            );
        } else {
            tracing::warn!(
                node_id,
                peer,
                address = state.links.address(),
                "a peer is let in by stock's challenge of 32 bits: it is a stock node, or passes for one \
                 (strict refuses it)"
            );
        }
        peers::tell(PeerEvent::StockAdmitted { node_id, name: peer, was_fork });
    }

    pub(super) fn greeted(
        &self,
        state: &mut NodeSessionState,
        hello: Hello,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        // Without a node server of ours there is no peer to greet.
        let Some(active) = state.links.0.as_deref_mut() else { return };
        let is_first = active.state.phase() == Phase::Greeting && active.peer_nonce.is_none();
        if !is_first || hello.version == 0 || hello.nonce.len() != BYTES {
            let reason = "invalid or repeated Hello";
            self.refuse(state, Refusal::OutOfTurn, reason, myself);
            return;
        }
        active.peer_nonce = Some(hello.nonce.clone());
        if let Err(fault) = active.proving.greeted(hello) {
            self.refuse(state, fault.cause(), &fault.to_string(), myself);
            return;
        }
        if self.is_server {
            state.links.greet(state.tcp.as_ref());
        }
    }

    /// The peer told of itself.
    pub(super) fn announced(
        &self,
        state: &mut NodeSessionState,
        announcement: Announcement,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let name = name_of(&state.name).to_owned();
        let Some(active) = state.links.speaking() else { return };
        if let Some(reason) = active.too_long(&announcement) {
            self.refuse(state, Refusal::OutOfTurn, reason, myself);
            return;
        }
        let (client, server, end) = match self.is_server {
            true => (&announcement.share, &active.share.to_vec(), Role::Listener),
            false => (&active.share.to_vec(), &announcement.share, Role::Dialler),
        };
        let Some(secret) = Secret::new(&self.cookie, client, server) else {
            let reason = "its announcement has no share of a secret";
            self.refuse(state, Refusal::OutOfTurn, reason, myself);
            return;
        };
        tracing::info!(
            node_id = self.node_id,
            peer = name,
            release = announcement.release,
            "the peer runs Mycelium's fork"
        );
        proven_names::remember(&name);
        if announcement.lanes {
            active.traffic.take_slots();
        }
        active.traffic.credits.speak(announcement.credits);
        let Some(fork) = active.state.fork_mut() else { return };
        fork.policy = active.server.options.policy(&name, announcement.number);
        if let Some(bytes) = announcement.max_frame {
            active.traffic.set_max_frame(bytes);
        }
        let theirs = announcement.preference();
        active.traffic.pin_node(match theirs {
            Preference::Adaptive => active.preference().into(),
            pinned => pinned,
        });
        if let Some(fork) = active.state.fork_mut() {
            fork.announcement = Some(announcement);
        }
        let session = directory::Session {
            node_id: active.traffic.node_id(),
            handler: myself.clone(),
            secret: secret.clone(),
            local: active.may_be_local(),
            upgrade: active.shared_memory(),
        };
        let open = directory::open(session, end);
        let dialler = (!self.is_server).then(|| Dialler {
            session: myself.clone(),
            secret,
            max_frame: self.max_inbound_frame_size,
            timeout: active.server.options.handshake_timeout,
            upgrade: active.shared_memory(),
        });
        if let Some(fork) = active.state.fork_mut() {
            (fork.open, fork.dialler) = (Some(open), dialler);
        }
        if self.is_server {
            let announcement = active.announcement(self.is_server);
            state.send_frame(Body::Announcement(announcement));
        } else {
            look_closer(active, name, myself.clone());
        }
    }

    /// Where the peer is is known: actors are announced.
    pub(super) fn settle(
        &self,
        state: &mut NodeSessionState,
        unproven: Option<String>,
        myself: &ActorRef<NodeSessionMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let Some(active) = state.links.speaking().filter(|it| it.state.is_handshake()) else {
            return Ok(());
        };
        let locality = active.traffic.locality();
        if active.policy().location == Location::Local && locality == Locality::Remote {
            let unproven = unproven.as_deref().unwrap_or("no local link was made");
            let reason = format!(
                "by configuration it is on this machine, and it has not proven so: {unproven}"
            );
            self.refuse(state, Refusal::NotLocal, &reason, myself);
            return Ok(());
        }
        active.state.settle();
        let announcer = active.announcer.clone();
        if locality != Locality::SameProcess {
            active.traffic.open();
            myself.get_cell().set_event_tap(announcer.clone());
        }
        if !self.is_server {
            let links = active.traffic.infos();
            for route in active.local_routes() {
                if !links.iter().any(|link| link.kind == route.kind()) {
                    active.redial(route.kind());
                }
            }
            state.send_frame(Body::Settled(Settled {}));
        }
        self.publish(state);
        self.after_authenticated(myself.clone(), state);
        announcer.begin();
        if state.ready.is_ok() {
            self.node_server.cast(NodeServerMessage::ConnectionReady(myself.get_id()))?;
        }
        Ok(())
    }

    /// Refuses the peer: tells it why, where it is a node of the fork, logs that, and ends the
    /// session.
    pub(super) fn refuse(
        &self,
        state: &mut NodeSessionState,
        cause: Refusal,
        reason: &str,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        self.refuse_with(state, cause, reason, None, myself);
    }

    /// The same, with what the peer is told instead of the cause.
    pub(super) fn refuse_with(
        &self,
        state: &mut NodeSessionState,
        cause: Refusal,
        reason: &str,
        told: Option<Farewell>,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let (peer, address) = (name_of(&state.name), state.links.address());
        let is_explained = state.links.is_leaving();
        if let Some(suppressed) = state.links.refused(cause).filter(|_| !is_explained) {
            tracing::warn!(
                node_id = self.node_id,
                peer,
                address,
                reason,
                cause = cause.name(),
                advice = %cause,
                suppressed,
                "a peer is refused"
            );
        }
        if let Some(active) = &mut state.links.0 {
            active.refuse(cause, reason, told);
        }
        myself.stop(Some(cause.end()));
    }

    /// Says why a handshake failed that ended without a refusal: upstream's part of it failed, or
    /// the connection ended.
    pub(super) fn explain(&self, state: &mut NodeSessionState) {
        let authenticated = state.auth.is_ok();
        let (peer, address) = (name_of(&state.name).to_owned(), state.links.address().to_owned());
        let Some(active) = state.links.0.as_deref_mut() else { return };
        let Some(found) = active.state.unauthenticated() else { return };
        let cause = found.or(match active.proving.answered {
            _ if authenticated => Some(Refusal::NameTaken),
            true => Some(Refusal::WrongCookie),
            // The peer has refused this node, or has ended; or this node ends.
            false if !self.is_server || active.server.is_closing() => None,
            false => Some(Refusal::Unauthenticated),
        });
        let Some(cause) = cause else {
            if active.server.is_closing() {
                limited_info!(peer, address, "a handshake ends with this node");
            } else {
                limited_warn!(
                    node_id = self.node_id,
                    peer,
                    address,
                    "a peer ended the handshake, and did not say why: look at its log"
                );
            }
            return;
        };
        active.refuse(cause, cause.name(), None);
        if let Some(suppressed) = active.server.strangers.log.refused(cause) {
            tracing::warn!(
                node_id = self.node_id,
                peer,
                address,
                cause = cause.name(),
                advice = %cause,
                suppressed,
                "a peer is refused: it was not authenticated"
            );
        }
    }

    /// What came by a connection that is no link yet is no frame of a peer.
    pub(super) fn unreadable(
        &self,
        state: &mut NodeSessionState,
        error: &str,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        if state.links.is_greeting() {
            match Refusal::of_unreadable(error) {
                // The peer has refused this end's certificate.
                Refusal::Tls => self.refused_by_peer(state, Refusal::Tls, myself),
                cause => {
                    let reason = format!("what it sent cannot be read: {error}");
                    self.refuse(state, cause, &reason, myself);
                }
            }
            return;
        }
        let (peer, address) = (name_of(&state.name), state.links.address());
        limited_warn!(peer, address, error, "a connection is closed for what came by it");
        // Its end ends the session.
        if let Some(connection) = &state.tcp {
            connection.stop(Some("unreadable".to_owned()));
        }
    }

    /// The connection ended before the handshake was done, and all that came by it is handled.
    pub(super) fn ended(
        &self,
        state: &mut NodeSessionState,
        reason: &'static str,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let Some(active) = state.links.0.as_deref_mut() else { return };
        if !active.traffic.backlog().is_empty() {
            _ = myself.cast(LinkEvent(Event::Ended(reason)).into());
            return;
        }
        active.lost.get_or_insert_with(|| "its last link broke".to_owned());
        myself.stop(Some(reason.to_owned()));
    }

    /// The peer refuses this node.
    pub(super) fn refused_by_peer(
        &self,
        state: &mut NodeSessionState,
        cause: Refusal,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let (peer, address) = (name_of(&state.name), state.links.address());
        let is_explained = state.links.is_leaving();
        // This node did not refuse anybody: nothing is counted.
        if !is_explained && !self.is_server {
            tracing::warn!(
                node_id = self.node_id,
                peer,
                address,
                cause = cause.name(),
                advice = %cause,
                "a peer refused this node"
            );
        } else if !is_explained {
            limited_warn!(peer, address, cause = cause.name(), "a peer refused this node");
        }
        if let Some(active) = &mut state.links.0 {
            active.leave(Farewell::Nothing, &format!("it refused this node: {cause}"));
        }
        myself.stop(Some(cause.end_by_peer()));
    }
}

impl Active {
    /// The session ends because the peer is refused. The peer learns what `told` says, or the
    /// cause.
    fn refuse(&mut self, cause: Refusal, why: &str, told: Option<Farewell>) {
        if self.state.is_leaving() {
            return;
        }
        let farewell = told.unwrap_or_else(|| match self.tell_refused(cause) {
            true => Farewell::Refused,
            false => Farewell::Nothing,
        });
        self.leave(farewell, why);
    }

    /// Tells the peer why it is refused. A stock node does not know the frame, and a stranger gets
    /// none. Returns whether there is a link for it.
    fn tell_refused(&self, cause: Refusal) -> bool {
        let Some(link) = self.traffic.any().filter(|_| self.peer_nonce.is_some()) else {
            return false;
        };
        let refused = Body::Refused(Refused { code: cause.code() }).encoded();
        // One that has ended needs none.
        link.cast(SessionMessage::Refuse(refused)).is_ok()
    }
}

/// Tells the session when its peer should have been done.
pub(super) fn deadline(
    myself: &ActorRef<NodeSessionMessage>,
    timeout: Duration,
) -> AbortOnDropTask {
    let myself = myself.clone();
    AbortOnDropTask::new(ractor::concurrency::spawn(async move {
        ractor::concurrency::sleep(timeout).await;
        // It may have ended.
        _ = myself.cast(NodeSessionMessage::Link(LinkEvent(Event::Overdue)));
    }))
}

/// Tries what looks cheaper than the first link, and has the session settle.
fn look_closer(active: &Active, peer: String, session: ActorRef<NodeSessionMessage>) {
    let tell = move |event| {
        // It may have ended.
        _ = session.cast(event);
    };
    let settled = |unproven| NodeSessionMessage::Link(LinkEvent(Event::Settled { unproven }));
    let (routes, Some(dialler)) = (active.local_routes(), active.dialler()) else { return };
    let mut unproven = Some("it does not look like one of this machine".to_owned());
    // Ends by itself: every step of a dial has a deadline.
    drop(ractor::concurrency::spawn(async move {
        let mut proven = false;
        for route in routes {
            match dialler.dial(&route, false).await {
                Ok(link) => {
                    tell(LinkEvent::up(link));
                    proven = true;
                }
                Err(error) => {
                    let kind = route.kind();
                    if kind == TransportKind::SharedMemory {
                        tracing::warn!(peer, %error, "a peer looks local, and shares no memory");
                    } else {
                        tracing::warn!(peer, %kind, %error, "a peer looks local, and is not");
                    }
                    unproven = Some(error.to_string());
                }
            }
        }
        tell(settled(unproven.filter(|_| !proven)));
    }));
}
