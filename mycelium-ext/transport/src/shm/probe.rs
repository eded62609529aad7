//! One direction of a link by itself, with both of its ends and what they share, for tests that try
//! it with peers that cheat.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::ReadBuf;

use super::link::corrupt;
use super::memory::Memory;
use super::ring::{Inlet, Outlet, Side, size};
use super::share;

/// The direction in which the one who made the memory writes, mapped twice, as by two processes.
#[derive(Debug)]
pub struct Probe {
    here: Memory,
    inlet: Inlet,
    there: Memory,
    outlet: Outlet,
}

/// What the ends write for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// The bytes ever read.
    Head,
    /// The bytes ever written.
    Tail,
    /// Not 0 while the reader is to be woken.
    ReaderWaits,
    /// Not 0 while the writer is to be woken.
    WriterWaits,
}

impl Probe {
    /// An empty ring of `capacity` bytes, which has to be a power of two from 4096 on.
    ///
    /// # Errors
    /// Those of the system, when it has no memory.
    pub fn new(capacity: usize) -> io::Result<Self> {
        let file = share::make(size(capacity))?;
        let map = || Memory::map(file.as_fd(), size(capacity));
        let (here, there) = (map()?, map()?);
        let (inlet, outlet) =
            (Inlet::new(Side::Maker, capacity), Outlet::new(Side::Taker, capacity));
        Ok(Self { here, inlet, there, outlet })
    }

    /// What a word is.
    #[must_use]
    pub fn word(&self, word: Word) -> u64 {
        self.place(word).load(Ordering::Relaxed)
    }

    /// Writes a word past the ends.
    pub fn forge(&self, word: Word, value: u64) {
        self.place(word).store(value, Ordering::Relaxed);
    }

    /// Writes bytes past the ends, at an offset from the ring's first; they have to fit.
    pub fn scribble(&self, offset: usize, bytes: &[u8]) {
        self.here.write(self.inlet.offset(offset), bytes);
    }

    /// The bytes that the writer may put; it looks at the reader's position if it knows of less
    /// than `enough`.
    ///
    /// # Errors
    /// The reader cheats.
    pub fn room(&mut self, enough: usize) -> io::Result<usize> {
        self.inlet.room(&self.here, enough).map_err(corrupt)
    }

    /// Puts bytes, for which there is room.
    pub fn put(&mut self, bytes: &[u8]) {
        self.inlet.put(&self.here, bytes);
    }

    /// Lets the reader have what was put; returns whether it is to be woken.
    #[must_use]
    pub fn publish(&mut self) -> bool {
        self.inlet.publish(&self.here)
    }

    /// Takes what is there, up to `most` bytes, and whether the writer is to be woken.
    ///
    /// # Errors
    /// The writer cheats.
    pub fn take(&mut self, most: usize) -> io::Result<(Vec<u8>, bool)> {
        let mut bytes = vec![0; most];
        let mut buffer = ReadBuf::new(&mut bytes);
        let wake = self.outlet.take(&self.there, &mut buffer).map_err(corrupt)?;
        let count = buffer.filled().len();
        bytes.truncate(count);
        Ok((bytes, wake))
    }

    /// Whether the writer may sleep, since there is no room.
    ///
    /// # Errors
    /// The reader cheats.
    pub fn writer_sleeps(&mut self) -> io::Result<bool> {
        self.inlet.sleep(&self.here).map_err(corrupt)
    }

    /// Whether the reader may sleep, since there is nothing.
    ///
    /// # Errors
    /// The writer cheats.
    pub fn reader_sleeps(&mut self) -> io::Result<bool> {
        self.outlet.sleep(&self.there).map_err(corrupt)
    }

    fn place(&self, word: Word) -> &AtomicU64 {
        let words = self.inlet.words(&self.here);
        match word {
            Word::Head => words.head,
            Word::Tail => words.tail,
            Word::ReaderWaits => words.reader_waits,
            Word::WriterWaits => words.writer_waits,
        }
    }
}
