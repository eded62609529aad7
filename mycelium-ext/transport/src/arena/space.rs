//! Which bytes of a region are free.

use std::collections::BTreeMap;

/// Stretches begin at multiples of so many bytes, a line of the processor's cache: no two share
/// one, and types that are read in place find their alignment.
pub(super) const ALIGNMENT: usize = 64;

/// Gives out the first free bytes that are enough, so that memory that was used is used again.
///
/// Free ranges are kept by where they begin, and never touch each other. To take costs a look at
/// each of them in the worst case, and there is at most one more of them than stretches are held.
#[derive(Debug)]
pub(super) struct Space {
    /// Where each free range begins, and its length.
    free: BTreeMap<usize, usize>,
    used: usize,
}

/// What a stretch of so many bytes takes.
fn rounded(length: usize) -> Option<usize> {
    length.max(1).checked_next_multiple_of(ALIGNMENT)
}

impl Space {
    /// Of `length` bytes, all of them free.
    pub(super) fn new(length: usize) -> Self {
        Self { free: BTreeMap::from([(0, length)]), used: 0 }
    }

    /// The bytes that are not free.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Takes a range, and returns where it begins.
    pub(super) fn take(&mut self, length: usize) -> Option<usize> {
        let length = rounded(length)?;
        let (&at, &found) = self.free.iter().find(|(_, found)| **found >= length)?;
        self.free.remove(&at);
        if found > length {
            self.free.insert(at + length, found - length);
        }
        self.used += length;
        Some(at)
    }

    /// Gives back what was taken.
    pub(super) fn give_back(&mut self, at: usize, length: usize) {
        let Some(mut length) = rounded(length) else { return };
        self.used -= length;
        let mut from = at;
        if let Some((&before, &of)) = self.free.range(..at).next_back() {
            if before + of == at {
                self.free.remove(&before);
                (from, length) = (before, of + length);
            }
        }
        if let Some(behind) = self.free.remove(&(from + length)) {
            length += behind;
        }
        self.free.insert(from, length);
    }
}

#[cfg(test)]
#[path = "space/tests.rs"]
mod tests;
