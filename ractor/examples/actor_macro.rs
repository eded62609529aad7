//! Upstream's example `actor_macro`, on the fork.
#![allow(
    missing_docs,
    clippy::all,
    clippy::incompatible_msrv,
    missing_debug_implementations,
    rust_2018_idioms,
    unreachable_pub,
    unused
)]

include!(concat!(env!("OUT_DIR"), "/upstream/examples/actor_macro.rs"));
