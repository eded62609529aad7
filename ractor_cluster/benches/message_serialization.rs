//! Upstream's bench `message_serialization`, on the fork.
#![allow(missing_docs, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/upstream/benches/message_serialization.rs"));
