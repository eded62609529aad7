//! The types of a snapshot. All of what programs see of a node is here.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A process with its node at one moment.
///
/// Figures that belong to different parts are read one after the other: while messages go on, sums
/// over parts may differ by what happened in between. Counters begin with the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The node.
    pub node: NodeView,
    /// When it was taken, in milliseconds since 1970.
    pub taken_ms: u64,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// Sums over all actors of the process.
    pub totals: Totals,
    /// The actors that were asked for, in the order that was asked for.
    pub actors: Vec<ActorView>,
    /// The process groups, by scope and name.
    pub groups: Vec<GroupView>,
    /// The peers, by number.
    pub peers: Vec<PeerView>,
    /// The arena of the process, if it has one.
    pub arena: Option<ArenaView>,
    /// Messages of peers that reached no actor, by cause: causes that have occurred.
    pub dead_letters: Vec<Count>,
    /// Connections and peers that were refused, by cause: causes that have occurred.
    pub refusals: Vec<Count>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NodeView {
    /// Its full name, `name@host`.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// Where it listens.
    pub addresses: Vec<String>,
    /// How long it has run, in milliseconds.
    pub uptime_ms: u64,
}

/// Sums over all actors of the process, those included that were not asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Totals {
    /// The actors.
    pub actors: usize,
    /// Those whose handler runs.
    pub handling: usize,
    /// The messages that wait.
    pub waiting: usize,
    /// The messages that actors which still live have handled.
    pub handled: u64,
    /// The messages that actors which still live were to handle, and did not.
    pub lost: u64,
}

/// An actor of the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActorView {
    /// Its number in the process.
    pub id: u64,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The name of its type, as the compiler has it.
    pub actor_type: Cow<'static, str>,
    /// Its status, such as `Running`.
    pub status: Cow<'static, str>,
    /// The number of the actor that supervises it. One of another node is not told.
    pub parent: Option<u64>,
    /// The messages that wait.
    pub waiting: usize,
    /// The bound of its mailbox, if it has one.
    pub capacity: Option<usize>,
    /// The most messages that ever waited.
    pub high_water: usize,
    /// The messages whose handler has returned.
    pub handled: u64,
    /// The supervision events whose handler has begun.
    pub events: u64,
    /// How long the handler that runs has run at least, in milliseconds; `None` when none runs. It
    /// is known since the first sample that found it: from a second late, with up to about 20,000
    /// actors, to a minute late with very many.
    pub handling_ms: Option<u64>,
    /// Messages that were admitted and that no handler will get.
    pub lost: u64,
}

/// The type of the runtime's actors that read a connection.
pub(super) const READER: &str = "ractor_cluster::net::session::SessionReader";

impl ActorView {
    /// Whether it is an actor of the runtime that reads a connection. Such an actor waits for bytes
    /// in its handler, so that a long time in [`handling_ms`](Self::handling_ms) means nothing.
    #[must_use]
    pub fn reads_connection(&self) -> bool {
        self.actor_type == READER
    }
}

/// A process group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GroupView {
    /// Its scope.
    pub scope: String,
    /// Its name.
    pub group: String,
    /// Its members that are actors of this process.
    pub local: usize,
    /// Its members that are actors of other nodes.
    pub remote: usize,
}

/// A peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PeerView {
    /// Its number in this process.
    pub node_id: u64,
    /// Its full name, `name@host`.
    pub name: String,
    /// The number that its configuration gives it.
    pub number: Option<u64>,
    /// Its release; `None` for a stock node.
    pub release: Option<String>,
    /// Where it is, such as `same machine`.
    pub locality: String,
    /// The links to it, the cheapest first. None while the session waits for one to come back.
    pub links: Vec<LinkView>,
    /// What went by the session.
    pub session: Option<SessionView>,
}

impl PeerView {
    /// The round trip of the link that messages take, or of the cheapest one that has any.
    #[must_use]
    pub fn round_trip(&self) -> Option<RoundTripView> {
        let active = self.links.iter().find(|link| link.active);
        let own = active.and_then(|link| link.round_trip);
        own.or_else(|| self.links.iter().find_map(|link| link.round_trip))
    }
}

/// A link to a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LinkView {
    /// What it is, such as `tcp`.
    pub kind: String,
    /// The other end.
    pub peer: String,
    /// This end.
    pub local: String,
    /// Whether messages to actors without a pin of their own take it.
    pub active: bool,
    /// The bytes of messages and session control that it took, those included that went again.
    pub sent_bytes: u64,
    /// How long the peer takes to answer pings by it; `None` before one is answered, and in
    /// snapshots of nodes that do not measure it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip: Option<RoundTripView>,
}

/// The round trips of a link: of control, which does not wait for messages. The ping goes by the
/// link, and the answer by the peer's cheapest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RoundTripView {
    /// The last one, in nanoseconds.
    pub latest_ns: u64,
    /// All of them, smoothed as in RFC 6298, in nanoseconds.
    pub smoothed_ns: u64,
    /// The shortest one since the link began, in nanoseconds.
    pub smallest_ns: u64,
    /// How many pings were answered.
    pub answered: u64,
}

/// What went by the session with a peer. A stock node numbers nothing: most of it is 0 then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionView {
    /// Messages and answers that were sent, once for each receiver.
    pub sent: u64,
    /// Messages and answers of the peer that came, once for each receiver.
    pub received: u64,
    /// Those of them that reached no actor.
    pub dead_letters: u64,
    /// The frames that were numbered: messages and session control.
    pub frames: u64,
    /// Those that the peer has acknowledged.
    pub acknowledged: u64,
    /// Those that are kept for the peer, sent or not.
    pub kept: u64,
    /// The bytes that are kept for the peer.
    pub kept_bytes: usize,
    /// The bytes that wait to be sent.
    pub unsent_bytes: usize,
    /// The bytes from which on messages are refused.
    pub window_bytes: usize,
    /// Calls of this node that wait for an answer.
    pub calls: usize,
    /// Calls of the peer that wait for an answer.
    pub answering: usize,
}

impl SessionView {
    /// Whether no frame is missing: each that was numbered is acknowledged or kept.
    #[must_use]
    pub const fn is_balanced(&self) -> bool {
        self.frames == self.acknowledged + self.kept
    }
}

/// The arena of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArenaView {
    /// The bytes that there are.
    pub size: usize,
    /// The bytes that are held, by this process or by peers.
    pub used: usize,
    /// The links that lend payloads.
    pub links: usize,
    /// The payloads that are lent, once for each link.
    pub leases: usize,
    /// Their bytes.
    pub lent: usize,
    /// Those of them that peers lent to this process, and that it passed on without a copy. A node
    /// of an older release shows 0.
    #[serde(default)]
    pub relayed: usize,
    /// How often there was no room to map the arena of a peer, whose payloads are then copied. A
    /// node of an older release shows 0.
    #[serde(default)]
    pub unmapped: usize,
}

/// How often something happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Count {
    /// The name of the cause.
    pub cause: String,
    /// How often.
    pub count: u64,
}
