//! Where a peer, or an actor, is.

use std::fmt;

/// How far away a peer is. The order is that of the distance.
///
/// What a peer says of itself is a hint, and only a link proves it: one inside the process, or one
/// that does not leave the machine and was authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Locality {
    /// In this process. Its actors are those of this process.
    SameProcess,
    /// In another process of this machine.
    SameMachine,
    /// Elsewhere, or not proven to be here.
    Remote,
}

impl fmt::Display for Locality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SameProcess => "same process",
            Self::SameMachine => "same machine",
            Self::Remote => "remote",
        })
    }
}
