//! Nodes, configuration and fast actors around Mycelium's fork of [`ractor`].
//!
//! An application that depends on this crate also has to take `ractor` from the fork, and with the
//! feature `cluster` the other two crates:
//!
//! ```toml
//! [dependencies]
//! mycelium-ext = { path = "../mycelium/mycelium-ext", features = ["cluster"] }
//! ractor = "=0.16.5"
//! ractor_cluster = "=0.16.5"
//!
//! [patch.crates-io]
//! ractor = { path = "../mycelium/ractor" }
//! ractor_cluster = { path = "../mycelium/ractor_cluster" }
//! ractor_cluster_derive = { path = "../mycelium/ractor_cluster_derive" }
//! ```
//!
//! `git = "…"` works in place of `path`, in all four lines. Cargo drops a patch without an error
//! when a newer upstream release fits better. The `=` prevents that. This crate does not compile
//! with a stock `ractor`, and says so.
//!
//! # Modules
//!
//! | module | feature | purpose |
//! |---|---|---|
//! | [`fast_lane`] | – | actors with a bounded, typed queue that they read in batches |
//! | `node` | `cluster` | a node, from a few lines or from a configuration; certificates for TLS |
//! | `config` | `cluster` | `mycelium.toml`, with errors that name file, line and key |
//! | `address` | `cluster` | where a node is: `tcp://`, `tls://`, `unix://` |
//! | `placed` | `cluster` | plain-old-data that is read where it lies |
//! | `arena`, `shm` | `cluster`, on Linux | memory that processes of the machine share |
//! | `membership` | `membership` | nodes that find each other by gossip, and which are alive |
//! | `names`, `singleton` | `membership` | names that are unique in a cluster, and actors that run once |
//! | `otel` | `otel` | spans that go on at other nodes, for OpenTelemetry |
//! | `view`, `metrics` | of the same names, on Unix | what a node does: snapshots, and figures for Prometheus |
//!
//! ```
//! # #[cfg(not(feature = "cluster"))]
//! # fn main() {}
//! # #[cfg(feature = "cluster")]
//! use mycelium_ext::node::{Listen, Node};
//!
//! # #[cfg(feature = "cluster")]
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let node = Node::builder("feed")
//!         .cookie("16 random bytes or more")
//!         .listen(Listen::tcp("127.0.0.1:0"))
//!         .start()
//!         .await?;
//!     println!("peers dial {}", node.addresses()[0]);
//!     node.stop().await;
//!     Ok(())
//! }
//! ```
//!
//! # Features
//!
//! | feature | effect |
//! |---|---|
//! | `cluster` | everything that concerns several nodes. It switches on `ractor/cluster`, with which no type is a message by itself |
//! | `membership` | nodes find each other from one seed; needs Rust 1.86 |
//! | `view` | a node shows what it does, to `mycelium top` and to programs of its user |
//! | `metrics` | the figures of a node for Prometheus |
//! | `otel` | spans of `tracing` go on at other nodes, with the context of OpenTelemetry |
//! | `spinning` | fast actors that never sleep |
//! | `async-trait` | has to be on together with ractor's `async-trait` |
//! | `iceoryx` | for benches of this repository only |
//!
//! No feature is on by default. The guide is in `docs/guide` of the repository: a quick start,
//! which type of message to choose, transports, membership, security and operations. The package
//! `mycelium-examples` has programs that show each of these.

#[cfg(feature = "cluster")]
pub mod address;
#[cfg(feature = "cluster")]
pub mod config;
pub mod fast_lane;
#[cfg(feature = "cluster")]
mod file;
#[cfg(feature = "membership")]
pub mod membership;
#[cfg(all(feature = "metrics", unix))]
pub mod metrics;
#[cfg(feature = "membership")]
pub mod names;
#[cfg(feature = "cluster")]
pub mod node;
#[cfg(feature = "otel")]
pub mod otel;
#[cfg(all(feature = "cluster", target_os = "linux"))]
pub use mycelium_transport::{arena, shm};
#[cfg(feature = "cluster")]
pub mod placed;
#[cfg(feature = "membership")]
pub mod singleton;
#[cfg(feature = "cluster")]
mod tls;
#[cfg(all(feature = "view", unix))]
pub mod view;

// So that it is compiled, and what it has to say said, before this crate.
use mycelium_fork_guard as _;

pub use ractor;
#[cfg(feature = "cluster")]
pub use ractor_cluster;
