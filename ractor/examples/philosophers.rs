//! Upstream's example `philosophers`, on the fork.
#![allow(
    missing_docs,
    clippy::all,
    clippy::incompatible_msrv,
    missing_debug_implementations,
    rust_2018_idioms,
    unreachable_pub,
    unused
)]

include!(concat!(env!("OUT_DIR"), "/upstream/examples/philosophers.rs"));
