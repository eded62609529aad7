//! Comparisons of the fork with stock `ractor`, both in one binary.
//!
//! A [`Case`] is work that several [`Contender`]s do, each in its own way. The benches time them
//! in turns and count what they allocate; the binary `report` runs it all, counts instructions,
//! and puts everything into one table.

mod application;
pub mod before_after;
mod case;
mod contender;
pub mod distance;
mod fan_out;
pub mod heap;
mod markdown;
mod middle;
mod output_port;
mod process;
mod readers;
pub mod report;
mod resident;
mod systems;
pub mod turns;
mod window;

pub use case::Case;
pub use contender::{Contender, Scheduler};
pub use systems::resident_bytes;

/// Whatever goes wrong ends a run.
pub type Failure = Box<dyn std::error::Error>;
