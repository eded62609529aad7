//! Two rings of bytes in one stretch of memory, a direction each.
//!
//! The memory begins with a page of positions, each on lines of the processor's cache of its own,
//! since the other side waits for the line that one writes. Behind them are the words by which
//! payloads are given back, and those that say what an end can do. The bytes of both rings follow.

use tokio::io::ReadBuf;

use super::memory::Memory;
use super::positions::{Consumer, Corrupt, Producer, Words};

/// A line of the cache, and the one that is fetched with it.
const LINE: usize = 128;
/// The positions of both directions.
const PAGE: usize = 4096;
/// The positions of one direction.
const WORDS: usize = 4 * LINE;

/// The words of one direction that tell what was given back.
const RETURNS: usize = size_of::<[u64; super::leases::WORDS]>().next_multiple_of(LINE);

const _: () = assert!(2 * WORDS + 2 * RETURNS + 2 * LINE <= PAGE);

/// The smallest ring, in bytes.
pub(super) const SMALLEST: usize = *super::CAPACITY.start() as usize;
/// The largest capacity, in bytes. A peer that asks for more is refused.
pub(super) const LARGEST: usize = *super::CAPACITY.end() as usize;

/// Which end of the link this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The one who made the memory.
    Maker,
    /// The one who was given it.
    Taker,
}

/// Where in the page of positions the words begin that tell what the peer of `lender` has given
/// back: see [`leases`](super::leases).
pub(super) const fn returns(lender: Side) -> usize {
    let number = if matches!(lender, Side::Maker) { 0 } else { 1 };
    2 * WORDS + number * RETURNS
}

/// Where in the page of positions the word of an end is that says what else it can do: see
/// [`abilities`](super::abilities).
pub(super) const fn abilities(side: Side) -> usize {
    let number = if matches!(side, Side::Maker) { 0 } else { 1 };
    2 * WORDS + 2 * RETURNS + number * LINE
}

impl Side {
    /// The other end.
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Maker => Self::Taker,
            Self::Taker => Self::Maker,
        }
    }
}

/// How large the memory is with rings of `capacity` bytes.
pub(super) const fn size(capacity: usize) -> usize {
    PAGE + 2 * capacity
}

/// Rounds a size up to a supported capacity, in bytes.
pub(super) fn capacity(bytes: usize) -> usize {
    bytes.clamp(SMALLEST, LARGEST).next_power_of_two()
}

/// Whether rings may have so many bytes.
pub(super) const fn is_capacity(bytes: usize) -> bool {
    bytes.is_power_of_two() && bytes >= SMALLEST && bytes <= LARGEST
}

/// Where one direction is in the memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    words: usize,
    bytes: usize,
    capacity: usize,
}

impl Place {
    const fn new(maker_writes: bool, capacity: usize) -> Self {
        let number = if maker_writes { 0 } else { 1 };
        Self { words: number * WORDS, bytes: PAGE + number * capacity, capacity }
    }

    #[inline]
    pub(super) fn words<'a>(&self, memory: &'a Memory) -> Words<'a> {
        Words {
            head: memory.word(self.words),
            tail: memory.word(self.words + LINE),
            reader_waits: memory.word(self.words + 2 * LINE),
            writer_waits: memory.word(self.words + 3 * LINE),
        }
    }

    /// Where the byte at `position` is, and how many follow it before the ring begins again.
    #[inline]
    const fn locate(&self, position: u64) -> (usize, usize) {
        let offset = position as usize & (self.capacity - 1);
        (self.bytes + offset, self.capacity - offset)
    }
}

/// The end of a direction at which bytes go in.
#[derive(Debug)]
pub(super) struct Inlet {
    place: Place,
    producer: Producer,
}

impl Inlet {
    /// That of `side`, where rings have `capacity` bytes.
    pub(super) const fn new(side: Side, capacity: usize) -> Self {
        let place = Place::new(matches!(side, Side::Maker), capacity);
        Self { place, producer: Producer::new(capacity as u64) }
    }

    /// The bytes that can be put; up to date only if it returns less than `enough`.
    #[inline]
    pub(super) fn room(&mut self, memory: &Memory, enough: usize) -> Result<usize, Corrupt> {
        let room = self.producer.room(&self.place.words(memory), enough as u64)?;
        Ok(room as usize)
    }

    /// Puts bytes, for which there is room. The reader does not see them yet.
    #[inline]
    pub(super) fn put(&mut self, memory: &Memory, bytes: &[u8]) {
        let (at, straight) = self.place.locate(self.producer.position());
        if bytes.len() <= straight {
            memory.write(at, bytes);
        } else {
            let (first, rest) = bytes.split_at(straight);
            memory.write(at, first);
            memory.write(self.place.bytes, rest);
        }
        self.producer.wrote(bytes.len() as u64);
    }

    /// What both ends share of it.
    pub(super) fn words<'a>(&self, memory: &'a Memory) -> Words<'a> {
        self.place.words(memory)
    }

    /// Where the ring's byte at `offset` is in the memory.
    pub(super) const fn offset(&self, offset: usize) -> usize {
        self.place.bytes + offset
    }

    /// The bytes that were put and not published.
    pub(super) const fn unpublished(&self) -> usize {
        self.producer.unpublished() as usize
    }

    /// See [`Producer::unrung`].
    pub(super) const fn unrung(&self) -> usize {
        self.producer.unrung() as usize
    }

    /// See [`Producer::show`].
    #[inline]
    pub(super) fn show(&mut self, memory: &Memory) {
        self.producer.show(&self.place.words(memory));
    }

    /// See [`Producer::publish`].
    #[must_use]
    #[inline]
    pub(super) fn publish(&mut self, memory: &Memory) -> bool {
        self.producer.publish(&self.place.words(memory))
    }

    /// See [`Producer::sleep`].
    pub(super) fn sleep(&mut self, memory: &Memory) -> Result<bool, Corrupt> {
        self.producer.sleep(&self.place.words(memory))
    }
}

/// The end of a direction at which bytes come out.
#[derive(Debug)]
pub(super) struct Outlet {
    place: Place,
    consumer: Consumer,
}

impl Outlet {
    /// That of `side`, where rings have `capacity` bytes.
    pub(super) const fn new(side: Side, capacity: usize) -> Self {
        let place = Place::new(matches!(side, Side::Taker), capacity);
        Self { place, consumer: Consumer::new(capacity as u64) }
    }

    /// The writer need not wake the reader, which is about to look by itself, and asks for it again
    /// before it [sleeps](Self::sleep).
    pub(super) fn stay_awake(&self, memory: &Memory) {
        self.place.words(memory).stay_awake();
    }

    /// Whether there is anything.
    #[inline]
    pub(super) fn is_empty(&mut self, memory: &Memory) -> Result<bool, Corrupt> {
        Ok(self.consumer.available(&self.place.words(memory), 1)? == 0)
    }

    /// Moves what is there, and `buffer` has room for. Returns whether the writer is to be woken.
    pub(super) fn take(
        &mut self,
        memory: &Memory,
        buffer: &mut ReadBuf<'_>,
    ) -> Result<bool, Corrupt> {
        let words = self.place.words(memory);
        let wanted = buffer.remaining() as u64;
        let count = self.consumer.available(&words, wanted)?.min(wanted) as usize;
        if count == 0 {
            return Ok(false);
        }
        let (at, straight) = self.place.locate(self.consumer.position());
        if count <= straight {
            memory.read(at, count, buffer);
        } else {
            memory.read(at, straight, buffer);
            memory.read(self.place.bytes, count - straight, buffer);
        }
        Ok(self.consumer.consumed(&words, count as u64))
    }

    /// See [`Consumer::sleep`].
    pub(super) fn sleep(&mut self, memory: &Memory) -> Result<bool, Corrupt> {
        self.consumer.sleep(&self.place.words(memory))
    }
}

#[cfg(test)]
#[path = "ring/tests.rs"]
mod tests;
