//! From the first words to the announcement of actors: finding out where the peer is.

use std::time::Duration;

use bytes::Bytes;
use ractor::{ActorProcessingErr, ActorRef};

use super::super::{AbortOnDropTask, NodeSession, NodeSessionState};
use super::{name_of, Active, Farewell, Phase};
use crate::link::dial::Dialler;
use crate::link::directory;
use crate::link::proven_names;
use crate::link::quiet_log::{limited_info, limited_warn, peer_line};
use crate::link::refuse::{Notice, Refused, Who};
use crate::link::settle::{settle, Ending, Finding, Verdict};
use crate::link::{Event, LinkEvent, Refusal};
use crate::net::SessionMessage;
use crate::node::{NodeServerMessage, NodeSessionMessage};
use crate::peers::{self, PeerEvent};
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::{Announcement, Hello, Preference, Settled};
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
                state.start_pings();
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
                } else {
                    state.start_pings();
                }
                same_process
            }
        }
    }

    /// Logs that a peer was let in by stock's handshake alone, and tells subscribers of
    /// events.
    fn tell_of_stock(&self, state: &NodeSessionState) {
        let Some(active) = state.links.0.as_deref() else { return };
        let (node_id, peer) = (active.traffic.node_id(), name_of(&state.name).to_owned());
        let was_fork = proven_names::is_known(&peer);
        if was_fork {
            peer_line!(
                active.log(),
                StockAdmitted,
                warn,
                node_id,
                peer,
                address = state.links.address(),
                "a peer is let in by stock's challenge of 32 bits, and a node of the fork had its name before: \
                 it was replaced, or somebody passes for it (refuse_downgrade refuses it)"
            );
        } else {
            peer_line!(
                active.log(),
                StockAdmitted,
                warn,
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
        let is_due = is_first && hello.version != 0 && hello.nonce.len() == BYTES;
        let is_named = active.proving.is_named();
        if is_due {
            active.peer_nonce = Some(hello.nonce.clone());
            active.proving.greeted(hello);
        }
        if self.goes_on(state, &Finding::Hello { is_due, is_named }, myself) && self.is_server {
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
        let too_long = active.too_long(&announcement);
        let (client, server, end) = match self.is_server {
            true => (&announcement.share, &active.share.to_vec(), Role::Listener),
            false => (&active.share.to_vec(), &announcement.share, Role::Dialler),
        };
        let secret = Secret::new(&self.cookie, client, server);
        let found = Finding::Announced { too_long, has_share: secret.is_some() };
        if !self.goes_on(state, &found, myself) {
            return;
        }
        let (Some(active), Some(secret)) = (state.links.speaking(), secret) else { return };
        peer_line!(
            active.log(),
            ForkAdmitted,
            info,
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
        active.traffic.speak_ends(announcement.ends);
        active.traffic.traces.announced(announcement.traces);
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
        let (locality, must_be) = (active.traffic.locality(), active.policy().location);
        let found = Finding::Located { must_be, is: locality, unproven: unproven.as_deref() };
        if !self.goes_on(state, &found, myself) {
            return Ok(());
        }
        let Some(active) = state.links.speaking() else { return Ok(()) };
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

    /// Does what is settled about the peer after a finding. Returns whether it goes on.
    pub(super) fn goes_on(
        &self,
        state: &mut NodeSessionState,
        finding: &Finding<'_>,
        myself: &ActorRef<NodeSessionMessage>,
    ) -> bool {
        let verdict = settle(finding, state.links.standing(self.is_server));
        self.carry_out(state, verdict, myself)
    }

    /// Does what was settled about the peer. Returns whether it goes on.
    pub(super) fn carry_out(
        &self,
        state: &mut NodeSessionState,
        verdict: Verdict,
        myself: &ActorRef<NodeSessionMessage>,
    ) -> bool {
        match verdict {
            Verdict::GoesOn => return true,
            Verdict::Refused(refused) => {
                self.refuse(state, &refused);
                myself.stop(Some(refused.cause.end()));
            }
            Verdict::RefusedByPeer(cause) => self.refused_by_peer(state, cause, myself),
            Verdict::Contested(_) | Verdict::Ends => {}
        }
        false
    }

    /// Refuses the peer, unless the session ends already.
    fn refuse(&self, state: &mut NodeSessionState, refused: &Refused) {
        let address = state.links.address().to_owned();
        let (node_id, peer) = (Some(self.node_id), name_of(&state.name));
        let who = Who { node_id, what: "a peer", peer, address: &address };
        let Some(active) = state.links.0.as_deref_mut() else {
            // There is no server whose log has limits, and no link of the fork's.
            return refused.carry_out(who, None, |_| {});
        };
        if active.state.is_leaving() {
            return;
        }
        let server = active.server.clone();
        let mut farewell = match refused.notice {
            Notice::Superseded(newer) => Farewell::Superseded(newer),
            Notice::Cause | Notice::Nothing => Farewell::Nothing,
        };
        refused.carry_out(who, Some(&server.strangers.log), |frame| {
            if active.tell_refused(frame) {
                farewell = Farewell::Refused;
            }
        });
        active.leave(farewell, &refused.reason);
    }

    /// Says why a handshake failed that ended without a refusal: upstream's part of it failed, or
    /// the connection ended.
    pub(super) fn explain(&self, state: &mut NodeSessionState) {
        let is_authenticated = state.auth.is_ok();
        let Some(active) = state.links.0.as_deref() else { return };
        let Some(found) = active.state.unauthenticated() else { return };
        let is_closing = active.server.is_closing();
        let has_answered = active.proving.answered;
        let ending = Ending { found, is_authenticated, has_answered, is_closing };
        let verdict = settle(&Finding::Ended(ending), state.links.standing(self.is_server));
        if let Verdict::Refused(refused) = verdict {
            return self.refuse(state, &refused);
        }
        let (peer, address) = (name_of(&state.name), state.links.address());
        if is_closing {
            limited_info!(peer, address, "a handshake ends, since this node stops");
        } else {
            limited_warn!(
                node_id = self.node_id,
                peer,
                address,
                "a peer ended the handshake, and did not say why: look at its log"
            );
        }
    }

    /// A connection that is no link yet sent bytes that are no frame of a peer.
    pub(super) fn unreadable(
        &self,
        state: &mut NodeSessionState,
        error: &str,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let verdict = settle(&Finding::Unreadable(error), state.links.standing(self.is_server));
        if verdict != Verdict::Ends {
            self.carry_out(state, verdict, myself);
            return;
        }
        let (peer, address) = (name_of(&state.name), state.links.address());
        limited_warn!(
            peer,
            address,
            error,
            "a connection is closed: its bytes are no frame of a peer"
        );
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
    fn refused_by_peer(
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
    /// Sends the frame that says why the peer is refused, and ends the link with it. Returns
    /// whether there is a link for it.
    fn tell_refused(&self, frame: Bytes) -> bool {
        // One that has ended needs none.
        self.traffic.any().is_some_and(|it| it.cast(SessionMessage::Refuse(frame)).is_ok())
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
    let log = active.server.strangers.log.clone();
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
                        peer_line!(
                            Some(&log),
                            NotLocal,
                            warn,
                            peer,
                            %error,
                            "a peer looks local, and shares no memory"
                        );
                    } else {
                        peer_line!(
                            Some(&log),
                            NotLocal,
                            warn,
                            peer,
                            %kind,
                            %error,
                            "a peer looks local, and is not"
                        );
                    }
                    unproven = Some(error.to_string());
                }
            }
        }
        tell(settled(unproven.filter(|_| !proven)));
    }));
}
