//! The halves of a Unix socket over which a peer may pass descriptors that block whoever closes
//! them.
//!
//! A plain read discards descriptors, and closes them in the reading thread. Here each read has
//! room for as many as a message carries: they are closed on a [thread of their
//! own](super::super::blocking), and end the link. So is the socket itself, in which unread ones
//! may wait.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::blocking::Deferred;

/// The most descriptors that a message over a Unix socket carries: `SCM_MAX_FD` of Linux.
const MOST_DESCRIPTORS: usize = 253;
/// The kernel only writes to memory that was initialised, which costs less the less it is: reads
/// begin with so many bytes, and grow as they are filled.
const SMALLEST_READ: usize = 4 * 1024;
const LARGEST_READ: usize = 256 * 1024;

#[cfg(any(target_os = "linux", target_os = "android"))]
const FLAGS: RecvFlags = RecvFlags::DONTWAIT.union(RecvFlags::CMSG_CLOEXEC);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const FLAGS: RecvFlags = RecvFlags::DONTWAIT;

/// The reading half.
#[derive(Debug)]
pub(crate) struct ReadHalf {
    half: Deferred<OwnedReadHalf>,
    /// How much the next read asks for.
    size: usize,
}

/// The writing half, which ends what the peer reads when it is dropped.
#[derive(Debug)]
pub(crate) struct WriteHalf {
    half: Deferred<OwnedWriteHalf>,
}

/// Takes a socket apart.
pub(super) fn split(stream: Deferred<UnixStream>) -> (ReadHalf, WriteHalf) {
    let (reader, writer) = stream.into_inner().into_split();
    let reader = ReadHalf { half: Deferred::new(reader), size: SMALLEST_READ };
    (reader, WriteHalf { half: Deferred::new(writer) })
}

/// Puts the halves of a socket together again.
pub(crate) fn reunite(reader: ReadHalf, mut writer: WriteHalf) -> Option<Deferred<UnixStream>> {
    let (reader, writer) = (reader.half.into_inner(), writer.half.take()?);
    reader.reunite(writer).ok().map(Deferred::new)
}

/// Reads what is there. Never blocks.
///
/// # Errors
/// [`InvalidData`](io::ErrorKind::InvalidData) when descriptors came, and those of the system.
pub(crate) fn receive(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(bytes)];
    let received = rustix::net::recvmsg(socket, &mut parts, &mut control, FLAGS)?;
    let mut found: Vec<OwnedFd> = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            found.extend(descriptors);
        }
    }
    if found.is_empty() {
        return Ok(received.bytes);
    }
    let why = format!("the peer passed {} descriptors, where none are expected", found.len());
    drop(Deferred::new(found));
    Err(io::Error::new(io::ErrorKind::InvalidData, why))
}

impl ReadHalf {
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        let stream: &UnixStream = (*self.half).as_ref();
        stream.as_fd()
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let size = buffer.remaining().min(this.size);
        if size == 0 {
            return Poll::Ready(Ok(()));
        }
        let stream: &UnixStream = (*this.half).as_ref();
        loop {
            ready!(stream.poll_read_ready(context))?;
            let mut short = None;
            let tried = stream.try_io(Interest::READABLE, || {
                let bytes = buffer.initialize_unfilled_to(size);
                match receive(stream.as_fd(), bytes) {
                    // There is no more, which needs no further call to find out. It is not
                    // `WouldBlock` for anybody but the runtime, which then waits for news.
                    Ok(count) if 0 < count && count < size => {
                        short = Some(count);
                        Err(io::ErrorKind::WouldBlock.into())
                    }
                    other => other,
                }
            });
            let count = match (short, tried) {
                (Some(count), _) => count,
                (None, Ok(count)) => count,
                (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => continue,
                (None, Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                (None, Err(error)) => return Poll::Ready(Err(error)),
            };
            this.size = match count {
                filled if filled == this.size => (2 * filled).min(LARGEST_READ),
                little if little < this.size / 4 => (this.size / 2).max(SMALLEST_READ),
                _ => this.size,
            };
            buffer.advance(count);
            return Poll::Ready(Ok(()));
        }
    }
}

impl WriteHalf {
    fn half(&mut self) -> Pin<&mut OwnedWriteHalf> {
        Pin::new(&mut *self.half)
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().half().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().half().poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.half.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().half().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().half().poll_shutdown(context)
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        // Now, and not only when a thread is free to close it.
        if let Some(half) = self.half.get() {
            let stream: &UnixStream = half.as_ref();
            match rustix::net::shutdown(stream, rustix::net::Shutdown::Write) {
                Ok(()) | Err(Errno::NOTCONN) => {}
                Err(error) => tracing::debug!(%error, "a Unix socket could not be shut down"),
            }
        }
    }
}
