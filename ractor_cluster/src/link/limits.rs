//! What a node puts up with of each peer, so that none can have it take memory without end.

use std::fmt;

/// Bounds on what peers may make a node keep.
///
/// They are far beyond what applications do, and there to be lowered. What is beyond one is refused, is told
/// once in the log and by [`PeerEvent::LimitReached`](crate::peers::PeerEvent::LimitReached), and
/// harms nobody else.
///
/// ```
/// use ractor_cluster::link::{Limits, LinkOptions};
///
/// let limits = Limits::default().with_actors(10_000).with_groups(100);
/// let options = LinkOptions::default().with_limits(limits);
/// assert_eq!(options.limits.actors, 10_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Peers that are authenticated at the same time. A node of a full mesh has as many as there
    /// are other nodes; by default 4096.
    pub peers: usize,
    /// Actors that a peer may announce, and of which the transport that they prefer is kept. A
    /// proxy is an idle actor, of 1 to 2 KiB with its place in tables: the default of 262,144 lets a
    /// peer take about half a gigabyte.
    pub actors: usize,
    /// Process groups of which a peer's actors may be members; by default 65,536.
    pub groups: usize,
    /// Memberships in them, of all actors of a peer together; by default 1,048,576, four for each
    /// actor.
    pub memberships: usize,
    /// The bytes of a name: of an actor, a group, a scope, and of each text in which a peer describes
    /// itself; by default 4096.
    pub name_bytes: usize,
    /// The largest frame of one that connected, before it is authenticated, in bytes. What a node says by then
    /// fits into a few hundred; by default 64 KiB.
    pub first_frame: u64,
    /// How many lines the node logs at once about peers and connections that it refuses for one
    /// cause. From there on it is a line every ten seconds, with the number of those left out; by
    /// default 8. [`refusals`](crate::link::refusals) counts all.
    pub log_lines: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            peers: 4096,
            actors: 256 * 1024,
            groups: 64 * 1024,
            memberships: 1024 * 1024,
            name_bytes: 4096,
            first_frame: 64 * 1024,
            log_lines: 8,
        }
    }
}

impl Limits {
    /// With so many authenticated peers.
    #[must_use]
    pub const fn with_peers(self, peers: usize) -> Self {
        Self { peers, ..self }
    }

    /// With so many actors of a peer.
    #[must_use]
    pub const fn with_actors(self, actors: usize) -> Self {
        Self { actors, ..self }
    }

    /// With so many process groups of a peer.
    #[must_use]
    pub const fn with_groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// With so many memberships of a peer's actors.
    #[must_use]
    pub const fn with_memberships(self, memberships: usize) -> Self {
        Self { memberships, ..self }
    }

    /// With names of so many bytes.
    #[must_use]
    pub const fn with_name_bytes(self, name_bytes: usize) -> Self {
        Self { name_bytes, ..self }
    }

    /// With frames of so many bytes before authentication.
    #[must_use]
    pub const fn with_first_frame(self, first_frame: u64) -> Self {
        Self { first_frame, ..self }
    }

    /// With so many lines of the log at once for one cause.
    #[must_use]
    pub const fn with_log_lines(self, log_lines: u32) -> Self {
        Self { log_lines, ..self }
    }
}

/// One of the [`Limits`] that a peer came up against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::peers`]: its session is ended.
    Peers,
    /// [`Limits::actors`]: it has no proxies of those beyond.
    Actors,
    /// [`Limits::groups`]: its actors do not join those beyond.
    Groups,
    /// [`Limits::memberships`]: its actors do not join any more.
    Memberships,
    /// [`Limits::actors`], of the transports that they prefer: those beyond are sent to by any.
    Preferences,
    /// [`Limits::name_bytes`]: what has the name is left out.
    NameBytes,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Peers => "peers",
            Self::Actors => "actors",
            Self::Groups => "groups",
            Self::Memberships => "memberships",
            Self::Preferences => "preferences",
            Self::NameBytes => "bytes of a name",
        })
    }
}
