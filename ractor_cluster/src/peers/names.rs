//! The actors of peers that this process has proxies for: by name, and by number.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ractor::ActorCell;

use crate::NodeId;

/// Of each peer.
type Names = HashMap<NodeId, Actors>;

/// Trees, since a peer makes them large: a table of hashes that grows hashes all names again, in
/// one go.
#[derive(Debug, Default)]
struct Actors {
    by_name: BTreeMap<String, ActorCell>,
    by_pid: BTreeMap<u64, ActorCell>,
}

static NAMES: Mutex<Option<Names>> = Mutex::new(None);

fn names() -> MutexGuard<'static, Option<Names>> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The actor of a peer that has this name there. Its names are its own: they are not in this
/// process's registry, where others may have them too. `None` when the peer has announced none, its
/// actor has ended, or the session has.
///
/// ```no_run
/// for peer in ractor_cluster::peers::list() {
///     if let Some(archive) = ractor_cluster::peers::where_is(peer.node_id, "archive") {
///         println!("{} keeps the archive: {}", peer.name, archive.get_id());
///     }
/// }
/// ```
#[must_use]
pub fn where_is(node_id: NodeId, name: &str) -> Option<ActorCell> {
    names().as_ref()?.get(&node_id)?.by_name.get(name).cloned()
}

/// The peers from this id on have no actors any more.
#[cfg(feature = "simulation")]
pub(super) fn forget_from(first: NodeId) {
    if let Some(names) = names().as_mut() {
        names.retain(|node_id, _| *node_id < first);
    }
}

/// The proxy of an actor of a peer.
pub(crate) fn proxy(node_id: NodeId, pid: u64) -> Option<ActorCell> {
    names().as_ref()?.get(&node_id)?.by_pid.get(&pid).cloned()
}

/// A proxy begins.
pub(crate) fn add(node_id: NodeId, proxy: &ActorCell) {
    let (pid, name) = (proxy.get_id().pid(), proxy.get_name());
    let mut names = names();
    let actors = names.get_or_insert_default().entry(node_id).or_default();
    actors.by_pid.insert(pid, proxy.clone());
    if let Some(name) = name {
        actors.by_name.insert(name, proxy.clone());
    }
}

/// A proxy ends. Another one that has its name by now keeps it.
pub(crate) fn remove(node_id: NodeId, proxy: &ActorCell) {
    let (pid, name) = (proxy.get_id().pid(), proxy.get_name());
    let mut names = names();
    let Some(of_peer) = names.as_mut().and_then(|names| names.get_mut(&node_id)) else { return };
    of_peer.by_pid.remove(&pid);
    let Some(name) = name else { return };
    if of_peer.by_name.get(&name).is_some_and(|it| it.get_id() == proxy.get_id()) {
        of_peer.by_name.remove(&name);
    }
}

/// A session ends.
pub(crate) fn clear(node_id: NodeId) {
    if let Some(names) = names().as_mut() {
        names.remove(&node_id);
    }
}
