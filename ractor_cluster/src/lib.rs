//! Mycelium's fork of [`ractor_cluster`](https://docs.rs/ractor_cluster/0.16.5): actors of several
//! processes and machines.
//!
//! The crate is made from upstream's published package at build time, with what
//! `patches/ractor_cluster` and the files beside this one change. It speaks the stock protocol, so
//! that stock nodes and nodes of the fork share a cluster. Between nodes of the fork a session
//! takes the cheapest link: memory of the process, shared memory, a Unix socket, TCP or TLS.
//!
//! ```toml
//! [dependencies]
//! ractor = { version = "=0.16.5", features = ["cluster"] }
//! ractor_cluster = "=0.16.5"
//!
//! [patch.crates-io]
//! ractor = { git = "<the repository of the fork>" }
//! ractor_cluster = { git = "<the repository of the fork>" }
//! ractor_cluster_derive = { git = "<the repository of the fork>" }
//! ```
//!
//! # What the fork adds
//!
//! | module | purpose |
//! |---|---|
//! | [`peers`] | who is connected, where, over which links; events |
//! | [`link`] | options, limits and security of a node; counters of refusals and dead letters |
//! | [`transport`] | what links are made of, and transports of your own |
//!
//! A node is started as with stock. What the fork adds may be chosen, and looked at:
//!
//! ```
//! use ractor::Actor;
//! use ractor_cluster::link::options::LinkOptions;
//! use ractor_cluster::{link, peers, NodeServer};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cookie = "16 random bytes or more".to_owned();
//! let server = NodeServer::new(0, cookie, "feed".to_owned(), "localhost".to_owned(), None, None)
//!     .with_listen_addr([127, 0, 0, 1].into())
//!     .with_links(LinkOptions::default().with_number(7));
//! let (node, stopped) = Actor::spawn(None, server, ()).await?;
//! for peer in peers::list() {
//!     println!("{} is {}, by {:?}", peer.name, peer.locality, peer.active());
//! }
//! for (cause, count) in link::dead_letters() {
//!     println!("{count} messages reached no actor: {cause:?}");
//! }
//! node.stop(None);
//! stopped.await?;
//! # Ok(())
//! # }
//! ```
//! `mycelium_ext::node::Node` starts a node in a few lines, or from `mycelium.toml`. The guide is
//! in `docs/guide` of the repository.
//!
//! # Features
//!
//! | feature | effect |
//! |---|---|
//! | `message_span_propogation` | spans of `tracing` follow messages; on by default |
//! | `async-trait` | has to be on when `ractor` has it on; the build says so |
//! | `monitors` | switches on ractor's `monitors` |
//! | `simulation` | hosts that `mycelium-simulation` runs in one process are apart |
//!
//! # Upstream's documentation
//!
#![doc = include_str!(concat!(env!("OUT_DIR"), "/upstream/lib.md"))]

include!(concat!(env!("OUT_DIR"), "/upstream/src/lib.rs"));

mod fork_guard;
pub mod link;
pub mod peers;
#[cfg(feature = "simulation")]
#[doc(hidden)]
pub mod simulation;
pub mod transport;
