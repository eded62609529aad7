//! Messages between two processes: stock, the fork, and bare sockets, in turns.
//!
//! The processes are those of an application (`benches/distance/app`) that is built outside of this
//! workspace, against stock and against the fork. `apps` builds it, `pair` runs a near process
//! beside a far one, [`run`] has pairs of all contenders do a case after the other, `wire` counts
//! bytes by a `relay`, `table` shows the results, and `demands` whether they are what is asked
//! for.

mod apps;
mod case;
mod cores;
mod demands;
mod pair;
mod relay;
mod run;
mod sample;
mod table;
mod wire;

pub use run::{Options, run};

use crate::Failure;
