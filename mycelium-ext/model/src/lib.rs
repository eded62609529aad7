//! The protocol of positions of links by shared memory, its own file with loom's atomics in place of the real ones, so that
//! its tests run every interleaving of both sides: `cargo test -p mycelium-ext-model`. There is nothing in here but tests.
#![cfg(test)]

// What the rings use and the models do not.
#[allow(dead_code)]
#[path = "../../src/shm/positions.rs"]
mod positions;
mod tests;

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
}
