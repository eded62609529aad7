//! Upstream's example `monte_carlo`, on the fork.
#![allow(missing_docs, clippy::all, clippy::incompatible_msrv)]

include!(concat!(env!("OUT_DIR"), "/upstream/examples/monte_carlo.rs"));
