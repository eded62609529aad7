//! Sums with a bound on their labels, out of figures that come and go.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Duration;

use ractor::ActorId;
use ractor::view::ActorView as Actor;

use crate::view::{LinkView, PeerView, RoundTripView, SessionView};

/// The types of actors that have figures of their own: the first ones that were seen.
pub(super) const MOST_TYPES: usize = 32;
/// The peers that have figures of their own at a time.
pub(super) const MOST_PEERS: usize = 64;
/// The bytes of a label's value.
const LONGEST: usize = 120;
/// The label of all others. No type has this name, and no full name of a node.
pub(super) const OTHER: &str = "other";

/// A text that is no longer than a label may be.
fn short(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// What counters have counted since they were last seen, by what has them.
#[derive(Debug)]
struct Before<K, const N: usize>(HashMap<K, [u64; N]>);

impl<K: Eq + Hash, const N: usize> Default for Before<K, N> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, const N: usize> Before<K, N> {
    /// What is new. A counter that is lower than before has begun anew.
    fn growth(&self, of: &K, now: [u64; N]) -> [u64; N] {
        let before = self.0.get(of).copied().unwrap_or([0; N]);
        std::array::from_fn(|it| now[it].checked_sub(before[it]).unwrap_or(now[it]))
    }
}

/// The actors of one type.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct OfType {
    pub(super) actors: u64,
    pub(super) handling: u64,
    pub(super) waiting: u64,
    /// The most messages that wait for one of them.
    pub(super) most_waiting: u64,
    /// The longest time for which a handler runs.
    pub(super) longest: Duration,
    /// Handled and lost, by those that have ended too.
    pub(super) handled: u64,
    pub(super) lost: u64,
}

/// The actors of the process, by type.
#[derive(Debug, Default)]
pub(super) struct Actors {
    types: BTreeMap<String, OfType>,
    other: OfType,
    before: Before<ActorId, 2>,
    now: HashMap<ActorId, [u64; 2]>,
}

impl Actors {
    /// A sample begins.
    pub(super) fn begin(&mut self) {
        for of in self.types.values_mut().chain([&mut self.other]) {
            *of = OfType { handled: of.handled, lost: of.lost, ..OfType::default() };
        }
    }

    /// An actor of the sample.
    pub(super) fn add(&mut self, actor: &Actor, handling: Option<Duration>) {
        let name = short(actor.actor_type);
        if !self.types.contains_key(name) && self.types.len() < MOST_TYPES {
            self.types.insert(name.to_owned(), OfType::default());
        }
        let counters = [actor.handled, actor.lost];
        let [handled, lost] = self.before.growth(&actor.id, counters);
        self.now.insert(actor.id, counters);
        let of = self.types.get_mut(name).unwrap_or(&mut self.other);
        of.actors += 1;
        of.handling += u64::from(actor.is_handling);
        of.waiting += actor.waiting as u64;
        of.most_waiting = of.most_waiting.max(actor.waiting as u64);
        of.longest = of.longest.max(handling.unwrap_or_default());
        of.handled += handled;
        of.lost += lost;
    }

    /// The sample ends.
    pub(super) fn end(&mut self) {
        self.before.0 = std::mem::take(&mut self.now);
    }

    /// The types, with the others at the end.
    pub(super) fn by_type(&self) -> impl Iterator<Item = (&str, &OfType)> {
        let types = self.types.iter().map(|(name, of)| (name.as_str(), of));
        types.chain([(OTHER, &self.other)])
    }
}

/// The session with one peer, or the sessions with several.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct OfPeer {
    /// Sent, received, and those of the latter that reached no actor.
    pub(super) counted: [u64; 3],
    pub(super) kept: u64,
    pub(super) unsent: u64,
    pub(super) window: u64,
    pub(super) calls: u64,
    pub(super) answering: u64,
    /// Frames that are neither acknowledged nor kept.
    pub(super) missing: u64,
    /// The longest, once there is one.
    pub(super) round_trip: Option<RoundTrip>,
}

/// The round trip to a peer. The smoothed one stands first: the longest is found by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RoundTrip {
    pub(super) smoothed: Duration,
    pub(super) smallest: Duration,
}

impl From<RoundTripView> for RoundTrip {
    fn from(view: RoundTripView) -> Self {
        let [smoothed, smallest] = [view.smoothed_ns, view.smallest_ns].map(Duration::from_nanos);
        Self { smoothed, smallest }
    }
}

impl OfPeer {
    fn add(&mut self, session: &SessionView, grown: [u64; 3]) {
        for (sum, more) in self.counted.iter_mut().zip(grown) {
            *sum += more;
        }
        self.kept += session.kept_bytes as u64;
        self.unsent += session.unsent_bytes as u64;
        self.window += session.window_bytes as u64;
        self.calls += session.calls as u64;
        self.answering += session.answering as u64;
        self.missing += session.frames.abs_diff(session.acknowledged + session.kept);
    }
}

/// The peers, and their links.
#[derive(Debug, Default)]
pub(super) struct Peers {
    peers: BTreeMap<String, OfPeer>,
    other: OfPeer,
    before: Before<u64, 3>,
    /// How many there are, by locality.
    localities: BTreeMap<String, u64>,
    /// Links that there are, and bytes that were sent, by kind.
    kinds: BTreeMap<String, [u64; 2]>,
    links: Before<(u64, String, String), 1>,
}

impl Peers {
    /// Takes the peers of a snapshot.
    pub(super) fn take(&mut self, peers: &[PeerView]) {
        let present: BTreeSet<&str> = peers.iter().map(|peer| short(&peer.name)).collect();
        // A peer that is gone makes room for another one.
        self.peers.retain(|name, _| present.contains(name.as_str()));
        for name in present {
            if !self.peers.contains_key(name) && self.peers.len() < MOST_PEERS {
                self.peers.insert(name.to_owned(), OfPeer::default());
            }
        }
        for of in self.peers.values_mut().chain([&mut self.other]) {
            *of = OfPeer { counted: of.counted, ..OfPeer::default() };
        }
        self.localities.values_mut().for_each(|count| *count = 0);
        self.kinds.values_mut().for_each(|[count, _]| *count = 0);
        let (mut sessions, mut links) = (HashMap::new(), HashMap::new());
        for peer in peers {
            *self.localities.entry(peer.locality.clone()).or_default() += 1;
            if let Some(session) = &peer.session {
                let counters = [session.sent, session.received, session.dead_letters];
                let grown = self.before.growth(&peer.node_id, counters);
                sessions.insert(peer.node_id, counters);
                let of = self.peers.get_mut(short(&peer.name)).unwrap_or(&mut self.other);
                of.add(session, grown);
                of.round_trip = of.round_trip.max(peer.round_trip().map(RoundTrip::from));
            }
            for link in &peer.links {
                let ends = ends(peer.node_id, link);
                let [grown] = self.links.growth(&ends, [link.sent_bytes]);
                let [count, bytes] = self.kinds.entry(link.kind.clone()).or_default();
                (*count, *bytes) = (*count + 1, *bytes + grown);
                links.insert(ends, [link.sent_bytes]);
            }
        }
        (self.before.0, self.links.0) = (sessions, links);
    }

    /// The peers, with the others at the end.
    pub(super) fn by_name(&self) -> impl Iterator<Item = (&str, &OfPeer)> {
        let peers = self.peers.iter().map(|(name, of)| (name.as_str(), of));
        peers.chain([(OTHER, &self.other)])
    }

    pub(super) fn localities(&self) -> impl Iterator<Item = (&str, u64)> {
        self.localities.iter().map(|(locality, count)| (locality.as_str(), *count))
    }

    /// The kinds of links, each with how many there are, and the bytes that were sent.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (&str, [u64; 2])> {
        self.kinds.iter().map(|(kind, sums)| (kind.as_str(), *sums))
    }
}

/// What tells a link from others.
fn ends(node_id: u64, link: &LinkView) -> (u64, String, String) {
    (node_id, link.kind.clone(), format!("{} {}", link.local, link.peer))
}

#[cfg(test)]
mod tests;
