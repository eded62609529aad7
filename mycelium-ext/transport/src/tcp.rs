//! TCP.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpStream, ToSocketAddrs};

use super::{Channel, Connecting, Connector, FrameSink, FrameStream, Transport, TransportKind};

/// A TCP connection.
pub struct TcpTransport {
    stream: TcpStream,
    ends: Ends,
}

impl TcpTransport {
    /// Connects to `address`. There is no timeout beyond that of the system.
    ///
    /// # Errors
    /// Those of the system, of the last address that was tried.
    pub async fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        Ok(Self::new(TcpStream::connect(address).await?))
    }

    /// Takes a connection, and turns off the delay of small packets: frames are batched here.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        let ends = Ends::prepare(&stream);
        Self { stream, ends }
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

impl Transport for TcpTransport {
    fn kind(&self) -> TransportKind {
        TransportKind::Tcp
    }

    fn peer(&self) -> String {
        Ends::label(self.ends.peer)
    }

    fn local(&self) -> String {
        Ends::label(self.ends.local)
    }

    fn connector(&self) -> Option<Arc<dyn Connector>> {
        Some(Arc::new(TcpConnector(self.ends.peer?)))
    }

    /// It is not encrypted.
    fn channel(&self) -> Channel {
        Channel::default()
    }

    fn split(self: Box<Self>, max_frame: u64) -> (Box<dyn FrameSink>, Box<dyn FrameStream>) {
        #[cfg(unix)]
        return super::polled_socket::frames(self.stream.into_split(), max_frame);
        #[cfg(not(unix))]
        {
            use super::frames::{FrameReader, FrameWriter};

            let (reader, writer) = self.stream.into_split();
            (Box::new(FrameWriter::new(writer)), Box::new(FrameReader::new(reader, max_frame)))
        }
    }
}

impl fmt::Debug for TcpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpTransport").field("ends", &self.ends).finish_non_exhaustive()
    }
}

/// Connects to this address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpConnector(pub SocketAddr);

impl Connector for TcpConnector {
    fn kind(&self) -> TransportKind {
        TransportKind::Tcp
    }

    fn connect(&self) -> Connecting {
        let address = self.0;
        Box::pin(async move {
            let made: Box<dyn Transport> = Box::new(TcpTransport::connect(address).await?);
            Ok(made)
        })
    }
}

/// The addresses of a TCP connection, while it has some: one that the peer has reset has none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) local: Option<SocketAddr>,
    pub(super) peer: Option<SocketAddr>,
}

impl Ends {
    /// Makes a connection fit for frames, and looks where it goes.
    pub(super) fn prepare(stream: &TcpStream) -> Self {
        let ends = Self { local: stream.local_addr().ok(), peer: stream.peer_addr().ok() };
        // Some systems refuse it for a connection that is gone, which the first read will tell.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(peer = %Self::label(ends.peer), %error, "TCP_NODELAY was refused");
        }
        ends
    }

    pub(super) fn label(address: Option<SocketAddr>) -> String {
        address.map_or_else(|| "unknown".to_owned(), |address| address.to_string())
    }
}
