//! The protocol of links between nodes of the fork, without I/O and without `ractor`: what frames
//! say, how a lane keeps their order across links, and what proves that a link belongs to a
//! session.
//!
//! `ractor_cluster` uses it. Nothing here waits, reads a clock or opens a connection, so that tests
//! and a fuzzer drive all of it with bytes alone.
//!
//! ```
//! use bytes::{BufMut as _, Bytes};
//! use mycelium_link::lane::{Accepted, Inbound, Outbound};
//!
//! let (mut here, mut there) = (Outbound::default(), Inbound::default());
//! here.push(5, |into| into.put_slice(b"hello"), Bytes::new());
//! // The link breaks when the frame has gone, so it goes again by the next link.
//! assert!(here.transmit().is_some());
//! assert_eq!(there.accept(1, 5)?, Accepted::Deliver);
//! here.rewind();
//! assert!(here.transmit().is_some());
//! assert_eq!(there.accept(1, 5)?, Accepted::Duplicate);
//! here.acknowledge(there.acknowledgement())?;
//! assert!(here.is_idle());
//! # Ok::<(), mycelium_link::lane::LaneError>(())
//! ```

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
