//! What a [`NodeServer`](crate::NodeServer) may be told of links and peers.

pub(super) mod declare;
mod security;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ractor::actor::actor_config::TransportPreference;

use super::limits::Limits;
use super::traces::Propagator;
#[cfg(unix)]
use crate::transport::LocalTransport;
use declare::options;
pub use security::{CertificateNames, Security};

options! {
    /// How a node listens, and which links it makes to its peers of the fork. Peers of stock
    /// `ractor_cluster` have the one link that they made.
    ///
    /// ```
    /// use ractor::actor::actor_config::TransportPreference;
    /// use ractor_cluster::link::options::{LinkOptions, Location, Peer, PeerPolicy, UnixListening};
    ///
    /// let elsewhere = PeerPolicy::default().with_location(Location::Remote);
    /// let options = LinkOptions::default()
    ///     .with_number(7)
    ///     .with_unix(UnixListening::Off)
    ///     .with_peer(Peer::named("archive"), elsewhere);
    /// assert_eq!(options.preference, TransportPreference::Adaptive);
    /// ```
    #[derive(Debug, Clone)]
    #[non_exhaustive]
    pub struct LinkOptions {
        /// The number that peers know this node by, beside its name.
        number: Option<u64> = None;
        /// The transport that this node sends over, where neither the receiving actor nor its node
        /// pins one. A pinned kind also forbids to look for cheaper ones.
        preference: TransportPreference = TransportPreference::Adaptive, with_preference;
        /// Whether the node listens by itself. With `false` it listens neither at its port nor at a
        /// Unix socket nor at its further listeners: peers reach it by connections that the
        /// application hands to [`accept`](super::accept). Nodes that do not listen have no port, and
        /// refuse each other as their own when they have the same host name.
        listens: bool = true, with_listens;
        /// Whether and where to listen for peers of this machine.
        unix: UnixListening = UnixListening::Automatic;
        /// Further listeners, beside the one of the node server's port.
        listeners: Vec<Listen> = Vec::new();
        /// How long each part of a handshake may take: from a connection to its first frame, from
        /// there to authentication, and, twice as long, from there to the announcement of actors.
        handshake_timeout: Duration = Duration::from_secs(10), with_handshake_timeout;
        /// How long it may take to open a connection that [`client_connect`](crate::client_connect)
        /// and the like dial, and as long again to agree on TLS.
        connect_timeout: Duration = Duration::from_secs(10), with_connect_timeout;
        /// Connections to this node that are not authenticated yet: so many from the network that
        /// have sent nothing, so many from the network whose handshake is under way, and so many by
        /// Unix sockets. Beyond it the oldest is closed, and never the newcomer. One address (of
        /// IPv6, one /64 network) has half of the places, unless there are fewer than 16. Further
        /// links of sessions that exist have other places.
        max_handshakes: usize = 256, with_max_handshakes;
        /// What each peer may make this node keep.
        limits: Limits = Limits::default(), with_limits;
        /// Closes the links of a peer from which nothing at all has come for this long, or up to a
        /// fifth longer; zero: never. The node asks a peer for a sign of life several times before,
        /// so that an idle peer is not silent, and everything that a peer sends is one. Only the
        /// time in which this process runs counts: a process that was suspended does not take its
        /// peers for dead.
        silence_timeout: Duration = Duration::from_secs(15), with_silence_timeout;
        /// Closes a link that has written nothing for this long although something waits; zero:
        /// never.
        write_deadline: Duration = Duration::from_secs(30), with_write_deadline;
        /// How long a session with a peer of the fork waits for a link to come back after its last
        /// one broke; zero: not at all. The node that connected goes on connecting meanwhile, and
        /// messages to the peer are kept, as far as the [replay window](Self::replay_window) goes.
        /// It should be longer than a fifth of the [silence timeout](Self::silence_timeout): the
        /// two ends may notice a silence that far apart.
        reconnect_grace: Duration = Duration::from_secs(5), with_reconnect_grace;
        /// The bytes of messages that wait for a peer, or are kept until it has acknowledged them,
        /// so that they can go again when a link breaks. From there on casts and calls return their
        /// message ([`MessagingErr::SendErr`](ractor::MessagingErr)), and
        /// [`send`](ractor::ActorRef::send) waits, until half of it is acknowledged. A sender may
        /// go beyond it by a message. At least 256 KiB. A stock peer acknowledges nothing: bytes to
        /// a stock peer count until its connection has taken them.
        replay_window: usize = 16 * 1024 * 1024, with_replay_window;
        /// How many calls to one peer may wait for an answer, and how many of its calls. More calls
        /// return their message; more of the peer's fail, those of a stock peer by its own timeout.
        max_calls: usize = 65_536, with_max_calls;
        /// Whether a thread that waits for an answer polls the link before it sleeps.
        ///
        /// On, the caller of an actor of another node, or an actor that has answered such a call,
        /// yields its core a few times, asks the socket or the ring for a frame after each,
        /// and keeps its thread for some microseconds. What it finds needs no turn of the task that
        /// reads the link. Off, the runtime alone wakes readers, and no thread yields its core.
        /// Which is faster depends on the link, and on who else uses the cores: the benchmarks of
        /// the guide have figures of both. The spinning of shared memory is an option of its own,
        /// and off by default.
        busy_poll: bool = true, with_busy_poll;
        /// Whether this process may raise the bounds of glibc's allocator when a link carries large
        /// messages, or many. Without effect with another allocator.
        ///
        /// On, the process keeps up to 16 MiB of free memory at the top of each arena, and takes
        /// blocks of up to 8 MiB from its heap. Off, glibc returns memory above 128 KiB to the
        /// system at once, and the kernel clears the pages of each large message anew. The
        /// benchmarks of the guide have figures of both.
        ///
        /// The bounds are those of the process. One node server with `false` turns the hint off for
        /// all of them, until the process ends; a hint that another node has given before stays.
        malloc_hint: bool = true, with_malloc_hint;
        /// What is demanded of peers, and what they may make this node do.
        security: Security = Security::default();
        /// What is known of peers.
        peers: HashMap<Peer, PeerPolicy> = HashMap::new();
        /// What connects messages to and from other nodes with a tracing system
        /// ([`traces`](super::traces)).
        propagator: Option<Arc<dyn Propagator>> = None;
        /// What makes links by shared memory with peers of this machine.
        local_transport if unix: Option<Arc<dyn LocalTransport>> = None;
    }
}

impl LinkOptions {
    /// With this number.
    #[must_use]
    pub fn with_number(mut self, number: u64) -> Self {
        self.number = Some(number);
        self
    }

    /// Listening so for peers of this machine.
    #[must_use]
    pub fn with_unix(mut self, unix: UnixListening) -> Self {
        self.unix = unix;
        self
    }

    /// With a further listener.
    #[must_use]
    pub fn with_listener(mut self, listener: Listen) -> Self {
        self.listeners.push(listener);
        self
    }

    /// With this knowledge of a peer.
    #[must_use]
    pub fn with_peer(mut self, peer: Peer, policy: PeerPolicy) -> Self {
        self.peers.insert(peer, policy);
        self
    }

    /// With these demands of peers.
    #[must_use]
    pub fn with_security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// With the contexts of spans in messages to and from those peers of the fork that have a
    /// propagator too.
    #[must_use]
    pub fn with_propagator(mut self, propagator: Arc<dyn Propagator>) -> Self {
        self.propagator = Some(propagator);
        self
    }

    /// Making links by shared memory so.
    #[cfg(unix)]
    #[must_use]
    pub fn with_local_transport(mut self, local_transport: Arc<dyn LocalTransport>) -> Self {
        self.local_transport = Some(local_transport);
        self
    }

    /// The policy towards the peer of this full name (`name@host`) and number. What is said of its
    /// name goes before what is said of its number, one thing at a time.
    pub(crate) fn policy(&self, full_name: &str, number: Option<u64>) -> PeerPolicy {
        let name = full_name.split_once('@').map_or(full_name, |(name, _)| name);
        let find = |peer| self.peers.get(&peer).copied().unwrap_or_default();
        let by_name = find(Peer::Name(name.to_owned()));
        let by_number =
            number.map_or_else(PeerPolicy::default, |number| find(Peer::Number(number)));
        let location = match by_name.location {
            Location::Auto => by_number.location,
            known => known,
        };
        let preference = match by_name.preference {
            TransportPreference::Adaptive => by_number.preference,
            pinned => pinned,
        };
        PeerPolicy { location, preference }
    }
}

/// Whether and where a node listens for peers of its machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnixListening {
    /// In a private folder, by a name of its own; peers are told. Where that cannot be, the node
    /// goes without, and says so once.
    #[default]
    Automatic,
    /// At this path; where that cannot be, the node does not start.
    At(PathBuf),
    /// Not at all. Peers of this machine that dial this node are then
    /// [`Remote`](crate::peers::Locality::Remote), since only such a socket proves that they are
    /// here, and a peer that is configured as local is refused.
    Off,
}

/// A further listener.
#[derive(Clone)]
#[non_exhaustive]
pub enum Listen {
    /// TCP at this address.
    Tcp(SocketAddr),
    /// TLS at this address.
    Tls(SocketAddr, tokio_rustls::TlsAcceptor),
}

impl fmt::Debug for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Tls(address, _) => write!(f, "tls://{address}"),
        }
    }
}

/// By what a peer is known in configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Peer {
    /// The name before the `@`. Stock peers have this only.
    Name(String),
    /// The number that the peer's own configuration gives it.
    Number(u64),
}

impl Peer {
    /// By its name.
    pub fn named(name: impl Into<String>) -> Self {
        Self::Name(name.into())
    }
}

/// What is known of a peer before it is met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerPolicy {
    /// Where it is.
    pub location: Location,
    /// The transport to it, in place of [`LinkOptions::preference`].
    pub preference: TransportPreference,
}

impl PeerPolicy {
    /// Of a peer that is there.
    #[must_use]
    pub const fn with_location(self, location: Location) -> Self {
        Self { location, ..self }
    }

    /// Of a peer that is reached so.
    #[must_use]
    pub const fn with_preference(self, preference: TransportPreference) -> Self {
        Self { preference, ..self }
    }
}

/// Where a peer is expected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Location {
    /// Wherever it proves to be.
    #[default]
    Auto,
    /// On this machine. A peer that cannot prove it is refused.
    Local,
    /// Elsewhere: cheaper links are neither looked for nor accepted.
    Remote,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_found_by_name_and_then_by_number() {
        let remote = PeerPolicy::default().with_location(Location::Remote);
        let local = PeerPolicy::default().with_location(Location::Local);
        let options = LinkOptions::default()
            .with_peer(Peer::named("a"), remote)
            .with_peer(Peer::Number(3), local);
        assert_eq!(options.policy("a@host", Some(3)), remote);
        assert_eq!(options.policy("b@host", Some(3)), local);
        assert_eq!(options.policy("b", None), PeerPolicy::default());
        // Neither hides what only the other says.
        let tcp = PeerPolicy::default().with_preference(TransportPreference::Tcp);
        let options = options.with_peer(Peer::named("c"), tcp);
        assert_eq!(options.policy("c@host", Some(3)), tcp.with_location(Location::Local));
    }
}
