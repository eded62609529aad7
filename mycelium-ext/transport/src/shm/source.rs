//! The ring as a stream of bytes, which is read as any other.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::link::{Link, corrupt};
use super::reading::{Looked, Reading, poll_read};
use super::regions::Regions;
use super::ring::Outlet;
use super::share::refused;
use super::wakeup::Woken;

/// How often it looks, with a pause each time, before others get the core.
const LOOKS: u32 = 32;
/// How long it does before other tasks on the thread get a turn.
const SLICE: Duration = Duration::from_micros(20);

/// Reads what the peer has published.
#[derive(Debug)]
pub(super) struct Source {
    link: Arc<Link>,
    outlet: Outlet,
    /// Where the peer may pass further arenas.
    regions: Option<Regions>,
    /// While it spins.
    spinning: Option<Spinning>,
    /// Whether to spin for what follows, although nothing was sent.
    follows: bool,
}

/// A spin phase.
#[derive(Debug, Clone, Copy)]
struct Spinning {
    until: Instant,
    /// It is an answer that is waited for.
    for_answer: bool,
}

impl Source {
    pub(super) const fn new(link: Arc<Link>, outlet: Outlet, regions: Option<Regions>) -> Self {
        Self { link, outlet, regions, spinning: None, follows: true }
    }

    fn is_empty(&mut self) -> io::Result<bool> {
        self.outlet.is_empty(&self.link.memory).map_err(corrupt)
    }

    /// Looks for a while, if there is reason to.
    fn look(&mut self, for_answer: bool) -> io::Result<Looked> {
        if self.link.spin.is_zero() {
            return if for_answer { self.look_between_yields() } else { Ok(Looked::None) };
        }
        if for_answer {
            let until = Instant::now() + self.link.spin;
            self.spinning = Some(Spinning { until, for_answer });
        } else if std::mem::take(&mut self.follows) {
            let until = Instant::now() + self.link.spin;
            self.spinning = Some(Spinning { until, for_answer });
            // What was read last has to be handled first.
            return Ok(Looked::Later);
        }
        match self.spinning {
            Some(spinning) => self.spin(spinning.until),
            None => Ok(Looked::None),
        }
    }

    fn look_between_yields(&mut self) -> io::Result<Looked> {
        let Self { link, outlet, .. } = self;
        let found = link.expectation.look(|| {
            let is_empty = outlet.is_empty(&link.memory).map_err(corrupt)?;
            Ok::<_, io::Error>((!is_empty).then_some(()))
        })?;
        Ok(if found.is_some() { Looked::Some } else { Looked::None })
    }

    fn spin(&mut self, until: Instant) -> io::Result<Looked> {
        let mut now = Instant::now();
        // On a thread of its own, others run what else there is.
        let alone = Handle::try_current()
            .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread);
        let turn = if alone { now } else { now + SLICE };
        loop {
            for _ in 0..LOOKS {
                if !self.is_empty()? {
                    return Ok(Looked::Some);
                }
                std::hint::spin_loop();
            }
            // The peer may be waiting for this very core.
            std::thread::yield_now();
            now = Instant::now();
            if now >= until {
                self.spinning = None;
                return Ok(Looked::None);
            }
            if now >= turn {
                return Ok(Looked::Later);
            }
        }
    }

    /// Something came.
    fn came(&mut self) {
        let spinning = self.spinning.take();
        // A caller spins after it has sent its call, and not before.
        self.follows = !self.link.spin.is_zero() && !spinning.is_some_and(|it| it.for_answer);
    }
}

impl AsyncRead for Source {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        poll_read(&mut Turn { source: self.get_mut(), context, buffer })
    }
}

/// One turn of reading.
struct Turn<'a, 'c, 'b> {
    source: &'a mut Source,
    context: &'a mut Context<'c>,
    buffer: &'a mut ReadBuf<'b>,
}

impl Reading for Turn<'_, '_, '_> {
    type Error = io::Error;

    fn take(&mut self) -> io::Result<bool> {
        let Source { link, outlet, .. } = &mut *self.source;
        let before = self.buffer.filled().len();
        if outlet.take(&link.memory, self.buffer).map_err(corrupt)? {
            link.wires.ring()?;
        }
        if self.buffer.filled().len() == before && self.buffer.remaining() > 0 {
            return Ok(false);
        }
        self.source.came();
        Ok(true)
    }

    fn expects_answer(&mut self) -> bool {
        self.source.link.expectation.take()
    }

    fn stay_awake(&mut self) {
        self.source.outlet.stay_awake(&self.source.link.memory);
    }

    fn look(&mut self, for_answer: bool) -> io::Result<Looked> {
        let looked = self.source.look(for_answer)?;
        if looked == Looked::Later {
            self.context.waker().wake_by_ref();
        }
        Ok(looked)
    }

    fn sleep(&mut self) -> io::Result<bool> {
        let Source { link, outlet, .. } = &mut *self.source;
        outlet.sleep(&link.memory).map_err(corrupt)
    }

    fn poll_woken(&mut self) -> Poll<io::Result<bool>> {
        let Source { link, regions, .. } = &*self.source;
        loop {
            let is_receiving = match regions {
                Some(regions) => regions.poll(self.context)?.is_pending(),
                None => false,
            };
            let woken = match is_receiving {
                // Frames are read meanwhile.
                true => ready!(link.wires.poll_rung(self.context))?,
                false => ready!(link.wires.poll_reader(self.context))?,
            };
            match (woken, regions) {
                (Woken::Rung, _) => return Poll::Ready(Ok(false)),
                (Woken::Gone, _) => return Poll::Ready(Ok(true)),
                (Woken::Written, Some(regions)) => regions.begin(&link.wires)?,
                (Woken::Written, None) => {
                    let why = "the peer wrote to the socket of a link by shared memory";
                    return Poll::Ready(Err(refused(why)));
                }
            }
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.link.wires.end_reading();
    }
}
