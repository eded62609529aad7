//! Upstream's example `counter`, on the fork.
#![allow(missing_docs, clippy::all, clippy::incompatible_msrv)]

include!(concat!(env!("OUT_DIR"), "/upstream/examples/counter.rs"));
