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
}
