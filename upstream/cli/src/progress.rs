//! Tells a person what takes so long.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A spinner with `message` on standard error; it disappears when it is dropped, and nothing is
/// shown where standard error is no terminal.
pub(crate) fn spinner(message: impl Into<String>) -> Spinner {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {msg} {elapsed}").expect("a template"));
    bar.set_message(message.into());
    bar.enable_steady_tick(Duration::from_millis(100));
    Spinner(bar)
}

/// A running spinner.
pub(crate) struct Spinner(ProgressBar);

impl Spinner {
    /// Says what is being done now.
    pub(crate) fn now(&self, message: impl Into<String>) {
        self.0.set_message(message.into());
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
