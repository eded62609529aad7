//! TLS over TCP.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpStream, ToSocketAddrs};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{client, server, TlsAcceptor, TlsConnector, TlsStream};

use super::frames::{FrameReader, FrameWriter};
use super::tcp::Ends;
use super::{Channel, FrameSink, FrameStream, Origin, Transport, TransportKind};
use crate::link::dial::Route;

/// A TLS connection over TCP, of either side.
///
/// A peer that goes without TLS's goodbye has ended the connection like one that says it: frames
/// have lengths of their own, so that nothing can be cut off unnoticed.
pub struct TlsTransport {
    stream: TlsStream<TcpStream>,
    ends: Ends,
    route: Option<TlsRoute>,
}

/// How a connection can be made again.
#[derive(Clone)]
pub(crate) struct TlsRoute {
    address: SocketAddr,
    name: ServerName<'static>,
    connector: TlsConnector,
}

impl TlsRoute {
    pub(crate) async fn connect(&self) -> io::Result<TlsTransport> {
        TlsTransport::connect(self.address, self.name.clone(), &self.connector).await
    }
}

impl fmt::Debug for TlsRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tls://{} as {:?}", self.address, self.name)
    }
}

impl TlsTransport {
    /// Connects to `address`, and holds the peer to a certificate for `name`. There is no timeout
    /// beyond that of the system.
    ///
    /// # Errors
    /// Those of the system, and [`InvalidData`](io::ErrorKind::InvalidData) when the handshake
    /// fails.
    pub async fn connect(
        address: impl ToSocketAddrs,
        name: ServerName<'static>,
        connector: &TlsConnector,
    ) -> io::Result<Self> {
        Self::negotiate(TcpStream::connect(address).await?, name, connector).await
    }

    /// Does the client's part of the handshake on an open connection. There is no timeout.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn negotiate(
        stream: TcpStream,
        name: ServerName<'static>,
        connector: &TlsConnector,
    ) -> io::Result<Self> {
        let ends = Ends::prepare(&stream);
        let stream = connector.connect(name.clone(), stream).await?;
        let route =
            ends.peer.map(|address| TlsRoute { address, name, connector: connector.clone() });
        Ok(Self { stream: TlsStream::Client(stream), ends, route })
    }

    /// Does the server's part of the handshake on an accepted connection. There is no timeout.
    ///
    /// # Errors
    /// Those of the system, and [`InvalidData`](io::ErrorKind::InvalidData) when the handshake
    /// fails.
    pub async fn accept(stream: TcpStream, acceptor: &TlsAcceptor) -> io::Result<Self> {
        let ends = Ends::prepare(&stream);
        let stream = acceptor.accept(stream).await?;
        Ok(Self { stream: TlsStream::Server(stream), ends, route: None })
    }

    /// Takes a connection of which this is the client.
    #[must_use]
    pub fn client(stream: client::TlsStream<TcpStream>) -> Self {
        let ends = Ends::prepare(stream.get_ref().0);
        Self { stream: TlsStream::Client(stream), ends, route: None }
    }

    /// Takes a connection of which this is the server.
    #[must_use]
    pub fn server(stream: server::TlsStream<TcpStream>) -> Self {
        let ends = Ends::prepare(stream.get_ref().0);
        Self { stream: TlsStream::Server(stream), ends, route: None }
    }

    /// The address of the peer, unless the connection is gone already.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.ends.peer
    }

    /// The address of this end, unless the connection is gone already.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.ends.local
    }
}

impl Transport for TlsTransport {
    fn kind(&self) -> TransportKind {
        TransportKind::Tls
    }

    fn peer(&self) -> String {
        Ends::label(self.ends.peer)
    }

    fn local(&self) -> String {
        Ends::label(self.ends.local)
    }

    fn origin(&self) -> Origin {
        let route = self.route.clone().map(|route| Route::Tls(Box::new(route)));
        route.map_or_else(Origin::default, Origin::by)
    }

    fn channel(&self) -> Channel {
        match &self.stream {
            TlsStream::Client(stream) => Channel::of_tls(stream.get_ref().1),
            TlsStream::Server(stream) => Channel::of_tls(stream.get_ref().1),
        }
    }

    fn split(self: Box<Self>, max_frame: u64) -> (Box<dyn FrameSink>, Box<dyn FrameStream>) {
        let (reader, writer) = tokio::io::split(self.stream);
        (Box::new(FrameWriter::new(writer)), Box::new(FrameReader::new(reader, max_frame)))
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsTransport").field("ends", &self.ends).finish_non_exhaustive()
    }
}
