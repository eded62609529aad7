//! Which payloads of a sender its peer holds, and how the peer gives them back.
//!
//! A payload that is lent has a slot. The sender keeps the payload with the slot, in memory of its
//! own. The receiver sets the slot's bit in memory that both share when it has dropped its last
//! reference; the sender clears the bit and drops the payload. So the memory of a payload is not
//! written to again before its reader has done with it: the bit is set by a release, and cleared by
//! an acquire. `mycelium-ext/model` runs this file in every interleaving.

use super::sync::{AtomicU64, Ordering};

/// Payloads that a link may have lent at a time, in one direction.
pub(crate) const SLOTS: usize = 1024;
/// The words that have a bit for each of them.
pub(crate) const WORDS: usize = SLOTS / 64;

/// The peer gives back what it was not lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forged {
    pub(crate) slot: usize,
}

/// What the sender has lent, by slot.
#[derive(Debug)]
pub(crate) struct Lent<T> {
    slots: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Lent<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Lent<T> {
    /// Whether nothing is lent.
    pub(crate) fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    /// How many are lent.
    pub(crate) fn count(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether one more may be lent.
    pub(crate) fn has_slot(&self) -> bool {
        !self.free.is_empty() || self.slots.len() < SLOTS
    }

    /// Lends a payload, where there is a slot for it.
    pub(crate) fn lend(&mut self, payload: T) -> Option<usize> {
        if let Some(slot) = self.free.pop() {
            self.slots[slot] = Some(payload);
            return Some(slot);
        }
        if self.slots.len() == SLOTS {
            return None;
        }
        self.slots.push(Some(payload));
        Some(self.slots.len() - 1)
    }

    /// Takes back what the peer has done with, by the `word` of each number.
    ///
    /// # Errors
    /// The peer gives back what it does not hold. What came before is taken back.
    pub(crate) fn take_back<'a>(
        &mut self,
        word: impl Fn(usize) -> &'a AtomicU64,
        mut each: impl FnMut(T),
    ) -> Result<(), Forged> {
        for number in 0..self.slots.len().div_ceil(64) {
            let word = word(number);
            // Most have nothing, and to look at them takes no line from the peer.
            if word.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let mut bits = word.swap(0, Ordering::Acquire);
            while bits != 0 {
                let slot = number * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let payload = self.slots.get_mut(slot).and_then(Option::take);
                each(payload.ok_or(Forged { slot })?);
                self.free.push(slot);
            }
        }
        Ok(())
    }

    /// All that is lent.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }
}

/// What the receiver holds: a bit for each slot, in memory of its own.
#[derive(Debug)]
pub(crate) struct Held {
    words: [AtomicU64; WORDS],
}

impl Default for Held {
    fn default() -> Self {
        Self { words: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

const fn bit(slot: usize) -> u64 {
    1 << (slot % 64)
}

impl Held {
    /// A payload came in a slot. False when that is held, or there is no such slot: the sender
    /// breaks the protocol.
    pub(crate) fn take(&self, slot: usize) -> bool {
        let Some(word) = self.words.get(slot / 64) else { return false };
        word.fetch_or(bit(slot), Ordering::Relaxed) & bit(slot) == 0
    }

    /// Whether the payload in a slot is held.
    pub(crate) fn holds(&self, slot: usize) -> bool {
        self.words.get(slot / 64).is_some_and(|word| word.load(Ordering::Relaxed) & bit(slot) != 0)
    }

    /// Gives a payload back, by the `word` of the slot's number that both sides share.
    pub(crate) fn give_back(&self, slot: usize, word: &AtomicU64) {
        // Before the sender can use the slot again.
        self.words[slot / 64].fetch_and(!bit(slot), Ordering::Relaxed);
        word.fetch_or(bit(slot), Ordering::Release);
    }
}
