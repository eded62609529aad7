//! Four nodes that find each other by gossip, give each other's actors names, and run a singleton,
//! under faults that a seed draws: what must hold whatever the faults were.
//!
//! | variable | effect |
//! |---|---|
//! | `MYCELIUM_SEEDS` | a tenth of so many seeds is run; 6 without it |
//! | `MYCELIUM_SEED` | this seed alone is run, and its trace printed |

mod book;
#[path = "../common/faults.rs"]
mod faults;
mod host;
mod scene;
#[path = "../common/seeds.rs"]
mod seeds;

use seeds::Suite;

const SUITE: Suite = Suite { name: "cluster", run: scene::run, seeds: 6, one_of: 10 };

#[test]
fn members_names_and_singletons_hold_for_all_seeds() {
    SUITE.all("some_seeds");
}

#[test]
#[ignore = "it is a part of `members_names_and_singletons_hold_for_all_seeds`"]
fn some_seeds() {
    SUITE.some();
}

#[test]
#[ignore = "it is a part of `a_seed_repeats`"]
fn a_digest() {
    SUITE.print_digest();
}

#[test]
fn a_seed_repeats() {
    SUITE.repeat("a_digest", &[1]);
}
