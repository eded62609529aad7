//! Upstream's example `ping_pong`, on the fork.
#![allow(missing_docs, clippy::all, clippy::incompatible_msrv)]

include!(concat!(env!("OUT_DIR"), "/upstream/examples/ping_pong.rs"));
