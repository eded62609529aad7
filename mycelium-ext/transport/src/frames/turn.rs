//! Gives others a turn: frames that are there already cost no wait, so that a task that takes
//! them one by one would hold its thread for as long as the peer keeps up.

use std::task::{Context, Poll};

/// Frames taken without a wait before others on the thread get a turn.
const FRAMES: u32 = 256;

/// Counts the frames since the last wait.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    taken: u32,
}

impl Turn {
    /// Ready while the turn lasts. At its end it is pending once, and the task is woken at once.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.goes_on() {
            return Poll::Ready(());
        }
        self.waited();
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Counts a frame of the turn, unless the turn is over.
    #[inline]
    pub(crate) fn goes_on(&mut self) -> bool {
        let goes_on = self.taken < FRAMES;
        self.taken += u32::from(goes_on);
        goes_on
    }

    /// The task waits anyway.
    pub(crate) fn waited(&mut self) {
        self.taken = 0;
    }
}
