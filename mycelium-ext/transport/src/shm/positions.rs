//! Who has written and read how far, and who is to be woken: one direction of a link, without its
//! bytes.
//!
//! Each side keeps its own position for itself, and publishes a copy. Of the other side's it takes
//! nothing on trust: a position can only move forward, and not beyond what it follows.
//!
//! Who finds nothing to do says so (`waits`), looks once more, and sleeps. Who did something
//! publishes it, looks whether the other waits, and if so takes that back and wakes it. Between the
//! two steps each has a fence, so that at least one sees what the other did: no end sleeps over
//! something to do. `mycelium-ext/model` runs this file in every interleaving.

use super::sync::{AtomicU64, Ordering, fence};

/// What both sides share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words<'a> {
    /// The bytes ever read.
    pub(crate) head: &'a AtomicU64,
    /// The bytes ever written.
    pub(crate) tail: &'a AtomicU64,
    /// Not 0 while the reader is to be woken.
    pub(crate) reader_waits: &'a AtomicU64,
    /// Not 0 while the writer is to be woken.
    pub(crate) writer_waits: &'a AtomicU64,
}

impl Words<'_> {
    /// The reader is awake, whom the writer may not know to be: it has been woken from elsewhere.
    pub(crate) fn stay_awake(&self) {
        self.reader_waits.store(0, Ordering::Relaxed);
    }
}

/// The other side has published a position that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Corrupt;

/// The writing side.
#[derive(Debug)]
pub(crate) struct Producer {
    capacity: u64,
    written: u64,
    published: u64,
    /// Up to where the reader would have been woken.
    rung: u64,
    /// The reader's position, as it was seen last.
    head: u64,
}

impl Producer {
    /// Of an empty ring of `capacity` bytes.
    pub(crate) const fn new(capacity: u64) -> Self {
        Self { capacity, written: 0, published: 0, rung: 0, head: 0 }
    }

    /// Where it writes next.
    pub(crate) const fn position(&self) -> u64 {
        self.written
    }

    /// The bytes that were written and are not published.
    pub(crate) const fn unpublished(&self) -> u64 {
        self.written.wrapping_sub(self.published)
    }

    /// The bytes over which the reader may sleep.
    pub(crate) const fn unrung(&self) -> u64 {
        self.written.wrapping_sub(self.rung)
    }

    /// The bytes that can be written. It looks at the reader's position only if it knows of less
    /// than `enough`.
    pub(crate) fn room(&mut self, words: &Words<'_>, enough: u64) -> Result<u64, Corrupt> {
        let known = self.known_room();
        if known >= enough { Ok(known) } else { self.look(words) }
    }

    /// Notes that `count` bytes, for which there is room, were written.
    pub(crate) const fn wrote(&mut self, count: u64) {
        self.written = self.written.wrapping_add(count);
    }

    /// Lets the reader have what was written, if it is awake. [`publish`](Self::publish) has to
    /// follow: it may sleep.
    pub(crate) fn show(&mut self, words: &Words<'_>) {
        if self.published != self.written {
            self.published = self.written;
            words.tail.store(self.written, Ordering::Release);
        }
    }

    /// Lets the reader have what was written. Returns whether it is to be woken.
    #[must_use]
    pub(crate) fn publish(&mut self, words: &Words<'_>) -> bool {
        self.show(words);
        if self.rung == self.written {
            return false;
        }
        self.rung = self.written;
        fence(Ordering::SeqCst);
        take(words.reader_waits)
    }

    /// Returns whether it may sleep: it will be woken when much of the ring is free. There is room
    /// otherwise.
    pub(crate) fn sleep(&mut self, words: &Words<'_>) -> Result<bool, Corrupt> {
        words.writer_waits.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let full = self.look(words)? == 0;
        if !full {
            words.writer_waits.store(0, Ordering::Relaxed);
        }
        Ok(full)
    }

    const fn known_room(&self) -> u64 {
        self.capacity - self.written.wrapping_sub(self.head)
    }

    fn look(&mut self, words: &Words<'_>) -> Result<u64, Corrupt> {
        let head = words.head.load(Ordering::Acquire);
        if head.wrapping_sub(self.head) > self.published.wrapping_sub(self.head) {
            return Err(Corrupt);
        }
        self.head = head;
        Ok(self.known_room())
    }
}

/// The reading side.
#[derive(Debug)]
pub(crate) struct Consumer {
    capacity: u64,
    read: u64,
    /// The writer's position, as it was seen last.
    tail: u64,
}

impl Consumer {
    /// Of an empty ring of `capacity` bytes.
    pub(crate) const fn new(capacity: u64) -> Self {
        Self { capacity, read: 0, tail: 0 }
    }

    /// Where it reads next.
    pub(crate) const fn position(&self) -> u64 {
        self.read
    }

    /// The bytes that can be read. It looks at the writer's position only if it knows of less than
    /// `enough`.
    pub(crate) fn available(&mut self, words: &Words<'_>, enough: u64) -> Result<u64, Corrupt> {
        let known = self.tail.wrapping_sub(self.read);
        if known >= enough { Ok(known) } else { self.look(words) }
    }

    /// Gives the room of `count` bytes, which were available, back to the writer. Returns whether
    /// it is to be woken.
    #[must_use]
    pub(crate) fn consumed(&mut self, words: &Words<'_>, count: u64) -> bool {
        self.read = self.read.wrapping_add(count);
        words.head.store(self.read, Ordering::Release);
        fence(Ordering::SeqCst);
        // A writer that is woken for every bit of room would wake us for every bit of data. Who has
        // read all there is has given back more than half.
        let used = self.tail.wrapping_sub(self.read);
        used <= self.capacity / 2 && take(words.writer_waits)
    }

    /// Returns whether it may sleep: it will be woken when something is published. Something is
    /// there otherwise.
    pub(crate) fn sleep(&mut self, words: &Words<'_>) -> Result<bool, Corrupt> {
        words.reader_waits.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let empty = self.look(words)? == 0;
        if !empty {
            words.reader_waits.store(0, Ordering::Relaxed);
        }
        Ok(empty)
    }

    fn look(&mut self, words: &Words<'_>) -> Result<u64, Corrupt> {
        let tail = words.tail.load(Ordering::Acquire);
        let available = tail.wrapping_sub(self.read);
        if available > self.capacity || available < self.tail.wrapping_sub(self.read) {
            return Err(Corrupt);
        }
        self.tail = tail;
        Ok(available)
    }
}

/// Takes back that somebody waits; returns whether anybody did. Who has waited again meanwhile is
/// woken as well.
fn take(waits: &AtomicU64) -> bool {
    let anybody = waits.load(Ordering::Relaxed) != 0;
    if anybody {
        waits.store(0, Ordering::Relaxed);
    }
    anybody
}
