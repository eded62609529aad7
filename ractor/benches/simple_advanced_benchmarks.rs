//! Upstream's bench `simple_advanced_benchmarks`, on the fork.
#![allow(
    missing_docs,
    clippy::all,
    missing_debug_implementations,
    rust_2018_idioms,
    unreachable_pub,
    unused
)]

include!(concat!(env!("OUT_DIR"), "/upstream/benches/simple_advanced_benchmarks.rs"));
