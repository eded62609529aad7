//! Who is there to read.

use std::collections::{BTreeMap, BTreeSet};

use mycelium_ext::node::Locality;
use ractor::{ActorCell, ActorId, pg};
use ractor_cluster::peers;

use crate::demo::plan::{GROUP, Seats, group_at, parse_reader_name};

/// Readers of one node.
struct Place {
    peer: Option<String>,
    indices: BTreeSet<usize>,
}

/// The readers of all nodes that are connected, the nearest first. Those of which not all indices
/// from 0 are there yet, or that are not in both of their groups, do not count.
pub(super) fn call(own: &str) -> Vec<Seats> {
    let mut places: BTreeMap<(Locality, String), Place> = BTreeMap::new();
    for member in pg::get_members(&GROUP.to_owned()) {
        let Some(name) = member.get_name() else { continue };
        let Some((place, index)) = parse_reader_name(&name) else { continue };
        let Some((locality, peer)) = home_of(&member) else { continue };
        // A reader is where its name says.
        if peer.as_deref().unwrap_or(own) == place && is_at(place, &member) {
            let at = places.entry((locality, place.to_owned()));
            at.or_insert_with(|| Place { peer, indices: BTreeSet::new() }).indices.insert(index);
        }
    }
    let seats = places.into_iter().map(|((locality, place), Place { peer, indices })| Seats {
        place,
        peer,
        readers: indices.iter().enumerate().take_while(|(at, index)| at == *index).count(),
        same_clock: locality != Locality::Remote,
        rival: None,
    });
    seats.filter(|seats| seats.readers > 0).collect()
}

/// Where an actor's process is, and the full name of its node unless that is this one.
fn home_of(member: &ActorCell) -> Option<(Locality, Option<String>)> {
    match member.get_id() {
        ActorId::Local(_) => Some((Locality::SameProcess, None)),
        ActorId::Remote { node_id, .. } | ActorId::LocalMachine { node_id, .. } => {
            let peer = peers::get(node_id)?;
            Some((peer.locality, Some(peer.name)))
        }
    }
}

fn is_at(place: &str, reader: &ActorCell) -> bool {
    pg::get_members(&group_at(place)).iter().any(|member| member.get_id() == reader.get_id())
}
