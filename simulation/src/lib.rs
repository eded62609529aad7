//! Nodes of Mycelium's ractor under virtual time: a test of a whole cluster, with its faults, in one
//! process and in milliseconds.

mod host;
mod sessions;
mod simulation;
mod trace;
mod transport;

pub use host::Host;
pub use simulation::{Builder, Simulation};
pub use trace::{Digest, Event, Trace};

/// Why the software of a host has failed.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
