//! What the node servers and sessions of this process know of each other: which options a server
//! has, where it listens, and which session a further link belongs to.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ractor::{ActorCell, ActorId, ActorRef, ActorStatus};
use tokio::sync::Semaphore;

use super::incarnation::Incarnation;
use super::locked::locked;
use super::options::LinkOptions;
use super::places::Places;
use super::sockets::Sockets;
use super::upgrade::Upgrade;
use crate::peers::references;
use crate::transport::{Locality, TransportKind};
use crate::{NodeId, NodeServerMessage, NodeSessionMessage};
use mycelium_link::malloc_hint;
use mycelium_link::secret::{Role, Secret, SessionName};

/// A node server of this process.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) options: LinkOptions,
    pub(crate) incarnation: Incarnation,
    pub(crate) max_frame: u64,
    /// Places for connections that are not authenticated.
    pub(crate) strangers: Arc<Places>,
    /// Places for peers that are.
    pub(crate) places: Arc<Semaphore>,
    /// Places for dials of addresses that peers told.
    pub(crate) supplied_dials: Arc<Semaphore>,
    cell: ActorCell,
    /// The simulated host that it is on.
    #[cfg(feature = "simulation")]
    host: Option<tokio::runtime::Id>,
    listening: Mutex<Vec<Listening>>,
    sockets: Mutex<OwnSockets>,
}

/// The listening sockets of a server.
#[derive(Debug)]
enum OwnSockets {
    /// Of its present listener, if it has one.
    Open(Option<Sockets>),
    /// The server has ended.
    Closed,
}

/// Where a node server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listening {
    /// By what.
    pub kind: TransportKind,
    /// The address, with the port that the system gave, or the path.
    pub address: String,
}

impl Server {
    /// Whether it is on the simulated host that this is called on, if there are any.
    #[cfg(feature = "simulation")]
    fn is_here(&self) -> bool {
        self.host == ractor::realm::current()
    }

    #[cfg(not(feature = "simulation"))]
    const fn is_here(&self) -> bool {
        true
    }

    /// The Unix socket, if there is one.
    pub(crate) fn unix_socket(&self) -> Option<PathBuf> {
        let listening = locked(&self.listening);
        let unix = listening.iter().find(|it| it.kind == TransportKind::UnixSocket)?;
        Some(PathBuf::from(&unix.address))
    }

    /// Whether peers of other machines can come by TLS only.
    pub(crate) fn listens_by_tls_alone(&self) -> bool {
        let listening = locked(&self.listening);
        let by = |kind| listening.iter().any(|it| it.kind == kind);
        by(TransportKind::Tls) && !by(TransportKind::Tcp)
    }

    /// Has the sockets of a listener closed with the server.
    pub(crate) fn closes(&self, sockets: Sockets) {
        match &mut *locked(&self.sockets) {
            OwnSockets::Open(present) => *present = Some(sockets),
            OwnSockets::Closed => sockets.close(),
        }
    }

    /// Whether the server ends.
    pub(crate) fn is_closing(&self) -> bool {
        matches!(*locked(&self.sockets), OwnSockets::Closed)
    }

    /// Closes the listening sockets of the server.
    pub(crate) fn close(&self) {
        let present = std::mem::replace(&mut *locked(&self.sockets), OwnSockets::Closed);
        if let OwnSockets::Open(Some(sockets)) = present {
            sockets.close();
        }
    }

    /// Notes that a listener has begun, until the guard is dropped.
    pub(crate) fn listens(self: &Arc<Self>, kind: TransportKind, address: String) -> Registered {
        let listening = Listening { kind, address };
        locked(&self.listening).push(listening.clone());
        Registered { server: self.clone(), listening }
    }
}

/// A listener's entry.
#[derive(Debug)]
pub(crate) struct Registered {
    server: Arc<Server>,
    listening: Listening,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut all = locked(&self.server.listening);
        if let Some(index) = all.iter().position(|it| *it == self.listening) {
            all.swap_remove(index);
        }
    }
}

/// A session to which further links may be attached.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) node_id: NodeId,
    pub(crate) handler: ActorRef<NodeSessionMessage>,
    pub(crate) secret: Secret,
    /// Whether a link that does not leave the machine may join.
    pub(crate) local: bool,
    /// What makes shared memory of a Unix socket.
    pub(crate) upgrade: Option<Upgrade>,
}

impl Session {
    /// Whether a link of this kind may join.
    pub(crate) fn takes(&self, kind: TransportKind) -> bool {
        self.local || kind.proves() == Locality::Remote
    }
}

type Key = (SessionName, bool);

static SERVERS: Mutex<Option<HashMap<ActorId, Arc<Server>>>> = Mutex::new(None);
static SESSIONS: Mutex<Option<HashMap<Key, Session>>> = Mutex::new(None);

/// A node server begins.
pub(crate) fn register(server: &ActorRef<NodeServerMessage>, options: LinkOptions, max_frame: u64) {
    if !options.malloc_hint {
        malloc_hint::turn_off();
    }
    let places = |count: usize| Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS)));
    let entry = Server {
        strangers: Places::new(options.max_handshakes, options.limits.log_lines),
        places: places(options.limits.peers),
        supplied_dials: places(options.security.max_supplied_dials),
        options,
        incarnation: Incarnation::begin(),
        max_frame,
        cell: server.get_cell(),
        #[cfg(feature = "simulation")]
        host: ractor::realm::current(),
        listening: Mutex::default(),
        sockets: Mutex::new(OwnSockets::Open(None)),
    };
    references::begin();
    let mut servers = locked(&SERVERS);
    let servers = servers.get_or_insert_default();
    // One that was killed could not unregister itself.
    servers.retain(|_, other| other.cell.get_status() != ActorStatus::Stopped);
    servers.insert(server.get_id(), Arc::new(entry));
}

/// Which starts of nodes this process is, so many at most: the latest.
pub(crate) fn incarnations(most: usize) -> Vec<Incarnation> {
    let mut all: Vec<_> = match &*locked(&SERVERS) {
        Some(servers) => {
            let here = servers.values().filter(|server| server.is_here());
            here.map(|server| server.incarnation).collect()
        }
        None => Vec::new(),
    };
    all.sort_unstable_by(|one, other| other.cmp(one));
    all.truncate(most);
    all
}

/// A node server ends: its sockets are closed when this returns.
pub(crate) fn unregister(server: ActorId) {
    let entry = locked(&SERVERS).get_or_insert_default().remove(&server);
    if let Some(entry) = entry {
        entry.close();
    }
}

/// A node server that is registered. It is dropped with the server's state, however the server
/// ends.
#[derive(Debug)]
pub(crate) struct OpenServer(ActorId);

impl OpenServer {
    pub(crate) fn new(server: &ActorRef<NodeServerMessage>) -> Self {
        Self(server.get_id())
    }
}

impl Drop for OpenServer {
    fn drop(&mut self) {
        unregister(self.0);
    }
}

/// What the server of a session or of a listener was told.
pub(crate) fn server(server: ActorId) -> Option<Arc<Server>> {
    locked(&SERVERS).as_ref()?.get(&server).cloned()
}

/// Where a node server listens at present, with the ports that the system chose.
pub fn listening(node_server: &ActorRef<NodeServerMessage>) -> Vec<Listening> {
    server(node_server.get_id()).map_or_else(Vec::new, |it| locked(&it.listening).clone())
}

/// The incarnation that a node server announces to its peers; `None` when it has ended.
#[must_use]
pub fn incarnation(node_server: &ActorRef<NodeServerMessage>) -> Option<Incarnation> {
    server(node_server.get_id()).map(|it| it.incarnation)
}

/// A session can be found from here on, until the guard is dropped.
pub(crate) fn open(session: Session, end: Role) -> Open {
    let key = (session.secret.name(), end == Role::Dialler);
    locked(&SESSIONS).get_or_insert_default().insert(key, session);
    Open(key)
}

/// The session of this name, seen from its `end`.
pub(crate) fn session(name: &[u8], end: Role) -> Option<Session> {
    let name: SessionName = name.try_into().ok()?;
    locked(&SESSIONS).as_ref()?.get(&(name, end == Role::Dialler)).cloned()
}

/// The session with a peer of the fork.
pub(crate) fn session_of(node_id: NodeId) -> Option<ActorRef<NodeSessionMessage>> {
    let sessions = locked(&SESSIONS);
    let session = sessions.as_ref()?.values().find(|session| session.node_id == node_id)?;
    Some(session.handler.clone())
}

/// A session that can be found.
#[derive(Debug)]
pub(crate) struct Open(Key);

impl Drop for Open {
    fn drop(&mut self) {
        locked(&SESSIONS).get_or_insert_default().remove(&self.0);
    }
}

static SUSPENDED: Mutex<Option<HashSet<ActorId>>> = Mutex::new(None);

/// A session has no link, and waits for one, until the guard is dropped. Meanwhile it gives way to
/// another session with its peer.
pub(crate) fn suspend(session: ActorId) -> Suspended {
    locked(&SUSPENDED).get_or_insert_default().insert(session);
    Suspended(session)
}

/// Whether a session does not count when one of several with its peer is chosen. One that ends
/// cannot stay, however long its end takes.
pub(crate) fn gives_way(session: &ActorRef<NodeSessionMessage>) -> bool {
    let id = session.get_id();
    session.get_status() >= ActorStatus::Stopping
        || is_suspended(id)
        || super::contest::replaced_by(id).is_some()
}

/// Whether a session waits for a link.
pub(crate) fn is_suspended(session: ActorId) -> bool {
    locked(&SUSPENDED).as_ref().is_some_and(|suspended| suspended.contains(&session))
}

/// A session that has no link.
#[derive(Debug)]
pub(crate) struct Suspended(ActorId);

impl Drop for Suspended {
    fn drop(&mut self) {
        locked(&SUSPENDED).get_or_insert_default().remove(&self.0);
    }
}
