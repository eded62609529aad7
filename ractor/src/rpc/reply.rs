//! Waiting for a reply.

use std::future::{poll_fn, Future};
use std::pin::Pin;
use std::task::Poll;

use crate::concurrency::{timeout, Duration, Instant, Timeout};
#[cfg(feature = "cluster")]
use crate::remoting::busy_poll;

/// A call that was sent, or was not.
pub(super) struct Sent<E> {
    /// In a box, since the error returns the message, for which every call's future had room
    /// otherwise.
    sent: Result<(), Box<E>>,
    #[cfg(feature = "cluster")]
    left: busy_poll::Left,
}

/// Sends a call, by `send`.
pub(super) fn send<E>(send: impl FnOnce() -> Result<(), E>) -> Sent<E> {
    #[cfg(feature = "cluster")]
    let (sent, left) = busy_poll::watched(send);
    #[cfg(not(feature = "cluster"))]
    let sent = send();
    Sent {
        sent: sent.map_err(Box::new),
        #[cfg(feature = "cluster")]
        left,
    }
}

impl<E> Sent<E> {
    /// The caller is about to wait: where the answer comes from another node, it may be there
    /// before.
    pub(super) fn look(self) -> Result<(), E> {
        #[cfg(feature = "cluster")]
        self.left.look();
        self.sent.map_err(|unsent| *unsent)
    }
}

/// The reply, if it comes within `limit`.
///
/// Most replies are there when the caller's turn comes again, and a timer costs more than the whole
/// call: to register it, and to take it out, under the lock of the runtime's timers. So the caller
/// first gives the others a turn, and registers one only if there is no reply then.
pub(super) async fn within<F>(limit: Duration, mut reply: F) -> Result<F::Output, Timeout>
where
    F: Future + Unpin + Send,
    F::Output: 'static,
{
    let asked = Instant::now();
    let mut yielded = false;
    let soon = poll_fn(|context| match Pin::new(&mut reply).poll(context) {
        Poll::Ready(reply) => Poll::Ready(Some(reply)),
        Poll::Pending if yielded => Poll::Ready(None),
        Poll::Pending => {
            yielded = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    });
    if let Some(reply) = soon.await {
        return Ok(reply);
    }
    // In a box, so that a call which needs no timer does not carry one.
    Box::pin(timeout(limit.saturating_sub(asked.elapsed()), reply)).await
}
