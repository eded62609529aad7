//! Sets of message numbers, which are mostly runs.

use rangemap::RangeSet;

/// A set of numbers. A run of them costs one entry, however long it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    runs: RangeSet<u64>,
    count: u64,
}

impl Numbers {
    /// Adds one, and says whether it is new.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        let new = !self.runs.contains(&number);
        if new {
            self.runs.insert(number..number + 1);
            self.count += 1;
        }
        new
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        self.runs.contains(&number)
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        self.runs.iter().flat_map(Clone::clone)
    }

    /// What is in both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self::of(self.runs.intersection(&other.runs).collect())
    }

    /// What is in this one alone.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let mut runs = self.runs.clone();
        for run in other.runs.iter() {
            runs.remove(run.clone());
        }
        Self::of(runs)
    }

    fn of(runs: RangeSet<u64>) -> Self {
        let count = runs.iter().map(|run| run.end - run.start).sum();
        Self { runs, count }
    }
}

impl FromIterator<u64> for Numbers {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        let mut set = Self::default();
        for number in numbers {
            set.insert(number);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_agrees_with_a_set_of_each(
            ours in prop::collection::vec(0_u64..40, 0..60),
            theirs in prop::collection::vec(0_u64..40, 0..60),
        ) {
            let mut set = BTreeSet::new();
            let mut numbers = Numbers::default();
            for number in &ours {
                prop_assert_eq!(numbers.insert(*number), set.insert(*number));
            }
            prop_assert_eq!(numbers.count(), set.len() as u64);
            let other: BTreeSet<u64> = theirs.iter().copied().collect();
            let others: Numbers = theirs.iter().copied().collect();
            prop_assert_eq!(numbers.and(&others), set.intersection(&other).copied().collect());
            prop_assert_eq!(numbers.without(&others), set.difference(&other).copied().collect());
            prop_assert!(numbers.iter().eq(set.iter().copied()));
            prop_assert!((0..40).all(|number| numbers.contains(number) == set.contains(&number)));
        }
    }
}
