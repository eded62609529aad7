//! From an address to a session.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use ractor_cluster::{NetworkStream, NodeServerMessage};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::error::ConnectError;
use super::event::PeerInfo;
use super::roster::{HANDSHAKE_TIMEOUT, Progress, Roster, StreamKey};
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
            Ok(Progress::Ended { reason }) if reason.as_deref() == Some(HANDSHAKE_TIMEOUT) => {
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
        let address = || target.address.clone();
        let unreachable = |source| ConnectError::Unreachable { address: address(), source };
        match (&target.address, &target.tls) {
            (Address::Tcp(endpoint), _) => {
                let (stream, key, ends) = tcp(endpoint).await.map_err(unreachable)?;
                let (local_addr, peer_addr) = ends;
                self.hand_over(NetworkStream::Raw { peer_addr, local_addr, stream }, key)
            }
            (Address::Tls(_), None) => Err(ConnectError::NoAuthorities { address: address() }),
            (Address::Tls(endpoint), Some(tls)) => {
                let (stream, key, ends) = tcp(endpoint).await.map_err(unreachable)?;
                let (local_addr, peer_addr) = ends;
                let stream = TlsConnector::from(tls.authorities.client())
                    .connect(tls.server_name.clone(), stream)
                    .await
                    .map_err(|source| ConnectError::Tls { address: address(), source })?;
                self.hand_over(NetworkStream::TlsClient { peer_addr, local_addr, stream }, key)
            }
            (Address::Unix(path), _) => self.unix(path).await.map_err(|error| match error {
                Some(error) => unreachable(error),
                None => ConnectError::Stopped,
            }),
        }
    }

    fn hand_over(
        &self,
        stream: NetworkStream,
        key: StreamKey,
    ) -> Result<watch::Receiver<Progress>, ConnectError> {
        let stream = Box::new(stream);
        let message = NodeServerMessage::ConnectionOpened { stream, is_server: false };
        self.tell_server(message, key).ok_or(ConnectError::Stopped)
    }

    fn tell_server(
        &self,
        message: NodeServerMessage,
        key: StreamKey,
    ) -> Option<watch::Receiver<Progress>> {
        let progress = self.roster.dialled(key.clone());
        if self.server.cast(message).is_err() {
            self.roster.forget(&key);
            return None;
        }
        Some(progress)
    }

    /// Dials a Unix socket. The error is `None` when this node has stopped.
    #[cfg(unix)]
    async fn unix(&self, path: &Path) -> Result<watch::Receiver<Progress>, Option<io::Error>> {
        let stream = super::unix::dial(path).await.map_err(Some)?;
        let key = StreamKey::Label(stream.label().to_owned());
        let stream = Box::new(stream);
        let message = NodeServerMessage::ConnectionOpenedExternal { stream, is_server: false };
        self.tell_server(message, key).ok_or(None)
    }

    #[cfg(not(unix))]
    async fn unix(&self, _: &Path) -> Result<watch::Receiver<Progress>, Option<io::Error>> {
        Err(Some(io::Error::new(io::ErrorKind::Unsupported, "this system has no Unix sockets")))
    }
}

/// A connection, what tells it from others, and its two ends, this one first.
type Opened = (TcpStream, StreamKey, (SocketAddr, SocketAddr));

async fn tcp(endpoint: &Endpoint) -> io::Result<Opened> {
    let stream = TcpStream::connect((endpoint.host(), endpoint.port())).await?;
    stream.set_nodelay(true)?;
    let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
    Ok((stream, StreamKey::Socket { local, peer }, (local, peer)))
}
