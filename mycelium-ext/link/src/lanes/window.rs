//! One lane: how much of it may be on its way, and the sums over all lanes of a preference.

use std::collections::VecDeque;

use super::{CONGESTED, LARGE, SPARSE, WHOLE, Way};
use crate::codec::Numbers;
use crate::lane::{Counts, Outbound};

/// The bytes of a bulk lane that are on their way on a machine, as many as its ring holds.
pub(super) const WINDOW: usize = WHOLE;
/// The messages of a bulk lane that are on their way on a machine. What is sent to other actors
/// waits behind them, and small ones take about 0.3 µs each.
pub(super) const WIDE_MESSAGES: u64 = 4096;
/// The same while answers of actors that are sent little are waited for, which is until [`CALLED`]
/// bytes have gone after a call or an answer.
pub(super) const NARROW_MESSAGES: u64 = 640;
/// See [`NARROW_MESSAGES`].
pub(super) const CALLED: usize = 24 * 1024 * 1024;
/// So many bytes may always be on their way, however many messages they are: with less a lane waits
/// for acknowledgements.
pub(super) const SMALL_WINDOW: usize = 64 * 1024;
/// The bytes on their way on a machine from which on the lane of those that are sent little is
/// [congested](CONGESTED).
pub(super) const SPARSE_WINDOW: usize = 96 * 1024;
/// The same as [`WINDOW`], of the lane of large messages: two that go whole.
pub(super) const LARGE_WINDOW: usize = 2 * WHOLE;
/// The same of any lane, with the payloads that the peer reads in place. It copies those whose
/// receiver keeps a `Vec`, and all that follows waits for that.
pub(super) const LENT_WINDOW: usize = WIDER * WINDOW;
/// See [`LENT_WINDOW`].
pub(super) const WIDER: usize = 4;
/// Bytes of payloads that the peer reads in place are to a sender that is ahead of its link as much
/// as one byte that is written. So 4 MiB of them go together, which is their window, where they
/// went one by one from 512 KiB on.
pub(super) const HELD: usize = 32;
/// A lane with a window asks for acknowledgements so often in what it holds, in messages or bytes.
/// Each costs both ends about as much as two messages, and a wake-up.
pub(super) const ASKS: usize = 4;
/// It does so after so many bytes at least, however many messages they are.
pub(super) const ASK_EVERY: usize = 24 * 1024;

#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) out: Outbound,
    pub(super) numbers: Numbers,
    /// The bytes that were pushed since the peer was asked for an acknowledgement, and the messages.
    pub(super) unasked: (usize, u64),
    /// The requests for one that the peer has not answered.
    pub(super) asks: VecDeque<u64>,
}

/// Sums over the lanes of a preference, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// What is not acknowledged, or not yet sent.
    pub(super) all: usize,
    /// The same, of session control and of messages to actors that are sent little.
    pub(super) few: usize,
    /// What is to be sent.
    pub(super) unsent: usize,
    /// The tails of that.
    pub(super) unsent_tails: usize,
}

impl Sums {
    /// A lane had these, and has those.
    #[inline]
    pub(super) fn change(&mut self, slot: usize, had: Counts, has: Counts) {
        let change = |sum: &mut usize, had: usize, has: usize| {
            *sum = sum.wrapping_add(has).wrapping_sub(had);
        };
        change(&mut self.all, had.bytes, has.bytes);
        if slot <= SPARSE {
            change(&mut self.few, had.bytes, has.bytes);
        }
        change(&mut self.unsent, had.unsent, has.unsent);
        change(&mut self.unsent_tails, had.unsent_tails, has.unsent_tails);
    }
}

/// The messages that fill the window of a bulk lane.
pub(super) fn most_messages(is_called: bool) -> u64 {
    if is_called { NARROW_MESSAGES } else { WIDE_MESSAGES }
}

impl Lane {
    /// Whether as much is on its way as may be on a machine. A lane waits for an answer alone: it
    /// is not full as long as no request for one is on its way.
    #[inline(always)]
    pub(super) fn is_full(&self, slot: usize, way: Way, is_called: bool) -> bool {
        if !way.is_near {
            return false;
        }
        let fills = match slot {
            LARGE => self.fills(LARGE_WINDOW, way),
            _ if self.out.frames_under_way() < most_messages(is_called) => self.fills(WINDOW, way),
            _ => self.fills(SMALL_WINDOW, way),
        };
        fills && self.asks.front().is_some_and(|ask| self.out.has_sent(*ask))
    }

    /// Whether it has too much to go, as the lane of those that are sent little.
    #[inline]
    pub(super) fn is_congested(&self, way: Way) -> bool {
        self.out.unsent() >= CONGESTED || self.fills(SPARSE_WINDOW, way)
    }

    #[inline]
    pub(super) fn fills(&self, window: usize, way: Way) -> bool {
        let is_much = || way.lends.is_some() && self.out.under_way(false) >= LENT_WINDOW;
        way.is_near && (self.out.under_way(way.lends.is_some()) >= window || is_much())
    }
}
