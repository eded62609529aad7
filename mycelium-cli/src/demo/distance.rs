//! The demo's three distances.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::plan::{Plan, Seats};
use super::rivals::Rival;

/// Readers at each distance.
pub(crate) const READERS: usize = 8;

/// What the demo's nodes have after the `@`.
pub(crate) const HOST: &str = "localhost";

/// How far a reader is from the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Distance {
    /// In the feed's process.
    SameProcess,
    /// In another process of the machine.
    SameMachine,
    /// In another process, treated as if it were on another machine.
    Remote,
}

impl Distance {
    pub(crate) const ALL: [Self; 3] = [Self::SameProcess, Self::SameMachine, Self::Remote];
    /// Those that need a process of their own.
    pub(crate) const APART: [Self; 2] = [Self::SameMachine, Self::Remote];

    /// Its place in the plan.
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// The name of the node with its readers, before the `@`.
    pub(crate) fn node_name(self) -> String {
        self.to_string().replace(' ', "-")
    }

    /// The demo's plan: as many readers at each distance, and for each rival.
    pub(crate) fn plan() -> Plan {
        let distances = Self::ALL.map(|distance| Seats {
            place: distance.to_string(),
            peer: (distance != Self::SameProcess)
                .then(|| format!("{}@{HOST}", distance.node_name())),
            readers: READERS,
            // What is treated as remote runs on this machine all the same.
            same_clock: true,
            rival: None,
        });
        let rivals = Rival::ALL.map(|rival| Seats {
            place: rival.to_string(),
            peer: None,
            readers: READERS,
            same_clock: true,
            rival: Some(rival),
        });
        Plan::new(distances.into_iter().chain(rivals))
    }
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SameProcess => "same process",
            Self::SameMachine => "same machine",
            Self::Remote => "remote",
        })
    }
}
