//! A window of counters: each is accepted once, and old ones never.

/// How far a counter may be behind the greatest.
pub(crate) const WIDTH: u64 = 1024;

const WORDS: usize = (WIDTH / 64) as usize;

/// The counters that were accepted of one session.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    greatest: u64,
    /// A bit for each of the last [`WIDTH`] counters, at its remainder.
    seen: [u64; WORDS],
}

impl Window {
    /// Accepts what is greater than `first`, and nothing that was sent before it.
    pub(crate) const fn after(first: u64) -> Self {
        Self { greatest: first, seen: [u64::MAX; WORDS] }
    }

    /// Whether `counter` is new; it is not afterwards.
    pub(crate) fn accept(&mut self, counter: u64) -> bool {
        if counter > self.greatest {
            // Those between were not seen. All bits are cleared where it leaps over the window.
            let between = (counter - self.greatest).min(WIDTH);
            for step in 0..between {
                self.clear(counter - step);
            }
            self.greatest = counter;
        } else if self.greatest - counter >= WIDTH || self.is_set(counter) {
            return false;
        }
        self.set(counter);
        true
    }

    const fn place(counter: u64) -> (usize, u64) {
        let bit = counter % WIDTH;
        ((bit / 64) as usize, 1 << (bit % 64))
    }

    const fn is_set(&self, counter: u64) -> bool {
        let (word, bit) = Self::place(counter);
        self.seen[word] & bit != 0
    }

    const fn set(&mut self, counter: u64) {
        let (word, bit) = Self::place(counter);
        self.seen[word] |= bit;
    }

    const fn clear(&mut self, counter: u64) {
        let (word, bit) = Self::place(counter);
        self.seen[word] &= !bit;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::{WIDTH, Window};

    #[test]
    fn what_was_sent_before_the_proof_is_never_accepted() {
        let mut window = Window::after(5000);
        for old in (0..=5000).rev() {
            assert!(!window.accept(old), "{old}");
        }
        assert!(window.accept(5001));
        assert!(!window.accept(5001));
        assert!(window.accept(u64::MAX));
        assert!(!window.accept(5002));
    }

    proptest! {
        #[test]
        fn it_accepts_as_a_set_of_all_counters_would(
            steps in proptest::collection::vec((0_u64..3 * WIDTH, any::<bool>()), 1..400)
        ) {
            let mut window = Window::after(10);
            let (mut seen, mut greatest) = (HashSet::new(), 10);
            for (step, ahead) in steps {
                let counter = if ahead { greatest + step } else { 11.max(greatest.saturating_sub(step)) };
                let fresh = greatest < counter || greatest - counter < WIDTH;
                let expected = fresh && counter > 10 && seen.insert(counter);
                prop_assert_eq!(window.accept(counter), expected, "{} after {}", counter, greatest);
                greatest = greatest.max(counter);
            }
        }
    }
}
