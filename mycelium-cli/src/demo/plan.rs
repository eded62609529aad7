//! Who reads, at which distance, and what is replayed to whom.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Readers at each distance.
pub(crate) const READERS: usize = 8;

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

    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// The numbers of its readers.
    pub(crate) fn readers(self) -> Range<usize> {
        self.index() * READERS..(self.index() + 1) * READERS
    }

    /// The distance of a reader.
    pub(crate) fn of(reader: usize) -> Self {
        Self::ALL[reader / READERS]
    }

    /// The process group of its readers.
    pub(crate) fn group(self) -> String {
        format!("mycelium-demo {self}")
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

/// All readers.
pub(crate) const ALL_READERS: usize = Distance::ALL.len() * READERS;

/// The process group of all readers.
pub(crate) const GROUP: &str = "mycelium-demo readers";

/// The process group of the feed, where readers find whom to acknowledge to.
pub(crate) const FEED_GROUP: &str = "mycelium-demo feed";

/// The name of a reader, which its proxies carry too.
pub(crate) fn reader_name(reader: usize) -> String {
    format!("mycelium-demo reader {reader}")
}

/// The reader of that name.
pub(crate) fn reader_number(name: &str) -> Option<usize> {
    let number = name.strip_prefix("mycelium-demo reader ")?.parse().ok()?;
    (number < ALL_READERS).then_some(number)
}

/// How a replay goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As fast as it goes, to the readers of one distance.
    Alone(Distance),
    /// As fast as it goes, to all.
    Together,
    /// To all, as it was recorded.
    Paced,
}

impl Kind {
    /// The process group that the ticks go to.
    pub(crate) fn group(self) -> String {
        match self {
            Self::Alone(distance) => distance.group(),
            Self::Together | Self::Paced => GROUP.to_owned(),
        }
    }

    /// Whether a reader takes part.
    pub(crate) fn includes(self, reader: usize) -> bool {
        match self {
            Self::Alone(distance) => distance == Distance::of(reader),
            Self::Together | Self::Paced => true,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alone(distance) => write!(f, "flat out, {distance} alone"),
            Self::Together => f.write_str("flat out, all distances at once"),
            Self::Paced => f.write_str("recorded pace, all distances at once"),
        }
    }
}

/// One replay: which trades go to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) kind: Kind,
    /// Indices of the trades.
    pub(crate) trades: Range<usize>,
}

/// All replays of a run, in order.
pub(crate) fn rounds(flat_out: Range<usize>, paced: Range<usize>) -> Vec<Round> {
    let alone = Distance::ALL.map(Kind::Alone);
    let mut rounds: Vec<Round> = alone
        .into_iter()
        .chain([Kind::Together])
        .map(|kind| Round { kind, trades: flat_out.clone() })
        .collect();
    rounds.push(Round { kind: Kind::Paced, trades: paced });
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_have_names_and_distances() {
        for distance in Distance::ALL {
            for reader in distance.readers() {
                assert_eq!(Distance::of(reader), distance);
                assert_eq!(reader_number(&reader_name(reader)), Some(reader));
            }
        }
        assert_eq!(reader_number(&reader_name(ALL_READERS)), None);
        assert_eq!(reader_number("somebody"), None);
    }

    #[test]
    fn every_distance_is_replayed_to_alone_and_with_the_others() {
        let rounds = rounds(0..5, 1..2);
        for reader in 0..ALL_READERS {
            let count = rounds.iter().filter(|round| round.kind.includes(reader)).count();
            assert_eq!(count, 3, "reader {reader}");
        }
        assert_eq!(rounds.last().map(|round| round.trades.clone()), Some(1..2));
    }
}
