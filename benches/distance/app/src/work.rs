//! What the near process is told to do, and what it answers.

use std::fmt;
use std::time::Duration;

use rustix::time::{clock_gettime, ClockId};

use crate::Failure;

/// What the window of a stream of messages holds at most, in bytes and in messages.
const WINDOW_BYTES: usize = 4 * 1024 * 1024;
const WINDOW: usize = 1024;
/// And at least, in messages to each target.
const LEAST_WINDOW: usize = 8;

/// `KIND PAYLOAD EXTENT`, such as `cast 64 200`, for 200 ms, or `fan-out:8 64 x1000`, for 1000
/// messages to each.
pub struct Work {
    pub kind: Kind,
    /// Bytes of a message's payload.
    pub payload: usize,
    pub extent: Extent,
}

#[derive(Clone, Copy)]
pub enum Kind {
    /// One call after the other.
    Call,
    /// The same, with a payload and an answer that are `bytes::Bytes`, made anew for each call.
    RawCall,
    /// Casts to one actor, which tells how far it is.
    Cast,
    /// The same, with a payload that is `bytes::Bytes`.
    Raw,
    /// One message after the other to as many actors.
    FanOut { targets: usize },
    /// Nothing at all.
    Idle,
}

/// How much of it is done.
#[derive(Clone, Copy)]
pub enum Extent {
    /// For so long, after a fifth of it that is not measured.
    Time(Duration),
    /// So often, and no more.
    Count(usize),
}

impl Work {
    pub fn parse(line: &str) -> Result<Self, Failure> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [kind, payload, extent] = words.as_slice() else {
            return Err(format!("no order: {line}").into());
        };
        let kind = match kind.split_once(':') {
            None => match *kind {
                "call" => Kind::Call,
                "raw-call" => Kind::RawCall,
                "cast" => Kind::Cast,
                "raw" => Kind::Raw,
                "idle" => Kind::Idle,
                _ => return Err(format!("no such work: {line}").into()),
            },
            Some(("fan-out", targets)) => Kind::FanOut { targets: targets.parse()? },
            Some(_) => return Err(format!("no such work: {line}").into()),
        };
        let extent = match extent.strip_prefix('x') {
            None => Extent::Time(Duration::from_millis(extent.parse()?)),
            Some(count) => Extent::Count(count.parse()?),
        };
        Ok(Self { kind, payload: payload.parse()?, extent })
    }

    /// How many messages to each of `targets` may be under way.
    pub fn window(&self, targets: usize) -> usize {
        let all = (WINDOW_BYTES / self.payload.max(1)).min(WINDOW);
        (all / targets).next_power_of_two().max(LEAST_WINDOW)
    }
}

/// What came of it; times in nanoseconds.
#[derive(Default)]
pub struct Figures {
    /// Messages delivered, or calls.
    pub messages: u64,
    pub elapsed: u64,
    /// Of the processors, by either process.
    pub near_cpu: u64,
    pub far_cpu: u64,
    /// How long a call took, by quantile, if there were calls.
    pub quantiles: Option<[u64; 3]>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, elapsed, near_cpu, far_cpu, quantiles } = self;
        write!(f, "{messages} {elapsed} {near_cpu} {far_cpu}")?;
        if let Some([p50, p99, p999]) = quantiles {
            write!(f, " {p50} {p99} {p999}")?;
        }
        Ok(())
    }
}

/// The time that this process has spent on processors, in nanoseconds.
pub fn cpu() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32).as_nanos() as u64
}
