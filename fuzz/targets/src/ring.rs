//! A ring of shared memory. Its ends do as they should while a third party writes into what they
//! share.
//!
//! The first byte of the input chooses the ring's size. Behind it come [`Step`]s. All that an end
//! sees of the other is in the memory, so whatever one end could do to the other is written past
//! both. An end that notices it goes no further, as its link would end.

use std::io;

use mycelium_ext::shm::probe::{Probe, Word};

/// The smallest ring.
const SMALLEST: usize = 4096;

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Writer,
    Reader,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The writer puts so many bytes, or those that there is room for.
    Put(u16),
    /// It lets the reader have them.
    Publish,
    /// The reader takes up to so many bytes.
    Take(u16),
    /// The writer sleeps if there is no room.
    WriterSleeps,
    /// The reader sleeps if there is nothing.
    ReaderSleeps,
    /// The third party writes a word.
    Forge(Word, u64),
    /// It adds to a word, so that the word is near to the truth.
    Shift(Word, i8),
    /// It writes a byte at an offset.
    Scribble(u16, u8),
}

const WORDS: [Word; 4] = [Word::Head, Word::Tail, Word::ReaderWaits, Word::WriterWaits];

impl Step {
    /// Its bytes in an input.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        // The number of a step is its place in `next`; words follow in their order.
        let with = |number: u8, more: &[u8]| [&[number], more].concat();
        let place = |word| WORDS.iter().position(|it| *it == word).unwrap_or_default() as u8;
        match self {
            Self::Put(count) => with(0, &count.to_be_bytes()),
            Self::Publish => with(1, &[]),
            Self::Take(count) => with(2, &count.to_be_bytes()),
            Self::WriterSleeps => with(3, &[]),
            Self::ReaderSleeps => with(4, &[]),
            Self::Forge(word, value) => {
                with(5, &[&[place(word)], &value.to_be_bytes()[..]].concat())
            }
            Self::Shift(word, by) => with(6, &[place(word), by as u8]),
            Self::Scribble(at, byte) => with(7, &[&at.to_be_bytes()[..], &[byte]].concat()),
        }
    }

    /// Takes the next one from an input, if a whole one is left.
    fn next(input: &mut &[u8]) -> Option<Self> {
        fn bytes<const COUNT: usize>(input: &mut &[u8]) -> Option<[u8; COUNT]> {
            let found;
            (found, *input) = input.split_first_chunk()?;
            Some(*found)
        }
        let number = |input: &mut &[u8]| bytes(input).map(u16::from_be_bytes);
        let word = |input: &mut &[u8]| {
            bytes(input).map(|[place]: [u8; 1]| WORDS[usize::from(place) % WORDS.len()])
        };
        let [kind] = bytes(input)?;
        Some(match kind % 8 {
            0 => Self::Put(number(input)?),
            1 => Self::Publish,
            2 => Self::Take(number(input)?),
            3 => Self::WriterSleeps,
            4 => Self::ReaderSleeps,
            5 => Self::Forge(word(input)?, bytes(input).map(u64::from_be_bytes)?),
            6 => Self::Shift(word(input)?, bytes(input).map(i8::from_be_bytes)?),
            _ => Self::Scribble(number(input)?, bytes(input).map(u8::from_be_bytes)?),
        })
    }
}

/// The input in which these steps happen in a ring of the smallest size, or of twice that.
#[must_use]
pub fn input(twice: bool, steps: &[Step]) -> Vec<u8> {
    let mut input = vec![u8::from(twice)];
    input.extend(steps.iter().flat_map(|step| step.bytes()));
    input
}

/// Bytes come out in the order in which they went in as long as nobody cheats, and are those that
/// are in the ring all the same when somebody does. No more is read or written than there can be,
/// and a position that cannot be is noticed by the end that looks at it.
pub(crate) fn run(mut bytes: &[u8]) {
    let Some((size, rest)) = bytes.split_first() else { return };
    bytes = rest;
    let mut ring = Model::new(SMALLEST << (size % 2));
    while let Some(step) = Step::next(&mut bytes) {
        ring.step(step);
    }
}

/// A ring, and what is to be in it.
struct Model {
    ring: Probe,
    capacity: usize,
    /// What the ring's bytes are to be.
    bytes: Vec<u8>,
    written: u64,
    published: u64,
    read: u64,
    /// The reader's position as the writer has found it last.
    head: u64,
    /// The writer's position as the reader has found it last.
    tail: u64,
    writer_gone: bool,
    reader_gone: bool,
    /// Whether what the ends do is all that there is.
    honest: bool,
}

/// The byte at a position: not the same at the same place of the next round.
fn byte(position: u64) -> u8 {
    (position % 251) as u8
}

impl Model {
    fn new(capacity: usize) -> Self {
        let ring = Probe::new(capacity).expect("the system has memory");
        let (written, published, read, head, tail) = Default::default();
        let (writer_gone, reader_gone) = (false, false);
        let bytes = vec![0; capacity];
        let honest = true;
        Self {
            ring,
            capacity,
            bytes,
            written,
            published,
            read,
            head,
            tail,
            writer_gone,
            reader_gone,
            honest,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Put(count) if !self.writer_gone => self.put(usize::from(count)),
            Step::Publish if !self.writer_gone => self.publish(),
            Step::Take(count) if !self.reader_gone => self.take(usize::from(count)),
            Step::WriterSleeps if !self.writer_gone => {
                let slept = self.ring.writer_sleeps();
                if let Some(slept) = self.looked(End::Writer, slept) {
                    assert_eq!(
                        slept,
                        self.room() == 0,
                        "a writer with room sleeps, or the other way"
                    );
                    assert_eq!(self.ring.word(Word::WriterWaits), u64::from(slept));
                }
            }
            Step::ReaderSleeps if !self.reader_gone => {
                let slept = self.ring.reader_sleeps();
                if let Some(slept) = self.looked(End::Reader, slept) {
                    assert_eq!(
                        slept,
                        self.tail == self.read,
                        "a reader sleeps over bytes, or not at all"
                    );
                    assert_eq!(self.ring.word(Word::ReaderWaits), u64::from(slept));
                }
            }
            Step::Forge(word, value) => self.forge(word, value),
            Step::Shift(word, by) => {
                self.forge(word, self.ring.word(word).wrapping_add_signed(by.into()));
            }
            Step::Scribble(at, byte) => {
                let at = usize::from(at) % self.capacity;
                self.ring.scribble(at, &[byte]);
                self.bytes[at] = byte;
                self.honest = false;
            }
            // That end is gone.
            Step::Put(_)
            | Step::Publish
            | Step::Take(_)
            | Step::WriterSleeps
            | Step::ReaderSleeps => {}
        }
    }

    /// The room that the writer knows of.
    fn room(&self) -> usize {
        self.capacity - (self.written - self.head) as usize
    }

    fn at(&self, position: u64) -> usize {
        (position % self.capacity as u64) as usize
    }

    fn put(&mut self, count: usize) {
        let enough = self.room() >= count;
        let room = self.ring.room(count);
        let room = if enough {
            Some(room.expect("it has no reason to look"))
        } else {
            self.looked(End::Writer, room)
        };
        let Some(room) = room else { return };
        assert_eq!(room, self.room(), "of {} bytes", self.capacity);
        let bytes: Vec<u8> = (self.written..).take(count.min(room)).map(byte).collect();
        self.ring.put(&bytes);
        for byte in bytes {
            let at = self.at(self.written);
            self.bytes[at] = byte;
            self.written += 1;
        }
    }

    fn publish(&mut self) {
        let news = self.published < self.written;
        let waits = self.ring.word(Word::ReaderWaits) != 0;
        assert_eq!(self.ring.publish(), news && waits, "who waits is woken, and nobody else");
        if news {
            self.published = self.written;
            assert_eq!(self.ring.word(Word::Tail), self.written);
            assert_eq!(self.ring.word(Word::ReaderWaits), 0, "it would be woken twice");
        }
    }

    fn take(&mut self, count: usize) {
        let enough = self.tail - self.read >= count as u64;
        let waits = self.ring.word(Word::WriterWaits) != 0;
        let taken = self.ring.take(count);
        let taken = if enough {
            Some(taken.expect("it has no reason to look"))
        } else {
            let head = self.ring.word(Word::Head);
            let looked = self.looked(End::Reader, taken);
            // Nothing was taken, then, and nothing is to be published.
            assert!(looked.is_some() || self.ring.word(Word::Head) == head);
            looked
        };
        let Some((bytes, wake)) = taken else { return };
        let there = (self.tail - self.read) as usize;
        assert_eq!(bytes.len(), count.min(there), "of {there} bytes that are there");
        for found in &bytes {
            assert_eq!(*found, self.bytes[self.at(self.read)], "byte {} is another", self.read);
            assert!(
                !self.honest || *found == byte(self.read),
                "byte {} is out of order",
                self.read
            );
            self.read += 1;
        }
        let half_is_free = (self.tail - self.read) as usize <= self.capacity / 2;
        assert_eq!(wake, !bytes.is_empty() && half_is_free && waits, "with {there} bytes before");
        if !bytes.is_empty() {
            assert_eq!(self.ring.word(Word::Head), self.read);
        }
        if self.honest {
            assert!(self.read <= self.published, "it reads what nobody has published");
        }
    }

    /// An end has looked at the other's position: it takes it if it can be, and is gone otherwise.
    fn looked<T>(&mut self, end: End, outcome: io::Result<T>) -> Option<T> {
        let (position, known, most) = match end {
            End::Writer => (self.ring.word(Word::Head), &mut self.head, self.published),
            End::Reader => {
                (self.ring.word(Word::Tail), &mut self.tail, self.read + self.capacity as u64)
            }
        };
        let can_be = (*known..=most).contains(&position);
        match outcome {
            Ok(it) => {
                assert!(can_be, "the {end:?} takes {position}, of {known} to {most}");
                *known = position;
                Some(it)
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
                assert!(!can_be, "the {end:?} refuses {position}, of {known} to {most}");
                assert!(!self.honest, "nobody has cheated");
                match end {
                    End::Writer => self.writer_gone = true,
                    End::Reader => self.reader_gone = true,
                }
                None
            }
        }
    }

    fn forge(&mut self, word: Word, value: u64) {
        // Who is woken for nothing, or not at all, loses no byte.
        let position = matches!(word, Word::Head | Word::Tail);
        self.honest &= !position || value == self.ring.word(word);
        self.ring.forge(word, value);
    }
}
