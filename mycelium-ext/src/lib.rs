//! What Mycelium adds around its fork of [`ractor`], and upstream would not take.
//!
//! An application that depends on this crate also has to take `ractor` from the fork:
//!
//! ```toml
//! [dependencies]
//! ractor = "=0.16.5"
//!
//! [patch.crates-io]
//! ractor = { git = "…the repository that this crate came from…" }
//! ```
//!
//! Cargo drops a patch without an error when a newer upstream release fits better. The `=`
//! prevents that, and this crate does not compile with a stock `ractor`, and says so.

#[cfg(feature = "cluster")]
pub mod address;
#[cfg(feature = "cluster")]
pub mod config;
pub mod fast_lane;
#[cfg(feature = "cluster")]
mod file;
#[cfg(feature = "cluster")]
pub mod node;
#[cfg(all(feature = "cluster", target_os = "linux"))]
pub use mycelium_transport::{arena, shm};
#[cfg(feature = "cluster")]
pub mod placed;
#[cfg(feature = "cluster")]
mod tls;

// So that it is compiled, and what it has to say said, before this crate.
use mycelium_fork_guard as _;

pub use ractor;
#[cfg(feature = "cluster")]
pub use ractor_cluster;
