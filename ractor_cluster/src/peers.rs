//! The peers of this process's nodes: where they are, and which links lead to them.
//!
//! ```
//! for peer in ractor_cluster::peers::list() {
//!     println!("{} is {}, by {:?}", peer.node_id, peer.locality, peer.active());
//! }
//! ```

pub(crate) mod identities;
pub(crate) mod names;
pub(crate) mod references;
pub(crate) mod sender;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use ractor::{ActorCell, ActorId};
use tokio::sync::broadcast;

pub use crate::link::limits::Limit;
use crate::link::quiet_log::limited_info;
pub use crate::link::Incarnation;
pub use crate::transport::Locality;
use crate::transport::TransportKind;
use crate::NodeId;
pub use names::where_is;
pub use ractor::remoting::RemoteFailure;
pub use sender::sender;

/// How many events are kept for a listener that is behind.
const EVENTS: usize = 1024;

/// A node that is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The peer's number in this process: what the ids of its actors hold.
    pub node_id: NodeId,
    /// Its name, `name@host`.
    pub name: String,
    /// The number that its configuration gives it. Stock nodes have none.
    pub number: Option<u64>,
    /// Its release, when it runs the fork.
    pub release: Option<String>,
    /// Which start of the node it is, as it has proven. Stock nodes, and nodes of the fork that
    /// announce none, have none.
    pub incarnation: Option<Incarnation>,
    /// Where it has proven to be.
    pub locality: Locality,
    /// The links to it, the cheapest first; none while the session waits for one to come back.
    pub links: Vec<LinkInfo>,
}

impl PeerInfo {
    /// The kind of the link that messages to actors without a pin of their own take. There is none
    /// while the node pins a transport that no link has.
    #[must_use]
    pub fn active(&self) -> Option<TransportKind> {
        self.links.iter().find(|link| link.active).map(|link| link.kind)
    }
}

/// A link to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkInfo {
    /// What it is.
    pub kind: TransportKind,
    /// The other end, for people.
    pub peer: String,
    /// This end, for people.
    pub local: String,
    /// Whether messages to actors without a pin of their own take this one.
    pub active: bool,
}

/// Something changed about a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerEvent {
    /// A peer was authenticated, and where it is is known.
    Settled(PeerInfo),
    /// A peer is nearer, or farther, than it was.
    LocalityChanged {
        /// The peer.
        node_id: NodeId,
        /// Where it was.
        from: Locality,
        /// Where it is.
        to: Locality,
    },
    /// There is a further link.
    LinkUp {
        /// The peer.
        node_id: NodeId,
        /// What it is.
        kind: TransportKind,
    },
    /// A link broke.
    LinkDown {
        /// The peer.
        node_id: NodeId,
        /// What it was.
        kind: TransportKind,
    },
    /// What may take any link takes another one from here on.
    LinkSwitched {
        /// The peer.
        node_id: NodeId,
        /// By which it went.
        from: TransportKind,
        /// By which it goes.
        to: TransportKind,
    },
    /// The last link broke. What is sent to the peer is kept for a while, in which a link may come
    /// back ([`LinkOptions::reconnect_grace`](crate::link::LinkOptions::reconnect_grace)).
    Suspended {
        /// The peer.
        node_id: NodeId,
    },
    /// A link came back in time: what was kept goes by it, and nothing was lost or doubled.
    Resumed {
        /// The peer.
        node_id: NodeId,
    },
    /// Another process of the peer's name takes the peer's place
    /// ([the rule](crate::link#several-processes-of-one-name)). [`Gone`](Self::Gone) follows.
    Replaced {
        /// The peer that was.
        node_id: NodeId,
        /// The one that has its name.
        by: Incarnation,
    },
    /// A peer has another process of this node's name connected to it, and refuses this one, or has
    /// ended its session for it. It refuses this node until the other process is gone.
    Superseded {
        /// The name of the peer.
        peer: String,
        /// The process that has this node's name there.
        by: Incarnation,
    },
    /// A peer was let in by stock's handshake alone, whose challenge has 32 bits: it is a stock
    /// node, or passes for one. It comes behind [`Settled`](Self::Settled), once for each session.
    StockAdmitted {
        /// The peer.
        node_id: NodeId,
        /// Its full name, `name@host`.
        name: String,
        /// Whether a node of the fork has proven itself under this name before, in this process's
        /// lifetime
        /// ([`Security::refuse_downgrade`](crate::link::options::Security::refuse_downgrade)
        /// refuses that).
        was_fork: bool,
    },
    /// The peer has gone beyond one of the limits that it is held to
    /// ([`Limits`](crate::link::Limits)), for the first time in its session.
    LimitReached {
        /// The peer.
        node_id: NodeId,
        /// Which one.
        limit: Limit,
    },
    /// The session ended. The proxies of the peer's actors have stopped, with a reason that begins
    /// with [`GONE`] and names the peer; calls to them have failed.
    Gone {
        /// The peer.
        node_id: NodeId,
        /// Messages sent to it that it did not acknowledge: it may or may not have them. Of a stock
        /// peer it is not known, and this is `None`.
        unacknowledged: Option<usize>,
    },
}

/// How the reason begins with which the proxy of an actor stops whose node is gone: what
/// supervisors and monitors of the proxy are told. `peer gone: feed@localhost: its last link
/// broke`.
pub const GONE: &str = "peer gone";

static NEXT_NODE_ID: AtomicU64 = AtomicU64::new(1);
static PEERS: Mutex<BTreeMap<NodeId, PeerInfo>> = Mutex::new(BTreeMap::new());
static CHANGES: LazyLock<broadcast::Sender<PeerEvent>> =
    LazyLock::new(|| broadcast::Sender::new(EVENTS));

fn peers() -> MutexGuard<'static, BTreeMap<NodeId, PeerInfo>> {
    PEERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All peers of this process's nodes.
#[must_use]
pub fn list() -> Vec<PeerInfo> {
    peers().values().filter(is_here).cloned().collect()
}

/// Whether a peer is one of the simulated host that this is called on, if there are any.
#[cfg(feature = "simulation")]
fn is_here(peer: &&PeerInfo) -> bool {
    crate::simulation::is_here(peer.node_id)
}

#[cfg(not(feature = "simulation"))]
const fn is_here(_: &&PeerInfo) -> bool {
    true
}

/// The peer with this id; `None` when its session has ended, or is not yet authenticated.
#[must_use]
pub fn get(node_id: NodeId) -> Option<PeerInfo> {
    peers().get(&node_id).cloned()
}

/// Where an actor is at present. Its id says where it was when the reference was made. `None` when
/// it is one of a peer that is gone.
#[must_use]
pub fn locality_of(actor: &ActorCell) -> Option<Locality> {
    match actor.get_id() {
        ActorId::Local(_) => Some(Locality::SameProcess),
        ActorId::Remote { node_id, .. } | ActorId::LocalMachine { node_id, .. } => {
            peers().get(&node_id).map(|peer| peer.locality)
        }
    }
}

/// What changes from here on. A receiver that is more than 1024 events behind misses the oldest,
/// and is told how many.
#[must_use]
pub fn events() -> broadcast::Receiver<PeerEvent> {
    CHANGES.subscribe()
}

/// The peers that are one of these starts of nodes.
pub(crate) fn ids_of(nodes: &[Incarnation]) -> Vec<NodeId> {
    let peers = peers();
    let is_one = |peer: &&PeerInfo| peer.incarnation.is_some_and(|it| nodes.contains(&it));
    peers.values().filter(is_here).filter(is_one).map(|peer| peer.node_id).collect()
}

/// The id of another peer. Ids are given once per process, so that two node servers never give the
/// same one; 0 is this process.
pub(crate) fn next_node_id() -> NodeId {
    #[cfg(feature = "simulation")]
    if let Some(node_id) = crate::simulation::next_node_id() {
        return node_id;
    }
    NEXT_NODE_ID.fetch_add(1, Ordering::Relaxed)
}

/// Forgets the peers from this id on, which an earlier simulation left behind, and who had which
/// id.
#[cfg(feature = "simulation")]
pub(crate) fn forget_from(first: NodeId) {
    peers().retain(|node_id, _| *node_id < first);
    names::forget_from(first);
    identities::forget();
}

/// The id of a peer's actor.
pub(crate) fn id_of(node_id: NodeId, pid: u64) -> ActorId {
    match get(node_id).map(|peer| peer.locality) {
        Some(Locality::SameProcess | Locality::SameMachine) => {
            ActorId::LocalMachine { node_id, pid }
        }
        Some(Locality::Remote) | None => ActorId::Remote { node_id, pid },
    }
}

/// Notes what is known of a peer by now, and tells of its locality when that changed.
pub(crate) fn publish(peer: PeerInfo) {
    #[cfg(feature = "simulation")]
    crate::simulation::has(peer.node_id);
    let (node_id, to) = (peer.node_id, peer.locality);
    let before = peers().insert(node_id, peer.clone());
    match before {
        None => tell(PeerEvent::Settled(peer)),
        Some(before) if before.locality != to => {
            limited_info!(node_id, from = %before.locality, %to, "a peer's locality changed");
            tell(PeerEvent::LocalityChanged { node_id, from: before.locality, to });
        }
        Some(_) => {}
    }
}

/// A session that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) session: ActorId,
    /// None of its proxies is left.
    pub(crate) in_order: bool,
}

/// The session ended; a peer that was never published is not told of.
pub(crate) fn forget(node_id: NodeId, ended: Ended, unacknowledged: Option<usize>) {
    let was_there = {
        // At once: who sees that it is gone shall find its number free.
        let mut peers = peers();
        let was_there = peers.remove(&node_id).is_some();
        names::clear(node_id);
        identities::release(ended.session, ended.in_order);
        was_there
    };
    if was_there {
        tell(PeerEvent::Gone { node_id, unacknowledged });
    }
}

pub(crate) fn tell(event: PeerEvent) {
    // There may be no listener.
    _ = CHANGES.send(event);
}
