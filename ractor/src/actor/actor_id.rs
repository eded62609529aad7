//! What names an actor: in supervision, in process groups, in factories, and in logs.
//!
//! An id is a snapshot of where the actor was when its reference was made, and never changes
//! while references exist. Where a remote actor is *now*, this process's own machine or
//! another, is a question for its session.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{self, AtomicU64};

/// The identity of an actor, unique in its cluster as this process sees it.
///
/// [`ActorId::Remote`] and [`ActorId::LocalMachine`] with the same node and pid name the same
/// actor: they are equal, hash alike and stand at the same place in the order. Local ids come
/// first in the order, by pid; then the others, by node and then by pid.
#[derive(Debug, Copy, Clone)]
pub enum ActorId {
    /// An actor of this process.
    Local(u64),

    /// An actor of another node.
    Remote {
        /// The node, as numbered by this process.
        node_id: u64,
        /// The actor's pid in its own process.
        pid: u64,
    },

    /// An actor of another node that proved to run on this machine.
    LocalMachine {
        /// The node, as numbered by this process.
        node_id: u64,
        /// The actor's pid in its own process.
        pid: u64,
    },
}

impl ActorId {
    /// Whether the actor runs in this process. False for [`ActorId::LocalMachine`]: such an
    /// actor has a mailbox elsewhere, and messages to it are serialised.
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    /// Whether the actor is known to run on this machine, in this process or in another.
    pub const fn is_same_machine(&self) -> bool {
        matches!(self, Self::Local(_) | Self::LocalMachine { .. })
    }

    /// The actor's number in its own process.
    pub const fn pid(&self) -> u64 {
        match *self {
            Self::Local(pid) | Self::Remote { pid, .. } | Self::LocalMachine { pid, .. } => pid,
        }
    }

    /// The actor's node as numbered by this process; 0 is this process itself.
    pub const fn node(&self) -> u64 {
        match *self {
            Self::Local(_) => 0,
            Self::Remote { node_id, .. } | Self::LocalMachine { node_id, .. } => node_id,
        }
    }

    /// What equality, order and hash go by.
    const fn key(&self) -> (bool, u64, u64) {
        (!self.is_local(), self.node(), self.pid())
    }
}

impl PartialEq for ActorId {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for ActorId {}

impl PartialOrd for ActorId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ActorId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Hash for ActorId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// `node.pid`, with 0 as the node of this process.
impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.node(), self.pid())
    }
}

static NEXT_PID: AtomicU64 = AtomicU64::new(0);

/// The id of the next actor of this process.
pub(crate) fn get_new_local_id() -> ActorId {
    #[cfg(feature = "simulation")]
    if let Some(pid) = crate::realm::next_pid() {
        return ActorId::Local(pid);
    }
    // Uniqueness is all that is asked of the counter; nothing is published with it.
    ActorId::Local(NEXT_PID.fetch_add(1, atomic::Ordering::Relaxed))
}

include!(concat!(env!("OUT_DIR"), "/upstream/graft/src/actor/actor_id.rs"));
