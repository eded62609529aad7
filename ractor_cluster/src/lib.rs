//! Mycelium's fork of [`ractor_cluster`](https://docs.rs/ractor_cluster/0.16.5), made from
//! upstream's published package at build time, with what `patches/ractor_cluster` and the files
//! beside this one change. It speaks the stock protocol.
//!
//! Between nodes of the fork a session takes the cheapest link there is: [`peers`] says where a
//! peer is and by what it is reached, [`link`] what a node may be told of it, [`transport`] what
//! links are made of.
//!
//! What follows is upstream's own documentation.
//!
#![doc = include_str!(concat!(env!("OUT_DIR"), "/upstream/lib.md"))]

include!(concat!(env!("OUT_DIR"), "/upstream/src/lib.rs"));

mod fork_guard;
pub mod link;
pub mod peers;
pub mod transport;
