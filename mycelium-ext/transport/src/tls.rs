//! TLS over TCP.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream, client, server};

use super::frames::{FrameReader, FrameWriter};
use super::tcp::Ends;
use super::{Channel, Connecting, Connector, FrameSink, FrameStream, Transport, TransportKind};

/// How long a peer has to take TLS's alert.
const PATIENCE: Duration = Duration::from_millis(200);

/// How many reads of a KiB a connection is closed behind.
const UNREAD: usize = 16;

/// A TLS connection over TCP, of either side.
///
/// A peer that goes without TLS's goodbye has ended the connection like one that says it: frames
/// have lengths of their own, so that nothing can be cut off unnoticed.
pub struct TlsTransport {
    stream: TlsStream<TcpStream>,
    ends: Ends,
    made_by: Option<TlsAddress>,
}

/// Connects to an address, and holds the peer to a certificate for a name.
#[derive(Clone)]
pub struct TlsAddress {
    address: SocketAddr,
    name: ServerName<'static>,
    connector: TlsConnector,
}

impl TlsAddress {
    /// Takes the address, the name that the certificate has to have, and what negotiates.
    #[must_use]
    pub const fn new(
        address: SocketAddr,
        name: ServerName<'static>,
        connector: TlsConnector,
    ) -> Self {
        Self { address, name, connector }
    }
}

impl Connector for TlsAddress {
    fn kind(&self) -> TransportKind {
        TransportKind::Tls
    }

    fn connect(&self) -> Connecting {
        let Self { address, name, connector } = self.clone();
        Box::pin(async move {
            let made = TlsTransport::connect(address, name, &connector).await?;
            let made: Box<dyn Transport> = Box::new(made);
            Ok(made)
        })
    }
}

impl fmt::Debug for TlsAddress {
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
        let made_by = ends.peer.map(|address| TlsAddress::new(address, name, connector.clone()));
        Ok(Self { stream: TlsStream::Client(stream), ends, made_by })
    }

    /// Does the server's part of the handshake on an accepted connection. There is no timeout. A
    /// peer whose handshake fails has a fifth of a second to take TLS's alert.
    ///
    /// # Errors
    /// Those of the system, and [`InvalidData`](io::ErrorKind::InvalidData) when the handshake
    /// fails.
    pub async fn accept(stream: TcpStream, acceptor: &TlsAcceptor) -> io::Result<Self> {
        let ends = Ends::prepare(&stream);
        match acceptor.accept(stream).into_fallible().await {
            Ok(stream) => Ok(Self { stream: TlsStream::Server(stream), ends, made_by: None }),
            Err((error, stream)) => {
                close_behind_alert(stream).await;
                Err(error)
            }
        }
    }

    /// Takes a connection whose client this process is.
    #[must_use]
    pub fn client(stream: client::TlsStream<TcpStream>) -> Self {
        let ends = Ends::prepare(stream.get_ref().0);
        Self { stream: TlsStream::Client(stream), ends, made_by: None }
    }

    /// Takes a connection whose server this process is.
    #[must_use]
    pub fn server(stream: server::TlsStream<TcpStream>) -> Self {
        let ends = Ends::prepare(stream.get_ref().0);
        Self { stream: TlsStream::Server(stream), ends, made_by: None }
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

/// Closes a connection behind TLS's alert. With bytes of the peer unread the system would reset it,
/// and the alert, which tells the peer the reason, would be lost. The wait has a bound.
async fn close_behind_alert(mut stream: TcpStream) {
    let read = async {
        stream.shutdown().await?;
        let mut room = [0; 1024];
        for _ in 0..UNREAD {
            if stream.read(&mut room).await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    };
    // It is closed now, whatever became of that.
    _ = tokio::time::timeout(PATIENCE, read).await;
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

    fn connector(&self) -> Option<Arc<dyn Connector>> {
        Some(Arc::new(self.made_by.clone()?))
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
