//! Upstream's bench `factory`, on the fork.
#![allow(missing_docs, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/upstream/benches/factory.rs"));
