//! The connections that applications have made for them, or bring along: each step has an end.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::admission::Origin;
use super::directory;
use super::options::LinkOptions;
use crate::net::{Listener, NetworkStream};
use crate::transport::{Connector, TlsTransport, Transport};
use crate::NodeServerMessage;

/// Connects a node by a transport of the application's own. The session makes the connection again
/// by `connector` when it breaks, as it does with those of the node's own.
///
/// It returns when the connection is made; whether the peer lets this node in is a later event
/// ([`NodeEventSubscription`](crate::NodeEventSubscription)). Cancel safe: a connection that is not
/// handed over is closed.
///
/// ```
/// use std::sync::Arc;
/// use ractor::ActorRef;
/// use ractor_cluster::transport::TcpConnector;
/// use ractor_cluster::{link, NodeServerMessage};
///
/// async fn dial(server: &ActorRef<NodeServerMessage>) -> std::io::Result<()> {
///     link::connect(server, Arc::new(TcpConnector(([127, 0, 0, 1], 4697).into()))).await
/// }
/// ```
///
/// # Errors
/// Those of the connector; [`TimedOut`](io::ErrorKind::TimedOut) after
/// `LinkOptions::connect_timeout`; [`NotConnected`](io::ErrorKind::NotConnected) when the node
/// server has ended.
pub async fn connect(
    server: &ActorRef<NodeServerMessage>,
    connector: Arc<dyn Connector>,
) -> io::Result<()> {
    let transport = within(server, "connecting", connector.connect()).await?;
    let origin = Origin { connector: Some(connector), ..Origin::default() };
    let stream = Box::new(NetworkStream::Accepted(transport, origin));
    let opened = NodeServerMessage::ConnectionOpened { stream, is_server: false };
    server.cast(opened).map_err(|_| ended())
}

/// Takes a connection that a listener of the application's own accepted. It gets one of the places
/// of connections that are not authenticated, and becomes a new session or a further link of one,
/// as its first frame says. `from` is the peer's address; `None` stands for a process of this
/// machine.
///
/// It returns when the first frame has been taken or the connection has been refused, after
/// `LinkOptions::handshake_timeout` at the latest: give each connection a task. What is refused is
/// closed, [counted](super::refusals) and logged. Cancel safe: the connection is closed.
///
/// # Errors
/// [`NotConnected`](io::ErrorKind::NotConnected) when the node server has ended.
pub async fn accept(
    server: &ActorRef<NodeServerMessage>,
    transport: Box<dyn Transport>,
    from: Option<IpAddr>,
) -> io::Result<()> {
    let node = directory::server(server.get_id()).ok_or_else(ended)?;
    Listener::take(server.clone(), &node, transport, from).await;
    Ok(())
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the node server has ended")
}

/// Connects by TCP within the server's time for that.
pub(crate) async fn tcp(
    server: &ActorRef<NodeServerMessage>,
    address: impl ToSocketAddrs,
) -> io::Result<TcpStream> {
    within(server, "connecting", TcpStream::connect(address)).await
}

/// Negotiates TLS within the server's time for that, and keeps what is needed to do so again.
pub(crate) async fn tls(
    server: &ActorRef<NodeServerMessage>,
    stream: TcpStream,
    name: ServerName<'static>,
    connector: &TlsConnector,
) -> io::Result<TlsTransport> {
    within(server, "negotiating TLS", TlsTransport::negotiate(stream, name, connector)).await
}

async fn within<T>(
    server: &ActorRef<NodeServerMessage>,
    what: &str,
    step: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let timeout = timeout_of(server);
    match tokio::time::timeout(timeout, step).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let message =
                format!("{what} took longer than {timeout:?} (LinkOptions::connect_timeout)");
            Err(io::Error::new(io::ErrorKind::TimedOut, message))
        }
    }
}

fn timeout_of(server: &ActorRef<NodeServerMessage>) -> Duration {
    match directory::server(server.get_id()) {
        Some(server) => server.options.connect_timeout,
        None => LinkOptions::default().connect_timeout,
    }
}
