//! The nodes of a soak, and how they find each other. All that knows of nodes and links stands
//! here.

use std::time::Duration;

use mycelium_ext::address::Address;
use mycelium_ext::config::{Limits, NodeName};
use mycelium_ext::node::{Node, NodeBuilder, Peer, PeerPolicy};
use ractor::actor::actor_config::TransportPreference;
use ractor_cluster::link;
use ractor_cluster::link::options::{Location, UnixListening};
use ractor_cluster::peers;

use super::crew::{HOST, Start, Task};
use super::record::Record;

/// Starts a process's node.
///
/// # Errors
/// A sentence that names what does not work.
pub(crate) async fn start(start: &Start) -> Result<Node, String> {
    let name = &start.name;
    let mut node = Node::builder(name).host(HOST).cookie(start.cookie.clone()).limits(limits());
    match &start.task {
        Task::Send { elsewhere, .. } => {
            node = elsewhere.iter().fold(node, |node, reader| treat_as_remote(node, reader));
        }
        Task::Read { feeds, elsewhere } => {
            for (feed, address) in feeds {
                let feed_name: NodeName =
                    feed.parse().map_err(|error| format!("the feed's name {feed}: {error}"))?;
                node = node.peer(feed_name, Address::Tcp((*address).into()));
                if *elsewhere {
                    node = treat_as_remote(node, feed).unix(UnixListening::Off);
                }
            }
        }
        Task::Attack { .. } => return Err(format!("{name} attacks, and has no node")),
    }
    node.start().await.map_err(|error| format!("the node {name} does not start: {error}"))
}

fn treat_as_remote(node: NodeBuilder, peer: &str) -> NodeBuilder {
    let policy = PeerPolicy::default()
        .with_location(Location::Remote)
        .with_preference(TransportPreference::Tcp);
    node.known(Peer::named(peer), policy)
}

/// The actors that a peer may announce. By default a hostile member has half a gigabyte of proxies
/// kept, and so has each of its sessions that waits for a link: what is kept beyond the bound, or
/// for too long, would not be seen beside it.
const ACTORS: u64 = 16_384;

/// Who is cut off comes back soon: a soak is for what happens then, and not for the pauses.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_actors = ACTORS.into();
    limits.backoff_min = Duration::from_millis(50).into();
    limits.backoff_max = Duration::from_millis(500).into();
    limits
}

/// Notes which messages of peers reached no actor of this process, in all.
pub(crate) fn note_dead_letters() {
    for (cause, count) in link::dead_letters().into_iter().filter(|(_, count)| *count > 0) {
        Record::DeadLetters { count, reason: cause.name().to_owned() }.note();
    }
}

/// Closes the link to a peer that is in use, if there is one and it is not the last.
pub(crate) fn close_link(peer: &str) {
    let of_this_name = |name: &str| name.split('@').next() == Some(peer);
    for peer in peers::list().into_iter().filter(|peer| of_this_name(&peer.name)) {
        if let Some(kind) = peer.active().filter(|_| peer.links.len() > 1) {
            // A session that has just ended has no links.
            let _ = link::close(peer.node_id, kind);
        }
    }
}
