//! Upstream's bench `message_serialization`, on the fork.
#![allow(
    missing_docs,
    clippy::all,
    missing_debug_implementations,
    rust_2018_idioms,
    unreachable_pub,
    unused
)]

include!(concat!(env!("OUT_DIR"), "/upstream/benches/message_serialization.rs"));
