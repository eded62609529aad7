//! Mycelium's fork of the actor framework [`ractor`](https://docs.rs/ractor/0.16.5): one message,
//! many readers, one allocation.
//!
//! The crate is made from upstream's published package at build time, with what `patches/ractor`
//! and the files beside this one change. An application that depends on `ractor` takes it over
//! `[patch.crates-io]` and recompiles, unchanged:
//!
//! ```toml
//! [dependencies]
//! ractor = "=0.16.5"
//!
//! [patch.crates-io]
//! ractor = { git = "<the repository of the fork>" }
//! ```
//!
//! # What the fork adds
//!
//! | to | see |
//! |---|---|
//! | send one `Arc` to one actor, or to a group | [`ActorRef::cast_arc`], [`pg::broadcast_arc`] |
//! | wait for slow readers | [`ActorRef::send_arc`], [`pg::send_arc`] |
//! | read a shared message without a copy | [`Actor::handle_arc`], [`Shared`] |
//! | bound or conflate a mailbox | [`ActorConfig`], [`Actor::spawn_with_config`] |
//! | choose what an output port keeps | [`OutputPort::with_options`] |
//! | learn why a message was not delivered | [`Undelivered`], [`errors::UndeliveredCause`] |
//! | subscribe to all undelivered messages | [`dead_letters`] |
//!
//! ```
//! use std::sync::Arc;
//!
//! use ractor::{pg, Actor, ActorProcessingErr, ActorRef, Shared};
//!
//! #[derive(Clone)]
//! struct Tick {
//!     price: u64,
//! }
//!
//! // A message that stays in this process, with the feature `cluster` and without it.
//! ractor::local_message!(Tick);
//!
//! struct Reader;
//!
//! # #[cfg_attr(feature = "async-trait", ractor::async_trait)]
//! impl Actor for Reader {
//!     type Msg = Tick;
//!     type State = u64;
//!     type Arguments = ();
//!
//!     async fn pre_start(&self, myself: ActorRef<Tick>, _: ()) -> Result<u64, ActorProcessingErr> {
//!         pg::join("readers".to_owned(), vec![myself.get_cell()]);
//!         Ok(0)
//!     }
//!
//!     // Every reader gets the same tick.
//!     async fn handle_arc(
//!         &self,
//!         _: ActorRef<Tick>,
//!         tick: Shared<Tick>,
//!         best: &mut u64,
//!     ) -> Result<(), ActorProcessingErr> {
//!         *best = tick.price.max(*best);
//!         Ok(())
//!     }
//! }
//!
//! /// Returns how many readers took it.
//! fn publish(price: u64) -> usize {
//!     pg::broadcast_arc(&"readers".to_owned(), Arc::new(Tick { price })).delivered()
//! }
//! # assert_eq!(publish(101), 0);
//! ```
//!
//! # Features
//!
//! They are upstream's, but for `simulation`. `tokio_runtime` and `message_span_propogation` are on by
//! default.
//!
//! | feature | effect |
//! |---|---|
//! | `cluster` | messages may go to other nodes; no type is a message by itself any more |
//! | `blanket_serde` | every type that serde can write and read is converted for other nodes |
//! | `actor-macros` | the attribute `#[ractor::actor]` |
//! | `async-trait` | the traits of actors are those of the crate `async-trait` |
//! | `monitors` | an actor may watch another one without being its supervisor |
//! | `output-port-v2` | upstream's second version of output ports |
//! | `simulation` | hosts that `mycelium-simulation` runs in one process have registries of their own |
//! | `async-std` | actors run on async-std, without `tokio_runtime` |
//!
//! The guide is in `docs/guide` of the repository, `UPSTREAM.md` lists every difference from stock.
//!
//! # Upstream's documentation
//!
#![doc = include_str!(concat!(env!("OUT_DIR"), "/upstream/lib.md"))]
// `crate::call!` and its like come out of an `include!`.
#![allow(macro_expanded_macro_exports_accessed_by_absolute_paths)]

include!(concat!(env!("OUT_DIR"), "/upstream/src/lib.rs"));

#[cfg(feature = "cluster")]
pub mod remoting;

pub mod inlet;

#[cfg(feature = "simulation")]
#[doc(hidden)]
pub mod realm;
#[cfg(not(feature = "simulation"))]
mod realm;

pub mod dead_letters;

pub mod view;

pub use actor::actor_config::{ActorConfig, TransportPreference};
pub use errors::{Undelivered, UndeliveredReason};
pub use message::{Shared, SharedMessage};

/// True in Mycelium's fork; stock `ractor` has no such item, which is how `mycelium-ext` and
/// `ractor_cluster` notice when a build fell off the fork.
#[doc(hidden)]
pub const MYCELIUM_FORK: bool = true;
