//! The kinds of transports: one row of a table each.

use std::fmt;

use ractor::actor::actor_config::TransportPreference;

use crate::Locality;

/// The kinds of transports. Their order is that of their cost: the cheapest is the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TransportKind {
    /// Inside this process: nothing is serialised, nothing is copied.
    Arc,
    /// Shared memory, between processes of a machine.
    SharedMemory,
    /// A Unix socket, between processes of a machine.
    UnixSocket,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// A stream or a transport that the application brought along.
    External,
}

/// One kind of transport. To add a kind, add its variant, its row, and the file of its
/// [`Transport`](crate::Transport).
#[derive(Debug)]
struct Row {
    kind: TransportKind,
    /// The word in configuration and logs.
    name: &'static str,
    /// The preference that pins an actor or a node to the kind, and its number on the wire, which
    /// is that of the lane of what is pinned.
    pin: Option<(TransportPreference, u32)>,
    /// Where an authenticated link of the kind proves the peer to be.
    proves: Locality,
}

const KINDS: [Row; 6] = [
    Row {
        kind: TransportKind::Arc,
        name: "arc",
        pin: Some((TransportPreference::Arc, 1)),
        proves: Locality::SameProcess,
    },
    Row {
        kind: TransportKind::SharedMemory,
        name: "shm",
        pin: Some((TransportPreference::SharedMemory, 2)),
        proves: Locality::SameMachine,
    },
    Row {
        kind: TransportKind::UnixSocket,
        name: "unix",
        pin: Some((TransportPreference::UnixSocket, 3)),
        proves: Locality::SameMachine,
    },
    Row {
        kind: TransportKind::Tcp,
        name: "tcp",
        pin: Some((TransportPreference::Tcp, 4)),
        proves: Locality::Remote,
    },
    Row {
        kind: TransportKind::Tls,
        name: "tls",
        pin: Some((TransportPreference::Tls, 5)),
        proves: Locality::Remote,
    },
    Row {
        kind: TransportKind::External,
        name: "external",
        pin: Some((TransportPreference::External, 6)),
        proves: Locality::Remote,
    },
];

// A row stands where its kind's number says, and lanes are numbered without a gap: 0 is the lane of
// what is not pinned.
const _: () = {
    let (mut row, mut lane) = (0, 1);
    while row < KINDS.len() {
        assert!(KINDS[row].kind as usize == row);
        if let Some((_, number)) = KINDS[row].pin {
            assert!(number == lane);
            lane += 1;
        }
        row += 1;
    }
};

/// How many lanes a session has: one for each kind that can be pinned, and one for the rest.
#[doc(hidden)]
pub const LANES: usize = {
    let (mut row, mut lanes) = (0, 1);
    while row < KINDS.len() {
        lanes += KINDS[row].pin.is_some() as usize;
        row += 1;
    }
    lanes
};

impl TransportKind {
    const fn row(self) -> &'static Row {
        &KINDS[self as usize]
    }

    /// The word for it in configuration and logs: `arc`, `shm`, `unix`, `tcp`, `tls`, `external`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Where an authenticated link of this kind proves the peer to be.
    #[must_use]
    pub const fn proves(self) -> Locality {
        self.row().proves
    }

    /// The kind that a preference pins, or `None` when it leaves the choice.
    #[must_use]
    pub fn pinned(preference: TransportPreference) -> Option<Self> {
        let mut rows = KINDS.iter();
        rows.find(|row| row.pin.is_some_and(|(pin, _)| pin == preference)).map(|row| row.kind)
    }

    /// The lane of what is pinned to this kind, or `None` where nothing can be.
    #[doc(hidden)]
    #[must_use]
    pub fn lane(self) -> Option<u32> {
        self.row().pin.map(|(_, lane)| lane)
    }
}

/// The number of a preference on the wire: that of its lane.
#[doc(hidden)]
#[must_use]
pub fn number_of(preference: TransportPreference) -> u32 {
    TransportKind::pinned(preference).and_then(TransportKind::lane).unwrap_or(0)
}

/// The preference with this number on the wire; `None` for one of a later release.
#[doc(hidden)]
#[must_use]
pub fn preference_of(number: u32) -> Option<TransportPreference> {
    if number == 0 {
        return Some(TransportPreference::Adaptive);
    }
    KINDS.iter().filter_map(|row| row.pin).find(|(_, lane)| *lane == number).map(|(pin, _)| pin)
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
