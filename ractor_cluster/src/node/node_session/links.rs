//! What a session does beside upstream's when its peer is a node of the fork: it finds out where
//! the peer is, makes the links that lead there, and sends by the cheapest.
//!
//! 1. The one who connects says `Hello` before all else, and the other answers it. Stock nodes skip
//!    it, and are known by not answering.
//! 2. After authentication the one who connected announces itself, and then the other. Both know the
//!    session's secret from here on.
//! 3. The one who connected tries what looks local, and says `Settled`. Only then do both announce
//!    their actors, so that these get the right ids; and between two nodes of one process neither
//!    announces any, since they have the same.
//! 4. Everything else goes in envelopes ([`lane`](crate::link::lane)), by whatever link there is.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ractor::actor::actor_config::TransportPreference;
use ractor::{ActorCell, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::{AbortOnDropTask, NodeSession, NodeSessionState, ReadyState};
use crate::link::dial::{Dialler, Redial, Route};
use crate::link::directory::{self, Open, Server};
use crate::link::lane::LaneError;
use crate::link::options::{Location, PeerPolicy};
use crate::link::secret::{draw, Role, Secret, BYTES};
use crate::link::table::{Link, Table};
use crate::link::{identity, Event, LinkEvent};
use crate::locality::Locality;
use crate::net::{NetworkStream, Session, SessionMessage};
use crate::node::{NodeServerMessage, NodeSessionMessage};
use crate::peers::{self, LinkInfo, PeerInfo};
use crate::protocol::control::control_message::Msg as Control;
use crate::protocol::control::{ControlMessage, Ready};
use crate::protocol::meta::network_message::Message;
use crate::protocol::mycelium::envelope::Body as Enveloped;
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::{
    self as wire, ActorPreference, Announcement, Frame, Hello, Preference, Preferences, Settled,
};
use crate::protocol::node::node_message::Msg as Node;
use crate::protocol::node::NodeMessage;
use crate::protocol::NetworkMessage;
use crate::transport::{Transport, TransportKind};

/// A session has no use for more links than there are kinds of them; a peer shall not make more.
const MAX_LINKS: usize = 8;

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Whether the peer is a node of the fork is not known, since it is not authenticated.
    Greeting,
    /// It is a stock node.
    Stock,
    /// It is one of the fork's, and where it is is being found out.
    Holding,
    /// It is known where it is, and actors are announced.
    Settled,
}

/// The links of a session; nothing where no node server of this process is behind it.
#[derive(Debug, Default)]
pub(super) struct Links(Option<Box<Active>>);

#[derive(Debug)]
struct Active {
    /// Nothing in it changes after the server's start, so that no panic can leave it half changed.
    server: AssertUnwindSafe<Arc<Server>>,
    phase: Phase,
    table: Table,
    first: LinkInfo,
    nonce: [u8; BYTES],
    peer_nonce: Option<Vec<u8>>,
    share: [u8; BYTES],
    policy: PeerPolicy,
    announcement: Option<Announcement>,
    /// Further links find the session as long as this is held.
    open: Option<Open>,
    dialler: Option<Dialler>,
    redials: HashMap<TransportKind, Redial>,
    overdue: Option<AbortOnDropTask>,
    /// Why the session ends is in the log.
    explained: bool,
}

/// A session may be killed, with the node server above it; nobody shall then find it any more.
impl Drop for Active {
    fn drop(&mut self) {
        let unacknowledged = (self.phase == Phase::Settled).then(|| self.table.unacknowledged());
        peers::forget(self.table.node_id(), unacknowledged);
    }
}

impl Links {
    /// Of a session that begins with one connection.
    pub(super) fn begin(
        session: &NodeSession,
        (kind, peer, local): (TransportKind, String, String),
        actor: &ActorRef<SessionMessage>,
        myself: &ActorRef<NodeSessionMessage>,
    ) -> Self {
        let Some(server) = directory::server(session.node_server.get_id()) else {
            return Self(None);
        };
        let mut table = Table::new(session.node_id, server.options.replay_window);
        let first = table.begin(Link { kind, peer, local, actor: actor.clone() });
        let overdue = Some(deadline(myself, server.options.handshake_timeout));
        Self(Some(Box::new(Active {
            server: AssertUnwindSafe(server),
            phase: Phase::Greeting,
            table,
            first,
            nonce: draw(),
            peer_nonce: None,
            share: draw(),
            policy: PeerPolicy::default(),
            announcement: None,
            open: None,
            dialler: None,
            redials: HashMap::new(),
            overdue,
            explained: false,
        })))
    }

    /// Says `Hello` as the first of a connection.
    pub(super) fn greet(&self, tcp: Option<&ActorRef<SessionMessage>>) {
        if let (Some(active), Some(tcp)) = (&self.0, tcp) {
            let hello = Hello { version: wire::VERSION, nonce: active.nonce.to_vec() };
            _ = tcp.cast(SessionMessage::Send(Body::Hello(hello).into()));
        }
    }

    /// A proxy begins.
    pub(super) fn gate(&mut self, pid: u64, proxy: ActorCell) {
        if let Some(active) = &mut self.0 {
            active.table.gate(pid, proxy);
        }
    }

    /// The session ends.
    pub(super) fn end(
        &mut self,
        node_id: crate::NodeId,
        name: &Option<super::auth_protocol::NameMessage>,
    ) {
        let Some(active) = self.0.take() else { return };
        let lost = active.table.unacknowledged();
        let (peer, address) = (name_of(name), active.first.peer.as_str());
        if active.phase == Phase::Greeting && !active.explained {
            tracing::warn!(node_id, peer, address, "a peer is refused: it was not authenticated");
        } else if active.phase == Phase::Settled && lost > 0 {
            tracing::warn!(node_id, peer, lost, "a session ended with messages unacknowledged");
        }
    }

    /// Where the session's first connection leads, for people.
    fn address(&self) -> &str {
        self.0.as_ref().map_or("", |active| active.first.peer.as_str())
    }

    /// Those of a session whose peer takes envelopes.
    fn speaking(&mut self) -> Option<&mut Active> {
        self.0
            .as_deref_mut()
            .filter(|active| matches!(active.phase, Phase::Holding | Phase::Settled))
    }
}

impl Active {
    /// What both ends hash their identities with: the nonce of who connected goes first.
    fn salt(&self, is_server: bool) -> Vec<u8> {
        let peer = self.peer_nonce.clone().unwrap_or_default();
        match is_server {
            true => [peer.as_slice(), &self.nonce].concat(),
            false => [self.nonce.as_slice(), &peer].concat(),
        }
    }

    /// Whether the one who connected has still to say that it has tried what there was.
    fn awaits_settled(&self) -> bool {
        self.phase == Phase::Holding && self.announcement.is_some()
    }

    /// The transport by which this node sends, where the peer and its actors leave the choice.
    fn preference(&self) -> TransportPreference {
        match self.policy.preference {
            TransportPreference::Adaptive => self.server.options.preference,
            pinned => pinned,
        }
    }

    /// Whether links that do not leave the machine are looked for, and taken.
    fn may_be_local(&self) -> bool {
        let pinned_elsewhere =
            matches!(self.preference(), TransportPreference::Tcp | TransportPreference::Tls);
        self.policy.location != Location::Remote && !pinned_elsewhere
    }

    fn announcement(&self, is_server: bool) -> Announcement {
        let salt = self.salt(is_server);
        let end = if is_server { Role::Listener } else { Role::Dialler };
        let local = self.may_be_local();
        let socket = self.server.unix_socket().filter(|_| local);
        Announcement {
            release: env!("CARGO_PKG_VERSION").to_owned(),
            number: self.server.options.number,
            machine: identity::machine(&salt, end).filter(|_| local),
            process: local.then(|| identity::process(&salt, end)),
            share: self.share.to_vec(),
            unix_socket: socket.and_then(|path| path.into_os_string().into_string().ok()),
            preference: Preference::from(self.server.options.preference).into(),
        }
    }

    /// The way to the peer, which was connected to, that looks cheaper than the first link.
    fn local_route(&self) -> Option<Route> {
        let peer = self.announcement.as_ref()?;
        let salt = self.salt(false);
        let is =
            |theirs: &Option<Vec<u8>>, ours: Option<Vec<u8>>| theirs.is_some() && *theirs == ours;
        let route = if !self.may_be_local() {
            return None;
        } else if is(&peer.process, Some(identity::process(&salt, Role::Listener))) {
            Route::InProcess
        } else if is(&peer.machine, identity::machine(&salt, Role::Listener)) {
            Route::Unix(PathBuf::from(peer.unix_socket.as_ref()?))
        } else {
            return None;
        };
        (route.kind() < self.first.kind).then_some(route)
    }

    /// The way to make a link of this kind again, if there is one.
    fn route_again(&self, kind: TransportKind) -> Option<Route> {
        match kind {
            TransportKind::Tcp => Some(Route::Tcp(self.first.peer.parse().ok()?)),
            _ => self.local_route().filter(|route| route.kind() == kind),
        }
    }

    /// Goes on trying to have a link of this kind.
    fn redial(&mut self, kind: TransportKind) {
        if let (Some(dialler), Some(route)) = (self.dialler.clone(), self.route_again(kind)) {
            self.redials.insert(kind, dialler.keep_dialling(route));
        }
    }
}

impl NodeSession {
    /// Whether the announcement of actors has to wait, or has been done in another way.
    pub(super) fn holds_back(
        &self,
        myself: &ActorRef<NodeSessionMessage>,
        state: &mut NodeSessionState,
    ) -> bool {
        let Some(active) = state.links.0.as_deref_mut() else { return false };
        match active.phase {
            Phase::Stock => false,
            Phase::Greeting if active.peer_nonce.is_none() => {
                active.phase = Phase::Stock;
                active.overdue = None;
                self.publish(state);
                false
            }
            Phase::Greeting => {
                active.phase = Phase::Holding;
                active.policy = active.server.options.policy(name_of(&state.name), None);
                // Both ends' handshakes have to fit in.
                let timeout = 2 * active.server.options.handshake_timeout;
                active.overdue = Some(deadline(myself, timeout));
                if !self.is_server {
                    let announcement = active.announcement(self.is_server);
                    state.send_frame(Body::Announcement(announcement));
                }
                true
            }
            Phase::Holding => true,
            Phase::Settled => {
                let same_process = active.table.locality() == Locality::SameProcess;
                if same_process {
                    state.be_ready_without_actors();
                }
                same_process
            }
        }
    }

    /// A frame of the fork's came.
    pub(super) async fn handle_frame(
        &self,
        state: &mut NodeSessionState,
        frame: Frame,
        myself: ActorRef<NodeSessionMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let Some(body) = frame.body else { return Ok(()) };
        if let Body::Hello(hello) = body {
            self.greeted(state, hello, &myself);
            return Ok(());
        }
        let Some(active) = state.links.speaking() else {
            self.refuse(state, "it sent a frame before its Hello or its authentication", &myself);
            return Ok(());
        };
        let outcome = match body {
            Body::Envelope(envelope) => match active.table.receive(envelope) {
                Ok(Some(body)) => {
                    self.deliver(state, body, &myself).await?;
                    Ok(())
                }
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            },
            Body::Acknowledgement(it) => active.table.acknowledged(it.lane, it.acknowledged),
            Body::Announcement(announcement) if active.announcement.is_none() => {
                self.announced(state, announcement, &myself);
                Ok(())
            }
            Body::Settled(Settled { .. }) if self.is_server && active.awaits_settled() => {
                self.settle(state, None, &myself)?;
                Ok(())
            }
            _ => {
                self.refuse(state, "it sent a frame that was not due", &myself);
                return Ok(());
            }
        };
        match outcome {
            Ok(()) => {
                if let Some(active) = state.links.speaking() {
                    active.table.acknowledge(false);
                }
                self.publish_news(state);
            }
            Err(error) => self.break_off(state, &error, &myself),
        }
        Ok(())
    }

    /// The session cannot go on without loss or doubling.
    fn break_off(
        &self,
        state: &NodeSessionState,
        error: &LaneError,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let (peer, address) = (name_of(&state.name), state.links.address());
        tracing::error!(node_id = self.node_id, peer, address, %error, "a session ends");
        myself.stop(Some("session_broken".to_owned()));
    }

    /// The peer did what no node does: there is no telling what else it would do.
    fn refuse(
        &self,
        state: &mut NodeSessionState,
        reason: &str,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let (peer, address) = (name_of(&state.name), state.links.address());
        tracing::warn!(node_id = self.node_id, peer, address, reason, "a peer is refused");
        if let Some(active) = &mut state.links.0 {
            active.explained = true;
        }
        myself.stop(Some("peer_refused".to_owned()));
    }

    fn greeted(
        &self,
        state: &mut NodeSessionState,
        hello: Hello,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        // Without a node server of ours there is nobody to greet.
        let Some(active) = state.links.0.as_deref_mut() else { return };
        let is_first = active.phase == Phase::Greeting && active.peer_nonce.is_none();
        if !is_first || hello.version == 0 || hello.nonce.len() != BYTES {
            self.refuse(state, "its Hello is none, or not the first", myself);
            return;
        }
        active.peer_nonce = Some(hello.nonce);
        if self.is_server {
            state.links.greet(state.tcp.as_ref());
        }
    }

    /// What is in an envelope goes where it would have gone without.
    async fn deliver(
        &self,
        state: &mut NodeSessionState,
        body: Enveloped,
        myself: &ActorRef<NodeSessionMessage>,
    ) -> Result<(), ActorProcessingErr> {
        match body {
            Enveloped::Node(message) => self.handle_node(state, message, myself.clone()),
            Enveloped::Control(message) => {
                if let (Some(Control::Terminate(ended)), Some(active)) =
                    (&message.msg, state.links.speaking())
                {
                    for pid in &ended.ids {
                        active.table.forget(*pid);
                    }
                }
                self.handle_control(state, message, myself.clone()).await?;
            }
            Enveloped::Preferences(Preferences { actors }) => {
                if let Some(active) = state.links.speaking() {
                    for actor in actors {
                        active.table.pin_actor(actor.pid, actor.preference());
                    }
                }
            }
            Enveloped::Fence(_) => {}
        }
        Ok(())
    }

    /// The peer told of itself.
    fn announced(
        &self,
        state: &mut NodeSessionState,
        announcement: Announcement,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let name = name_of(&state.name).to_owned();
        let Some(active) = state.links.speaking() else { return };
        let (client, server, end) = match self.is_server {
            true => (&announcement.share, &active.share.to_vec(), Role::Listener),
            false => (&active.share.to_vec(), &announcement.share, Role::Dialler),
        };
        let Some(secret) = Secret::new(&self.cookie, client, server) else {
            self.refuse(state, "its announcement has no share of a secret", myself);
            return;
        };
        tracing::info!(
            node_id = self.node_id,
            peer = name,
            release = announcement.release,
            "the peer runs Mycelium's fork"
        );
        active.policy = active.server.options.policy(&name, announcement.number);
        let theirs = announcement.preference();
        active.table.pin_node(match theirs {
            Preference::Adaptive => active.preference().into(),
            pinned => pinned,
        });
        active.announcement = Some(announcement);
        let session = directory::Session {
            node_id: self.node_id,
            handler: myself.clone(),
            secret: secret.clone(),
            local: active.may_be_local(),
        };
        active.open = Some(directory::open(session, end));
        if self.is_server {
            let announcement = active.announcement(self.is_server);
            state.send_frame(Body::Announcement(announcement));
        } else {
            active.dialler = Some(Dialler {
                session: myself.clone(),
                secret,
                max_frame: self.max_inbound_frame_size,
                timeout: active.server.options.handshake_timeout,
            });
            look_closer(active, name, myself.clone());
        }
    }

    /// Where the peer is is known: actors are announced.
    fn settle(
        &self,
        state: &mut NodeSessionState,
        unproven: Option<String>,
        myself: &ActorRef<NodeSessionMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let Some(active) = state.links.speaking().filter(|it| it.phase == Phase::Holding) else {
            return Ok(());
        };
        let locality = active.table.locality();
        if active.policy.location == Location::Local && locality == Locality::Remote {
            tracing::error!(
                node_id = self.node_id,
                peer = name_of(&state.name),
                reason = unproven.as_deref().unwrap_or("no local link was made"),
                "a peer is refused: by configuration it is on this machine, and it has not proven so"
            );
            myself.stop(Some("locality_unproven".to_owned()));
            return Ok(());
        }
        active.phase = Phase::Settled;
        active.overdue = None;
        if !self.is_server {
            if let (Some(route), Locality::Remote) = (active.local_route(), locality) {
                active.redial(route.kind());
            }
            state.send_frame(Body::Settled(Settled {
                same_process: locality == Locality::SameProcess,
            }));
        }
        self.publish(state);
        self.after_authenticated(myself.clone(), state);
        if state.ready.is_ok() {
            self.node_server.cast(NodeServerMessage::ConnectionReady(myself.get_id()))?;
        }
        Ok(())
    }

    /// Something happened to a link.
    pub(super) async fn handle_link(
        &self,
        state: &mut NodeSessionState,
        LinkEvent(event): LinkEvent,
        myself: ActorRef<NodeSessionMessage>,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            Event::Up(transport) => {
                let transport = transport.into_inner().unwrap_or_else(PoisonError::into_inner);
                self.link_up(state, transport, &myself).await;
            }
            Event::Settled { unproven } => self.settle(state, unproven, &myself)?,
            Event::Overdue => {
                let phase = state.links.0.as_ref().map(|active| active.phase);
                if matches!(phase, Some(Phase::Greeting | Phase::Holding)) {
                    self.refuse(state, "its handshake was not done in time", &myself);
                }
            }
            Event::Close(kind) => {
                if let Some(active) = state.links.speaking() {
                    active.table.close(kind);
                }
            }
            Event::Shared(cast) => {
                let actor = ractor::registry::where_is_pid(ActorId::Local(cast.to));
                let undelivered = match actor {
                    None => Some("there is no such actor".to_owned()),
                    Some(actor) => {
                        actor.send_shared(cast.message).err().map(|error| error.to_string())
                    }
                };
                if let Some(reason) = undelivered {
                    tracing::warn!(pid = cast.to, reason, "a shared message is lost");
                }
            }
        }
        Ok(())
    }

    async fn link_up(
        &self,
        state: &mut NodeSessionState,
        transport: Box<dyn Transport>,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let Some(active) = state.links.speaking() else { return };
        if active.table.infos().len() >= MAX_LINKS {
            let peer = name_of(&state.name);
            tracing::warn!(node_id = self.node_id, peer, "a link is refused: there are enough");
            return;
        }
        let stream = NetworkStream::Transport(transport);
        let (kind, peer, local) = stream.describe();
        let (peer_addr, local_addr) = (state.peer_addr, state.local_addr);
        let max = self.max_inbound_frame_size;
        let cell = myself.get_cell();
        let spawned =
            Session::spawn_linked(myself.clone(), stream, peer_addr, local_addr, max, cell).await;
        // Why it did not is logged.
        let Ok(actor) = spawned else { return };
        active.redials.remove(&kind);
        active.table.add(Link { kind, peer, local, actor });
        self.publish_news(state);
    }

    /// Takes the events of links from upstream's handling, unless the last link ended.
    pub(super) fn handle_link_end(
        &self,
        myself: &ActorRef<NodeSessionMessage>,
        event: SupervisionEvent,
        state: &mut NodeSessionState,
    ) -> Option<SupervisionEvent> {
        let (SupervisionEvent::ActorFailed(actor, _)
        | SupervisionEvent::ActorTerminated(actor, ..)) = &event
        else {
            return Some(event);
        };
        let ended = actor.get_id();
        let Some(active) = state.links.0.as_deref_mut() else { return Some(event) };
        active.table.link(ended)?;
        if active.table.infos().len() == 1 {
            // Upstream ends the session.
            return Some(event);
        }
        match active.table.remove(ended)? {
            Err(error) => self.break_off(state, &error, myself),
            Ok(lost) => {
                let peer = name_of(&state.name);
                tracing::warn!(node_id = self.node_id, peer, kind = %lost.kind, "a link broke");
                active.redial(lost.kind);
                let other = active.table.any().map(|link| link.actor.clone());
                if state.is_tcp_actor(ended) {
                    state.tcp = other;
                    state.ping_task = None;
                    state.start_ping_loop();
                }
                self.publish_news(state);
            }
        }
        None
    }

    /// Tells the process what is known of the peer, and what has happened.
    fn publish(&self, state: &mut NodeSessionState) {
        let Some(active) = state.links.0.as_deref_mut() else { return };
        peers::publish(PeerInfo {
            node_id: self.node_id,
            name: name_of(&state.name).to_owned(),
            number: active.announcement.as_ref().and_then(|it| it.number),
            release: active.announcement.as_ref().map(|it| it.release.clone()),
            locality: active.table.locality(),
            links: active.table.infos(),
        });
        for event in active.table.take_news() {
            peers::tell(event);
        }
    }

    /// Publishes if something has happened to a peer that was published.
    fn publish_news(&self, state: &mut NodeSessionState) {
        let Some(active) = state.links.0.as_deref() else { return };
        if active.phase == Phase::Settled && active.table.has_news() {
            self.publish(state);
        }
    }
}

/// Tells the session when its peer should have been done.
fn deadline(myself: &ActorRef<NodeSessionMessage>, timeout: Duration) -> AbortOnDropTask {
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
    let (Some(route), Some(dialler)) = (active.local_route(), active.dialler.clone()) else {
        let unproven = Some("it does not look like one of this machine".to_owned());
        return tell(settled(unproven));
    };
    // Ends by itself: every step of a dial has a deadline.
    drop(ractor::concurrency::spawn(async move {
        let unproven = match dialler.dial(&route).await {
            Ok(link) => {
                tell(LinkEvent::up(link));
                None
            }
            Err(error) => {
                tracing::warn!(peer, kind = %route.kind(), %error, "a peer looks local, and is not");
                Some(error.to_string())
            }
        };
        tell(settled(unproven));
    }));
}

impl NodeSessionState {
    /// Sends a message of the session: in an envelope, by the link for its target, to a node of the
    /// fork, and as it is to a stock node.
    pub(super) fn tcp_send_node(&mut self, message: NodeMessage) {
        let to = match &message.msg {
            Some(Node::Cast(cast)) => Some(cast.to),
            Some(Node::Call(call)) => Some(call.to),
            // It names the actor that was called, which is one of ours.
            Some(Node::Reply(_)) | None => None,
        };
        match self.links.speaking() {
            Some(active) => active.table.send(to, Enveloped::Node(message)),
            None => self.send_message(Message::Node(message)),
        }
    }

    /// As [`tcp_send_node`](Self::tcp_send_node). Which transport actors prefer goes before they are
    /// announced.
    pub(super) fn tcp_send_control(&mut self, message: ControlMessage) {
        let Some(active) = self.links.speaking() else {
            return self.send_message(Message::Control(message));
        };
        let actors = match &message.msg {
            Some(Control::Spawn(spawn)) => spawn.actors.as_slice(),
            Some(Control::PgJoin(join)) => join.actors.as_slice(),
            _ => &[],
        };
        let actors: Vec<ActorPreference> =
            actors.iter().filter_map(|actor| preference_of(actor.pid)).collect();
        if !actors.is_empty() {
            active.table.send(None, Enveloped::Preferences(Preferences { actors }));
        }
        let is_pong = matches!(message.msg, Some(Control::Pong(_)));
        active.table.send(None, Enveloped::Control(message));
        if is_pong {
            // Now and then whatever came is acknowledged.
            active.table.acknowledge(true);
        }
    }

    fn send_message(&self, message: Message) {
        if let Some(tcp) = &self.tcp {
            // The connection's end is an event.
            _ = tcp.cast(SessionMessage::Send(NetworkMessage { message: Some(message) }));
        }
    }

    /// Sends a frame that is in no envelope, by the best link.
    fn send_frame(&mut self, body: Body) {
        if let Some(link) = self.links.0.as_deref().and_then(|active| active.table.any()) {
            _ = link.actor.cast(SessionMessage::Frame(body.encoded().into()));
        }
    }

    /// Between nodes of one process: they have the same actors and groups.
    fn be_ready_without_actors(&mut self) {
        self.start_ping_loop();
        self.tcp_send_control(ControlMessage { msg: Some(Control::Ready(Ready {})) });
        self.ready = match self.ready {
            ReadyState::Open | ReadyState::SyncSent => ReadyState::SyncSent,
            ReadyState::SyncReceived | ReadyState::Ready => ReadyState::Ready,
        };
    }
}

/// What an actor of ours pins, if it does.
fn preference_of(pid: u64) -> Option<ActorPreference> {
    let actor = ractor::registry::where_is_pid(ActorId::Local(pid))?;
    match Preference::from(actor.transport_preference()) {
        Preference::Adaptive => None,
        pinned => Some(ActorPreference { pid, preference: pinned.into() }),
    }
}

fn name_of(name: &Option<super::auth_protocol::NameMessage>) -> &str {
    name.as_ref().map_or("", |name| name.name.as_str())
}
