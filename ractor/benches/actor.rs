//! Upstream's bench `actor`, on the fork.
#![allow(missing_docs, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/upstream/benches/actor.rs"));
