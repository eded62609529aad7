//! The way out of a link: the writer takes frames from a [`FrameSource`] and writes them to the
//! transport, on a task of the link, or on the thread of a sender that gives that task no turn.
//!
//! It knows nothing of sessions, lanes and acknowledgements. Those are the source's.

use std::collections::VecDeque;
use std::future::{poll_fn, Future};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, TryLockError, Weak};
use std::task::{ready, Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use mycelium_link::lane::Chunk;
use ractor::remoting::busy_poll::{self, Watch};

use super::locked::locked;
use super::together::{self, Batch, Together};
use crate::transport::{FrameSink, TransportMessage};

/// Ends when a link that takes nothing is given up.
type Deadline = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is handed to the kernel at a time, about, in bytes: more waits until it took this much.
const BATCH_BYTES: usize = 64 * 1024;

/// Where a writer takes its frames from.
pub(crate) trait FrameSource: Send + Sync + 'static {
    /// Held with a frame of [`LinkWriter::send_reserved`] until the frame is written.
    type Reservation: Send;

    /// Hands what is to be sent next to `take`, in the order of sending, until `take` returns
    /// false or nothing is left. The source decides whose frames are next.
    fn transmit(&self, take: impl FnMut(Chunk) -> bool);
}

/// See the module's documentation.
pub(crate) struct LinkWriter<S: FrameSource> {
    out: Mutex<Out<S::Reservation>>,
    /// Frames that do not come from the source. They are sent before those that do.
    loose: Mutex<VecDeque<Loose<S::Reservation>>>,
    /// What is sent when nothing else waits.
    last: Mutex<Option<Bytes>>,
    /// What it takes from, once there is something.
    joined: OnceLock<Joined<S>>,
    /// Whether there is something that has not been looked at.
    more: AtomicBool,
    /// Whether the task sleeps until there is.
    idle: AtomicBool,
    /// The task.
    task: Mutex<Option<Waker>>,
    /// Whether the peer or the kernel takes no more at present.
    blocked: AtomicBool,
    /// Whether it ends when the last frame is written.
    ending: AtomicBool,
    /// How long that may go on; for ever, where it is not set.
    deadline: OnceLock<Duration>,
    /// The other direction.
    reader: Weak<dyn Watch>,
    /// The writers that its task flushes with it.
    batch: Arc<Batch>,
}

struct Joined<S> {
    source: S,
    /// Whether a sender polls the link for the peer's answer.
    busy_poll: bool,
}

/// A frame, and what is held until it has been written.
type Loose<R> = (Bytes, Option<R>);

struct Out<R> {
    sink: Box<dyn FrameSink>,
    /// Of frames that the sink has not handed over, each with how much will have been written when
    /// it has.
    reservations: VecDeque<(u64, R)>,
    /// What the sink has handed over, in its own bytes.
    written: u64,
    /// Whether the sink has something that it has not handed over.
    dirty: bool,
    failed: Option<io::Error>,
}

impl<S: FrameSource> LinkWriter<S> {
    /// The writer of a connection with this reader.
    pub(crate) fn new(sink: Box<dyn FrameSink>, reader: Weak<dyn Watch>) -> Self {
        Self {
            out: Mutex::new(Out {
                sink,
                reservations: VecDeque::new(),
                written: 0,
                dirty: false,
                failed: None,
            }),
            loose: Mutex::default(),
            last: Mutex::default(),
            joined: OnceLock::new(),
            more: AtomicBool::new(true),
            idle: AtomicBool::new(false),
            task: Mutex::default(),
            blocked: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            deadline: OnceLock::new(),
            reader,
            batch: Arc::default(),
        }
    }

    /// Takes from `source` from here on, unless it takes from one already. `busy_poll` is whether a
    /// sender polls the link for the peer's answer.
    pub(crate) fn join(&self, source: S, busy_poll: bool) {
        _ = self.joined.set(Joined { source, busy_poll });
        self.wake();
    }

    /// Ends after it could write nothing for so long.
    pub(crate) fn set_deadline(&self, deadline: Duration) {
        _ = self.deadline.set(deadline);
        // It may be waiting for the peer already.
        self.wake_task();
    }

    /// Sends a frame before all those of the source.
    pub(crate) fn send(&self, frame: Bytes) {
        locked(&self.loose).push_back((frame, None));
        self.wake();
    }

    /// The same, in one turn with other writers: see [`together::flush`].
    pub(crate) fn send_together(self: &Arc<Self>, frame: Bytes) {
        locked(&self.loose).push_back((frame, None));
        if self.note() {
            together::flush(self);
        }
    }

    /// Sends a frame before all those of the source. Holds `reservation` until the frame is written.
    pub(crate) fn send_reserved(&self, frame: Bytes, reservation: S::Reservation) {
        locked(&self.loose).push_back((frame, Some(reservation)));
        self.wake();
    }

    /// The same, without a turn of the task where that is idle.
    pub(crate) fn send_at_once(&self, frame: Bytes) {
        locked(&self.loose).push_back((frame, None));
        if self.note() {
            self.help(false);
        }
    }

    /// Sends a frame behind all that the source has.
    pub(crate) fn send_last(&self, frame: Bytes) {
        *locked(&self.last) = Some(frame);
        self.wake();
    }

    /// Sends a frame behind all that waits, and ends when it is written.
    pub(crate) fn send_and_end(&self, frame: Bytes) {
        *locked(&self.last) = Some(frame);
        self.ending.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Whether it ends because it was told to.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }

    /// There is something to be written. Returns whether the caller has to see to it: by
    /// [`wake_task`](Self::wake_task) or [`help`](Self::help).
    pub(crate) fn note(&self) -> bool {
        // With `drive`: who notes something finds the task idle, or the task finds what was noted.
        self.more.store(true, Ordering::SeqCst);
        self.idle.load(Ordering::SeqCst) && self.idle.swap(false, Ordering::SeqCst)
    }

    /// The same for the source, with the lock held that its [`transmit`](FrameSource::transmit)
    /// takes.
    #[inline]
    pub(crate) fn note_of_source(&self) -> bool {
        // With `drive`: it takes this mark back before it takes that lock. So a mark that is there
        // is taken back later, and then what is noted now is found. Who has set it, or the task,
        // sees to that.
        !self.more.load(Ordering::Relaxed) && self.note()
    }

    /// Whether the peer or the kernel takes no more at present. The task sees to it when they do.
    #[inline]
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    fn wake(&self) {
        if self.note() {
            self.wake_task();
        }
    }

    pub(crate) fn wake_task(&self) {
        if let Some(task) = &*locked(&self.task) {
            task.wake_by_ref();
        }
    }

    /// Writes all that waits, in place of the task, which may not get a turn soon, or would cost
    /// one. Leaves it to the task when that is at it, or nothing more is taken. `answered` says
    /// that the peer is to send something at once, and that nothing else is waited for: the sender
    /// polls for it, or the link's reader where the sender does not wait.
    pub(crate) fn help(&self, answered: bool) {
        if self.blocked.load(Ordering::Relaxed) {
            return;
        }
        let Some(task) = locked(&self.task).clone() else { return };
        let mut out = match self.out.try_lock() {
            Ok(out) => out,
            Err(TryLockError::Poisoned(out)) => out.into_inner(),
            // The thread that flushes may have looked for the last time.
            Err(TryLockError::WouldBlock) => return task.wake(),
        };
        let busy_poll = || self.joined.get().is_some_and(|joined| joined.busy_poll);
        if answered && busy_poll() && out.sink.expect_answer() {
            if let Some(reader) = self.reader.upgrade() {
                busy_poll::leave(reader);
            }
        }
        // Whatever it waits for, the task will be woken.
        if let Poll::Ready(error) = self.drive(&mut out, &mut Context::from_waker(&task)) {
            out.failed = Some(error);
            task.wake();
        } else if self.blocked.load(Ordering::Relaxed) {
            // It sees to it that this does not take too long.
            task.wake();
        }
    }

    /// Writes for ever; for the task.
    fn poll(&self, context: &mut Context<'_>) -> Poll<io::Error> {
        {
            let mut task = locked(&self.task);
            if !task.as_ref().is_some_and(|task| task.will_wake(context.waker())) {
                *task = Some(context.waker().clone());
            }
        }
        let others = self.batch.close();
        let driven = {
            let mut out = locked(&self.out);
            match out.failed.take() {
                Some(error) => Poll::Ready(error),
                None => self.drive(&mut out, context),
            }
        };
        others.flush();
        driven
    }

    /// What was written and what waits, in bytes, when the peer or the kernel takes no more, and
    /// how long that may go on.
    fn stuck(&self) -> Option<(u64, usize, Duration)> {
        if !self.blocked.load(Ordering::Relaxed) {
            return None;
        }
        let deadline = *self.deadline.get()?;
        let out = locked(&self.out);
        Some((out.written, out.sink.queued_bytes(), deadline))
    }

    /// Writes for ever, and ends with why that is over: an error, or that nothing was taken for too
    /// long.
    pub(crate) async fn run(&self) -> io::Error {
        let _turns = self.batch.begin();
        let mut watch: Option<(u64, Deadline)> = None;
        poll_fn(|context| {
            if let Poll::Ready(error) = self.poll(context) {
                return Poll::Ready(error);
            }
            loop {
                let Some((written, bytes, deadline)) = self.stuck() else {
                    watch = None;
                    return Poll::Pending;
                };
                match &mut watch {
                    Some((before, sleep)) if *before == written => {
                        ready!(sleep.as_mut().poll(context));
                        return Poll::Ready(io::Error::new(
                            io::ErrorKind::TimedOut,
                            format!("nothing of {bytes} bytes was taken within {deadline:?}"),
                        ));
                    }
                    _ => watch = Some((written, Box::pin(ractor::concurrency::sleep(deadline)))),
                }
            }
        })
        .await
    }

    fn drive(&self, out: &mut Out<S::Reservation>, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            if self.more.swap(false, Ordering::SeqCst) {
                self.fill(out);
            }
            if !out.dirty {
                self.idle.store(true, Ordering::SeqCst);
                // A frame that came before the task was known to be idle has woken no task.
                if !self.more.load(Ordering::SeqCst) {
                    return Poll::Pending;
                }
                self.idle.store(false, Ordering::SeqCst);
                continue;
            }
            match out.flush(context) {
                Poll::Ready(Ok(())) => {
                    out.dirty = false;
                    // Whatever the sink says of its bytes.
                    out.reservations.clear();
                    self.blocked.store(false, Ordering::Relaxed);
                    if self.is_ending() && locked(&self.last).is_none() {
                        return Poll::Ready(io::ErrorKind::ConnectionAborted.into());
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(error),
                Poll::Pending => {
                    self.blocked.store(true, Ordering::Relaxed);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Queues what waits, up to a batch; the rest is looked at again.
    fn fill(&self, out: &mut Out<S::Reservation>) {
        let mut is_full = out.is_full();
        while !is_full {
            let Some((frame, reservation)) = locked(&self.loose).pop_front() else { break };
            out.queue(TransportMessage::Bytes(frame));
            if let Some(reservation) = reservation {
                let end = out.written + out.sink.queued_bytes() as u64;
                out.reservations.push_back((end, reservation));
            }
            is_full = out.is_full();
        }
        if !is_full {
            if let Some(Joined { source, .. }) = self.joined.get() {
                source.transmit(|chunk| {
                    out.dirty = true;
                    out.sink.queue_framed(chunk.frames, chunk.tail);
                    is_full = out.is_full();
                    !is_full
                });
            }
        }
        if is_full {
            self.more.store(true, Ordering::SeqCst);
        } else if let Some(frame) = locked(&self.last).take() {
            out.queue(TransportMessage::Bytes(frame));
        }
    }
}

impl<R> Out<R> {
    fn is_full(&self) -> bool {
        self.sink.queued_bytes() >= BATCH_BYTES
    }

    fn flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let queued = self.sink.queued_bytes();
        let flushed = self.sink.poll_flush(context);
        self.written += queued.saturating_sub(self.sink.queued_bytes()) as u64;
        while self.reservations.front().is_some_and(|(end, _)| *end <= self.written) {
            self.reservations.pop_front();
        }
        flushed
    }

    fn queue(&mut self, frame: TransportMessage) {
        self.dirty = true;
        if self.sink.queue(frame).is_err() {
            // Every transport carries bytes.
            tracing::error!("a link cannot carry a frame, which is lost");
        }
    }
}

impl<S: FrameSource> Together for LinkWriter<S> {
    fn flush(&self) {
        self.help(false);
    }

    fn wake(&self) {
        self.wake_task();
    }

    fn batch(&self) -> &Arc<Batch> {
        &self.batch
    }
}

impl<S: FrameSource> std::fmt::Debug for LinkWriter<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkWriter").field("blocked", &self.blocked).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "writer/tests.rs"]
mod tests;
