//! What a node is started with.

use std::io;
use std::sync::Arc;

use ractor::actor::actor_config::TransportPreference;
use ractor::{Actor, ActorRef, SpawnErr};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{IncomingEncryptionMode, NodeServer, NodeServerMessage};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tracing::Instrument;

use super::Node;
use super::dial::{Dialer, Target};
use super::error::StartError;
use super::keep::{Keeping, Patience, keep};
use super::listen::Listener;
use super::roster::Roster;
use super::server::Server;
use crate::address::{Address, Endpoint, InvalidAddress};
use crate::config::{
    Config, ConnectionMode, Limits, NodeName, PeerTls, Secret, StreamListen, UnixListen, machine,
};
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
    listen: Vec<Listen>,
    kept: Vec<Kept>,
    authorities: Option<Authorities>,
}

impl NodeBuilder {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            host: machine(),
            cookie: None,
            mode: ConnectionMode::default(),
            limits: Limits::default(),
            listen: Vec::new(),
            kept: Vec::new(),
            authorities: None,
        }
    }

    pub(super) fn of(config: &Config) -> Result<Self, StartError> {
        supported(config)?;
        let mut builder = Self::new(config.node.name.as_str().to_owned())
            .host(&**config.node.host)
            .cookie((*config.node.cookie).clone())
            .mode(*config.node.mode)
            .limits(config.node.limits.clone());
        builder.authorities.clone_from(&config.authorities);
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

    /// Adds a listener. Without any, the node listens on a free port of loopback, by TCP.
    pub fn listen(mut self, listen: Listen) -> Self {
        self.listen.push(listen);
        self
    }

    /// Who vouches for the peers that are dialled by TLS.
    pub fn authorities(mut self, authorities: Authorities) -> Self {
        self.authorities = Some(authorities);
        self
    }

    /// Keeps a session with the peer of this name (before the `@`): it is dialled at `address` whenever
    /// there is none.
    pub fn peer(mut self, name: NodeName, address: Address) -> Self {
        self.kept.push(Kept { name, target: Target { address, tls: None } });
        self
    }

    /// Starts the node. It listens when this returns, and dials its peers from then on.
    ///
    /// It needs a tokio runtime with time and I/O. When this future is dropped, the node does not start, or
    /// stops at once.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub async fn start(self) -> Result<Node, StartError> {
        let name: NodeName = self.name.parse().map_err(StartError::Name)?;
        let full_name = format!("{name}@{}", self.host);
        let span = tracing::info_span!("node", node = full_name);
        self.start_as(name, full_name, span.clone()).instrument(span).await
    }

    async fn start_as(
        mut self,
        name: NodeName,
        full_name: String,
        span: tracing::Span,
    ) -> Result<Node, StartError> {
        let cookie = self.cookie.take().ok_or(StartError::NoCookie)?;
        let listen: Result<Vec<_>, _> = self.listen.drain(..).map(|listen| listen.0).collect();
        let mut listen = listen.map_err(StartError::Address)?;
        if listen.is_empty() {
            listen.push(StreamListen::Tcp(Endpoint::loopback(0)));
        }
        let first = listen.remove(0);

        // The others first: what fails before the server is there needs no stop.
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for other in &listen {
            let failed = |source| StartError::Listen { address: other.address(), source };
            let listener = Listener::open(other).await.map_err(failed)?;
            addresses.push(listener.address().map_err(failed)?);
            listeners.push(listener);
        }

        let roster = Arc::new(Roster::new(*self.limits.handshake_timeout));
        let (running, address) =
            start_server(&self, &first, &name, &cookie, roster.clone()).await?;
        addresses.insert(0, address);

        let dialer = Dialer {
            server: running.server.clone(),
            roster: roster.clone(),
            connect_timeout: *self.limits.connect_timeout,
            handshake_timeout: *self.limits.handshake_timeout,
        };
        let patience = Patience {
            min: *self.limits.backoff_min,
            max: *self.limits.backoff_max,
            reset: *self.limits.backoff_reset,
        };
        let serving = listeners
            .into_iter()
            .map(|listener| listener.serve(running.server.clone(), *self.limits.handshake_timeout))
            .collect();
        let mut keeping = Keeping::default();
        for Kept { name, mut target } in self.kept {
            let tls = || tls_of(&target.address, self.authorities.as_ref());
            target.tls = target.tls.take().or_else(tls);
            keeping.add(keep(dialer.clone(), name, target, patience).instrument(span.clone()));
        }
        for address in &addresses {
            tracing::info!(%address, "listens");
        }
        Ok(Node {
            name: full_name,
            running,
            roster,
            dialer,
            authorities: self.authorities,
            addresses,
            serving,
            keeping,
        })
    }
}

/// Refuses what the configuration asks for and nothing here would do.
fn supported(config: &Config) -> Result<(), StartError> {
    let unsupported = |what: &str| Err(StartError::Unsupported { what: what.to_owned() });
    let pinned = |preference: TransportPreference| preference != TransportPreference::Adaptive;
    if pinned(*config.node.transport) {
        return unsupported("node.transport other than \"adaptive\"");
    }
    if config.peers.iter().filter_map(|peer| peer.transport.as_ref()).any(|it| pinned(**it)) {
        return unsupported("nodes.X.transport other than \"adaptive\"");
    }
    if matches!(&*config.listen.unix, UnixListen::At(_)) {
        return unsupported("[[listen]] unix = \"PATH\"");
    }
    Ok(())
}

/// What TLS has to know of a peer at `address`: its certificate is for the host that is dialled.
pub(super) fn tls_of(address: &Address, authorities: Option<&Authorities>) -> Option<PeerTls> {
    match address {
        Address::Tls(endpoint) => PeerTls::of(endpoint.host(), authorities?),
        _ => None,
    }
}

/// A server that runs; it stops when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) server: ActorRef<NodeServerMessage>,
    stopped: Option<ractor::concurrency::JoinHandle<()>>,
}

impl Running {
    /// Stops it, and waits until its addresses are free.
    pub(super) async fn stop(mut self) {
        // Its listener is a child of it, and ends after it.
        let children = self.server.get_children();
        self.server.stop(None);
        if let Some(stopped) = self.stopped.take() {
            let _ = stopped.await;
        }
        for child in children {
            // Without a bound it cannot time out.
            let _ = child.wait(None).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.stop(None);
    }
}

/// Starts the cluster's server with its own listener, and learns where that is.
async fn start_server(
    builder: &NodeBuilder,
    listen: &StreamListen,
    name: &NodeName,
    cookie: &Secret,
    roster: Arc<Roster>,
) -> Result<(Running, Address), StartError> {
    let failed = |source| StartError::Listen { address: listen.address(), source };
    let (endpoint, encryption) = match listen {
        StreamListen::Tcp(endpoint) => (endpoint, IncomingEncryptionMode::Raw),
        StreamListen::Tls { endpoint, identity } => {
            (endpoint, IncomingEncryptionMode::Tls(TlsAcceptor::from(identity.server())))
        }
    };
    let mut resolved =
        tokio::net::lookup_host((endpoint.host(), endpoint.port())).await.map_err(failed)?;
    let address = resolved.next().ok_or_else(|| {
        failed(io::Error::new(io::ErrorKind::NotFound, "the host has no address"))
    })?;
    let mode = match builder.mode {
        ConnectionMode::Isolated => NodeConnectionMode::Isolated,
        ConnectionMode::Transitive => NodeConnectionMode::Transitive,
    };
    let inner = NodeServer::new(
        address.port(),
        cookie.reveal().to_owned(),
        name.as_str().to_owned(),
        builder.host.clone(),
        Some(encryption),
        Some(mode),
    )
    .with_listen_addr(address.ip())
    .with_max_inbound_frame_size(*builder.limits.max_frame);

    let known = (address.port() != 0).then_some(address.port());
    let (port, mut ports) = watch::channel(known);
    let (server, stopped) = Actor::spawn(None, Server { inner, roster, port }, ()).await.map_err(
        |error| match io_error(error) {
            Ok(source) => failed(source),
            Err(error) => StartError::Server(Box::new(error)),
        },
    )?;
    let running = Running { server, stopped: Some(stopped) };
    let port = match ports.wait_for(Option::is_some).await {
        Ok(port) => port.unwrap_or_default(),
        Err(_) => {
            return Err(StartError::Server(Box::new(SpawnErr::StartupFailed(
                "it stopped at once".into(),
            ))));
        }
    };
    let bound = Endpoint::from(std::net::SocketAddr::new(address.ip(), port));
    let bound = match listen {
        StreamListen::Tcp(_) => Address::Tcp(bound),
        StreamListen::Tls { .. } => Address::Tls(bound),
    };
    Ok((running, bound))
}

/// The error of the system below a start that failed, if there is one.
fn io_error(error: SpawnErr) -> Result<io::Error, SpawnErr> {
    match error {
        SpawnErr::StartupFailed(inner) => match inner.downcast::<SpawnErr>() {
            Ok(inner) => io_error(*inner),
            Err(inner) => match inner.downcast::<io::Error>() {
                Ok(error) => Ok(*error),
                Err(inner) => Err(SpawnErr::StartupFailed(inner)),
            },
        },
        other => Err(other),
    }
}
