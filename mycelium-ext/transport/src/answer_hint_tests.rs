//! How often an answer is looked for. Apart, since the model runs its file with other atomics.

use super::answer_hint::{AnswerHint, Outcome};

#[test]
fn who_looks_in_vain_looks_less_often() {
    let expectation = AnswerHint::new();
    // How many of so many are looked for, if all come to this.
    let looked = |of, outcome| {
        (0..of)
            .filter(|_| {
                if expectation.is_due() {
                    expectation.raise();
                }
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
    assert_eq!(looked(1024, Outcome::Contended), 1);
    looked(1024, Outcome::Came);
    assert_eq!(looked(1000, Outcome::Came), 1000);
}
