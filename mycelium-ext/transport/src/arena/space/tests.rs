use proptest::prelude::*;

use super::*;

#[test]
fn what_was_given_back_is_taken_again_first() {
    let mut space = Space::new(10 * ALIGNMENT);
    assert_eq!(space.take(1), Some(0));
    assert_eq!(space.take(ALIGNMENT), Some(ALIGNMENT));
    assert_eq!(space.take(8 * ALIGNMENT), Some(2 * ALIGNMENT));
    assert_eq!((space.take(1), space.used()), (None, 10 * ALIGNMENT));
    space.give_back(ALIGNMENT, ALIGNMENT);
    assert_eq!(space.take(ALIGNMENT + 1), None);
    space.give_back(0, 1);
    assert_eq!(space.take(ALIGNMENT + 1), Some(0));
    assert_eq!(space.take(usize::MAX), None);
}

proptest! {
    /// No byte has two owners, and in the end all are free and in one piece.
    #[test]
    fn no_byte_is_given_twice(steps in prop::collection::vec((1_usize..900, any::<prop::sample::Index>(), any::<bool>()), 1..200)) {
        const LENGTH: usize = 8192;
        let mut space = Space::new(LENGTH);
        let mut held: Vec<(usize, usize)> = Vec::new();
        for (length, which, takes) in steps {
            if takes {
                if let Some(at) = space.take(length) {
                    prop_assert!(at % ALIGNMENT == 0 && at + length <= LENGTH);
                    let apart = |&(other, of): &(usize, usize)| at + length <= other || other + of <= at;
                    prop_assert!(held.iter().all(apart));
                    held.push((at, length));
                }
            } else if !held.is_empty() {
                let (at, length) = held.swap_remove(which.index(held.len()));
                space.give_back(at, length);
            }
            let used: usize = held.iter().map(|(_, length)| length.next_multiple_of(ALIGNMENT)).sum();
            prop_assert_eq!(space.used(), used);
        }
        for (at, length) in held.drain(..) {
            space.give_back(at, length);
        }
        prop_assert_eq!(space.free, BTreeMap::from([(0, LENGTH)]));
    }
}
