//! Framed bytes that wait for room in the ring.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Below it, a part of a frame is copied behind those before it.
const COPIED: usize = 8 * 1024;
/// The memory that copied parts are put into, a block after the other.
const BLOCK: usize = 32 * 1024;
/// Chunks for which memory is kept when nothing waits.
const KEPT: usize = 256;

/// Bytes in order. Large parts stay where they are.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    chunks: VecDeque<Bytes>,
    block: BytesMut,
    length: usize,
}

impl Backlog {
    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// Adds a copy of `bytes`.
    pub(super) fn copy(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        if self.block.capacity() - self.block.len() < bytes.len() {
            self.seal();
            // In the same memory, where all of it is gone.
            self.block.reserve(bytes.len().max(BLOCK));
        }
        self.block.put_slice(bytes);
    }

    /// Adds `bytes`.
    pub(super) fn push(&mut self, bytes: Bytes) {
        if bytes.len() < COPIED {
            return self.copy(&bytes);
        }
        self.seal();
        self.length += bytes.len();
        self.chunks.push_back(bytes);
    }

    /// The first item, unless nothing waits.
    pub(super) fn front(&mut self) -> Option<&[u8]> {
        if self.chunks.is_empty() {
            self.seal();
        }
        self.chunks.front().map(|chunk| &**chunk)
    }

    /// Forgets the first `count` bytes of [`front`](Self::front).
    pub(super) fn advance(&mut self, count: usize) {
        self.length -= count;
        let Some(front) = self.chunks.front_mut() else { return };
        front.advance(count);
        if front.is_empty() {
            self.chunks.pop_front();
        }
        // A burst is over.
        if self.length == 0 && self.chunks.capacity() > KEPT {
            self.chunks = VecDeque::new();
        }
    }

    fn seal(&mut self) {
        if !self.block.is_empty() {
            self.chunks.push_back(self.block.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_order_and_large_ones_are_not_copied() {
        let mut backlog = Backlog::default();
        let large = Bytes::from(vec![2; COPIED]);
        backlog.copy(&[0; 8]);
        backlog.push(Bytes::from(vec![1; COPIED - 1]));
        backlog.push(large.clone());
        backlog.push(Bytes::from(vec![3; 3]));
        assert_eq!(backlog.len(), 8 + 2 * COPIED - 1 + 3);

        let mut expected = [vec![0; 8], vec![1; COPIED - 1], vec![2; COPIED], vec![3; 3]].concat();
        let mut shared = false;
        while let Some(front) = backlog.front() {
            shared |= front.as_ptr() == large.as_ptr();
            // In steps that end within chunks, too.
            let step = front.len().min(1000);
            assert_eq!(front[..step], expected[..step]);
            expected.drain(..step);
            backlog.advance(step);
        }
        assert!(shared && expected.is_empty());
        assert_eq!(backlog.len(), 0);
    }
}
