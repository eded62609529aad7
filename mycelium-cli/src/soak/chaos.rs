//! Which faults there are, and when: decided by a seed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::crew::{Role, Seat};

/// What stands between a feed and a process of readers, by their names.
pub(crate) type Pair = (String, String);

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A process is killed, and started again.
    Kill(String),
    /// A process does not run for so long.
    Stop(String, Duration),
    /// The connections by a relay are closed, and may be made again.
    Cut(Pair),
    /// A relay lets no bytes through for so long.
    Hold(Pair, Duration),
    /// A relay takes no connections for so long.
    Part(Pair, Duration),
    /// A feed closes the cheaper of its links to a process.
    CloseLink(Pair),
}

impl Fault {
    /// The kind of fault, for tables.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Kill(_) => "killed",
            Self::Stop(..) => "stopped",
            Self::Cut(_) => "cut",
            Self::Hold(..) => "held",
            Self::Part(..) => "parted",
            Self::CloseLink(_) => "link closed",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Self::Kill(name) => write!(f, "{kind}: {name}"),
            Self::Stop(name, pause) => write!(f, "{kind}: {name}, for {} ms", pause.as_millis()),
            Self::Cut((feed, reader)) | Self::CloseLink((feed, reader)) => {
                write!(f, "{kind}: {feed} and {reader}")
            }
            Self::Hold((feed, reader), pause) | Self::Part((feed, reader), pause) => {
                write!(f, "{kind}: {feed} and {reader}, for {} ms", pause.as_millis())
            }
        }
    }
}

/// The source of faults. The same seed and crew give the same faults.
pub(crate) struct Chaos {
    random: StdRng,
    seats: Vec<Seat>,
}

impl Chaos {
    pub(crate) fn new(seed: u64, seats: Vec<Seat>) -> Self {
        Self { random: StdRng::seed_from_u64(seed), seats }
    }

    /// The next fault, and the pause before it.
    pub(crate) fn next(&mut self) -> (Duration, Fault) {
        let pause = self.milliseconds(100, 1_200);
        let fault = match self.random.random_range(0..10) {
            0..3 => Fault::Kill(self.seat(|seat| !seat.lasts)),
            3..5 => Fault::Stop(self.seat(|_| true), self.milliseconds(50, 2_000)),
            5..6 => Fault::Cut(self.pair()),
            6..7 => Fault::Hold(self.pair(), self.milliseconds(100, 2_500)),
            7..8 => Fault::Part(self.pair(), self.milliseconds(100, 2_500)),
            _ => Fault::CloseLink((self.feed(), self.seat(|seat| seat.role == Role::Near))),
        };
        (pause, fault)
    }

    fn milliseconds(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.random.random_range(least..most))
    }

    fn feed(&mut self) -> String {
        self.seat(|seat| seat.role == Role::Feed)
    }

    fn pair(&mut self) -> Pair {
        (self.feed(), self.seat(|seat| seat.role != Role::Feed))
    }

    fn seat(&mut self, which: impl Fn(&Seat) -> bool) -> String {
        let seats: Vec<&Seat> = self.seats.iter().filter(|seat| which(seat)).collect();
        seats.choose(&mut self.random).expect("a crew has all roles").name.clone()
    }
}

/// How often what went wrong, by its kind.
pub(crate) type Faults = BTreeMap<&'static str, u64>;

#[cfg(test)]
mod tests {
    use super::super::crew::crew;
    use super::*;

    fn faults(seed: u64) -> Vec<(Duration, Fault)> {
        let mut chaos = Chaos::new(seed, crew());
        (0..400).map(|_| chaos.next()).collect()
    }

    #[test]
    fn a_seed_decides_all_of_it() {
        assert_eq!(faults(7), faults(7));
        assert_ne!(faults(7), faults(8));
    }

    #[test]
    fn every_kind_of_fault_comes_and_those_that_last_are_not_killed() {
        let mut kinds = Faults::new();
        for (_, fault) in faults(1) {
            *kinds.entry(fault.kind()).or_default() += 1;
            if let Fault::Kill(name) = fault {
                assert!(crew().iter().any(|seat| seat.name == name && !seat.lasts), "{name}");
            }
        }
        assert_eq!(kinds.len(), 6);
    }
}
