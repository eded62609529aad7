//! A stream that the application brings along.

use std::fmt;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::frames::{FrameReader, FrameWriter};
use super::{Channel, Connector, FrameSink, FrameStream, Transport, TransportKind};

/// The reading half of a stream.
pub type BoxRead = Box<dyn AsyncRead + Unpin + Send + 'static>;
/// The writing half of a stream.
pub type BoxWrite = Box<dyn AsyncWrite + Unpin + Send + 'static>;

/// A stream of bytes that the application brings along.
pub struct StreamTransport {
    reader: BoxRead,
    writer: BoxWrite,
    peer: Option<String>,
    local: Option<String>,
}

impl StreamTransport {
    /// Takes the halves of a stream, with the labels of the peer and of this end.
    #[must_use]
    pub fn from_halves(
        reader: BoxRead,
        writer: BoxWrite,
        peer: Option<String>,
        local: Option<String>,
    ) -> Self {
        Self { reader, writer, peer, local }
    }
}

impl Transport for StreamTransport {
    fn kind(&self) -> TransportKind {
        TransportKind::External
    }

    fn peer(&self) -> String {
        label(&self.peer)
    }

    fn local(&self) -> String {
        label(&self.local)
    }

    /// It is the application's, which connects again by itself.
    fn connector(&self) -> Option<Arc<dyn Connector>> {
        None
    }

    /// What carries the bytes is not known.
    fn channel(&self) -> Channel {
        Channel::default()
    }

    fn split(self: Box<Self>, max_frame: u64) -> (Box<dyn FrameSink>, Box<dyn FrameStream>) {
        (
            Box::new(FrameWriter::new(self.writer)),
            Box::new(FrameReader::new(self.reader, max_frame)),
        )
    }
}

impl fmt::Debug for StreamTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamTransport")
            .field("peer", &self.peer)
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

fn label(of: &Option<String>) -> String {
    of.as_deref().unwrap_or(TransportKind::External.name()).to_owned()
}
