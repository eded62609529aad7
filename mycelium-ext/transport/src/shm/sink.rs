//! Frames into the ring.

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::frames::MARKED;
use crate::{FrameSink, TransportMessage};
use bytes::Bytes;

use super::backlog::Backlog;
use super::lending::Lender;
use super::link::{Link, corrupt};
use super::ring::Inlet;
use super::wakeup::Woken;

/// The length before each frame takes as many bytes.
const HEADER: usize = size_of::<u64>();
/// A reader that is awake gets bytes when so many are there, also before a flush: it can then read
/// while more are queued.
const SHOWN: usize = 64 * 1024;
/// One that sleeps is woken by a flush, and during one for so many bytes. For fewer, on a core that
/// both share, it would read them before more are there, and the core would change its owner twice
/// each time; for more, it would sleep on another core when it could read. A quarter of the usual
/// ring was the best of four in both cases.
const RUNG: usize = 256 * 1024;

/// Writes frames straight into the ring, while there is room, and keeps them otherwise.
#[derive(Debug)]
pub(super) struct Sink {
    link: Arc<Link>,
    inlet: Inlet,
    backlog: Backlog,
    /// What lends payloads, where the peer reads them where they lie.
    lender: Option<Lender>,
}

impl Sink {
    pub(super) fn new(link: Arc<Link>, inlet: Inlet, lender: Option<Lender>) -> Self {
        Self { link, inlet, backlog: Backlog::default(), lender }
    }

    /// Lends `payload`, the end of the last of these frames, if that is to be done. Returns whether
    /// it is queued.
    fn put_lent(&mut self, frames: &Bytes, payload: &Bytes) -> bool {
        let Some(lender) = &mut self.lender else { return false };
        let Some(descriptor) = lender.lend(payload, &self.link.wires) else { return false };
        let last = last_frame(frames);
        if last > 0 {
            self.put_framed(frames.slice(..last));
        }
        let frame = &frames[last + HEADER..];
        let length = (frame.len() + descriptor.len()) as u64;
        let header = (length | MARKED).to_be_bytes();
        let parts = [&header[..], frame, &descriptor];
        if self.fits(HEADER + length as usize) {
            parts.into_iter().for_each(|part| self.inlet.put(&self.link.memory, part));
            self.show_much();
        } else {
            parts.into_iter().for_each(|part| self.backlog.copy(part));
        }
        true
    }

    /// Whether `size` bytes may be put into the ring at once.
    fn fits(&mut self, size: usize) -> bool {
        // What is wrong with the peer's position is found again by a flush.
        self.backlog.len() == 0
            && self.inlet.room(&self.link.memory, size).is_ok_and(|room| room >= size)
    }

    /// Queues a frame in two parts. The first is copied, and should be small.
    fn put(&mut self, head: &[u8], rest: Bytes) {
        let size = head.len() + rest.len();
        let header = (size as u64).to_be_bytes();
        if self.fits(HEADER + size) {
            self.inlet.put(&self.link.memory, &header);
            self.inlet.put(&self.link.memory, head);
            self.inlet.put(&self.link.memory, &rest);
            self.show_much();
        } else {
            self.backlog.copy(&header);
            self.backlog.copy(head);
            self.backlog.push(rest);
        }
    }

    /// Publishes to a reader that is awake, if there is enough.
    fn show_much(&mut self) {
        if self.inlet.unpublished() >= SHOWN {
            self.inlet.show(&self.link.memory);
        }
    }

    /// Queues bytes that are parts of frames with their lengths.
    fn put_framed(&mut self, bytes: Bytes) {
        if self.fits(bytes.len()) {
            self.inlet.put(&self.link.memory, &bytes);
            self.show_much();
        } else {
            self.backlog.push(bytes);
        }
    }

    /// Moves what waits into the ring, as far as there is room.
    fn refill(&mut self) -> io::Result<()> {
        while let Some(chunk) = self.backlog.front() {
            let memory = &self.link.memory;
            let room = self.inlet.room(memory, chunk.len()).map_err(corrupt)?;
            let count = room.min(chunk.len()).min(SHOWN);
            if count == 0 {
                break;
            }
            self.inlet.put(memory, &chunk[..count]);
            self.backlog.advance(count);
            self.show_much();
            if self.inlet.unrung() >= RUNG {
                self.publish()?;
            }
        }
        self.publish()
    }

    fn publish(&mut self) -> io::Result<()> {
        if self.inlet.publish(&self.link.memory) { self.link.wires.ring() } else { Ok(()) }
    }
}

/// Where the header of the last frame is. Frames stand behind each other.
fn last_frame(frames: &[u8]) -> usize {
    let mut at = 0;
    while let Some(header) = frames[at..].first_chunk::<HEADER>() {
        let next = usize::try_from(u64::from_be_bytes(*header))
            .ok()
            .and_then(|length| at.checked_add(HEADER)?.checked_add(length))
            .filter(|next| *next < frames.len());
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    at
}

impl FrameSink for Sink {
    fn queue(&mut self, frame: TransportMessage) -> Result<(), TransportMessage> {
        match frame {
            TransportMessage::Bytes(frame) => {
                self.put(&[], frame);
                Ok(())
            }
            other @ (TransportMessage::Arc(_) | TransportMessage::Lent { .. }) => Err(other),
        }
    }

    fn queue_parts(&mut self, head: Bytes, payload: Bytes) -> Result<(), TransportMessage> {
        self.put(&head, payload);
        Ok(())
    }

    fn queue_framed(&mut self, frames: Bytes, tail: Bytes) {
        if self.put_lent(&frames, &tail) {
            return;
        }
        self.put_framed(frames);
        if !tail.is_empty() {
            self.put_framed(tail);
        }
    }

    fn expect_answer(&mut self) -> bool {
        let is_due = self.link.expectation.is_due();
        if is_due {
            self.link.expectation.raise();
        }
        is_due
    }

    fn queued_bytes(&self) -> usize {
        // So many are flushed as well.
        self.inlet.unrung() + self.backlog.len()
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(lender) = &self.lender {
            lender.take_back(&self.link.wires)?;
        }
        loop {
            self.refill()?;
            if self.backlog.len() == 0 {
                return Poll::Ready(Ok(()));
            }
            if !self.inlet.sleep(&self.link.memory).map_err(corrupt)? {
                continue;
            }
            if ready!(self.link.wires.poll_writer(context))? == Woken::Gone {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
        }
    }

    fn into_writer(self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        None
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.link.wires.end_writing();
    }
}
