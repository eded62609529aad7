//! What it costs to publish to the subscribers of an output port.

use mycelium_benches::{Case, turns};

fn main() {
    turns::bench(&Case::output_ports());
}
