//! What a node is started with.

mod mutual;
mod running;
mod start;

use std::sync::Arc;

use ractor::actor::actor_config::TransportPreference;
use ractor_cluster::link::LinkOptions;
use ractor_cluster::link::options::{Peer, PeerPolicy, Security, UnixListening};

pub(super) use self::running::Running;
use super::dial::Target;
use super::error::StartError;
#[cfg(all(feature = "metrics", unix))]
use crate::address::Endpoint;
use crate::address::{Address, InvalidAddress};
#[cfg(target_os = "linux")]
use crate::config::ShmLinks;
#[cfg(all(feature = "spinning", target_os = "linux"))]
use crate::config::SpinThread;
use crate::config::{
    ClusterSettings, Config, ConnectionMode, Limits, NodeName, PeerSettings, PeerTls, Secret,
    StreamListen, Tuning, Warning, machine,
};
#[cfg(all(feature = "spinning", target_os = "linux"))]
use crate::fast_lane::SpinningThread;
#[cfg(target_os = "linux")]
use crate::shm::{SharedMemory, ShmOptions};
use crate::tls::{Authorities, Identity};

/// A listener of a node. An address that cannot be one is told when the node starts.
#[derive(Debug, Clone)]
pub struct Listen(Result<StreamListen, InvalidAddress>);

impl Listen {
    /// TCP, at `host:port`; port 0 is any free one.
    #[must_use]
    pub fn tcp(address: &str) -> Self {
        Self(address.parse().map(StreamListen::Tcp))
    }

    /// TLS over TCP, at `host:port`, with a certificate.
    #[must_use]
    pub fn tls(address: &str, identity: Identity) -> Self {
        Self(address.parse().map(|endpoint| StreamListen::Tls { endpoint, identity }))
    }
}

/// A peer whose session is kept: it is dialled whenever there is none.
#[derive(Debug, Clone)]
struct Kept {
    name: NodeName,
    target: Target,
}

/// A node that is to be started.
#[derive(Debug)]
#[must_use = "a node does nothing before it is started"]
pub struct NodeBuilder {
    name: String,
    host: String,
    cookie: Option<Secret>,
    mode: ConnectionMode,
    limits: Limits,
    tuning: Tuning,
    listen: Vec<Listen>,
    unix: UnixListening,
    id: Option<u64>,
    transport: TransportPreference,
    #[cfg(target_os = "linux")]
    shm: Option<ShmOptions>,
    /// The thread that it is to have for itself.
    #[cfg(all(feature = "spinning", target_os = "linux"))]
    spinning: Option<SpinningThread>,
    known: Vec<(Peer, PeerPolicy)>,
    kept: Vec<Kept>,
    authorities: Option<Authorities>,
    /// What it shows to those it dials.
    identity: Option<Identity>,
    /// The trusted CAs of peers that connect.
    client_authorities: Option<Authorities>,
    security: Security,
    /// How it finds the others of its cluster.
    cluster: Option<ClusterSettings>,
    /// What is risky in the configuration that it is from.
    warnings: Vec<Warning>,
    /// Whether its snapshots are served.
    #[cfg(all(feature = "view", unix))]
    view: bool,
    /// Whether its snapshots are given to peers.
    #[cfg(all(feature = "view", unix))]
    remote_view: bool,
    /// Where its metrics are read.
    #[cfg(all(feature = "metrics", unix))]
    metrics: Option<Endpoint>,
    /// Whether spans go on at peers.
    #[cfg(feature = "otel")]
    traces: bool,
    /// That of a simulated host.
    #[cfg(feature = "simulation")]
    network: Option<Arc<dyn super::Network>>,
}

impl NodeBuilder {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            host: machine(),
            cookie: None,
            mode: ConnectionMode::default(),
            limits: Limits::default(),
            tuning: Tuning::default(),
            listen: Vec::new(),
            unix: UnixListening::default(),
            id: None,
            transport: TransportPreference::default(),
            #[cfg(target_os = "linux")]
            shm: Some(ShmOptions::default()),
            #[cfg(all(feature = "spinning", target_os = "linux"))]
            spinning: None,
            known: Vec::new(),
            kept: Vec::new(),
            authorities: None,
            identity: None,
            client_authorities: None,
            security: Security::default().with_supplied_addresses(false),
            cluster: None,
            warnings: Vec::new(),
            #[cfg(all(feature = "view", unix))]
            view: false,
            #[cfg(all(feature = "view", unix))]
            remote_view: false,
            #[cfg(all(feature = "metrics", unix))]
            metrics: None,
            #[cfg(feature = "otel")]
            traces: false,
            #[cfg(feature = "simulation")]
            network: None,
        }
    }

    pub(crate) fn of(config: &Config) -> Result<Self, StartError> {
        supported(config)?;
        let mut builder = Self::new(config.node.name.as_str().to_owned())
            .host(&**config.node.host)
            .cookie((*config.node.cookie).clone())
            .mode(*config.node.mode)
            .limits(config.node.limits.clone())
            .tuning(config.node.tuning.clone())
            .unix((*config.listen.unix).clone())
            .transport(*config.node.transport);
        #[cfg(target_os = "linux")]
        {
            builder.shm = shm(config);
        }
        #[cfg(all(feature = "spinning", target_os = "linux"))]
        {
            builder.spinning = config.node.shm.spin_thread.as_deref().map(|thread| match thread {
                SpinThread::Any => SpinningThread::new(),
                SpinThread::Core(core) => SpinningThread::new().on_core(*core),
            });
        }
        builder.warnings = config.warnings();
        #[cfg(all(feature = "view", unix))]
        {
            builder.view = *config.view.socket == crate::config::ViewSocket::On;
            builder.remote_view = *config.view.remote;
        }
        #[cfg(all(feature = "metrics", unix))]
        {
            builder.metrics = config.metrics.listen.as_deref().cloned();
        }
        #[cfg(feature = "otel")]
        {
            builder.traces = *config.traces.propagate;
        }
        builder.id = config.node.id.as_deref().copied();
        builder.known = known(config);
        builder.authorities.clone_from(&config.authorities);
        builder.identity.clone_from(&config.security.identity);
        builder.client_authorities.clone_from(&config.security.client_authorities);
        builder.security = config.security.of_links(&config.peers);
        builder.cluster.clone_from(&config.cluster);
        builder.listen =
            config.listen.streams.iter().map(|listen| Listen(Ok((**listen).clone()))).collect();
        let dialled = config.peers.iter().filter(|peer| !peer.is_this_node);
        builder.kept = dialled
            .filter_map(|peer| {
                let address = (**peer.address.as_ref()?).clone();
                let target = Target { address, tls: peer.tls.clone() };
                Some(Kept { name: peer.name.clone(), target })
            })
            .collect();
        Ok(builder)
    }

    /// A node of this name that watches another one: it has the cookie, the certificates and the
    /// demands on peers of the configuration, and keeps to itself otherwise.
    #[cfg(all(feature = "view", unix))]
    pub(crate) fn that_watches(config: &Config, name: &str) -> Self {
        let mut builder = Self::new(name.to_owned())
            .cookie((*config.node.cookie).clone())
            .mode(ConnectionMode::Isolated)
            .unix(UnixListening::Off);
        #[cfg(target_os = "linux")]
        {
            builder.shm = None;
        }
        builder.authorities.clone_from(&config.authorities);
        builder.identity.clone_from(&config.security.identity);
        builder.security = config.security.of_links(&config.peers).with_supplied_addresses(false);
        builder
    }

    /// The cookie that all nodes of the cluster know. It is needed.
    pub fn cookie(mut self, cookie: impl Into<Secret>) -> Self {
        self.cookie = Some(cookie.into());
        self
    }

    /// The host after the `@` of the full name; by default what the machine calls itself.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = host.into();
        self
    }

    /// Whom it connects to; by default only whom it is told to.
    pub fn mode(mut self, mode: ConnectionMode) -> Self {
        self.mode = mode;
        self
    }

    /// What it puts up with.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Turns means to make messages faster on or off; by default all are on.
    pub fn tuning(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// Adds a listener. Without any, the node listens on a free port of loopback, by TCP.
    pub fn listen(mut self, listen: Listen) -> Self {
        self.listen.push(listen);
        self
    }

    /// Whether its [snapshots](crate::view) are served to other processes of this user, for as long
    /// as it runs. By default they are not; a configuration has them served unless it says
    /// otherwise. Where the socket cannot be made the node runs without it, and logs why.
    #[cfg(all(feature = "view", unix))]
    pub fn view(mut self, is_served: bool) -> Self {
        self.view = is_served;
        self
    }

    /// Whether its [snapshots](crate::view) are given to peers, which know the cookie. By default
    /// they are not.
    #[cfg(all(feature = "view", unix))]
    pub fn remote_view(mut self, is_given: bool) -> Self {
        self.remote_view = is_given;
        self
    }

    /// Where its [metrics](crate::metrics) are read, by HTTP, for as long as it runs. By default they
    /// are not. Port 0 is a free one: see [`Node::metrics_address`](super::Node::metrics_address).
    /// A node whose address cannot be listened at does not start.
    #[cfg(all(feature = "metrics", unix))]
    pub fn metrics(mut self, listen: Endpoint) -> Self {
        self.metrics = Some(listen);
        self
    }

    /// Whether [spans go on](crate::otel) at peers that have it on too. By default they do not.
    #[cfg(feature = "otel")]
    pub fn traces(mut self, go_on: bool) -> Self {
        self.traces = go_on;
        self
    }

    /// Where it listens for peers of this machine; by default in a private folder, and peers are
    /// told where.
    pub fn unix(mut self, unix: UnixListening) -> Self {
        self.unix = unix;
        self
    }

    /// The number that peers may know it by.
    pub fn id(mut self, id: u64) -> Self {
        self.id = Some(id);
        self
    }

    /// The transport that it sends over, where neither the receiving actor nor the peer pins one.
    pub fn transport(mut self, transport: TransportPreference) -> Self {
        self.transport = transport;
        self
    }

    /// How it makes links by shared memory with peers of this machine, or `None` for none; by
    /// default it makes them without spinning.
    #[cfg(target_os = "linux")]
    pub fn shm(mut self, shm: Option<ShmOptions>) -> Self {
        self.shm = shm;
        self
    }

    /// Runs the node on `thread`, which never sleeps while the node has links by shared memory: it
    /// polls all of them in turns, without a pause. **It burns its core then**, also while nothing
    /// comes; without such a link it sleeps. The default is the runtime that starts the node.
    ///
    /// The node's tasks and sockets are on that thread, and so are the actors that a task of
    /// [`Node::thread`](super::Node::thread) spawns: those are reached without waking a thread.
    /// Actors elsewhere are woken as from any thread, and a cast from elsewhere to an actor of the
    /// thread is a call of the system. The thread is shared by all of these: what blocks it, blocks
    /// the node. Its runtime has one thread, so that `block_in_place` panics there. The thread ends
    /// with the node, and what still runs on it ends without its `post_stop`.
    ///
    /// Give the thread a core that nothing else wants. Where both processes of a link are on one
    /// core, each waits until the kernel takes the core away from the other one.
    ///
    /// A phase of spinning ([`ShmOptions::with_spin`]) is of no effect on it.
    #[cfg(all(feature = "spinning", target_os = "linux"))]
    pub fn spinning(mut self, thread: SpinningThread) -> Self {
        self.spinning = Some(thread);
        self
    }

    /// What is known of a peer before it is met.
    pub fn known(mut self, peer: Peer, policy: PeerPolicy) -> Self {
        self.known.push((peer, policy));
        self
    }

    /// Who vouches for the peers that are dialled by TLS.
    pub fn authorities(mut self, authorities: Authorities) -> Self {
        self.authorities = Some(authorities);
        self
    }

    /// Mutual TLS: this node shows `identity` to those it dials, every listener for TLS demands a
    /// certificate, `authorities` vouch for both sides' peers, and each peer has to have its name
    /// in its certificate (see [`security`](Self::security) for others). Call it after `security`,
    /// if that is called.
    pub fn mutual_tls(mut self, identity: Identity, authorities: Authorities) -> Self {
        self.identity = Some(identity);
        self.authorities = Some(authorities.clone());
        self.client_authorities = Some(authorities);
        self.security.certificate_names.get_or_insert_default();
        self
    }

    /// What is demanded of peers, and what they may make this node do. By default stock nodes are
    /// let in, and no address is dialled that a peer told.
    pub fn security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// Finds the other nodes of a cluster by gossip, and keeps sessions with those that are alive.
    /// It needs the feature `membership`, and the addresses that members of the cluster tell are
    /// dialled.
    pub fn cluster(mut self, cluster: ClusterSettings) -> Self {
        self.cluster = Some(cluster);
        self
    }

    /// Runs it on a simulated host: it listens nowhere and has no sockets, and reaches others by
    /// `network` alone.
    #[cfg(feature = "simulation")]
    pub fn simulated(mut self, network: Arc<dyn super::Network>) -> Self {
        self.network = Some(network);
        self
    }

    /// Keeps a session with the peer of this name (before the `@`): it is dialled at `address`
    /// whenever there is none.
    pub fn peer(mut self, name: NodeName, address: Address) -> Self {
        self.kept.push(Kept { name, target: Target { address, tls: None } });
        self
    }

    /// The options of the cluster, without listeners.
    pub(crate) fn links(&self) -> LinkOptions {
        let links = LinkOptions::default()
            .with_preference(self.transport)
            .with_unix(self.unix.clone())
            .with_security(self.security.clone());
        let mut links = self.tuning.apply(self.limits.apply(links));
        #[cfg(target_os = "linux")]
        {
            // Reading in place trusts the sender not to change what it has sent.
            let arena = |shm: ShmOptions| if self.security.strict { 0 } else { shm.arena() };
            #[cfg(feature = "spinning")]
            let sleepless = self.spinning.is_some();
            #[cfg(not(feature = "spinning"))]
            let sleepless = false;
            links.local_transport = self.shm.map(|shm| {
                let shm = shm.with_arena(arena(shm)).with_sleepless(sleepless || shm.sleepless());
                Arc::new(SharedMemory::new(shm)) as _
            });
        }
        #[cfg(feature = "otel")]
        {
            links.propagator = self.traces.then(|| Arc::new(crate::otel::OpenTelemetry) as _);
        }
        links.number = self.id;
        links.peers.extend(self.known.iter().cloned());
        links
    }
}

/// Says that this build knows no `[cluster]`.
fn without_membership() -> StartError {
    let what = "[cluster]: build it with the feature `membership` of mycelium-ext";
    StartError::Unsupported { what: what.to_owned() }
}

/// Refuses what the configuration asks for and this build or this system cannot do.
fn supported(config: &Config) -> Result<(), StartError> {
    if cfg!(not(feature = "membership")) && config.cluster.is_some() {
        return Err(without_membership());
    }
    if cfg!(not(all(feature = "metrics", unix))) && config.metrics.listen.is_some() {
        let what = "[metrics]: build it with the feature `metrics` of mycelium-ext, for Unix";
        return Err(StartError::Unsupported { what: what.to_owned() });
    }
    if cfg!(not(all(feature = "view", unix))) && *config.view.remote {
        let what = "view.remote: build it with the feature `view` of mycelium-ext, for Unix";
        return Err(StartError::Unsupported { what: what.to_owned() });
    }
    if cfg!(not(feature = "otel")) && *config.traces.propagate {
        let what = "[traces]: build it with the feature `otel` of mycelium-ext";
        return Err(StartError::Unsupported { what: what.to_owned() });
    }
    if cfg!(not(all(feature = "spinning", target_os = "linux")))
        && config.node.shm.spin_thread.is_some()
    {
        let what = "node.shm.spin_thread: build it with the feature `spinning` of mycelium-ext, \
                    for Linux";
        return Err(StartError::Unsupported { what: what.to_owned() });
    }
    let unix = |peer: &PeerSettings| matches!(peer.address.as_deref(), Some(Address::Unix(_)));
    let asked =
        matches!(&*config.listen.unix, UnixListening::At(_)) || config.peers.iter().any(unix);
    if cfg!(not(unix)) && asked {
        return Err(StartError::Unsupported { what: "Unix sockets".to_owned() });
    }
    let shm = |transport: &TransportPreference| *transport == TransportPreference::SharedMemory;
    let asked = shm(&config.node.transport)
        || config.peers.iter().filter_map(|peer| peer.transport.as_deref()).any(shm);
    if cfg!(not(target_os = "linux")) && asked {
        return Err(StartError::Unsupported { what: "shared memory".to_owned() });
    }
    Ok(())
}

/// How the configuration wants links by shared memory.
#[cfg(target_os = "linux")]
fn shm(config: &Config) -> Option<ShmOptions> {
    let shm = &config.node.shm;
    let ring = usize::try_from(*shm.ring).unwrap_or(usize::MAX);
    let arena = usize::try_from(*shm.arena).unwrap_or(usize::MAX);
    (*shm.links != ShmLinks::Off)
        .then(|| ShmOptions::default().with_ring(ring).with_arena(arena).with_spin(*shm.spin))
}

/// What is known of peers by their numbers, and of those by name of which anything is said: the
/// name goes before the number.
fn known(config: &Config) -> Vec<(Peer, PeerPolicy)> {
    let policy = |location, preference| {
        PeerPolicy::default().with_location(location).with_preference(preference)
    };
    let numbered = config.numbers.iter().map(|(number, location)| {
        (Peer::Number(*number), policy(**location, TransportPreference::default()))
    });
    let named = config.peers.iter().map(|peer| {
        let preference = peer.transport.as_deref().copied().unwrap_or_default();
        (Peer::named(peer.name.as_str()), policy(*peer.location, preference))
    });
    numbered.chain(named.filter(|(_, policy)| *policy != PeerPolicy::default())).collect()
}

/// What TLS has to know of a peer at `address`: its certificate is for the host that is dialled.
pub(super) fn tls_of(address: &Address, authorities: Option<&Authorities>) -> Option<PeerTls> {
    match address {
        Address::Tls(endpoint) => PeerTls::of(endpoint.host(), authorities?),
        _ => None,
    }
}
