//! What a simulation of several hosts in this process asks of the cluster.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::Id;

use crate::link::contest;
use crate::peers;
use crate::NodeId;

/// The first node id of a simulation: no other session of the process has one of these.
const FIRST: NodeId = 1 << 32;

static NEXT: AtomicU64 = AtomicU64::new(FIRST);

/// The simulated host that has each peer.
static HOSTS: Mutex<BTreeMap<NodeId, Id>> = Mutex::new(BTreeMap::new());

fn hosts() -> MutexGuard<'static, BTreeMap<NodeId, Id>> {
    HOSTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A simulation begins: its peers get the same ids as those of any other one. Of the peers of this
/// process's other nodes, those that come back get new ids.
pub fn begin() {
    NEXT.store(FIRST, Ordering::Relaxed);
    hosts().clear();
    peers::forget_from(FIRST);
    contest::forget();
}

/// The id of another peer; `None` outside of a simulated host.
pub(crate) fn next_node_id() -> Option<NodeId> {
    ractor::realm::current().map(|_| NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The simulated host that this is called on has the peer.
pub(crate) fn has(node_id: NodeId) {
    if let Some(host) = ractor::realm::current() {
        hosts().insert(node_id, host);
    }
}

/// Whether the peer is one of the simulated host that this is called on. Outside of a host all are.
pub(crate) fn is_here(node_id: NodeId) -> bool {
    ractor::realm::current().is_none_or(|host| hosts().get(&node_id) == Some(&host))
}
