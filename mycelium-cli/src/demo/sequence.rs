//! Tells lost, doubled and reordered ticks apart.

use std::collections::BTreeMap;

/// The numbers that a reader saw, from 0. In order they cost nothing; gaps cost an entry each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sequence {
    next: u64,
    /// What was skipped and has not come since: first to one past the last.
    gaps: BTreeMap<u64, u64>,
    doubled: u64,
    late: u64,
}

impl Sequence {
    pub(crate) fn see(&mut self, number: u64) {
        if number == self.next {
            self.next += 1;
        } else if number > self.next {
            self.gaps.insert(self.next, number);
            self.next = number + 1;
        } else {
            self.see_again(number);
        }
    }

    fn see_again(&mut self, number: u64) {
        let gap = self.gaps.range(..=number).next_back().map(|(first, end)| (*first, *end));
        let Some((first, end)) = gap.filter(|(_, end)| number < *end) else {
            self.doubled += 1;
            return;
        };
        self.late += 1;
        self.gaps.remove(&first);
        if first < number {
            self.gaps.insert(first, number);
        }
        if number + 1 < end {
            self.gaps.insert(number + 1, end);
        }
    }

    /// How many of `sent` ticks never came.
    pub(crate) fn lost(&self, sent: u64) -> u64 {
        let skipped: u64 = self.gaps.iter().map(|(first, end)| end - first).sum();
        skipped + sent.saturating_sub(self.next)
    }

    /// How many were skipped so far.
    pub(crate) fn skipped(&self) -> u64 {
        self.lost(0)
    }

    /// How many came that were there already.
    pub(crate) fn doubled(&self) -> u64 {
        self.doubled
    }

    /// How many came after one that was sent later.
    pub(crate) fn late(&self) -> u64 {
        self.late
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(numbers: &[u64]) -> Sequence {
        let mut sequence = Sequence::default();
        for number in numbers {
            sequence.see(*number);
        }
        sequence
    }

    fn findings(numbers: &[u64], sent: u64) -> (u64, u64, u64) {
        let sequence = seen(numbers);
        (sequence.lost(sent), sequence.doubled(), sequence.late())
    }

    #[test]
    fn each_fault_has_its_name() {
        assert_eq!(findings(&[0, 1, 2], 3), (0, 0, 0));
        assert_eq!(findings(&[0, 2], 3), (1, 0, 0));
        assert_eq!(findings(&[0, 1], 3), (1, 0, 0));
        assert_eq!(findings(&[], 3), (3, 0, 0));
        assert_eq!(findings(&[0, 1, 1, 2], 3), (0, 1, 0));
        assert_eq!(findings(&[0, 2, 1], 3), (0, 0, 1));
        assert_eq!(findings(&[0, 4, 2, 2], 5), (2, 1, 1));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_set(numbers in prop::collection::vec(0_u64..40, 0..120)) {
            let mut set = std::collections::BTreeSet::new();
            let (mut doubled, mut late) = (0, 0);
            for number in &numbers {
                if set.contains(number) {
                    doubled += 1;
                } else if set.last().is_some_and(|last| last > number) {
                    late += 1;
                }
                set.insert(*number);
            }
            let lost = 40 - set.len() as u64;
            prop_assert_eq!(findings(&numbers, 40), (lost, doubled, late));
        }
    }
}
