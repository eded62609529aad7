//! Memory that another process writes too: the one place with `unsafe`.
//!
//! No Rust reference to bytes that the other process may write ever exists. Words are atomics, and
//! bytes are copied by raw pointers, into memory of this process and before anybody looks at them.
//! Positions come from this process alone, and are checked against the length all the same.
#![allow(unsafe_code, reason = "memory shared with another process cannot be had without")]

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

use crate::blocking::Deferred;
use rustix::mm::{MapFlags, ProtFlags};
use tokio::io::ReadBuf;

/// A stretch of shared memory, zeroed at first.
pub(super) struct Memory {
    base: NonNull<u8>,
    length: usize,
    _owner: Owner,
}

enum Owner {
    Mapping {
        /// To give back much memory takes long.
        _mapping: Deferred<Mapping>,
    },
    /// Tests that run where nothing can be mapped share memory of the heap.
    #[cfg(test)]
    Heap { _block: std::sync::Arc<heap::Block> },
}

/// What is mapped, which is taken away when this is dropped.
struct Mapping {
    base: NonNull<u8>,
    length: usize,
}

// SAFETY: the memory belongs to no thread, and taking it away may be done on any.
unsafe impl Send for Mapping {}

// SAFETY: the memory belongs to no thread: it is reached by atomics, and by copies whose places the
// protocol of positions gives to one side at a time. A side that breaks the protocol changes bytes,
// which have no invalid values.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Maps the first `length` bytes of `file`, which must not get shorter than that.
    pub(super) fn map(file: BorrowedFd<'_>, length: usize) -> io::Result<Self> {
        // SAFETY: the kernel chooses a place where nothing is. The mapping is taken away in
        // `Mapping::drop` only.
        let base = unsafe {
            rustix::mm::mmap(
                ptr::null_mut(),
                length,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                file,
                0,
            )?
        };
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        let _mapping = Deferred::new(Mapping { base, length });
        Ok(Self { base, length, _owner: Owner::Mapping { _mapping } })
    }

    /// The word at `at`, which is a multiple of its size.
    #[inline]
    pub(super) fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at % size_of::<AtomicU64>() == 0 && self.holds(at, size_of::<AtomicU64>()));
        // SAFETY: it is within the memory, which lives as long as `self`; mappings and blocks are
        // aligned to more than a word, and `at` to a word; and all access to it, on either side, is
        // atomic.
        unsafe { AtomicU64::from_ptr(self.base.as_ptr().add(at).cast()) }
    }

    /// Copies `bytes` to `at`.
    #[inline]
    pub(super) fn write(&self, at: usize, bytes: &[u8]) {
        assert!(self.holds(at, bytes.len()));
        // SAFETY: source and target are as long, and cannot overlap: no slice of this process is in
        // shared memory. The positions give the target to this side, until they are published.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.base.as_ptr().add(at), bytes.len());
        }
    }

    /// Copies `count` bytes at `at` to the end of `buffer`, which has room for them.
    #[inline]
    pub(super) fn read(&self, at: usize, count: usize, buffer: &mut ReadBuf<'_>) {
        assert!(self.holds(at, count) && count <= buffer.remaining());
        // SAFETY: source and target are as long, and cannot overlap, as in `write`. The positions
        // give the source to this side. The bytes are initialised by the copy, and then counted as
        // such.
        unsafe {
            let target = buffer.unfilled_mut().as_mut_ptr().cast::<u8>();
            ptr::copy_nonoverlapping(self.base.as_ptr().add(at), target, count);
            buffer.assume_init(count);
        }
        buffer.advance(count);
    }

    const fn holds(&self, at: usize, count: usize) -> bool {
        at <= self.length && count <= self.length - at
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it is what `map` made, and no code uses it any more: the `Memory` that owned this
        // is gone, with all that borrowed it.
        let gone = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.length) };
        if let Err(error) = gone {
            tracing::warn!(%error, "shared memory could not be given back");
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} bytes)", self.length)
    }
}

#[cfg(test)]
mod heap {
    use std::cell::UnsafeCell;
    use std::ptr::NonNull;
    use std::sync::Arc;

    use super::{Memory, Owner};

    /// As aligned as the layout wants it.
    #[repr(align(128))]
    struct Line {
        _bytes: UnsafeCell<[u8; 128]>,
    }

    pub(super) struct Block {
        lines: Box<[Line]>,
    }

    // SAFETY: as of `Memory`, through which alone it is reached.
    unsafe impl Send for Block {}
    // SAFETY: as above.
    unsafe impl Sync for Block {}

    impl Memory {
        /// Two views of one block of the heap, as two processes would have them.
        pub(in crate::shm) fn heap(length: usize) -> [Self; 2] {
            let line = |_| Line { _bytes: UnsafeCell::new([0; 128]) };
            let block = Arc::new(Block { lines: (0..length.div_ceil(128)).map(line).collect() });
            let base = NonNull::from(&*block.lines).cast();
            [0, 1].map(|_| Self { base, length, _owner: Owner::Heap { _block: block.clone() } })
        }
    }
}
