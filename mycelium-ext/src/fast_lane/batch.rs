//! What a handler gets.

use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;
use std::ops::Deref;
use std::sync::Arc;

/// Messages that a handler gets at once, at most: as many as tokio lets a task take from its own
/// channels before the others get a turn.
pub const BATCH: usize = 128;

/// A message as it arrived: by value, or in an `Arc` that others may hold too. It reads the same.
#[derive(Debug, Clone)]
pub enum Delivery<M> {
    /// By value.
    Owned(M),
    /// By `Arc`.
    Shared(Arc<M>),
}

impl<M> Delivery<M> {
    /// The message in an `Arc`; allocates when it came by value.
    pub fn into_arc(self) -> Arc<M> {
        match self {
            Self::Owned(message) => Arc::new(message),
            Self::Shared(message) => message,
        }
    }

    /// A message of one's own; cloned when others hold it too.
    pub fn into_owned(self) -> M
    where
        M: Clone,
    {
        match self {
            Self::Owned(message) => message,
            Self::Shared(message) => Arc::unwrap_or_clone(message),
        }
    }

    /// Whether it came by `Arc`.
    pub const fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }
}

impl<M> Deref for Delivery<M> {
    type Target = M;

    fn deref(&self) -> &M {
        match self {
            Self::Owned(message) => message,
            Self::Shared(message) => message,
        }
    }
}

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
