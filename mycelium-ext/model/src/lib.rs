//! The protocols of links by shared memory, the leases of payloads and the credits of bounded
//! mailboxes, their own files with loom's atomics in place of the real ones, so that the tests run
//! every interleaving of both sides: `cargo test -p mycelium-ext-model`. There is nothing in here
//! but tests.
#![cfg(test)]

mod answers;
mod credits;
mod leases;
// What the links use and the models do not.
#[allow(dead_code, unreachable_pub)]
#[path = "../../transport/src/answer_hint.rs"]
mod answer_hint;
#[allow(dead_code, unreachable_pub)]
#[path = "../../link/src/credit.rs"]
mod credit;
#[allow(dead_code, unreachable_pub)]
#[path = "../../transport/src/handoff.rs"]
mod handoff;
#[allow(dead_code)]
#[path = "../../transport/src/shm/leases.rs"]
mod lent;
#[allow(dead_code)]
#[path = "../../transport/src/shm/positions.rs"]
mod positions;
// What links do and the model does not: to look again later.
#[allow(dead_code)]
#[path = "../../transport/src/shm/reading.rs"]
mod reading;
mod tests;

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
}
