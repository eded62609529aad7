//! What a simulation of several hosts in this process asks of the cluster.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::link::contest;
use crate::peers;
use crate::NodeId;

/// The first node id of a simulation: no other session of the process has one of these.
const FIRST: NodeId = 1 << 32;

static NEXT: AtomicU64 = AtomicU64::new(FIRST);

/// A simulation begins: its peers get the same ids as those of any other one. Of the peers of this
/// process's other nodes, those that come back get new ids.
pub fn begin() {
    NEXT.store(FIRST, Ordering::Relaxed);
    peers::forget_from(FIRST);
    contest::forget();
}

/// The id of another peer; `None` outside of a simulated host.
pub(crate) fn next_node_id() -> Option<NodeId> {
    ractor::realm::current().map(|_| NEXT.fetch_add(1, Ordering::Relaxed))
}
