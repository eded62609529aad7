//! Folds ticks into one number that depends on all of them and on their order.

/// A number for what was folded so far. Equal numbers say equal ticks in equal order, up to
/// accidents; it is no defence against malice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Checksum {
    /// Words go to the lanes in turns, so that a processor works on four at once.
    lanes: [u64; 4],
    turn: usize,
}

/// Odd, with its bits well mixed: the golden ratio's.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Checksum {
    pub(crate) fn fold(&mut self, word: u64) {
        let lane = &mut self.lanes[self.turn % 4];
        *lane = (lane.rotate_left(23) ^ word).wrapping_mul(FACTOR);
        self.turn = (self.turn + 1) % 4;
    }

    /// Folds bytes, eight to a word, and their number.
    pub(crate) fn fold_bytes(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.fold(u64::from_le_bytes(word.try_into().expect("eight of eight")));
        }
        let mut rest = [0; 8];
        rest[..words.remainder().len()].copy_from_slice(words.remainder());
        self.fold(u64::from_le_bytes(rest));
        self.fold(bytes.len() as u64);
    }

    /// The number.
    pub(crate) fn value(&self) -> u64 {
        self.lanes.iter().fold(self.turn as u64, |value, lane| {
            let mixed = (value.rotate_left(29) ^ lane).wrapping_mul(FACTOR);
            mixed ^ (mixed >> 32)
        })
    }
}

/// The readers of a place share the work on payloads: each reads one part of so many, so that
/// between eight of them no byte is unread.
pub(crate) const PARTS: usize = 8;

/// The part of a payload that a reader with this index at its place reads.
pub(crate) fn part(payload: &[u8], index: usize) -> &[u8] {
    let index = index % PARTS;
    let edge = |number: usize| payload.len() * number / PARTS;
    &payload[edge(index)..edge(index + 1)]
}

/// What a reader folds of a payload: its part as one number.
pub(crate) fn word(payload: &[u8], index: usize) -> u64 {
    let mut checksum = Checksum::default();
    checksum.fold_bytes(part(payload, index));
    checksum.value()
}

/// What readers fold the ticks of a replay into, and how long the payloads were: a number for each
/// part that a reader may read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    ticks: Checksum,
    payloads: [Checksum; PARTS],
}

impl Expected {
    /// Folds a tick with a payload of which each part folds to its word; no words without payload.
    pub(crate) fn fold(&mut self, tick: impl FnOnce(&mut Checksum), words: Option<&[u64; PARTS]>) {
        tick(&mut self.ticks);
        for (payload, word) in self.payloads.iter_mut().zip(words.into_iter().flatten()) {
            payload.fold(*word);
        }
    }

    /// What the reader with this index at its place has to say.
    pub(crate) fn of(&self, index: usize) -> u64 {
        value(&self.ticks, &self.payloads[index % PARTS])
    }
}

/// A reader's number, of ticks and of its part of their payloads.
pub(crate) fn value(ticks: &Checksum, payloads: &Checksum) -> u64 {
    ticks.value() ^ payloads.value().rotate_left(17)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[u64]) -> u64 {
        let mut checksum = Checksum::default();
        for word in words {
            checksum.fold(*word);
        }
        checksum.value()
    }

    #[test]
    fn it_depends_on_every_word_and_on_the_order() {
        let all: Vec<u64> = (1..=9).collect();
        let sum = of(&all);
        assert_eq!(sum, of(&all));
        for index in 0..all.len() {
            let mut changed = all.clone();
            changed[index] ^= 1 << 63;
            assert_ne!(sum, of(&changed), "word {index} changed");
            let mut missing = all.clone();
            missing.remove(index);
            assert_ne!(sum, of(&missing), "word {index} missing");
            let mut doubled = all.clone();
            doubled.insert(index, all[index]);
            assert_ne!(sum, of(&doubled), "word {index} doubled");
            for other in index + 1..all.len() {
                let mut swapped = all.clone();
                swapped.swap(index, other);
                assert_ne!(sum, of(&swapped), "words {index} and {other} swapped");
            }
        }
    }

    #[test]
    fn trailing_zeros_count() {
        let of_bytes = |bytes: &[u8]| {
            let mut checksum = Checksum::default();
            checksum.fold_bytes(bytes);
            checksum.value()
        };
        assert_ne!(of_bytes(&[]), of_bytes(&[0]));
        assert_ne!(of_bytes(&[1, 0]), of_bytes(&[1]));
        assert_ne!(of_bytes(&[0; 8]), of_bytes(&[0; 16]));
        assert_ne!(of(&[0]), of(&[0, 0]));
    }

    #[test]
    fn between_the_readers_of_a_place_no_byte_is_unread() {
        for length in [0, 1, 7, 8, 9, 1000] {
            let payload: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            let read: Vec<u8> =
                (0..PARTS).flat_map(|index| part(&payload, index).to_vec()).collect();
            assert_eq!(read, payload);
            for at in 0..length {
                let mut other = payload.clone();
                other[at] ^= 1;
                let differ = (0..PARTS).filter(|it| word(&payload, *it) != word(&other, *it));
                assert_eq!(differ.count(), 1, "byte {at} of {length}");
            }
        }
        assert_eq!(word(&[1; 64], 3), word(&[1; 64], 3 + PARTS));
    }

    #[test]
    fn each_reader_has_a_number_of_its_own() {
        let payload: Vec<u8> = (0..255).collect();
        let words = std::array::from_fn(|index| word(&payload, index));
        let mut expected = Expected::default();
        expected.fold(|ticks| ticks.fold(7), Some(&words));
        let (mut ticks, mut payloads) = (Checksum::default(), Checksum::default());
        ticks.fold(7);
        payloads.fold(word(&payload, 2));
        assert_eq!(expected.of(2), value(&ticks, &payloads));
        assert_ne!(expected.of(2), expected.of(3));
        let mut bare = Expected::default();
        bare.fold(|ticks| ticks.fold(7), None);
        assert_eq!(bare.of(2), bare.of(3));
        assert_ne!(bare.of(2), expected.of(2));
    }
}
