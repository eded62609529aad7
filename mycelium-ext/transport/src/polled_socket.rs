//! A socket whose reader looks for an answer that is expected before it sleeps.
//!
//! A process that sleeps is woken by way of epoll, which costs both processes more than to give up
//! the core once: where both share it, the answer is there when it comes back.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp;

use super::answer_hint::AnswerHint;
use super::frames::{FrameReader, FrameWriter};
use super::unix::guarded;
use super::{FrameSink, FrameStream};

/// How much of an answer is read so. More waits for the runtime to notice it.
const ANSWER: usize = 4 * 1024;

/// The reading half of a socket that is [read past](rustix::net::recv) the runtime.
pub(crate) trait Socket: AsyncRead + Unpin {
    /// Reads what is there, and never blocks.
    fn receive(&self, bytes: &mut [u8]) -> io::Result<usize>;
}

impl Socket for tcp::OwnedReadHalf {
    fn receive(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let stream: &tokio::net::TcpStream = self.as_ref();
        let (count, _) = rustix::net::recv(stream.as_fd(), bytes, RecvFlags::DONTWAIT)?;
        Ok(count)
    }
}

impl Socket for guarded::ReadHalf {
    fn receive(&self, bytes: &mut [u8]) -> io::Result<usize> {
        guarded::receive(self.descriptor(), bytes)
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct PolledSocket<S> {
    socket: S,
    expectation: Arc<AnswerHint>,
}

/// The halves of a connection as frames of up to `max_frame` bytes.
pub(super) fn frames<R, W>(
    (reader, writer): (R, W),
    max_frame: u64,
) -> (Box<dyn FrameSink>, Box<dyn FrameStream>)
where
    R: Socket + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let expectation = Arc::new(AnswerHint::new());
    let eager = PolledSocket { socket: reader, expectation: expectation.clone() };
    let writer = FrameWriter::new(writer).telling(expectation);
    (Box::new(writer), Box::new(FrameReader::new(eager, max_frame)))
}

impl<S: Socket> PolledSocket<S> {
    pub(crate) fn into_socket(self) -> S {
        self.socket
    }

    /// Reads what arrives while the core is given up.
    fn look(&self, buffer: &mut ReadBuf<'_>) -> io::Result<Option<()>> {
        let size = buffer.remaining().min(ANSWER);
        self.expectation.look(|| {
            let bytes = buffer.initialize_unfilled_to(size);
            match self.socket.receive(bytes) {
                Ok(count) => {
                    buffer.advance(count);
                    Ok(Some(()))
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
                    _ => Err(error),
                },
            }
        })
    }
}

impl<S: Socket> AsyncRead for PolledSocket<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // The runtime has the waker from here on, whatever is read beside it.
        let polled = Pin::new(&mut this.socket).poll_read(context, buffer);
        if polled.is_ready() {
            return polled;
        }
        if this.expectation.take() {
            if let Some(()) = this.look(buffer)? {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }
}
