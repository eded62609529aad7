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

/// What is replayed.
#[derive(Debug, Args)]
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
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = size)]
    pub(crate) payload: usize,
    /// How long the replay at recorded pace takes: the busiest stretch of that length is taken.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=3600))]
    pub(crate) seconds: u16,
}

impl ReplayArgs {
    /// The replays of a recording to the readers of a plan.
    pub(crate) fn rounds(&self, plan: &Plan, recording: &Recording) -> Vec<Round> {
        let by_default = || DEFAULT_BYTES / (FIXED_BYTES + self.payload);
        let ticks = self
            .ticks
            .map_or_else(by_default, |ticks| usize::try_from(ticks).unwrap_or(usize::MAX));
        let flat_out = 0..ticks.clamp(1, recording.trades.len());
        let paced = trades::busiest(&recording.trades, i64::from(self.seconds) * 1000);
        plan.rounds(&flat_out, paced)
    }
}

/// Options of `mycelium demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) replay: ReplayArgs,
    /// Where the report with latency histograms is written.
    #[arg(long, value_name = "FILE", default_value = "mycelium-demo.html")]
    pub(crate) report: PathBuf,
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
