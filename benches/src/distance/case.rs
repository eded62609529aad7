//! What is measured, and who takes part.

use std::fmt;

use super::cores::Cores;

/// Which of its builds a contender is a process of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Build {
    Stock,
    Fork,
}

/// A way from one process to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) build: Build,
    /// The application's word for it.
    pub(super) way: &'static str,
}

impl Contender {
    /// Whether its processes take their cores also while they have nothing to do.
    pub(super) fn burns(&self) -> bool {
        [FORK_THREAD, BARE_RING].contains(self)
    }
}

const fn contender(name: &'static str, build: Build, way: &'static str) -> Contender {
    Contender { name, build, way }
}

pub(super) const STOCK_TCP: Contender = contender("stock TCP", Build::Stock, "tcp");
pub(super) const STOCK_TLS: Contender = contender("stock TLS", Build::Stock, "tls");
pub(super) const STOCK_UNIX: Contender = contender("stock Unix", Build::Stock, "unix");
pub(super) const FORK_TCP: Contender = contender("fork TCP", Build::Fork, "tcp");
pub(super) const FORK_TLS: Contender = contender("fork TLS", Build::Fork, "tls");
pub(super) const FORK_UNIX: Contender = contender("fork Unix", Build::Fork, "unix");
pub(super) const FORK_SHM: Contender = contender("fork shm", Build::Fork, "shm");
pub(super) const FORK_SPINNING: Contender =
    contender("fork shm, spinning", Build::Fork, "shm-spinning");
pub(super) const FORK_THREAD: Contender =
    contender("fork shm, spinning thread", Build::Fork, "shm-thread");
pub(super) const BARE_TCP: Contender = contender("bare TCP", Build::Fork, "bare-tcp");
pub(super) const BARE_UNIX: Contender = contender("bare Unix", Build::Fork, "bare-unix");
pub(super) const BLOCKING_TCP: Contender = contender("blocking TCP", Build::Fork, "blocking-tcp");
pub(super) const BLOCKING_UNIX: Contender =
    contender("blocking Unix", Build::Fork, "blocking-unix");
pub(super) const BARE_SHM: Contender = contender("bare shm", Build::Fork, "bare-shm");
pub(super) const BARE_RING: Contender = contender("bare ring, spinning", Build::Fork, "bare-ring");

/// Whether the fork has links by shared memory: then the application is built with them.
pub(super) const SHM: bool = true;
/// Whether the fork's messages may hold `bytes::Bytes`.
pub(super) const RAW: bool = true;

/// All, in the order of their columns.
pub(super) fn contenders() -> Vec<Contender> {
    let mut all =
        vec![STOCK_TCP, STOCK_TLS, STOCK_UNIX, FORK_TCP, FORK_TLS, FORK_UNIX, BARE_TCP, BARE_UNIX];
    if SHM {
        all.extend([FORK_SHM, FORK_SPINNING, FORK_THREAD, BARE_SHM, BARE_RING]);
    }
    all.extend([BLOCKING_TCP, BLOCKING_UNIX]);
    all
}

/// Pairs of columns: what the first needs, divided by what the second needs.
pub(super) const RATIOS: [(Contender, Contender); 9] = [
    (STOCK_TCP, FORK_TCP),
    (STOCK_TLS, FORK_TLS),
    (STOCK_UNIX, FORK_UNIX),
    (STOCK_TCP, CLAIMED),
    (STOCK_TCP, FORK_SHM),
    (FORK_TCP, BARE_TCP),
    (CLAIMED, BARE_UNIX),
    (FORK_SHM, BARE_SHM),
    (FORK_THREAD, BARE_RING),
];
/// The column that the claim is about: never worse than stock TCP.
pub(super) const CLAIMED: Contender = FORK_UNIX;

/// What a case's messages do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Call,
    /// Calls with `bytes::Bytes`, answered with `bytes::Bytes`.
    RawCall,
    Cast,
    /// Casts of `bytes::Bytes`.
    Raw,
    /// Each message to so many.
    FanOut(usize),
    /// There are none.
    Idle,
}

/// Messages of one size that do one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) work: Work,
    pub(super) payload: usize,
    /// Whether its processes have exchanged large messages before, whose memory the allocator has
    /// kept.
    pub(super) is_grown: bool,
}

pub(super) const KIB: usize = 1024;
/// What a heap grows by.
const LARGER: usize = 1024 * KIB;

impl Case {
    pub(super) const IDLE: Self = Self::of(Work::Idle, 0);

    pub(super) const fn of(work: Work, payload: usize) -> Self {
        Self { work, payload, is_grown: false }
    }

    /// The same, where larger messages came before.
    pub(super) const fn grown(self) -> Self {
        Self { is_grown: true, ..self }
    }

    pub(super) fn all() -> Vec<Self> {
        let sizes = [64, 4 * KIB, 64 * KIB, 1024 * KIB];
        let of = |work, sizes: &[usize]| {
            sizes.iter().map(move |&payload| Self::of(work, payload)).collect::<Vec<_>>()
        };
        [
            of(Work::Call, &sizes),
            if RAW { of(Work::RawCall, &sizes[2..]) } else { Vec::new() },
            of(Work::Cast, &sizes),
            vec![Self::of(Work::Cast, sizes[2]).grown()],
            if RAW { of(Work::Raw, &sizes[2..3]) } else { Vec::new() },
            of(Work::FanOut(8), &sizes[..3]),
            of(Work::FanOut(64), &sizes[..3]),
            vec![Self::IDLE],
        ]
        .concat()
    }

    /// Whether a contender can do it on as many cores.
    pub(super) fn is_for(self, contender: &Contender, cores: &Cores) -> bool {
        // They keep to a core each, and wait for each other. An idle thread burns what there is.
        if contender.burns() {
            let is_idle = self.work == Work::Idle && *contender == FORK_THREAD;
            return cores.are_two() && (is_idle || self == Self::of(Work::Call, 64));
        }
        // The limit of round trips: a sender of many does not wait for each.
        if contender.way.starts_with("blocking") {
            return self.work == Work::Call;
        }
        let is_bare = contender.way.starts_with("bare");
        match self.work {
            Work::Raw | Work::RawCall => contender.build == Build::Fork && !is_bare,
            Work::Idle => !is_bare,
            Work::Call | Work::Cast | Work::FanOut(_) => true,
        }
    }

    /// How long a contender takes for it in a round whose usual time this is. What does
    /// nothing is watched for longer: asking what it cost costs something, too.
    pub(super) fn milliseconds(self, usual: u64) -> u64 {
        if self.work == Work::Idle { usual * 10 } else { usual }
    }

    /// Whether both are measured in the same processes: those of one size, so that none profits
    /// from what a larger one has left with the allocator, unless just that is measured.
    pub(super) fn shares_processes(self, other: Self) -> bool {
        (self.payload, self.is_grown) == (other.payload, other.is_grown)
    }

    /// What the application is told before. None of it is measured.
    pub(super) fn preparation(self, milliseconds: u64) -> Option<String> {
        let larger = Self::of(Work::Call, LARGER);
        self.is_grown.then(|| larger.order(milliseconds))
    }

    /// As the application is told it, for a time.
    pub(super) fn order(self, milliseconds: u64) -> String {
        self.order_for(&milliseconds.to_string())
    }

    /// As the application is told it, for so many messages.
    pub(super) fn order_count(self, count: usize) -> String {
        self.order_for(&format!("x{count}"))
    }

    fn order_for(self, extent: &str) -> String {
        let work = match self.work {
            Work::Call => "call".to_owned(),
            Work::RawCall => "raw-call".to_owned(),
            Work::Cast => "cast".to_owned(),
            Work::Raw => "raw".to_owned(),
            Work::FanOut(targets) => format!("fan-out:{targets}"),
            Work::Idle => "idle".to_owned(),
        };
        format!("{work} {} {extent}", self.payload)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.work {
            Work::Call => f.write_str("round trip"),
            Work::RawCall => f.write_str("raw round trip"),
            Work::Cast => f.write_str("casts"),
            Work::Raw => f.write_str("raw casts"),
            Work::FanOut(targets) => write!(f, "fan-out to {targets}"),
            Work::Idle => return f.write_str("idle"),
        }?;
        match self.payload {
            size if size >= KIB * KIB => write!(f, " {} MiB", size >> 20),
            size if size >= KIB => write!(f, " {} KiB", size >> 10),
            size => write!(f, " {size} B"),
        }?;
        if self.is_grown { f.write_str(", heap grown") } else { Ok(()) }
    }
}
