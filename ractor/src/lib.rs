//! Mycelium's fork of [`ractor`](https://docs.rs/ractor/0.16.5): upstream's actor framework,
//! made from its published package at build time, with what `patches/ractor` and the files
//! beside this one change. An application that depends on `ractor` takes it by
//! `[patch.crates-io]` and recompiles, unchanged.
//!
//! What follows is upstream's own documentation.
//!
#![doc = include_str!(concat!(env!("OUT_DIR"), "/upstream/lib.md"))]
// `crate::call!` and its like come out of an `include!`.
#![allow(macro_expanded_macro_exports_accessed_by_absolute_paths)]

include!(concat!(env!("OUT_DIR"), "/upstream/src/lib.rs"));

#[cfg(feature = "cluster")]
pub mod remoting;

pub mod inlet;

pub use actor::actor_config::{ActorConfig, TransportPreference};
pub use errors::{Undelivered, UndeliveredReason};
pub use message::{Shared, SharedMessage};

/// True in Mycelium's fork; stock `ractor` has no such item, which is how `mycelium-ext` and
/// `ractor_cluster` notice when a build fell off the fork.
#[doc(hidden)]
pub const MYCELIUM_FORK: bool = true;
