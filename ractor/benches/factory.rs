//! Upstream's bench `factory`, on the fork.
#![allow(
    missing_docs,
    clippy::all,
    missing_debug_implementations,
    rust_2018_idioms,
    unreachable_pub,
    unused
)]

include!(concat!(env!("OUT_DIR"), "/upstream/benches/factory.rs"));
