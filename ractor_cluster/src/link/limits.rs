//! What a node puts up with of each peer, so that none can have it take memory without end.

use std::fmt;

use super::options::declare::options;

options! {
    /// Bounds on what peers may make a node keep.
    ///
    /// They are far beyond what applications do, and there to be lowered. The node refuses what is
    /// beyond a bound, reports it once in the log and by
    /// [`PeerEvent::LimitReached`](crate::peers::PeerEvent::LimitReached), and no other peer is
    /// harmed.
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
        /// Peers that are authenticated at the same time. A node of a full mesh has as many as
        /// there are other nodes.
        peers: usize = 4096, with_peers;
        /// Actors that a peer may announce, and actors whose preferred transport is kept. A
        /// proxy is an idle actor, of 1 to 2 KiB with its place in tables: the default lets a peer
        /// take about half a gigabyte.
        ///
        /// The lists of one frame hold at most so many elements together, or 16,384 where that is
        /// more: a frame with longer lists is not decoded, and its sender is refused
        /// ([`Refusal::ListTooLong`](crate::link::Refusal::ListTooLong)).
        actors: usize = 262_144, with_actors;
        /// Process groups that a peer's actors may be members of.
        groups: usize = 65_536, with_groups;
        /// Memberships in them, of all actors of a peer together: by default four for each actor.
        memberships: usize = 1_048_576, with_memberships;
        /// The bytes of a name: of an actor, a group, a scope, and of each text in which a peer
        /// describes itself.
        name_bytes: usize = 4096, with_name_bytes;
        /// The largest frame of a peer that has connected and is not authenticated, in bytes. The
        /// frames of a handshake have a few hundred.
        first_frame: u64 = 64 * 1024, with_first_frame;
        /// How many lines the node logs at once about peers and connections that it refuses for one
        /// cause, and about links and sessions that break or end, of one kind. From there on it is
        /// a line every ten seconds, with the number of those left out.
        /// [`refusals`](crate::link::refusals) counts all refusals, and
        /// [`peers::events`](crate::peers::events) tells of every session.
        log_lines: u32 = 8, with_log_lines;
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
