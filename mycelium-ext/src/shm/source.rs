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
/// has to be handled, and the answer to it sent. The tasks that do so go before one that has given its turn away; each turn
/// that is given away also wakes an idle thread of the runtime.
const TURNS: u32 = 1;
/// How often it looks, with a pause each time, before others get the core.
const LOOKS: u32 = 32;
/// How often they do within a turn, where other threads can run what waits on this one.
const SHARES: u32 = 16;

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
        for _ in 0..if alone { 1 } else { SHARES } {
            for _ in 0..LOOKS {
                if !self.outlet.is_empty(&self.link.memory).map_err(corrupt)? {
                    return Ok(true);
                }
                std::hint::spin_loop();
            }
            // The peer may be waiting for this very core.
            std::thread::yield_now();
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
