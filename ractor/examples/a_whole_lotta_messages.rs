//! Upstream's example `a_whole_lotta_messages`, on the fork.
#![allow(missing_docs, clippy::all, clippy::incompatible_msrv)]

include!(concat!(env!("OUT_DIR"), "/upstream/examples/a_whole_lotta_messages.rs"));
