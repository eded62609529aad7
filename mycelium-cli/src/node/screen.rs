//! What a node tells while it runs, on standard error.

use std::sync::OnceLock;

use crate::demo::plan::Round;
use crate::demo::progress::Progress;

/// Lines, and from some time on a bar below them.
#[derive(Default)]
pub(super) struct Screen(OnceLock<Progress>);

impl Screen {
    pub(super) fn say(&self, line: &str) {
        match self.0.get() {
            Some(progress) => progress.say(line),
            None => eprintln!("{line}"),
        }
    }

    /// Shows the progress of these replays from here on.
    pub(super) fn progress(&self, rounds: &[Round]) -> &Progress {
        self.0.get_or_init(|| Progress::new(rounds))
    }
}
