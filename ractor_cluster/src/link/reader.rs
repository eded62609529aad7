//! The way into a link: the reader takes frames from the transport and passes them to a
//! [`FrameReceiver`], on a task of the link, or on a thread that expects a frame and would sleep
//! otherwise.
//!
//! It knows nothing of sessions, lanes and acknowledgements. Those are the receiver's.

use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe, RefUnwindSafe, UnwindSafe};
use std::task::{Context, Poll};

use bytes::Bytes;
use ractor::remoting::busy_poll::Watch;

use crate::transport::handoff::Handoff;
use crate::transport::{FrameStream, TransportMessage};

/// Frames handled in a row before others get a turn.
pub(super) const TURN: usize = 64;

/// Takes the frames of a link.
pub(crate) trait FrameReceiver: Send + Sync + UnwindSafe + RefUnwindSafe + 'static {
    /// What frames leave to be done when the turn of reading is over. It outlives the turn.
    type Turn: Default + Send;

    /// Whether the reader is to pause. `context` is woken when it may go on.
    ///
    /// # Errors
    /// An earlier frame is no frame of a peer. The link ends.
    fn pauses(&self, turn: &mut Self::Turn, context: &mut Context<'_>) -> io::Result<bool>;

    /// Takes a frame, and of those behind it as many as it likes, in their order. Returns whether
    /// others are to get a turn before the next one.
    ///
    /// # Errors
    /// It is no frame of a peer. The link ends.
    fn receive(
        &self,
        frame: TransportMessage,
        behind: &mut Behind<'_>,
        turn: &mut Self::Turn,
    ) -> io::Result<bool>;

    /// A turn of reading is over.
    fn turn_over(&self, turn: &mut Self::Turn, read: Read);
}

/// The frames behind one, up to the end of the turn.
pub(crate) struct Behind<'a> {
    frames: Option<&'a mut dyn FrameStream>,
    /// So many.
    left: usize,
}

impl Behind<'_> {
    /// None.
    #[cfg(test)]
    pub(crate) fn nothing() -> Self {
        Self { frames: None, left: 0 }
    }

    /// The next one, if it can be taken [at once](FrameStream::take_ready). It has to be handled.
    #[inline]
    pub(crate) fn take(&mut self, lent: &mut Bytes) -> Option<Bytes> {
        if self.left == 0 {
            return None;
        }
        let frame = self.frames.as_mut()?.take_ready(lent)?;
        self.left -= 1;
        Some(frame)
    }
}

/// See the module's documentation.
pub(crate) struct LinkReader<R: FrameReceiver> {
    receiver: R,
    /// A turn of reading takes it and gives it back, so that it is not copied.
    reading: Handoff<Box<Reading<R::Turn>>>,
}

struct Reading<T> {
    frames: Box<dyn FrameStream>,
    turn: T,
    /// What went wrong where the task was not.
    failed: Option<io::Error>,
}

/// What came of a turn of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// Nothing, and the task is woken by the next frame.
    Nothing,
    /// Something, and the task is woken by the next frame.
    Some,
    /// Something, and there may be more.
    More,
}

impl<R: FrameReceiver> LinkReader<R> {
    pub(crate) fn new(frames: Box<dyn FrameStream>, receiver: R) -> Self {
        let reading = Reading { frames, turn: R::Turn::default(), failed: None };
        Self { receiver, reading: Handoff::new(Box::new(reading)) }
    }

    /// Reads for ever, and ends with why that is over, and without the stream; for the task.
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<io::Error> {
        let Some(mut reading) = self.reading.take(context.waker()) else {
            return Poll::Pending;
        };
        if let Some(error) = reading.failed.take() {
            return Poll::Ready(error);
        }
        let read = self.read(&mut reading, context);
        match read {
            Err(error) => return Poll::Ready(error),
            Ok(Read::More) => context.waker().wake_by_ref(),
            // A task that found nothing is woken by the next frame, and not asked again before: a
            // transport may have given its turn to others.
            Ok(Read::Some | Read::Nothing) => {}
        }
        self.reading.give_back(reading);
        Poll::Pending
    }

    /// Gives the task a turn.
    pub(crate) fn wake(&self) {
        self.reading.wake();
    }

    /// Takes the frames that are there, up to a turn.
    fn read(&self, reading: &mut Reading<R::Turn>, context: &mut Context<'_>) -> io::Result<Read> {
        let Reading { frames, turn, .. } = reading;
        let read = self.read_turn(frames, context, turn);
        // Frames may have come before an error.
        self.receiver.turn_over(turn, *read.as_ref().unwrap_or(&Read::Some));
        read
    }

    fn read_turn(
        &self,
        frames: &mut Box<dyn FrameStream>,
        context: &mut Context<'_>,
        turn: &mut R::Turn,
    ) -> io::Result<Read> {
        let mut left = TURN;
        while left > 0 {
            let so_far = if left == TURN { Read::Nothing } else { Read::Some };
            if self.receiver.pauses(turn, context)? {
                return Ok(so_far);
            }
            match frames.poll_frame(context)? {
                Poll::Pending => return Ok(so_far),
                Poll::Ready(Some(frame)) => {
                    let mut behind = Behind { frames: Some(&mut **frames), left: left - 1 };
                    if self.receiver.receive(frame, &mut behind, turn)? {
                        return Ok(Read::More);
                    }
                    left = behind.left;
                }
                Poll::Ready(None) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        Ok(Read::More)
    }
}

impl<R: FrameReceiver> Watch for LinkReader<R> {
    fn look(&self) -> bool {
        let Some((mut reading, task)) = self.reading.borrow() else { return false };
        let context = &mut Context::from_waker(&task);
        // The polling thread is not to blame for the frame.
        let read = catch_unwind(AssertUnwindSafe(|| self.read(&mut reading, context)));
        let read = read.unwrap_or_else(|_| Err(io::Error::other("passing on a frame panicked")));
        let found = matches!(read, Ok(Read::Some | Read::More));
        let goes_on = matches!(read, Ok(Read::More) | Err(_));
        reading.failed = read.err();
        self.reading.give_back(reading);
        if goes_on {
            task.wake();
        }
        found
    }

    fn give_up(&self) {
        self.wake();
    }
}

impl<R: FrameReceiver> std::fmt::Debug for LinkReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkReader").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "reader/tests.rs"]
mod tests;
