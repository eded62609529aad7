//! Memory that several processes map: words, and nothing else. All `unsafe` of the bench is here.
#![allow(unsafe_code, reason = "mapping memory is")]

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap};

/// A mapping, which stays for as long as the process.
#[derive(Clone, Copy)]
pub(crate) struct Words(&'static [AtomicU64]);

impl Words {
    /// Maps `count` words from the beginning of a file.
    ///
    /// # Errors
    /// The system has no such mapping, or the file is shorter.
    pub(crate) fn map(file: &OwnedFd, count: usize) -> std::io::Result<Self> {
        let length = count * 8;
        if rustix::fs::fstat(file)?.st_size.unsigned_abs() < length as u64 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the system's choice takes no memory that is used.
        let start =
            unsafe { mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, file, 0)? };
        // SAFETY: the mapping is of `length` bytes, begins at a page and is never unmapped. Any
        // bytes are a word, and all access is atomic, as other processes write there too. The file
        // is the bench's own, which never makes it shorter.
        Ok(Self(unsafe { std::slice::from_raw_parts(start.cast::<AtomicU64>(), count) }))
    }

    /// Reads each page once, so that this process has all of them.
    pub(crate) fn touch(&self) {
        self.0.iter().step_by(512).for_each(|word| _ = word.load(Ordering::Relaxed));
    }

    pub(crate) fn at(&self, word: usize) -> &AtomicU64 {
        &self.0[word]
    }

    pub(crate) fn get(&self, word: usize) -> u64 {
        self.0[word].load(Ordering::Relaxed)
    }

    /// The low half of a word, for a futex.
    pub(crate) fn bell(&self, word: usize) -> &AtomicU32 {
        let low = std::ptr::from_ref(&self.0[word]).cast::<AtomicU32>();
        // SAFETY: a word has two halves, and this is the first of them, on a machine that is little
        // endian the low one; it is aligned, lives as long as the word, and access is atomic.
        unsafe { &*low.add(usize::from(cfg!(target_endian = "big"))) }
    }

    /// Writes bytes from a word on, the last word with zeros.
    pub(crate) fn write(&self, word: usize, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        let mut places = self.0[word..].iter();
        for (chunk, place) in (&mut chunks).zip(&mut places) {
            let chunk = chunk.try_into().expect("eight bytes");
            place.store(u64::from_le_bytes(chunk), Ordering::Relaxed);
        }
        if let (Some(place), false) = (places.next(), chunks.remainder().is_empty()) {
            let mut last = [0; 8];
            last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
            place.store(u64::from_le_bytes(last), Ordering::Relaxed);
        }
    }
}
