//! The ring as a stream of bytes, which is read as any other.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::link::{Link, corrupt};
use super::ring::Outlet;
use super::wires::Woken;

/// The turns that all others on the thread get before one is spent on looking again and again: what has just been read
/// has to be handled, and the answer to it sent.
const TURNS: u32 = 4;
/// How often it looks within a turn, with a pause each time, where nobody else can run what waits on this thread.
const LOOKS_ALONE: u32 = 8;
/// The same where other threads can, and are woken to look for it by each turn that is given to them.
const LOOKS: u32 = 256;

/// Reads what the peer has published.
#[derive(Debug)]
pub(super) struct Source {
    link: Arc<Link>,
    outlet: Outlet,
    /// While it spins: until when, and its turns up to now.
    spinning: Option<(Instant, u32)>,
}

impl Source {
    pub(super) const fn new(link: Arc<Link>, outlet: Outlet) -> Self {
        Self { link, outlet, spinning: None }
    }

    /// Looks for a while. Returns whether it has to look again, at its next turn.
    fn spin(&mut self) -> io::Result<bool> {
        if self.link.spin.is_zero() {
            return Ok(false);
        }
        let now = Instant::now();
        let (until, turns) = self.spinning.get_or_insert((now + self.link.spin, 0));
        if now >= *until {
            return Ok(false);
        }
        *turns += 1;
        if *turns <= TURNS {
            return Ok(true);
        }
        let alone = Handle::try_current()
            .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread);
        for _ in 0..if alone { LOOKS_ALONE } else { LOOKS } {
            if !self.outlet.is_empty(&self.link.memory).map_err(corrupt)? {
                return Ok(true);
            }
            std::hint::spin_loop();
        }
        Ok(true)
    }
}

impl AsyncRead for Source {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let mut gone = false;
        loop {
            let wake = this.outlet.take(&this.link.memory, buffer).map_err(corrupt)?;
            if wake {
                this.link.wires.ring()?;
            }
            if buffer.filled().len() > before || buffer.remaining() == 0 {
                this.spinning = None;
                return Poll::Ready(Ok(()));
            }
            // What was published before it went has been read.
            if gone {
                return Poll::Ready(Ok(()));
            }
            if this.spin()? {
                if this.outlet.is_empty(&this.link.memory).map_err(corrupt)? {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                continue;
            }
            if this.outlet.sleep(&this.link.memory).map_err(corrupt)? {
                gone = ready!(this.link.wires.poll_reader(context))? == Woken::Gone;
            }
        }
    }
}
