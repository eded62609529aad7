//! A port that is dropped when the time of its call is over, so that its caller hears of that at
//! once.
//!
//! Calls between nodes do without: their callers have timers of their own. It is for
//! [`Message::serialize`](crate::Message::serialize) and
//! [`Message::deserialize`](crate::Message::deserialize), whose ports lead to whatever the
//! application reads them with.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use super::{ReplySink, RpcReplyPort};
use crate::concurrency::{oneshot, spawn, timeout, Duration, OneshotSender};
use crate::remoting::EncodedReply;
use crate::MessagingErr;

/// Shared with the timer, which empties it.
type Slot = Arc<Mutex<Option<RpcReplyPort<Vec<u8>>>>>;

impl RpcReplyPort<Vec<u8>> {
    /// A port that drops this one when the time of its call has passed from now on. It is this one
    /// where the call has no timeout, or no runtime can run a timer.
    pub(crate) fn with_deadline(self) -> Self {
        let Some(limit) = self.get_timeout().filter(|_| has_runtime()) else { return self };
        let slot = Slot::new(Mutex::new(Some(self)));
        let (used, unused) = oneshot::<()>();
        let timed = slot.clone();
        spawn(async move {
            if timeout(limit, unused).await.is_err() {
                drop(take(&timed));
            }
        });
        Self::from_sink(Box::new(Timed { slot, limit, _used: AssertUnwindSafe(used) }))
    }
}

/// Takes the port out. What its drop does is the application's, and runs without the lock.
fn take(slot: &Slot) -> Option<RpcReplyPort<Vec<u8>>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

struct Timed {
    slot: Slot,
    limit: Duration,
    /// Ends the timer when it is dropped. Nothing else is done with it, also behind a panic.
    _used: AssertUnwindSafe<OneshotSender<()>>,
}

impl ReplySink<Vec<u8>> for Timed {
    fn send(self: Box<Self>, answer: Vec<u8>) -> Result<(), MessagingErr<Vec<u8>>> {
        match take(&self.slot) {
            Some(port) => port.send(answer),
            None => Err(MessagingErr::SendErr(answer)),
        }
    }

    fn send_encoded(
        self: Box<Self>,
        answer: EncodedReply,
    ) -> Result<(), MessagingErr<EncodedReply>> {
        match take(&self.slot) {
            Some(port) => port.send_encoded(answer),
            None => Err(MessagingErr::SendErr(answer)),
        }
    }

    fn is_closed(&self) -> bool {
        let port = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        port.as_ref().is_none_or(RpcReplyPort::is_closed)
    }

    fn timeout(&self) -> Option<Duration> {
        Some(self.limit)
    }
}

#[cfg(feature = "async-std")]
fn has_runtime() -> bool {
    true
}

#[cfg(not(feature = "async-std"))]
fn has_runtime() -> bool {
    tokio::runtime::Handle::try_current().is_ok()
}
