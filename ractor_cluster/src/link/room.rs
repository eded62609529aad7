//! Bound on the bytes that wait for a peer: senders are refused above it, and wait for room.
//!
//! Actors that are sent much fill it. So that the others are not refused with them, these have a
//! quarter more, which what is sent to them alone can fill. Messages that turn out to be large may
//! take up to another quarter.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mycelium_link::lane::ACKNOWLEDGE_BYTES;
use tokio::sync::futures::Notified;
use tokio::sync::Notify;

/// The bytes that wait in lanes.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Queued {
    /// In all lanes.
    pub(super) all: usize,
    /// In those of actors that are sent little.
    pub(super) few: usize,
}

/// Whom a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// To an actor that is sent much, while others wait.
    Much,
    /// To any other.
    Few,
}

/// What waits for the peer, or for its acknowledgement, compared with the bound.
///
/// Bytes wait in lanes, whose owner reports them, and elsewhere, which are counted here. Both only
/// change, and [`mark`](Self::mark) is only called, with the owner's lock held.
#[derive(Debug)]
pub(super) struct Room {
    /// The bytes from which on messages are refused.
    high: usize,
    /// The bytes that wait in queues of the session's actor and its connection, for a stock node.
    loaded: AtomicUsize,
    /// Whether messages to actors that are sent much are refused until less waits.
    full: AtomicBool,
    /// Whether all messages are.
    full_for_all: AtomicBool,
    /// Whether so much waits that the peer's acknowledgements shall not.
    filling: AtomicBool,
    more: Notify,
}

impl Room {
    pub(super) fn new(high: usize) -> Self {
        Self {
            // Less is never acknowledged before there is more.
            high: high.max(2 * ACKNOWLEDGE_BYTES),
            loaded: AtomicUsize::new(0),
            full: AtomicBool::new(false),
            full_for_all: AtomicBool::new(false),
            filling: AtomicBool::new(false),
            more: Notify::new(),
        }
    }

    /// What has to be left of the bytes before messages are taken again.
    fn low(&self) -> usize {
        self.high / 2
    }

    /// Bound of the answers, which are taken beyond the mark: their sender cannot try again.
    fn answers(&self) -> usize {
        self.high.saturating_mul(2)
    }

    /// Whether messages are taken.
    pub(super) fn is_there(&self, share: Share) -> bool {
        let full = match share {
            Share::Much => &self.full,
            Share::Few => &self.full_for_all,
        };
        !full.load(Ordering::Relaxed)
    }

    /// Whether an answer is taken, although messages may not be, while `queued` bytes wait in
    /// lanes.
    pub(super) fn takes_answers(&self, queued: Queued) -> bool {
        self.waiting(queued.all) < self.answers()
    }

    /// Whether acknowledgements are to be seen to before the turn of reading is over, which may
    /// take as long as the peer goes on sending: answers to messages that were sent meanwhile, for
    /// example.
    pub(super) fn is_filling(&self) -> bool {
        self.filling.load(Ordering::Relaxed)
    }

    /// Waits until `holds` does. It is asked now, whenever there is room again, and when those who
    /// wait are [woken](Self::wake_waiting).
    pub(super) async fn until(&self, holds: impl Fn() -> bool) {
        loop {
            let mut more = std::pin::pin!(self.more.notified());
            more.as_mut().enable();
            if holds() {
                return;
            }
            more.await;
        }
    }

    /// Resolves when there may be room, or those who wait were [woken](Self::wake_waiting).
    pub(super) fn more(&self) -> Notified<'_> {
        self.more.notified()
    }

    /// Has the senders that wait for room look again.
    pub(super) fn wake_waiting(&self) {
        self.more.notify_waiters();
    }

    fn waiting(&self, queued: usize) -> usize {
        queued + self.loaded.load(Ordering::Relaxed)
    }

    /// So many bytes wait elsewhere than in lanes, where `queued` wait.
    pub(super) fn load(&self, bytes: usize, queued: Queued) {
        self.loaded.fetch_add(bytes, Ordering::Relaxed);
        self.mark(queued);
    }

    /// They wait no more.
    pub(super) fn unload(&self, bytes: usize, queued: Queued) {
        self.loaded.fetch_sub(bytes, Ordering::Relaxed);
        self.mark(queued);
    }

    /// Moves the mark to what waits now: `queued` bytes in lanes, and those elsewhere.
    pub(super) fn mark(&self, queued: Queued) {
        let (bytes, few) = (self.waiting(queued.all), self.waiting(queued.few));
        // From here on room is made as soon as it can be.
        self.filling.store(bytes >= self.high / 4, Ordering::Relaxed);
        let (is_high, is_low) = (bytes >= self.high, bytes <= self.low());
        let has_more = moved(&self.full, is_high, is_low);
        let quarter = self.high / 4;
        let all_high = is_high && (few >= quarter || bytes >= self.high + 2 * quarter);
        let all_low = is_low || (few <= quarter / 2 && bytes <= self.high + quarter);
        if moved(&self.full_for_all, all_high, all_low) || has_more {
            self.wake_waiting();
        }
    }
}

/// Sets a mark when it is high, and takes it back when it is low. Returns whether it did the
/// latter.
fn moved(mark: &AtomicBool, is_high: bool, is_low: bool) -> bool {
    let is_set = mark.load(Ordering::Relaxed);
    if !is_set && is_high {
        mark.store(true, Ordering::Relaxed);
    } else if is_set && is_low {
        mark.store(false, Ordering::Relaxed);
        return true;
    }
    false
}
