//! What can be asked of a soak.

use std::time::Duration;

use clap::Args;

/// Options of `mycelium soak`.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct SoakArgs {
    /// How long there are faults; starting and counting come on top.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    minutes: u32,
    /// The same, in seconds.
    #[arg(long, value_name = "N", conflicts_with = "minutes", value_parser = clap::value_parser!(u32).range(1..=600_000))]
    seconds: Option<u32>,
    /// Decides which faults there are, and when, and what is sent. By default one is drawn, and told.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

impl SoakArgs {
    pub(crate) fn duration(&self) -> Duration {
        let minutes = Duration::from_secs(u64::from(self.minutes) * 60);
        self.seconds.map_or(minutes, |seconds| Duration::from_secs(seconds.into()))
    }
}
