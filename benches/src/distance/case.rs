//! What is measured, and who takes part.

use std::fmt;

/// Which of its builds a contender is a process of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Build {
    Stock,
    Fork,
}

/// A way from one process to the other.
#[derive(Debug)]
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) build: Build,
    /// The application's word for it.
    pub(super) way: &'static str,
}

const fn contender(name: &'static str, build: Build, way: &'static str) -> Contender {
    Contender { name, build, way }
}

pub(super) const CONTENDERS: [Contender; 6] = [
    contender("stock TCP", Build::Stock, "tcp"),
    contender("stock Unix", Build::Stock, "unix"),
    contender("fork TCP", Build::Fork, "tcp"),
    contender("fork Unix", Build::Fork, "unix"),
    contender("bare TCP", Build::Stock, "bare-tcp"),
    contender("bare Unix", Build::Stock, "bare-unix"),
];

/// Pairs of columns: what the first needs, divided by what the second needs.
pub(super) const RATIOS: [(usize, usize); 4] = [(0, 2), (1, 3), (0, CLAIMED), (CLAIMED, 5)];
/// The column that the claim is about: never worse than stock TCP.
pub(super) const CLAIMED: usize = 3;

/// What a case's messages do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Call,
    Cast,
    FanOut,
}

/// Messages of one size that do one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) work: Work,
    pub(super) payload: usize,
}

impl Case {
    pub(super) fn all() -> Vec<Self> {
        let sizes = [64, 4 * 1024, 64 * 1024, 1024 * 1024];
        let of = |work, sizes: &[usize]| {
            sizes.iter().map(move |&payload| Self { work, payload }).collect::<Vec<_>>()
        };
        [of(Work::Call, &sizes[..3]), of(Work::Cast, &sizes), of(Work::FanOut, &sizes[..3])]
            .concat()
    }

    /// As the application is told it.
    pub(super) fn order(self, milliseconds: u64) -> String {
        let work = match self.work {
            Work::Call => "call",
            Work::Cast => "cast",
            Work::FanOut => "fan-out",
        };
        format!("{work} {} {milliseconds}", self.payload)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let work = match self.work {
            Work::Call => "round trip",
            Work::Cast => "casts",
            Work::FanOut => "fan-out to 8",
        };
        match self.payload {
            size if size >= 1024 * 1024 => write!(f, "{work} {} MiB", size >> 20),
            size if size >= 1024 => write!(f, "{work} {} KiB", size >> 10),
            size => write!(f, "{work} {size} B"),
        }
    }
}
