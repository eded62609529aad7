//! Mycelium's fork of [`ractor_cluster_derive`](https://docs.rs/ractor_cluster_derive/0.16.5),
//! made from upstream's published package at build time.
//!
//! What follows is upstream's own documentation.
//!
#![doc = include_str!(concat!(env!("OUT_DIR"), "/upstream/lib.md"))]

include!(concat!(env!("OUT_DIR"), "/upstream/src/lib.rs"));
