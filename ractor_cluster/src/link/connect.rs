//! The connections that applications have made for them: each step has an end.

use std::future::Future;
use std::io;
use std::time::Duration;

use ractor::ActorRef;
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::directory;
use super::options::LinkOptions;
use crate::transport::TlsTransport;
use crate::NodeServerMessage;

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
