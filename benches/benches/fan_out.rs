//! What it costs to send one payload to many readers.

use mycelium_benches::{Case, turns};

fn main() {
    turns::bench(&Case::fan_outs());
}
