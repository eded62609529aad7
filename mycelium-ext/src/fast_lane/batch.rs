//! What a handler gets.

use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;

use super::queue::Delivery;

/// Messages that a handler gets at once, at most: as many as tokio lets a task take from its own
/// channels before the others get a turn.
pub const BATCH: usize = 128;

/// The oldest messages, in order, at least one. What a handler leaves comes again, before newer
/// ones.
pub struct Batch<'a, M> {
    taken: &'a mut VecDeque<Delivery<M>>,
    left: usize,
}

impl<'a, M> Batch<'a, M> {
    pub(super) fn of(taken: &'a mut VecDeque<Delivery<M>>) -> Self {
        let left = taken.len().min(BATCH);
        Self { taken, left }
    }
}

impl<M> Iterator for Batch<'_, M> {
    type Item = Delivery<M>;

    #[inline]
    fn next(&mut self) -> Option<Delivery<M>> {
        self.left = self.left.checked_sub(1)?;
        self.taken.pop_front()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<M> ExactSizeIterator for Batch<'_, M> {}

impl<M> FusedIterator for Batch<'_, M> {}

impl<M> fmt::Debug for Batch<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("left", &self.left).finish()
    }
}
