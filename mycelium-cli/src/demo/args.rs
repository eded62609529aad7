//! What can be asked of a replay, and of the demo.

use std::path::PathBuf;

use clap::Args;

use super::data::Recording;
use super::plan::{Plan, Round};
use super::tick::FIXED_BYTES;
use super::trades;

/// The largest payload; a frame of the cluster may hold 16 MiB.
const MOST_PAYLOAD: usize = 8 << 20;

/// Bytes of ticks that are replayed flat out by default.
const DEFAULT_BYTES: usize = 40_000_000;

/// The same for large ticks, which take less time for each byte.
const DEFAULT_LARGE_BYTES: usize = 200_000_000;

/// From here on a payload is large.
const LARGE_PAYLOAD: usize = 256 << 10;

/// What `mycelium demo` replays: ticks as they are, and ticks with this payload.
const DEMO_PAYLOADS: [usize; 2] = [0, 1 << 20];

/// What is replayed.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReplayArgs {
    /// A recording of your own: a CSV of `timestamp in ms,price,signed size`.
    ///
    /// Without it a published one of a million trades is fetched once, and kept in the user's cache
    /// folder.
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    /// How many ticks are replayed as fast as it goes, from the recording's beginning.
    ///
    /// By default about as many as a slow machine needs half a minute for.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) ticks: Option<u64>,
    /// Opaque bytes added to each tick: a number, or one with `k` or `M` for 1024 and its square.
    ///
    /// By default none; `mycelium demo` then replays ticks with 1M as well.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) payload: Option<usize>,
    /// How long a replay at recorded pace takes: the busiest stretch of that length is taken.
    ///
    /// By default 10, or 3 for `mycelium demo`, which has a dozen of them.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(0..=3600))]
    pub(crate) seconds: Option<u16>,
}

impl ReplayArgs {
    /// The replays of a recording to the readers of a plan.
    pub(crate) fn rounds(&self, plan: &Plan, recording: &Recording) -> Vec<Round> {
        self.rounds_of(&[self.payload.unwrap_or(0)], self.seconds.unwrap_or(10), plan, recording)
    }

    /// The replays of the demo: the same for ticks of each size.
    pub(crate) fn rounds_of_demo(&self, plan: &Plan, recording: &Recording) -> Vec<Round> {
        let payloads = self.payload.map_or(DEMO_PAYLOADS.to_vec(), |payload| vec![payload]);
        self.rounds_of(&payloads, self.seconds.unwrap_or(3), plan, recording)
    }

    fn rounds_of(
        &self,
        payloads: &[usize],
        seconds: u16,
        plan: &Plan,
        recording: &Recording,
    ) -> Vec<Round> {
        let paced = trades::busiest(&recording.trades, i64::from(seconds) * 1000);
        let rounds = payloads.iter().map(|payload| {
            let ticks = self.ticks.map_or_else(
                || default_ticks(*payload),
                |ticks| usize::try_from(ticks).unwrap_or(usize::MAX),
            );
            let flat_out = 0..ticks.clamp(1, recording.trades.len());
            plan.rounds(&flat_out, &paced, *payload)
        });
        rounds.flatten().collect()
    }
}

/// Options of `mycelium demo`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) replay: ReplayArgs,
    /// Where the report with latency histograms is written.
    #[arg(long, value_name = "FILE", default_value = "mycelium-demo.html")]
    pub(crate) report: PathBuf,
    /// Prints the outcome as JSON; progress stays on standard error.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How many ticks with so much payload are replayed flat out.
fn default_ticks(payload: usize) -> usize {
    let bytes = if payload < LARGE_PAYLOAD { DEFAULT_BYTES } else { DEFAULT_LARGE_BYTES };
    bytes / (FIXED_BYTES + payload)
}

fn size(text: &str) -> Result<usize, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 20),
        _ => (text, 0),
    };
    let size: usize =
        digits.parse().map_err(|_| "expected is a number of bytes, as 4096, 64k or 1M")?;
    size.checked_mul(1 << shift)
        .filter(|size| *size <= MOST_PAYLOAD)
        .ok_or_else(|| format!("a tick may carry {MOST_PAYLOAD} bytes at most"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::distance::Distance;
    use crate::demo::trades::Trade;

    fn recording() -> Recording {
        let trade = |number: i64| Trade { time_ms: number, price: 100, size: 1 };
        Recording { path: PathBuf::new(), trades: (0..1_000_000).map(trade).collect() }
    }

    fn replay(payload: Option<usize>) -> ReplayArgs {
        ReplayArgs { data: None, ticks: None, payload, seconds: None }
    }

    #[test]
    fn the_demo_replays_small_and_large_ticks_unless_one_size_is_asked_for() {
        let payloads = |rounds: Vec<Round>| {
            let mut payloads: Vec<usize> = rounds.iter().map(|round| round.payload).collect();
            payloads.dedup();
            payloads
        };
        let (plan, recording) = (Distance::plan(), recording());
        let of_demo = |payload| payloads(replay(payload).rounds_of_demo(&plan, &recording));
        assert_eq!(of_demo(None), [0, 1 << 20]);
        assert_eq!(of_demo(Some(4096)), [4096]);
        assert_eq!(payloads(replay(None).rounds(&plan, &recording)), [0]);
    }

    #[test]
    fn fewer_large_ticks_are_replayed() {
        assert_eq!(default_ticks(0), 57_142);
        assert_eq!(default_ticks(1 << 20), 190);
    }

    #[test]
    fn sizes_have_units_and_a_limit() {
        assert_eq!(size("0"), Ok(0));
        assert_eq!(size("64k"), Ok(65_536));
        assert_eq!(size("1M"), Ok(1 << 20));
        assert_eq!(size("8M"), Ok(MOST_PAYLOAD));
        for bad in ["", "k", "-1", "1G", "9M", "8388609", "99999999999999999M"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
