//! Three nodes, traffic between all of them, and faults that a seed draws: what must hold whatever
//! the faults were.
//!
//! | variable | effect |
//! |---|---|
//! | `MYCELIUM_SEEDS` | how many seeds are run; 40 without it |
//! | `MYCELIUM_SEED` | this seed alone is run, and its trace printed |

mod account;
#[path = "../common/faults.rs"]
mod faults;
mod scene;
#[path = "../common/seeds.rs"]
mod seeds;

use seeds::Suite;

const SUITE: Suite = Suite { name: "seeds", run: scene::run, seeds: 40, one_of: 1 };

#[test]
fn what_must_hold_holds_for_all_seeds() {
    SUITE.all("some_seeds");
}

#[test]
#[ignore = "it is a part of `what_must_hold_holds_for_all_seeds`"]
fn some_seeds() {
    SUITE.some();
}

#[test]
#[ignore = "it is a part of `a_seed_repeats_bit_for_bit`"]
fn a_digest() {
    SUITE.print_digest();
}

#[test]
fn a_seed_repeats_bit_for_bit() {
    SUITE.repeat("a_digest", &[3, 4, 5, 9]);
}
