//! Bound on the bytes that wait for a peer: senders are refused above it, and wait for room.
//!
//! Actors that are sent much fill it. So that the others are not refused with them, these have a
//! quarter more, which what is sent to them alone can fill. Messages that turn out to be large may
//! take up to another quarter.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

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

/// Messages to actors that are sent much are refused until less waits.
const FULL: u8 = 1;
/// All messages are.
const FULL_FOR_ALL: u8 = 1 << 1;
/// So much waits that the peer's acknowledgements shall not.
const FILLING: u8 = 1 << 2;

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
    /// [`FULL`], [`FULL_FOR_ALL`] and [`FILLING`].
    marks: AtomicU8,
    more: Notify,
}

impl Room {
    pub(super) fn new(high: usize) -> Self {
        Self {
            // Less is never acknowledged before there is more.
            high: high.max(2 * ACKNOWLEDGE_BYTES),
            loaded: AtomicUsize::new(0),
            marks: AtomicU8::new(0),
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
            Share::Much => FULL,
            Share::Few => FULL_FOR_ALL,
        };
        self.marks.load(Ordering::Relaxed) & full == 0
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
        self.marks.load(Ordering::Relaxed) & FILLING != 0
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

    /// Moves the marks to what waits now: `queued` bytes in lanes, and those elsewhere.
    #[inline]
    pub(super) fn mark(&self, queued: Queued) {
        let (bytes, few) = (self.waiting(queued.all), self.waiting(queued.few));
        let before = self.marks.load(Ordering::Relaxed);
        // Most often little waits, and nothing is marked.
        if before != 0 || bytes >= self.high / 4 {
            self.move_marks(before, bytes, few);
        }
    }

    fn move_marks(&self, before: u8, bytes: usize, few: usize) {
        let quarter = self.high / 4;
        let (is_high, is_low) = (bytes >= self.high, bytes <= self.low());
        let all_high = is_high && (few >= quarter || bytes >= self.high + 2 * quarter);
        let all_low = is_low || (few <= quarter / 2 && bytes <= self.high + quarter);
        let full = moved(before & FULL, FULL, is_high, is_low)
            | moved(before & FULL_FOR_ALL, FULL_FOR_ALL, all_high, all_low);
        // From a quarter on room is made as soon as it can be.
        let marks = full | if bytes >= quarter { FILLING } else { 0 };
        if marks != before {
            self.marks.store(marks, Ordering::Relaxed);
        }
        if before & !full & (FULL | FULL_FOR_ALL) != 0 {
            self.wake_waiting();
        }
    }
}

/// A mark that is set when it is high, and taken back when it is low. `now` is it, or 0.
fn moved(now: u8, mark: u8, is_high: bool, is_low: bool) -> u8 {
    match now == 0 {
        true if is_high => mark,
        false if is_low => 0,
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::task::{Context, Waker};

    use super::*;

    const HIGH: usize = 1024 * 1024;
    const QUARTER: usize = HIGH / 4;

    /// Whether messages to those that are sent much, and to all others, are taken, and whether
    /// acknowledgements are seen to at once.
    fn marks(room: &Room) -> (bool, bool, bool) {
        (room.is_there(Share::Much), room.is_there(Share::Few), room.is_filling())
    }

    #[test]
    fn marks_are_set_when_much_waits_and_taken_back_when_little_does() {
        let room = Room::new(HIGH);
        for (all, few, expected) in [
            (QUARTER - 1, 0, (true, true, false)),
            (QUARTER, 0, (true, true, true)),
            (HIGH - 1, HIGH - 1, (true, true, true)),
            // Those that are sent little do not fill it.
            (HIGH, QUARTER - 1, (false, true, true)),
            (HIGH + 2 * QUARTER - 1, QUARTER - 1, (false, true, true)),
            // They do, or more waits than may.
            (HIGH, QUARTER, (false, false, true)),
            (HIGH, QUARTER / 2 + 1, (false, false, true)),
            (HIGH, QUARTER / 2, (false, true, true)),
            (HIGH + 2 * QUARTER, 0, (false, false, true)),
            (HIGH + QUARTER + 1, 0, (false, false, true)),
            (HIGH + QUARTER, 0, (false, true, true)),
            (HIGH / 2 + 1, 0, (false, true, true)),
            (HIGH / 2, 0, (true, true, true)),
            (QUARTER - 1, 0, (true, true, false)),
            (HIGH, HIGH, (false, false, true)),
            // All at once.
            (0, 0, (true, true, false)),
        ] {
            room.mark(Queued { all, few });
            assert_eq!(marks(&room), expected, "{all} bytes, {few} of few");
        }
    }

    #[test]
    fn what_waits_elsewhere_counts() {
        let room = Room::new(HIGH);
        room.load(HIGH, Queued::default());
        assert_eq!(marks(&room), (false, false, true));
        room.unload(HIGH, Queued { all: QUARTER, few: 0 });
        assert_eq!(marks(&room), (true, true, true));
    }

    #[test]
    fn those_who_wait_are_woken_when_a_mark_is_taken_back() {
        let room = Room::new(HIGH);
        let context = &mut Context::from_waker(Waker::noop());
        let mut woken = |before: Queued, after: Queued| {
            room.mark(before);
            let mut more = std::pin::pin!(room.more());
            more.as_mut().enable();
            room.mark(after);
            more.poll(context).is_ready()
        };
        let queued = |all, few| Queued { all, few };
        assert!(woken(queued(HIGH, 0), queued(HIGH / 2, 0)));
        assert!(woken(queued(HIGH, QUARTER), queued(HIGH, 0)));
        assert!(!woken(queued(HIGH, 0), queued(HIGH - 1, 0)));
        assert!(!woken(queued(0, 0), queued(QUARTER, 0)));
        assert!(!woken(queued(QUARTER, 0), queued(0, 0)));
    }
}
