//! What can be asked of a soak.

use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::budgets::Budgets;
use super::crew::Outsider;
use super::outsiders;

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
    /// Decides which faults there are, and when, and what is sent. By default one is drawn, and
    /// told.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// No process is killed or stopped, and no link is cut, held, parted or closed.
    #[arg(long)]
    pub(crate) without_faults: bool,
    /// No hostile member, which has the cookie, attacks the feeds.
    #[arg(long)]
    without_hostile: bool,
    /// No stranger, who has no cookie, attacks the feeds and the Unix sockets of all processes.
    #[arg(long)]
    without_stranger: bool,
    /// Outsiders do nothing else. Names are those that the outcome counts; given several times, all
    /// of these.
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(names()))]
    pub(crate) misdeed: Vec<String>,
    /// Prints the outcome as JSON; faults are told on standard error as they happen.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) budgets: Budgets,
}

impl SoakArgs {
    /// Who attacks.
    pub(crate) fn outsiders(&self) -> Vec<Outsider> {
        let does = |outsider| {
            let known = outsiders::names(outsider);
            self.misdeed.is_empty() || self.misdeed.iter().any(|it| known.contains(&it.as_str()))
        };
        let hostile = (!self.without_hostile).then_some(Outsider::Hostile);
        let stranger = (!self.without_stranger).then_some(Outsider::Stranger);
        hostile.into_iter().chain(stranger).filter(|it| does(*it)).collect()
    }

    pub(crate) fn duration(&self) -> Duration {
        let minutes = Duration::from_secs(u64::from(self.minutes) * 60);
        self.seconds.map_or(minutes, |seconds| Duration::from_secs(seconds.into()))
    }
}

/// All that outsiders do.
fn names() -> Vec<&'static str> {
    [Outsider::Hostile, Outsider::Stranger].into_iter().flat_map(outsiders::names).collect()
}
