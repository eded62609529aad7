//! What a message costs and what an actor costs: stock, fork, and with the feature `peers` others.

use mycelium_benches::{Case, turns};

fn main() {
    turns::bench(&Case::hot_path());
}
