//! Mycelium's fork of [`ractor_cluster_derive`](https://docs.rs/ractor_cluster_derive/0.16.5),
//! made from upstream's published package at build time.
//!
//! `ractor_cluster` exports the derives: `RactorClusterMessage` for messages that go to other
//! nodes, `RactorMessage` for those that stay in the process, `BytesConvertable` for the types of
//! fields, `SharedMessage` for types that are shared and are not `Clone`. The guide's page "Which
//! type of message" (`docs/guide/src/messages.md` of the repository) says which types a field may
//! have, and what to do for all others.
//!
//! # Upstream's documentation
//!
#![doc = include_str!(concat!(env!("OUT_DIR"), "/upstream/lib.md"))]

include!(concat!(env!("OUT_DIR"), "/upstream/src/lib.rs"));
