//! Upstream's bench `async_traits`, on the fork.
#![allow(missing_docs, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/upstream/benches/async_traits.rs"));
