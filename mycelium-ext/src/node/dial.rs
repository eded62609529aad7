//! From an address to a session.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use ractor_cluster::link::{Refusal, RefusedBy};
use ractor_cluster::peers::PeerInfo;
use ractor_cluster::transport::TlsTransport;
use ractor_cluster::{NetworkStream, NodeServerMessage};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::error::ConnectError;
use super::roster::{HANDSHAKE_TIMEOUT, Progress, Roster};
use super::server::key_of;
use crate::address::{Address, Endpoint};
use crate::config::PeerTls;

/// Whom to dial.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) address: Address,
    pub(super) tls: Option<PeerTls>,
}

/// What dialling needs of a node.
#[derive(Debug, Clone)]
pub(super) struct Dialer {
    pub(super) server: ActorRef<NodeServerMessage>,
    pub(super) roster: Arc<Roster>,
    pub(super) connect_timeout: Duration,
    pub(super) handshake_timeout: Duration,
    /// That of a simulated host.
    #[cfg(feature = "simulation")]
    pub(super) network: Option<Arc<dyn super::Network>>,
}

/// A session that was dialled, and is ready.
#[derive(Debug)]
pub(super) struct Dialled {
    pub(super) peer: PeerInfo,
    progress: watch::Receiver<Progress>,
}

impl Dialled {
    /// Waits until it is over.
    pub(super) async fn ended(&mut self) {
        // An error says that the roster has forgotten it, which is an end too.
        let _ = self.progress.wait_for(|progress| matches!(progress, Progress::Ended { .. })).await;
    }
}

impl Dialer {
    /// Opens a connection, and waits until its session is ready.
    pub(super) async fn connect(&self, target: &Target) -> Result<Dialled, ConnectError> {
        let address = || target.address.clone();
        let opening = timeout(self.connect_timeout, self.open(target));
        let mut progress = opening.await.map_err(|_| ConnectError::Timeout {
            address: address(),
            after: self.connect_timeout,
        })??;
        let outcome = progress
            .wait_for(|progress| !matches!(progress, Progress::Dialled))
            .await
            .map(|progress| progress.clone());
        match outcome {
            Ok(Progress::Ready(peer)) => Ok(Dialled { peer, progress }),
            Ok(Progress::Ended { reason }) if took_too_long(reason.as_deref()) => {
                Err(ConnectError::HandshakeTimeout {
                    address: address(),
                    after: self.handshake_timeout,
                })
            }
            Ok(Progress::Ended { reason }) => {
                Err(ConnectError::Refused { address: address(), reason })
            }
            Ok(Progress::Dialled) | Err(_) => Err(ConnectError::Stopped),
        }
    }

    /// Opens the connection and gives it to the server.
    async fn open(&self, target: &Target) -> Result<watch::Receiver<Progress>, ConnectError> {
        let stream = self.stream(target).await?;
        let Some(key) = key_of(&stream) else { return Err(ConnectError::Stopped) };
        let progress = self.roster.dialled(key.clone());
        let stream = Box::new(stream);
        let message = NodeServerMessage::ConnectionOpened { stream, is_server: false };
        if self.server.cast(message).is_err() {
            self.roster.opening(&key);
            self.roster.opened();
            return Err(ConnectError::Stopped);
        }
        Ok(progress)
    }

    /// Opens the connection.
    async fn stream(&self, target: &Target) -> Result<NetworkStream, ConnectError> {
        let address = || target.address.clone();
        let unreachable = |source| ConnectError::Unreachable { address: address(), source };
        #[cfg(feature = "simulation")]
        if let Some(network) = &self.network {
            let connected = network.connect(&target.address).await;
            return connected.map(NetworkStream::Transport).map_err(unreachable);
        }
        Ok(match (&target.address, &target.tls) {
            (Address::Tcp(endpoint), _) => {
                let (stream, local_addr, peer_addr) = tcp(endpoint).await.map_err(unreachable)?;
                NetworkStream::Raw { peer_addr, local_addr, stream }
            }
            (Address::Tls(_), None) => {
                return Err(ConnectError::NoAuthorities { address: address() });
            }
            (Address::Tls(endpoint), Some(tls)) => {
                let (stream, ..) = tcp(endpoint).await.map_err(unreachable)?;
                let connector = tls.authorities.connector();
                let name = tls.server_name.clone();
                let transport = TlsTransport::negotiate(stream, name, &connector)
                    .await
                    .map_err(|source| ConnectError::Tls { address: address(), source })?;
                NetworkStream::Transport(Box::new(transport))
            }
            (Address::Unix(path), _) => unix(path).await.map_err(unreachable)?,
        })
    }
}

/// Whether this node ended a session since its handshake took too long.
fn took_too_long(reason: Option<&str>) -> bool {
    let too_slow = Some((Refusal::TooSlow, RefusedBy::ThisNode));
    reason.is_some_and(|it| it == HANDSHAKE_TIMEOUT || Refusal::of_reason(it) == too_slow)
}

/// A connection and its two ends, this one first.
async fn tcp(endpoint: &Endpoint) -> io::Result<(TcpStream, SocketAddr, SocketAddr)> {
    let stream = TcpStream::connect((endpoint.host(), endpoint.port())).await?;
    stream.set_nodelay(true)?;
    let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
    Ok((stream, local, peer))
}

#[cfg(unix)]
async fn unix(path: &Path) -> io::Result<NetworkStream> {
    let transport = ractor_cluster::transport::UnixSocketTransport::connect(path).await;
    Ok(NetworkStream::Transport(Box::new(transport.map_err(io::Error::other)?)))
}

#[cfg(not(unix))]
async fn unix(_: &Path) -> io::Result<NetworkStream> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no Unix sockets"))
}
