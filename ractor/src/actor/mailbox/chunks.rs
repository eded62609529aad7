//! A queue that grows by chunks: what waits is never copied to make room, and what was
//! handled gives its memory back.

use std::collections::VecDeque;
use std::mem;

/// About the bytes of a chunk. Small enough for an actor that idles after a burst to keep one,
/// large enough for its allocation to vanish beside its messages.
const CHUNK_BYTES: usize = 2048;

/// First in, first out.
#[derive(Debug)]
pub(crate) struct Chunks<T> {
    /// All full, and older than what is in `tail`. In a box, since most never have any.
    #[allow(clippy::box_collection)]
    full: Option<Box<VecDeque<VecDeque<T>>>>,
    tail: VecDeque<T>,
    len: usize,
}

impl<T> Chunks<T> {
    /// The items of a full chunk.
    pub(crate) const LIMIT: usize = {
        let size = if mem::size_of::<T>() == 0 { 1 } else { mem::size_of::<T>() };
        match CHUNK_BYTES / size {
            0 => 1,
            limit if limit > 64 => 64,
            limit => limit,
        }
    };

    /// An empty queue, which holds no memory.
    pub(crate) const fn new() -> Self {
        Self { full: None, tail: VecDeque::new(), len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) fn push_back(&mut self, item: T) {
        if self.tail.len() == Self::LIMIT {
            self.seal();
        }
        self.tail.push_back(item);
        self.len += 1;
    }

    #[cold]
    fn seal(&mut self) {
        let full = mem::replace(&mut self.tail, VecDeque::with_capacity(Self::LIMIT));
        self.full.get_or_insert_default().push_back(full);
    }

    /// The oldest item.
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        while let Some(oldest) = self.full.as_mut().and_then(|full| full.front_mut()) {
            if let Some(item) = oldest.pop_front() {
                self.len -= 1;
                return Some(item);
            }
            self.pop_chunk();
        }
        let item = self.tail.pop_front()?;
        self.len -= 1;
        Some(item)
    }

    fn pop_chunk(&mut self) -> Option<VecDeque<T>> {
        let full = self.full.as_mut()?;
        let oldest = full.pop_front();
        if full.is_empty() {
            self.full = None;
        }
        oldest
    }

    /// Exchanges `spare`, which is empty, for the oldest chunk: a lock is held for many items at
    /// once.
    #[inline]
    pub(crate) fn swap_front(&mut self, spare: &mut VecDeque<T>) {
        debug_assert!(spare.is_empty());
        match self.pop_chunk() {
            Some(oldest) => *spare = oldest,
            None => mem::swap(&mut self.tail, spare),
        }
        self.len -= spare.len();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::Chunks;

    #[test]
    fn order_is_kept_across_chunks() {
        let mut chunks = Chunks::new();
        let count = 3 * Chunks::<u64>::LIMIT as u64 + 1;
        (0..count).for_each(|item| chunks.push_back(item));
        assert_eq!(chunks.len() as u64, count);

        assert_eq!(chunks.pop_front(), Some(0));
        let mut taken = VecDeque::new();
        let mut next = 1;
        while !chunks.is_empty() {
            chunks.swap_front(&mut taken);
            for item in taken.drain(..) {
                assert_eq!(item, next);
                next += 1;
            }
        }
        assert_eq!((next, chunks.pop_front()), (count, None));
    }

    #[test]
    fn large_items_share_no_chunk() {
        assert_eq!(Chunks::<[u8; 4096]>::LIMIT, 1);
        assert_eq!(Chunks::<()>::LIMIT, 64);
    }
}
