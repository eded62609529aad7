//! Actors in messages between nodes: which bytes mean them.
//!
//! An actor is meant by the start of its node, which each node has proven to its peers, and its
//! number there. A process may run several nodes, and each peer knows one of them: an actor of the
//! process is meant by all of its nodes. A peer may send any bytes. They lead to actors that take
//! messages of other nodes, and to no others.

use ractor::registry::where_is_pid;
use ractor::remoting::References;
use ractor::{ActorCell, ActorId, ActorStatus};

use super::names;
use crate::link::directory;
use crate::link::quiet_log::limited_info;
use crate::link::Incarnation;

/// An actor of a process that runs more nodes is meant by so many of them.
const MOST_NODES: usize = 8;

/// The bytes of a number.
const PID: usize = size_of::<u64>();

/// Has actors be fields of messages.
pub(crate) fn begin() {
    ractor::remoting::refer_by(&Known);
}

/// The actors that this process knows.
struct Known;

impl References for Known {
    fn write(&self, actor: &ActorCell) -> Vec<u8> {
        let nodes = match actor.get_id() {
            ActorId::Local(_) => directory::incarnations(MOST_NODES),
            ActorId::Remote { node_id, .. } | ActorId::LocalMachine { node_id, .. } => {
                super::get(node_id).and_then(|peer| peer.incarnation).into_iter().collect()
            }
        };
        let mut bytes = actor.get_id().pid().to_be_bytes().to_vec();
        bytes.extend(nodes.into_iter().flat_map(Incarnation::to_bytes));
        bytes
    }

    fn read(&self, bytes: &[u8]) -> Option<ActorCell> {
        let (pid, nodes) = bytes.split_first_chunk::<PID>()?;
        let pid = u64::from_be_bytes(*pid);
        let nodes = nodes.chunks_exact(Incarnation::BYTES).take(MOST_NODES);
        let nodes: Vec<Incarnation> = nodes.filter_map(Incarnation::from_bytes).collect();
        let found = find(pid, &nodes);
        if found.is_none() {
            let node = nodes.first().map(ToString::to_string).unwrap_or_default();
            limited_info!(
                pid,
                node,
                "a message holds a reference to an actor that is not known here: it has ended, or no \
                 session leads to its node"
            );
        }
        found
    }
}

fn find(pid: u64, nodes: &[Incarnation]) -> Option<ActorCell> {
    if directory::incarnations(usize::MAX).iter().any(|own| nodes.contains(own)) {
        return where_is_pid(ActorId::Local(pid)).filter(ActorCell::supports_remoting);
    }
    let mut proxies = super::ids_of(nodes).into_iter().filter_map(|it| names::proxy(it, pid));
    proxies.find(|proxy| proxy.get_status() < ActorStatus::Stopping)
}
