//! Upstream's example `actor_macro`, on the fork.
#![allow(missing_docs, clippy::all, clippy::incompatible_msrv)]

include!(concat!(env!("OUT_DIR"), "/upstream/examples/actor_macro.rs"));
