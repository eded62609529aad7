//! What a session does beside upstream's when its peer is a node of the fork: it finds out where
//! the peer is, makes the links that lead there, and sends by the cheapest.
//!
//! 1. The one who connects says `Hello` before all else, and the other answers it. Stock nodes skip
//!    it, and are known by not answering.
//!    Between nodes of the fork authentication takes proofs beside stock's ([`proof`]).
//! 2. After authentication the one who connected announces itself, and then the other. Both know
//!    the session's secret from here on.
//! 3. The one who connected tries what looks local, and says `Settled`. Only then do both announce
//!    their actors, so that these get the right ids; and between two nodes of one process neither
//!    announces any, since they have the same.
//! 4. Everything else goes in lanes ([`data_plane`](crate::link::data_plane)), over whatever link
//!    there is.
//! 5. As long as it lives, the peer is listened to ([`liveness`]), and held to what it may announce
//!    ([`bounds`]).
//! 6. When the last link breaks, the session waits for one to come back ([`resume`]). When it ends,
//!    the peer and all who hold proxies are told ([`farewell`]).

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ractor::actor::actor_config::TransportPreference;
use ractor::dead_letters::{self, DeadLetter};
use ractor::errors::UndeliveredCause;
use ractor::{ActorCell, ActorId, ActorRef};
use tokio::sync::OwnedSemaphorePermit;

use super::{AbortOnDropTask, NodeSession};
use crate::link::activity::watch;
use crate::link::admission::Admission;
use crate::link::announcer::Announcer;
use crate::link::backlog::Backlog;
use crate::link::credits;
use crate::link::data_plane::{Bounds, DataPlane, Link};
use crate::link::decode::Caps;
use crate::link::dial::{Dialler, Route, LONGEST_PAUSE};
use crate::link::directory::{self, Server};
use crate::link::ends;
use crate::link::identity;
use crate::link::options::{Location, PeerPolicy};
use crate::link::peer_addresses::PeerAddresses;
use crate::link::proxy::Proxy;
use crate::link::quiet_log::{peer_line, PeerLog};
use crate::link::round_trip::Pings;
use crate::link::settle::{Phase, Standing};
use crate::link::stock::{StockPeer, StockProxy};
use crate::link::traces::Traces;
use crate::link::upgrade::Upgrade;
use crate::link::{Event, LinkEvent, Refusal};
use crate::net::{NetworkStream, SessionMessage};
use crate::node::{NodeSessionMessage, DEFAULT_MAX_INBOUND_FRAME_SIZE};
use crate::peers::{self, names, LinkInfo};
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::{Announcement, Preference};
use crate::transport::Activity;
#[cfg(unix)]
use crate::transport::UnixSocketConnector;
use crate::transport::{Channel, Connector, TransportKind};
use mycelium_link::chance;
use mycelium_link::secret::{draw, Role, BYTES};

#[path = "links/bounds.rs"]
mod bounds;
#[path = "links/changes.rs"]
mod changes;
#[path = "links/farewell.rs"]
mod farewell;
#[path = "links/handshake.rs"]
mod handshake;
#[path = "links/liveness.rs"]
mod liveness;
#[path = "links/meet.rs"]
mod meet;
#[path = "links/proof.rs"]
mod proof;
#[path = "links/resume.rs"]
mod resume;
#[path = "links/state.rs"]
mod state;
#[path = "links/traffic.rs"]
mod traffic;

use bounds::Announced;
use handshake::deadline;
use liveness::Liveness;
use proof::Proving;
use state::{Farewell, State};

/// A session has no use for more links than there are kinds of them; a peer shall not make more.
const MAX_LINKS: usize = 8;

/// The links of a session; nothing where no node server of this process is behind it.
#[derive(Debug, Default)]
pub(super) struct Links(Option<Box<Active>>);

#[derive(Debug)]
struct Active {
    /// Nothing in it changes after the server's start, so that no panic can leave it half changed.
    server: AssertUnwindSafe<Arc<Server>>,
    state: State,
    traffic: Arc<DataPlane>,
    announcer: Arc<Announcer>,
    first: LinkInfo,
    nonce: [u8; BYTES],
    peer_nonce: Option<Vec<u8>>,
    proving: Proving,
    supplied: PeerAddresses,
    share: [u8; BYTES],
    /// The session.
    session: ActorRef<NodeSessionMessage>,
    /// Until the peer is authenticated.
    admission: AssertUnwindSafe<Option<Admission>>,
    /// The place among the peers that are.
    place: AssertUnwindSafe<Option<OwnedSemaphorePermit>>,
    /// Makes the first link again, where that is known.
    connector: AssertUnwindSafe<Option<Arc<dyn Connector>>>,
    liveness: Liveness,
    announced: Announced,
    /// Why its links ended, where they did and none has come back.
    lost: Option<String>,
    /// The peer has been told of others.
    has_told_peers: bool,
}

/// A session may be killed, with the node server above it. It must not be found any more then.
impl Drop for Active {
    fn drop(&mut self) {
        let is_settled = self.state.phase() == Phase::Settled;
        let unacknowledged = is_settled.then(|| self.traffic.unacknowledged());
        self.traffic.end();
        let in_order = matches!(&self.state, State::Leaving(leaving) if leaving.in_order);
        let ended = peers::Ended { session: self.session.get_id(), in_order };
        peers::forget(self.traffic.node_id(), ended, unacknowledged);
    }
}

/// A session's first connection.
pub(super) struct Described {
    ends: (TransportKind, String, String),
    channel: Channel,
    connector: Option<Arc<dyn Connector>>,
    admission: Option<Admission>,
    activity: Activity,
    backlog: Arc<Backlog>,
}

impl Described {
    /// From here on it is listened to.
    pub(super) fn of(stream: NetworkStream, node_server: ActorId) -> (Self, NetworkStream) {
        let server = directory::server(node_server);
        let caps = server.as_ref().map_or_else(Caps::default, |it| Caps::of(&it.options.limits));
        let mut origin = stream.origin();
        if let Some(server) = &server {
            origin.admission.get_or_insert_with(Admission::without_place);
            origin.log = Some(server.strangers.log.clone());
        }
        let (activity, backlog) = (Activity::default(), Arc::new(Backlog::new(caps)));
        let described = Self {
            ends: stream.describe(),
            channel: stream.channel(),
            connector: stream.connector(),
            admission: origin.admission.clone(),
            activity,
            backlog,
        };
        let stream = watch(stream.with_origin(origin), &described.activity, &described.backlog);
        (described, stream)
    }
}

impl Links {
    /// Of a session that begins with one connection.
    pub(super) fn begin(
        session: &NodeSession,
        Described { ends: (kind, peer, local), channel, connector, admission, activity, backlog }: Described,
        actor: &ActorRef<SessionMessage>,
        myself: &ActorRef<NodeSessionMessage>,
    ) -> Self {
        let Some(server) = directory::server(session.node_server.get_id()) else {
            return Self(None);
        };
        let options = &server.options;
        let bounds = Bounds {
            high: options.replay_window,
            calls: options.max_calls,
            write_deadline: options.write_deadline,
            busy_poll: options.busy_poll,
            max_inbound: usize::try_from(server.max_frame).unwrap_or(usize::MAX),
        };
        let traces = Traces::new(options.propagator.clone());
        let traffic = DataPlane::new(session.node_id, bounds, traces, backlog);
        // Of a peer that does not say: a cluster that raises the default does so at each of its
        // nodes.
        traffic.set_max_frame(server.max_frame.max(DEFAULT_MAX_INBOUND_FRAME_SIZE));
        let (lends, actor_of_it) = (channel.lends, actor.clone());
        let first = traffic.begin(Link {
            kind,
            peer,
            local,
            actor: actor_of_it,
            lends,
            writer: None,
            sent: 0,
            pings: Pings::default(),
        });
        if let Some(admission) = &admission {
            admission.begins(myself);
        }
        let deadline = deadline(myself, server.options.handshake_timeout);
        Self(Some(Box::new(Active {
            server: AssertUnwindSafe(server),
            state: State::greeting(deadline),
            announcer: Announcer::new(traffic.clone()),
            traffic,
            first,
            nonce: draw(),
            peer_nonce: None,
            proving: Proving::by(channel),
            supplied: PeerAddresses::default(),
            share: draw(),
            session: myself.clone(),
            admission: AssertUnwindSafe(admission),
            place: AssertUnwindSafe(None),
            connector: AssertUnwindSafe(connector),
            liveness: Liveness::of(activity),
            announced: Announced::default(),
            lost: None,
            has_told_peers: false,
        })))
    }

    /// Says `Hello` as the first of a connection.
    pub(super) fn greet(&self, tcp: Option<&ActorRef<SessionMessage>>) {
        if let (Some(active), Some(tcp)) = (&self.0, tcp) {
            _ = tcp.cast(SessionMessage::Send(Body::Hello(active.hello()).into()));
        }
    }

    /// The peer is authenticated, as far as this end has a say in it.
    pub(super) fn admit(&mut self) {
        if let Some(admission) = self.0.as_mut().and_then(|active| active.admission.take()) {
            admission.admit();
        }
    }

    /// The limits of what the peer can have logged.
    fn log(&self) -> Option<&PeerLog> {
        self.0.as_ref().and_then(|active| active.log())
    }

    /// How far the peer has come.
    fn standing(&self, is_server: bool) -> Standing {
        let active = self.0.as_deref();
        Standing {
            phase: Some(active.map_or(Phase::Greeting, |active| active.state.phase())),
            end: if is_server { Role::Listener } else { Role::Dialler },
            is_greeted: active.is_some_and(|active| active.peer_nonce.is_some()),
        }
    }

    /// Upstream's handshake refuses the peer for this.
    pub(super) fn find(&mut self, cause: Refusal) {
        if let Some(active) = &mut self.0 {
            active.state.find(cause);
        }
    }

    /// A peer is known by this number, if not by that of its connection.
    pub(super) fn node_id(&self) -> Option<crate::NodeId> {
        self.0.as_ref().map(|active| active.traffic.node_id())
    }

    /// A proxy begins.
    pub(super) fn gate(&mut self, pid: u64, proxy: ActorCell) {
        if let Some(active) = self.speaking() {
            names::add(active.traffic.node_id(), &proxy);
            proxy.set_outlet(Arc::new(Proxy::new(active.traffic.clone(), pid)));
            active.traffic.gate(pid, proxy);
        } else if let Some(active) = &self.0 {
            names::add(active.traffic.node_id(), &proxy);
            proxy.set_outlet(Arc::new(StockProxy::new(active.stock_peer(), pid)));
        }
    }

    /// Gives others a turn now and then while many proxies begin: a peer announces as many in one
    /// frame as it likes.
    pub(super) async fn take_turns(&self) {
        if let Some(active) = &self.0 {
            active.traffic.backlog().pace().step().await;
        }
    }

    /// The session ends; whether no proxy is left.
    fn end(&mut self, name: &Option<super::auth_protocol::NameMessage>, in_order: bool) {
        let Some(mut active) = self.0.take() else { return };
        if let State::Leaving(leaving) = &mut active.state {
            leaving.in_order = in_order;
        }
        let lost = active.traffic.unacknowledged();
        if active.state.phase() == Phase::Settled && lost > 0 {
            let (node_id, peer) = (active.traffic.node_id(), name_of(name));
            let cause = UndeliveredCause::Unacknowledged;
            dead_letters::post(|| {
                DeadLetter::new(cause).with_node(node_id).with_count(lost as u64)
            });
            let cause = cause.name();
            let said = "a session ended with messages unacknowledged";
            peer_line!(active.log(), Unacknowledged, warn, node_id, peer, cause, lost, "{said}");
        }
    }

    /// Where the session's first connection leads, for people.
    fn address(&self) -> &str {
        self.0.as_ref().map_or("", |active| active.first.peer.as_str())
    }

    /// Whether the peer is not authenticated, and the session goes on.
    fn is_greeting(&self) -> bool {
        self.0.as_ref().is_some_and(|active| active.state.unauthenticated().is_some())
    }

    /// Whether the session ends, and the log says why.
    fn is_leaving(&self) -> bool {
        self.0.as_ref().is_some_and(|active| active.state.is_leaving())
    }

    /// Those of a session whose peer takes envelopes.
    fn speaking(&mut self) -> Option<&mut Active> {
        self.0.as_deref_mut().filter(|active| active.state.fork().is_some())
    }
}

impl Active {
    fn log(&self) -> Option<&PeerLog> {
        Some(&self.server.strangers.log)
    }

    fn stock_peer(&self) -> StockPeer {
        StockPeer::new(self.session.clone(), self.traffic.clone())
    }

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
        self.state.is_handshake() && self.peer_announcement().is_some()
    }

    /// What the peer has announced of itself.
    fn peer_announcement(&self) -> Option<&Announcement> {
        self.state.fork()?.announcement.as_ref()
    }

    fn dialler(&self) -> Option<Dialler> {
        self.state.fork()?.dialler.clone()
    }

    fn policy(&self) -> PeerPolicy {
        self.state.fork().map_or_else(PeerPolicy::default, |fork| fork.policy)
    }

    /// The session ends: why, where its links did not end before.
    fn leave(&mut self, farewell: Farewell, why: &str) {
        let lost = self.lost.take();
        self.state.leave(farewell, || lost.unwrap_or_else(|| why.to_owned()));
    }

    /// The transport that this node sends over, where the peer and its actors leave the choice.
    fn preference(&self) -> TransportPreference {
        match self.policy().preference {
            TransportPreference::Adaptive => self.server.options.preference,
            pinned => pinned,
        }
    }

    /// Whether links that do not leave the machine are looked for, and taken. They are made where
    /// messages are pinned to another transport too: they prove where the peer is.
    fn may_be_local(&self) -> bool {
        // Hosts that are simulated share a process, and no memory.
        self.policy().location != Location::Remote && !chance::is_simulated()
    }

    /// Whether messages are pinned to a transport between machines.
    fn is_pinned_elsewhere(&self) -> bool {
        matches!(self.preference(), TransportPreference::Tcp | TransportPreference::Tls)
    }

    /// What makes links by shared memory, unless another kind of transport is pinned.
    fn shared_memory(&self) -> Option<Upgrade> {
        let may_be_shared = matches!(
            self.preference(),
            TransportPreference::Adaptive | TransportPreference::SharedMemory
        );
        Upgrade::of(&self.server.options).filter(|_| may_be_shared && self.may_be_local())
    }

    fn announcement(&self, is_server: bool) -> Announcement {
        let salt = self.salt(is_server);
        let end = if is_server { Role::Listener } else { Role::Dialler };
        let local = self.may_be_local();
        let socket = self.server.unix_socket().filter(|_| local);
        Announcement {
            release: crate::link::RELEASE.to_owned(),
            number: self.server.options.number,
            machine: identity::machine(&salt, end).filter(|_| local),
            process: local.then(|| identity::process(&salt, end)),
            share: self.share.to_vec(),
            unix_socket: socket.and_then(|path| path.into_os_string().into_string().ok()),
            preference: Preference::from(self.server.options.preference).into(),
            shared_memory: self.shared_memory().map(|it| it.version()),
            max_frame: Some(self.server.max_frame),
            lanes: true,
            credits: Some(credits::VERSION),
            ends: Some(ends::VERSION),
            traces: Traces::version(self.server.options.propagator.as_ref()),
        }
    }

    /// The ways to the peer, which was connected to, that look cheaper than the first link: the
    /// cheapest first.
    fn local_routes(&self) -> Vec<Route> {
        let Some(peer) = self.peer_announcement().filter(|_| self.may_be_local()) else {
            return Vec::new();
        };
        let salt = self.salt(false);
        let is =
            |theirs: &Option<Vec<u8>>, ours: Option<Vec<u8>>| theirs.is_some() && *theirs == ours;
        let mut routes = Vec::new();
        if is(&peer.process, Some(identity::process(&salt, Role::Listener))) {
            // A link by `Arc` has no actors announced, which a pinned transport could then not
            // carry.
            if !self.is_pinned_elsewhere() {
                routes.push(Route::InProcess);
            }
        } else if is(&peer.machine, identity::machine(&salt, Role::Listener)) {
            if let Some(socket) = peer.unix_socket.as_ref().map(PathBuf::from) {
                let version = self.shared_memory().map(|it| it.version());
                #[cfg(unix)]
                {
                    let socket = Arc::new(UnixSocketConnector(socket));
                    if version.is_some() && version == peer.shared_memory {
                        routes.push(Route::SharedMemory(socket.clone()));
                    }
                    routes.push(Route::Direct(socket));
                }
            }
        }
        routes.retain(|route| route.kind() < self.first.kind);
        routes
    }

    /// Goes on trying to have a link of this kind.
    fn redial(&mut self, kind: TransportKind) {
        let route = self.route_again(kind);
        let Some(fork) = self.state.fork_mut() else { return };
        if let (Some(dialler), Some(route)) = (fork.dialler.clone(), route) {
            fork.redials.insert(kind, dialler.keep_dialling(route, LONGEST_PAUSE));
        }
    }
}

/// Tells the session something later, unless the guard is dropped before.
fn later(myself: &ActorRef<NodeSessionMessage>, after: Duration, event: Event) -> AbortOnDropTask {
    let myself = myself.clone();
    AbortOnDropTask::new(ractor::concurrency::spawn(async move {
        ractor::concurrency::sleep(after).await;
        // It may have ended.
        _ = myself.cast(NodeSessionMessage::Link(LinkEvent(event)));
    }))
}

fn name_of(name: &Option<super::auth_protocol::NameMessage>) -> &str {
    name.as_ref().map_or("", |name| name.name.as_str())
}
