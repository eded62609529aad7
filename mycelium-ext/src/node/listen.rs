//! Listeners beside the server's own.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use ractor_cluster::{NetworkStream, NodeServerMessage};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::address::{Address, Endpoint};
use crate::config::StreamListen;

/// Handshakes of TLS that may be under way at a listener; further connections wait.
const HANDSHAKES: usize = 64;

/// How long a listener rests when the system does not let it accept.
const REST: Duration = Duration::from_millis(100);

/// A listener that is open, and does not accept yet.
#[derive(Debug)]
pub(super) struct Listener {
    listener: TcpListener,
    tls: Option<Tls>,
}

struct Tls(TlsAcceptor);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Listener {
    pub(super) async fn open(listen: &StreamListen) -> io::Result<Self> {
        let (endpoint, tls) = match listen {
            StreamListen::Tcp(endpoint) => (endpoint, None),
            StreamListen::Tls { endpoint, identity } => {
                (endpoint, Some(Tls(TlsAcceptor::from(identity.server()))))
            }
        };
        let listener = TcpListener::bind((endpoint.host(), endpoint.port())).await?;
        Ok(Self { listener, tls })
    }

    /// Where it really listens.
    pub(super) fn address(&self) -> io::Result<Address> {
        let endpoint = Endpoint::from(self.listener.local_addr()?);
        Ok(if self.tls.is_some() { Address::Tls(endpoint) } else { Address::Tcp(endpoint) })
    }

    /// Gives the server what it accepts, until it is aborted or the server is gone.
    pub(super) fn serve(
        self,
        server: ActorRef<NodeServerMessage>,
        handshake_timeout: Duration,
    ) -> Serving {
        Serving(tokio::spawn(self.accept(server, handshake_timeout)))
    }

    async fn accept(self, server: ActorRef<NodeServerMessage>, handshake_timeout: Duration) {
        let room = Arc::new(Semaphore::new(HANDSHAKES));
        let mut handshakes = JoinSet::new();
        loop {
            while handshakes.try_join_next().is_some() {}
            let (stream, peer_addr) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a listener cannot accept");
                    tokio::time::sleep(REST).await;
                    continue;
                }
            };
            let Some(tls) = &self.tls else {
                let Ok((local_addr, stream)) = prepared(stream) else { continue };
                let raw = NetworkStream::Raw { peer_addr, local_addr, stream };
                if hand_over(&server, raw).is_none() {
                    return;
                }
                continue;
            };
            let acceptor = tls.0.clone();
            let server = server.clone();
            let Ok(permit) = room.clone().acquire_owned().await else { return };
            handshakes.spawn(async move {
                let _permit = permit;
                let Ok((local_addr, stream)) = prepared(stream) else { return };
                match timeout(handshake_timeout, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        let tls = NetworkStream::TlsServer { peer_addr, local_addr, stream };
                        let _ = hand_over(&server, tls);
                    }
                    Ok(Err(error)) => {
                        tracing::warn!(peer.address = %peer_addr, %error, "no TLS with a peer");
                    }
                    Err(_) => {
                        tracing::warn!(peer.address = %peer_addr, "TLS took a peer too long");
                    }
                }
            });
        }
    }
}

/// A listener that accepts, until this is dropped.
#[derive(Debug)]
pub(super) struct Serving(tokio::task::JoinHandle<()>);

impl Serving {
    /// Closes it, and waits until it is closed.
    pub(super) async fn stop(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn prepared(stream: TcpStream) -> io::Result<(std::net::SocketAddr, TcpStream)> {
    stream.set_nodelay(true)?;
    Ok((stream.local_addr()?, stream))
}

/// `None` when the server is gone.
fn hand_over(server: &ActorRef<NodeServerMessage>, stream: NetworkStream) -> Option<()> {
    let stream = Box::new(stream);
    server.cast(NodeServerMessage::ConnectionOpened { stream, is_server: true }).ok()
}
