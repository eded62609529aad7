//! The mailbox's own files, with loom's locks and atomics in place of the real ones, so that its
//! tests run every interleaving of a few threads. There is nothing in here but tests.
#![cfg(test)]
// What the actor uses and the models do not.
#![allow(dead_code, unused_imports, unreachable_pub)]

mod actor;
mod tests;
