//! Upstream's bench `simple_advanced_benchmarks`, on the fork.
#![allow(missing_docs, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/upstream/benches/simple_advanced_benchmarks.rs"));
