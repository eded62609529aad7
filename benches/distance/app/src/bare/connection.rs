//! What carries a header and a payload to the other process.

use std::io::{self, Read, Write};

#[cfg(feature = "shm")]
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};

#[cfg(feature = "shm")]
use ractor_cluster::transport::{FrameSink, FrameStream, Transport, TransportMessage};

use super::HEADER;
use crate::Failure;

/// Payloads from here on are a write of their own, and not copied.
const LARGE: usize = 16 * 1024;
const BUFFER: usize = 64 * 1024;
/// Above all that is sent.
#[cfg(feature = "shm")]
const MAX_FRAME: u64 = 16 * 1024 * 1024;

pub enum Connection {
    Stream {
        reader: BufReader<Box<dyn AsyncRead + Unpin + Send>>,
        writer: Box<dyn AsyncWrite + Unpin + Send>,
        outgoing: Vec<u8>,
    },
    /// Whose calls block the thread.
    Blocking {
        reader: io::BufReader<Box<dyn Read + Send>>,
        writer: Box<dyn Write + Send>,
        outgoing: Vec<u8>,
    },
    /// Frames by shared memory, without a session.
    #[cfg(feature = "shm")]
    Link { sink: Box<dyn FrameSink>, stream: Box<dyn FrameStream> },
}

impl Connection {
    pub fn unix(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self::stream(Box::new(reader), Box::new(writer))
    }

    pub fn tcp(stream: TcpStream) -> Result<Self, Failure> {
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        Ok(Self::stream(Box::new(reader), Box::new(writer)))
    }

    fn stream(
        reader: Box<dyn AsyncRead + Unpin + Send>,
        writer: Box<dyn AsyncWrite + Unpin + Send>,
    ) -> Self {
        let reader = BufReader::with_capacity(BUFFER, reader);
        Self::Stream { reader, writer, outgoing: Vec::new() }
    }

    pub fn blocking_unix(stream: UnixStream) -> Result<Self, Failure> {
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        Ok(Self::blocking(Box::new(stream.try_clone()?), Box::new(stream)))
    }

    pub fn blocking_tcp(stream: TcpStream) -> Result<Self, Failure> {
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        Ok(Self::blocking(Box::new(stream.try_clone()?), Box::new(stream)))
    }

    fn blocking(reader: Box<dyn Read + Send>, writer: Box<dyn Write + Send>) -> Self {
        let reader = io::BufReader::with_capacity(BUFFER, reader);
        Self::Blocking { reader, writer, outgoing: Vec::new() }
    }

    /// Shares memory over a socket; the one who connects offers it.
    #[cfg(feature = "shm")]
    pub async fn shm(socket: UnixStream, offers: bool) -> Result<Self, Failure> {
        let (sink, stream) = Box::new(share(socket, offers).await?).split(MAX_FRAME);
        Ok(Self::Link { sink, stream })
    }

    /// The same, without frames. Both ends spin on a core of their own until something comes.
    #[cfg(feature = "shm")]
    pub async fn ring(socket: UnixStream, offers: bool) -> Result<Self, Failure> {
        let (reader, writer) = share(socket, offers).await?.bare()?.spinning();
        Ok(Self::blocking(Box::new(reader), Box::new(writer)))
    }

    pub async fn send(&mut self, header: &[u8; HEADER], payload: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Stream { writer, outgoing, .. } => {
                outgoing.clear();
                outgoing.extend_from_slice(header);
                if payload.len() < LARGE {
                    outgoing.extend_from_slice(payload);
                    return Ok(writer.write_all(outgoing).await?);
                }
                writer.write_all(outgoing).await?;
                Ok(writer.write_all(payload).await?)
            }
            Self::Blocking { writer, outgoing, .. } => {
                outgoing.clear();
                outgoing.extend_from_slice(header);
                outgoing.extend_from_slice(payload);
                Ok(writer.write_all(outgoing)?)
            }
            #[cfg(feature = "shm")]
            Self::Link { sink, .. } => {
                let (header, payload) =
                    (Bytes::copy_from_slice(header), Bytes::copy_from_slice(payload));
                sink.queue_parts(header, payload).map_err(|_| "the link takes no bytes")?;
                Ok(sink.flush().await?)
            }
        }
    }

    /// The header; the payload is put into `payload`.
    pub async fn receive(&mut self, payload: &mut Vec<u8>) -> Result<[u8; HEADER], Failure> {
        match self {
            Self::Stream { reader, .. } => {
                let mut header = [0; HEADER];
                reader.read_exact(&mut header).await?;
                let [length @ .., _, _] = header;
                payload.resize(usize::try_from(u64::from_be_bytes(length))?, 0);
                reader.read_exact(payload).await?;
                Ok(header)
            }
            Self::Blocking { reader, .. } => {
                let mut header = [0; HEADER];
                reader.read_exact(&mut header)?;
                let [length @ .., _, _] = header;
                payload.resize(usize::try_from(u64::from_be_bytes(length))?, 0);
                reader.read_exact(payload)?;
                Ok(header)
            }
            #[cfg(feature = "shm")]
            Self::Link { stream, .. } => {
                let Some(TransportMessage::Bytes(frame)) = stream.frame().await? else {
                    return Err("the link has ended".into());
                };
                let (header, rest) = frame.split_first_chunk().ok_or("a frame of another bench")?;
                payload.clear();
                payload.extend_from_slice(rest);
                Ok(*header)
            }
        }
    }
}

/// An end of a link of shared memory. The side that `offers` makes the memory.
#[cfg(feature = "shm")]
async fn share(
    socket: UnixStream,
    offers: bool,
) -> Result<mycelium_ext::shm::ShmTransport, Failure> {
    use mycelium_ext::shm::{ShmOptions, ShmTransport};

    let options = ShmOptions::default();
    Ok(match offers {
        true => ShmTransport::offer(socket, options).await?,
        false => ShmTransport::take(socket, options).await?,
    })
}
