//! `[node]`: who this node is.

use std::time::Duration;

use ractor::actor::actor_config::TransportPreference;
use ractor_cluster::link::LinkOptions;

use super::contradictions;
use super::cookie;
use super::reader::{Reader, Section};
use super::secret::Secret;
use super::setting::Setting;
use super::shm::ShmSettings;
use super::values::{ConnectionMode, Host, NodeName, OrOff, Size};

/// Who this node is, and what it puts up with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeSettings {
    /// Its name, before the `@`.
    pub name: Setting<NodeName>,
    /// The number that it announces to its peers.
    pub id: Option<Setting<u64>>,
    /// The host after the `@`: by default what the machine calls itself.
    pub host: Setting<String>,
    /// What all nodes of the cluster know.
    pub cookie: Setting<Secret>,
    /// How messages shall come to this node's actors that do not say so themselves.
    pub transport: Setting<TransportPreference>,
    /// Whom it connects to.
    pub mode: Setting<ConnectionMode>,
    /// Links by shared memory.
    pub shm: ShmSettings,
    /// What it puts up with.
    pub limits: Limits,
}

/// What a node puts up with.
///
/// ```
/// use std::time::Duration;
/// use mycelium_ext::config::Limits;
///
/// let mut limits = Limits::default();
/// limits.connect_timeout = Duration::from_secs(1).into();
/// assert_eq!(*limits.connect_timeout, Duration::from_secs(1));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// The largest frame that a peer may send, in bytes.
    pub max_frame: Setting<u64>,
    /// How long a peer may take from the open connection to authentication, and from there to the
    /// exchange of actors.
    pub handshake_timeout: Setting<Duration>,
    /// What is kept for a peer until it has acknowledged it, in bytes.
    pub replay_window: Setting<u64>,
    /// How many connections to this node may be open without being authenticated.
    pub max_handshakes: Setting<u64>,
    /// The largest frame of one that is not authenticated, in bytes.
    pub first_frame: Setting<u64>,
    /// How many peers there may be at a time.
    pub max_peers: Setting<u64>,
    /// How many actors a peer may announce.
    pub max_actors: Setting<u64>,
    /// Of how many groups a peer's actors may be members.
    pub max_groups: Setting<u64>,
    /// How many memberships they may have together.
    pub max_memberships: Setting<u64>,
    /// The longest name of an actor or of a group, in bytes.
    pub max_name: Setting<u64>,
    /// How long a peer may be silent until its links are closed; zero: for ever.
    pub silence_timeout: Setting<Duration>,
    /// How long a link may take nothing of what waits until it is closed; zero: for ever.
    pub write_deadline: Setting<Duration>,
    /// How long a session waits for its last link to come back; zero: not at all.
    pub reconnect_grace: Setting<Duration>,
    /// How long it may take to open a connection, name resolution and TLS included.
    pub connect_timeout: Setting<Duration>,
    /// The pause after the first failed attempt to connect.
    pub backoff_min: Setting<Duration>,
    /// The longest pause.
    pub backoff_max: Setting<Duration>,
    /// How long a connection has to last before the pauses start from the shortest again.
    pub backoff_reset: Setting<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        let links = LinkOptions::default();
        let peer = links.limits;
        let count = |count: usize| Setting::default(count as u64);
        Self {
            max_frame: Setting::default(ractor_cluster::DEFAULT_MAX_INBOUND_FRAME_SIZE),
            handshake_timeout: Setting::default(links.handshake_timeout),
            replay_window: Setting::default(links.replay_window as u64),
            max_handshakes: count(links.max_handshakes),
            first_frame: Setting::default(peer.first_frame),
            max_peers: count(peer.peers),
            max_actors: count(peer.actors),
            max_groups: count(peer.groups),
            max_memberships: count(peer.memberships),
            max_name: count(peer.name_bytes),
            silence_timeout: Setting::default(links.silence_timeout),
            write_deadline: Setting::default(links.write_deadline),
            reconnect_grace: Setting::default(links.reconnect_grace),
            connect_timeout: Setting::default(Duration::from_secs(5)),
            backoff_min: Setting::default(Duration::from_millis(100)),
            backoff_max: Setting::default(Duration::from_secs(30)),
            backoff_reset: Setting::default(Duration::from_secs(10)),
        }
    }
}

impl Limits {
    /// What the cluster is told of them.
    pub(crate) fn apply(&self, links: LinkOptions) -> LinkOptions {
        let count = |count: &Setting<u64>| usize::try_from(**count).unwrap_or(usize::MAX);
        let mut links = links
            .with_handshake_timeout(*self.handshake_timeout)
            .with_connect_timeout(*self.connect_timeout)
            .with_replay_window(count(&self.replay_window))
            .with_silence_timeout(*self.silence_timeout)
            .with_write_deadline(*self.write_deadline)
            .with_reconnect_grace(*self.reconnect_grace);
        links.max_handshakes = count(&self.max_handshakes);
        links.limits = links
            .limits
            .with_first_frame(*self.first_frame)
            .with_peers(count(&self.max_peers))
            .with_actors(count(&self.max_actors))
            .with_groups(count(&self.max_groups))
            .with_memberships(count(&self.max_memberships))
            .with_name_bytes(count(&self.max_name));
        links
    }
}

/// Who this node is, as far as it is known.
#[derive(Clone, Copy)]
pub(super) struct Identity<'a> {
    pub(super) name: Option<&'a NodeName>,
    pub(super) id: Option<&'a Setting<u64>>,
}

/// What was read of `[node]`.
pub(super) struct Draft {
    name: Option<Setting<NodeName>>,
    id: Option<Setting<u64>>,
    host: Option<Setting<Host>>,
    cookie: Option<Setting<Secret>>,
    transport: Option<Setting<TransportPreference>>,
    mode: Option<Setting<ConnectionMode>>,
    shm: ShmSettings,
    limits: Limits,
}

impl Draft {
    pub(super) const fn mode(&self) -> Option<&Setting<ConnectionMode>> {
        self.mode.as_ref()
    }

    pub(super) fn identity(&self) -> Identity<'_> {
        Identity { name: self.name.as_deref(), id: self.id.as_ref() }
    }

    /// With the defaults; `None` when something is missing that is needed.
    pub(super) fn settle(self) -> Option<NodeSettings> {
        let host = self.host.map(|host| host.map(|host| host.0));
        Some(NodeSettings {
            name: self.name?,
            id: self.id,
            host: host.unwrap_or_else(|| Setting::default(machine())),
            cookie: self.cookie?,
            transport: self.transport.unwrap_or_else(|| Setting::default(Default::default())),
            mode: self.mode.unwrap_or_else(|| Setting::default(Default::default())),
            shm: self.shm,
            limits: self.limits,
        })
    }
}

/// Reads `[node]` but for what is about other nodes.
pub(super) fn read(reader: &mut Reader<'_>, node: &mut Section<'_, '_>) -> Draft {
    if !node.has_layered(reader, "name") {
        reader.mistake(
            reader.place(node.at()),
            node.key("name"),
            "the name of this node",
            "nothing",
            Some("write name = \"…\" under [node], or set MYCELIUM_NODE_NAME".to_owned()),
        );
    }
    let mut section = node.section(reader, "limits");
    let limits = limits(reader, &mut section);
    section.finish(reader);
    let mut section = node.section(reader, "shm");
    let shm = super::shm::read(reader, &mut section);
    section.finish(reader);
    let transport = node.setting(reader, "transport");
    contradictions::shared_memory(reader, &node.key("transport"), &transport, &shm);
    Draft {
        name: node.setting(reader, "name"),
        id: node.setting(reader, "id"),
        host: node.setting(reader, "host"),
        cookie: cookie::find(reader, node),
        transport,
        mode: node.setting(reader, "mode"),
        shm,
        limits,
    }
}

/// What this machine calls itself; `localhost`, if that is nothing that others can use.
pub(crate) fn machine() -> String {
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    match crate::address::host_name(&name) {
        Ok(()) => name,
        Err(_) => "localhost".to_owned(),
    }
}

fn limits(reader: &mut Reader<'_>, section: &mut Section<'_, '_>) -> Limits {
    let mut limits = Limits::default();
    let mut size = |reader: &mut Reader<'_>, key, limit: &mut Setting<u64>| {
        if let Some(size) = section.setting::<Size>(reader, key) {
            *limit = size.map(|size| size.0);
        }
    };
    size(reader, "max_frame", &mut limits.max_frame);
    size(reader, "replay_window", &mut limits.replay_window);
    size(reader, "first_frame", &mut limits.first_frame);
    size(reader, "max_name", &mut limits.max_name);
    for (key, limit) in [
        ("max_handshakes", &mut limits.max_handshakes),
        ("max_peers", &mut limits.max_peers),
        ("max_actors", &mut limits.max_actors),
        ("max_groups", &mut limits.max_groups),
        ("max_memberships", &mut limits.max_memberships),
    ] {
        if let Some(count) = section.setting(reader, key) {
            *limit = count;
        }
    }
    for (key, limit) in [
        ("silence_timeout", &mut limits.silence_timeout),
        ("write_deadline", &mut limits.write_deadline),
        ("reconnect_grace", &mut limits.reconnect_grace),
    ] {
        if let Some(patience) = section.setting::<OrOff>(reader, key) {
            *limit = patience.map(|patience| patience.0);
        }
    }
    for (key, limit) in [
        ("handshake_timeout", &mut limits.handshake_timeout),
        ("connect_timeout", &mut limits.connect_timeout),
        ("backoff_min", &mut limits.backoff_min),
        ("backoff_max", &mut limits.backoff_max),
        ("backoff_reset", &mut limits.backoff_reset),
    ] {
        if let Some(duration) = section.setting(reader, key) {
            *limit = duration;
        }
    }
    if *limits.backoff_min > *limits.backoff_max {
        let (at, key) = match limits.backoff_min.place() {
            Some(place) => (place, "backoff_min"),
            None => match limits.backoff_max.place() {
                Some(place) => (place, "backoff_max"),
                None => return limits,
            },
        };
        let pause = humantime::format_duration;
        reader.mistake(
            at.clone(),
            section.key(key),
            "a backoff_min of at most backoff_max",
            format!("{} and {}", pause(*limits.backoff_min), pause(*limits.backoff_max)),
            None,
        );
    }
    limits
}
