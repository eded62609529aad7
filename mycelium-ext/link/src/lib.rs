//! The protocol of links between nodes of the fork, without I/O and without `ractor`: what frames
//! say, how a lane keeps their order across links, and what proves that a link belongs to a
//! session.
//!
//! `ractor_cluster` uses it. Nothing here waits, reads a clock or opens a connection, so that tests
//! and a fuzzer drive all of it with bytes alone.

#[doc(hidden)]
pub mod chance;
pub mod codec;
pub mod credit;
#[cfg(test)]
mod credit_tests;
pub mod lane;
pub mod lanes;
#[doc(hidden)]
pub mod malloc_hint;
pub mod secret;
pub mod transcript;

/// What is concurrent stands on; the model tests put others in their place.
mod sync {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
    pub(crate) use std::sync::{Mutex, MutexGuard};
}

/// The bytes of the length that stands before each frame on a stream, big endian.
pub const HEADER: usize = size_of::<u64>();
