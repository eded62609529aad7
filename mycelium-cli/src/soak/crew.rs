//! Who is on: the processes of a soak, and what they are told.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Readers of each process, those beside a feed included.
pub(crate) const READERS: u64 = 3;

/// The one of them whose mailbox keeps the latest message of each [`key`].
pub(crate) const CONFLATING: u64 = 2;

/// What the messages of a feed have in common that replace each other, by their number.
pub(crate) fn key(number: u64) -> u64 {
    number % 8
}

/// The process group of all readers.
pub(crate) const GROUP: &str = "mycelium-soak readers";

/// What the soak's nodes have after the `@`.
pub(crate) const HOST: &str = "localhost";

/// The name of a reader.
pub(crate) fn reader_name(process: &str, index: u64, incarnation: u64) -> String {
    format!("{process} {index} #{incarnation}")
}

/// Incarnation and index that a reader's name tells.
pub(crate) fn parse_reader_name(name: &str) -> Option<(u64, u64)> {
    let (rest, incarnation) = name.rsplit_once(" #")?;
    let (_, index) = rest.rsplit_once(' ')?;
    Some((incarnation.parse().ok()?, index.parse().ok()?))
}

/// What a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Sends, to readers of its own process too, which get an `Arc`.
    Feed,
    /// Reads, by the cheapest link between processes of a machine.
    Near,
    /// Reads, and is treated as if it were elsewhere.
    Far,
}

/// A process of the soak, in all its incarnations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// It is stopped and cut off, and never killed: what it holds is watched from beginning to end.
    pub(crate) lasts: bool,
}

/// Of each role one process that lasts, and one that is killed now and then.
pub(crate) fn crew() -> Vec<Seat> {
    let seats = |role, word: &'static str| {
        [true, false].into_iter().enumerate().map(move |(index, lasts)| Seat {
            name: format!("{word}-{index}"),
            role,
            lasts,
        })
    };
    let feeds = seats(Role::Feed, "feed");
    feeds.chain(seats(Role::Near, "near")).chain(seats(Role::Far, "far")).collect()
}

/// What a process is told at its start, in a line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) name: String,
    /// A number that no other process of the run has.
    pub(crate) incarnation: u64,
    pub(crate) cookie: String,
    /// It is never killed, and what it notices of itself counts.
    pub(crate) lasts: bool,
    pub(crate) task: Task,
}

/// What it does.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Sends, with sizes and ways that this seed decides, and calls a reader of each of these
    /// processes.
    Send { seed: u64, elsewhere: Vec<String>, calls: Vec<String> },
    /// Reads, and keeps a session with each of these feeds.
    Read { feeds: Vec<(String, SocketAddr)>, elsewhere: bool },
    /// Is no node, and attacks those that are, as this seed decides, in these ways alone or in all.
    Attack { seed: u64, by: Outsider, only: Vec<String> },
}

/// Who attacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Outsider {
    /// It has the cookie, and becomes a peer.
    Hostile,
    /// It has no cookie.
    Stranger,
}

impl Outsider {
    /// The name of its process.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hostile => "hostile",
            Self::Stranger => "stranger",
        }
    }
}

/// What a process is told later, a line each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Send no more, and have all readers flush.
    Finish,
    /// Close the links of the cheapest kind between processes to this peer.
    CloseLink { peer: String },
    /// The node of this name listens there, or, without an address, is gone.
    Target { name: String, address: Option<SocketAddr>, pid: u32 },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readers_name_tells_who_it_is() {
        assert_eq!(parse_reader_name(&reader_name("near 0", 3, 17)), Some((17, 3)));
        for stranger in ["", "reader", "reader #1", "reader x #1", "reader 1 #x"] {
            assert_eq!(parse_reader_name(stranger), None, "{stranger}");
        }
    }
}
