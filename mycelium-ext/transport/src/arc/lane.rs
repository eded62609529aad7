//! One direction of a connection inside this process.
//!
//! Frames change hands in batches: the sender's queue is appended to the shared one, and the
//! receiver takes the whole of that, so that the lock is taken once for many frames.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;

use crate::frames::{Turn, check_length, joined, split};
use crate::{Activity, FrameSink, FrameStream, SharedCast, TransportMessage};

/// The frames handed over and not taken from which on the sender waits.
const FRAMES: usize = 1024;
/// The bytes of them from which on it waits too.
const BYTES: usize = 4 * 1024 * 1024;

/// What both ends share.
#[derive(Default)]
struct Shared {
    frames: VecDeque<TransportMessage>,
    bytes: usize,
    sender_gone: bool,
    receiver_gone: bool,
    sender: Option<Waker>,
    receiver: Option<Waker>,
}

type Lane = Arc<Mutex<Shared>>;

/// Both ends of a direction.
pub(super) fn lane() -> (LaneSink, LaneStream) {
    let shared = Lane::default();
    (
        LaneSink { shared: shared.clone(), queued: VecDeque::new(), bytes: 0 },
        LaneStream { shared, taken: VecDeque::new(), max_frame: u64::MAX, turn: Turn::default() },
    )
}

fn lock(lane: &Lane) -> MutexGuard<'_, Shared> {
    // Nothing that may panic is done with the lock held.
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a frame counts for: a shared one for the reference, since its message stays where it is.
fn size(frame: &TransportMessage) -> usize {
    match frame {
        TransportMessage::Arc(_) => size_of::<SharedCast>(),
        TransportMessage::Bytes(frame) => frame.len(),
        TransportMessage::Lent { frame, payload } => frame.len() + payload.len(),
    }
}

/// Where frames go out.
pub(super) struct LaneSink {
    shared: Lane,
    queued: VecDeque<TransportMessage>,
    /// Of what is queued.
    bytes: usize,
}

impl FrameSink for LaneSink {
    fn queue(&mut self, frame: TransportMessage) -> Result<(), TransportMessage> {
        self.bytes += size(&frame);
        self.queued.push_back(frame);
        Ok(())
    }

    fn queue_parts(&mut self, head: Bytes, payload: Bytes) -> Result<(), TransportMessage> {
        self.queue(TransportMessage::Bytes(joined(head, payload)))
    }

    fn queue_framed(&mut self, frames: Bytes, tail: Bytes) {
        split(frames, tail, |head, tail| {
            let taken = self.queue_parts(head, tail);
            // It takes all frames.
            debug_assert!(taken.is_ok());
        });
    }

    /// The receiver is a task of this process: it is woken, and nothing is to be polled.
    fn expect_answer(&mut self) -> bool {
        false
    }

    fn queued_bytes(&self) -> usize {
        self.bytes
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.queued.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let mut lane = lock(&self.shared);
        if lane.receiver_gone {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "the other node of this process has closed the connection",
            )));
        }
        if lane.frames.is_empty() && self.bytes <= BYTES && self.queued.len() <= FRAMES {
            // All of it, for the price of an exchange.
            std::mem::swap(&mut lane.frames, &mut self.queued);
            lane.bytes = std::mem::take(&mut self.bytes);
        }
        while lane.frames.len() < FRAMES && lane.bytes < BYTES {
            let Some(frame) = self.queued.pop_front() else { break };
            let size = size(&frame);
            self.bytes -= size;
            lane.bytes += size;
            lane.frames.push_back(frame);
        }
        let receiver = lane.receiver.take();
        let done = self.queued.is_empty();
        let former = if done { None } else { remember(&mut lane.sender, context) };
        drop(lane);
        drop(former);
        wake(receiver);
        if done { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn into_writer(self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        None
    }
}

impl Drop for LaneSink {
    fn drop(&mut self) {
        let mut lane = lock(&self.shared);
        lane.sender_gone = true;
        let receiver = lane.receiver.take();
        drop(lane);
        wake(receiver);
    }
}

/// Where frames come in.
pub(super) struct LaneStream {
    shared: Lane,
    taken: VecDeque<TransportMessage>,
    max_frame: u64,
    turn: Turn,
}

impl LaneStream {
    /// Refuses larger frames of bytes.
    pub(super) fn limited(mut self, max_frame: u64) -> Self {
        self.max_frame = max_frame;
        self
    }

    /// Takes over all that was handed over.
    fn poll_take(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut lane = lock(&self.shared);
        if lane.frames.is_empty() {
            if lane.sender_gone {
                return Poll::Ready(());
            }
            let former = remember(&mut lane.receiver, context);
            drop(lane);
            drop(former);
            return Poll::Pending;
        }
        std::mem::swap(&mut lane.frames, &mut self.taken);
        lane.bytes = 0;
        let sender = lane.sender.take();
        drop(lane);
        wake(sender);
        Poll::Ready(())
    }
}

impl FrameStream for LaneStream {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<TransportMessage>>> {
        ready!(self.turn.poll(context));
        if self.taken.is_empty() && self.poll_take(context).is_pending() {
            self.turn.waited();
            return Poll::Pending;
        }
        if let Some(TransportMessage::Bytes(frame)) = self.taken.front() {
            check_length(frame.len() as u64, self.max_frame)?;
        }
        Poll::Ready(Ok(self.taken.pop_front()))
    }

    fn take_ready(&mut self, _: &mut Bytes) -> Option<Bytes> {
        None
    }

    fn set_max_frame(&mut self, bytes: u64) {
        self.max_frame = bytes;
    }

    /// Frames arrive whole, and their readers note them.
    fn tell_arrivals(&mut self, _: &Activity) {}

    fn into_reader(self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        None
    }
}

impl Drop for LaneStream {
    fn drop(&mut self) {
        let mut lane = lock(&self.shared);
        lane.receiver_gone = true;
        // Dropped without the lock: a message's own code may run.
        let frames = std::mem::take(&mut lane.frames);
        let sender = lane.sender.take();
        drop(lane);
        wake(sender);
        drop(frames);
    }
}

/// Registers the task. The waker that it takes the place of is to be dropped without the lock: it
/// may be the last that holds a task, and with it an end of this lane.
#[must_use]
fn remember(waker: &mut Option<Waker>, context: &Context<'_>) -> Option<Waker> {
    match waker {
        Some(waker) if waker.will_wake(context.waker()) => None,
        _ => waker.replace(context.waker().clone()),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
