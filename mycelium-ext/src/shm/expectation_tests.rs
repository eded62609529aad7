//! How often an answer is looked for. Apart, since the model runs its file with other atomics.

use super::expectation::{CONTENDED, Expectation, Outcome};
use super::positions::Words;
use super::sync::AtomicU64;

#[test]
fn who_looks_in_vain_looks_less_often() {
    let expectation = Expectation::new();
    let word = || AtomicU64::new(0);
    let (head, tail, reader_waits, writer_waits) = (word(), word(), word(), word());
    let words = Words {
        head: &head,
        tail: &tail,
        reader_waits: &reader_waits,
        writer_waits: &writer_waits,
    };
    // How many of so many are looked for, if all come to this.
    let looked = |of, outcome| {
        (0..of)
            .filter(|_| {
                expectation.raise(&words);
                let is_raised = expectation.take();
                if is_raised {
                    expectation.looked(outcome);
                }
                is_raised
            })
            .count()
    };
    assert_eq!(looked(1000, Outcome::Came), 1000);
    let in_vain = looked(1000, Outcome::Nothing);
    assert!((10..30).contains(&in_vain), "{in_vain}");
    assert_eq!(looked(CONTENDED, Outcome::Contended), 1);
    looked(CONTENDED, Outcome::Came);
    assert_eq!(looked(1000, Outcome::Came), 1000);
}
