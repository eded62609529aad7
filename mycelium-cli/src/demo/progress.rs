//! What the demo tells while it runs, on standard error.

use indicatif::{ProgressBar, ProgressStyle};

use super::feed::Replay;
use super::plan::Round;

/// A line for each step, and a bar below it on a terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(crate) fn new(rounds: &[Round]) -> Self {
        let style = ProgressStyle::with_template("{bar:40} {pos} of {len} ticks, {elapsed}")
            .expect("the template is one");
        let ticks = rounds.iter().map(|round| round.trades.len() as u64).sum();
        Self { bar: ProgressBar::new(ticks).with_style(style) }
    }

    /// Says one line, above the bar.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    /// Says that `replay` begins.
    pub(crate) fn begin(&self, replay: &Replay) {
        self.say(&format!("{}: {} ticks", replay.round, replay.planned()));
    }

    /// Moves the bar to where `replay` is, with `before` ticks in the replays before it.
    pub(crate) fn show(&self, before: u64, replay: &Replay) {
        self.bar.set_position(before + replay.ticks);
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
