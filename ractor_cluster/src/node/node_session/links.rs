//! What a session does beside upstream's when its peer is a node of the fork: it finds out where
//! the peer is, makes the links that lead there, and sends by the cheapest.
//!
//! 1. The one who connects says `Hello` before all else, and the other answers it. Stock nodes skip
//!    it, and are known by not answering.
//!    Between nodes of the fork authentication takes proofs beside stock's ([`proof`]).
//! 2. After authentication the one who connected announces itself, and then the other. Both know the
//!    session's secret from here on.
//! 3. The one who connected tries what looks local, and says `Settled`. Only then do both announce
//!    their actors, so that these get the right ids; and between two nodes of one process neither
//!    announces any, since they have the same.
//! 4. Everything else goes in envelopes ([`lane`](crate::link::lane)), by whatever link there is.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;

use ractor::actor::actor_config::TransportPreference;
use ractor::{ActorCell, ActorRef};

use super::{AbortOnDropTask, NodeSession};
use crate::link::dial::{Dialler, Redial, Route};
use crate::link::directory::{self, Open, Server};
use crate::link::identity;
use crate::link::options::{Location, PeerPolicy};
use crate::link::secret::{draw, Role, BYTES};
use crate::link::supplied::Supplied;
use crate::link::table::{Link, Table};
use crate::net::SessionMessage;
use crate::node::NodeSessionMessage;
use crate::peers::{self, LinkInfo};
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::{Announcement, Preference};
use crate::transport::{Channel, TransportKind};

#[path = "links/changes.rs"]
mod changes;
#[path = "links/handshake.rs"]
mod handshake;
#[path = "links/meet.rs"]
mod meet;
#[path = "links/proof.rs"]
mod proof;
#[path = "links/traffic.rs"]
mod traffic;

use handshake::deadline;
use proof::Proving;

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
    proving: Proving,
    supplied: Supplied,
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
        ((kind, peer, local), channel): ((TransportKind, String, String), Channel),
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
            proving: Proving::by(channel),
            supplied: Supplied::default(),
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
            _ = tcp.cast(SessionMessage::Send(Body::Hello(active.hello()).into()));
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

fn name_of(name: &Option<super::auth_protocol::NameMessage>) -> &str {
    name.as_ref().map_or("", |name| name.name.as_str())
}
