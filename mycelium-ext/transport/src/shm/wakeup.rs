//! What a link consists of beside its rings: the bells with which each side wakes the other, and
//! the Unix socket that tells when the other is gone.
//!
//! The kernel reports each ring of a [bell](super::bell) as a new edge, so that its owner need not
//! touch it. The task that reads frames waits for the bell's and the socket's read readiness, and
//! the one that writes frames for their write readiness, which both come with every edge: so each
//! has a place of its own for its waker.
//!
//! What arrives at the socket is only looked at here, and stays there with the descriptors that may
//! have come with it. A link that takes [regions](super::regions) receives them on a
//! [thread](crate::blocking) where a peer may make that block. Every other link ends, and closes
//! them with the socket on such a thread.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll};

use crate::blocking::Deferred;
use rustix::event::{PollFd, PollFlags};
use rustix::net::RecvFlags;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{bell, share};

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    /// It was rung, or may have been.
    Rung,
    /// The peer takes, or gives, nothing more.
    Gone,
    /// The peer wrote to the socket.
    Written,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Wakeup {
    socket: AsyncFd<Deferred<UnixStream>>,
    own_bell: AsyncFd<Deferred<OwnedFd>>,
    peer_bell: Deferred<OwnedFd>,
}

impl Wakeup {
    /// Of a socket that does not block, and two bells. Waits for the runtime to report the state in
    /// which the own bell begins, which is no ring.
    pub(super) async fn new(
        socket: Deferred<UnixStream>,
        own_bell: Deferred<OwnedFd>,
        peer_bell: Deferred<OwnedFd>,
    ) -> io::Result<Self> {
        #[allow(deprecated, reason = "both own their descriptors; what replaces it is unsafe")]
        let (socket, own_bell) = (AsyncFd::new(socket)?, AsyncFd::new(own_bell)?);
        own_bell.ready(Interest::READABLE | Interest::WRITABLE).await?.clear_ready();
        Ok(Self { socket, own_bell, peer_bell })
    }

    /// What the peer rings.
    pub(super) fn own_bell(&self) -> &OwnedFd {
        self.own_bell.get_ref()
    }

    /// Wakes the peer.
    pub(super) fn ring(&self) -> io::Result<()> {
        bell::ring(self.peer_bell.as_fd())
    }

    /// Sends to the peer over the socket, if there is room.
    ///
    /// # Errors
    /// There is no room, or no peer.
    pub(super) fn send(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        share::send(&self.socket, bytes, descriptors)
    }

    /// Another descriptor of the socket.
    pub(super) fn socket(&self) -> io::Result<OwnedFd> {
        self.socket.as_fd().try_clone_to_owned()
    }

    /// Waits for the reader to be rung, whatever comes over the socket.
    pub(super) fn poll_rung(&self, context: &mut Context<'_>) -> Poll<io::Result<Woken>> {
        if let Poll::Ready(ready) = self.own_bell.poll_read_ready(context) {
            ready?.clear_ready();
            return Poll::Ready(Ok(Woken::Rung));
        }
        Poll::Pending
    }

    /// Waits for something to read.
    pub(super) fn poll_reader(&self, context: &mut Context<'_>) -> Poll<io::Result<Woken>> {
        if let Poll::Ready(woken) = self.poll_rung(context)? {
            return Poll::Ready(Ok(woken));
        }
        while let Poll::Ready(ready) = self.socket.poll_read_ready(context) {
            let mut ready = ready?;
            let mut byte = [0; 1];
            let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
            match rustix::net::recv(&self.socket, &mut byte[..], flags) {
                Ok((0, _)) | Err(rustix::io::Errno::CONNRESET) => {
                    return Poll::Ready(Ok(Woken::Gone));
                }
                Ok(_) => return Poll::Ready(Ok(Woken::Written)),
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        Poll::Pending
    }

    /// Waits for room to write.
    pub(super) fn poll_writer(&self, context: &mut Context<'_>) -> Poll<io::Result<Woken>> {
        if let Poll::Ready(ready) = self.own_bell.poll_write_ready(context) {
            ready?.clear_ready();
            return Poll::Ready(Ok(Woken::Rung));
        }
        while let Poll::Ready(ready) = self.socket.poll_write_ready(context) {
            let mut ready = ready?;
            if self.is_closed()? {
                return Poll::Ready(Ok(Woken::Gone));
            }
            ready.clear_ready();
        }
        Poll::Pending
    }

    /// Whether the peer has closed the socket, and not only its sending half.
    fn is_closed(&self) -> io::Result<bool> {
        let mut polled = [PollFd::new(&self.socket, PollFlags::empty())];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut polled, Some(&now)))?;
        Ok(polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR))
    }

    /// Tells the peer that no more frames come.
    pub(super) fn end_writing(&self) {
        // Where it does not work, the peer is gone.
        _ = self.socket.get_ref().shutdown(std::net::Shutdown::Write);
    }

    /// Tells the peer that nothing more is read.
    pub(super) fn end_reading(&self) {
        // As above.
        _ = self.socket.get_ref().shutdown(std::net::Shutdown::Read);
    }
}
