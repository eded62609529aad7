//! What a node tells while it runs, and what it prints at its end.

use std::io::{self, Write as _};
use std::sync::OnceLock;

use serde::Serialize;

use super::event::Event;
use crate::colour::Colours;
use crate::demo::document::Document;
use crate::demo::outcome::{Fault, Outcome};
use crate::demo::plan::Round;
use crate::demo::progress::Progress;
use crate::demo::text;
use crate::json;

/// Lines on standard error, and from some time on a bar below them; or lines of JSON on standard
/// output.
pub(super) struct Screen {
    progress: OnceLock<Progress>,
    json: bool,
}

/// The last lines of JSON.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Last<'a> {
    /// The outcome of the replays of a feed.
    Result(Document<'a>),
    Ended {
        status: u8,
        error: Option<&'a str>,
    },
}

impl Screen {
    pub(super) fn new(json: bool) -> Self {
        Self { progress: OnceLock::new(), json }
    }

    /// Tells what happened.
    pub(super) fn tell(&self, event: &Event) {
        match (self.json, self.progress.get()) {
            (true, _) => json::line(event),
            (false, Some(progress)) => progress.say(&event.to_string()),
            (false, None) => eprintln!("{event}"),
        }
    }

    /// Prints something that is a result.
    pub(super) fn print(&self, event: &Event) {
        match self.json {
            true => json::line(event),
            // A reader that has gone is no error of the node.
            false => _ = writeln!(io::stdout(), "{event}"),
        }
    }

    /// Prints the outcome of the replays.
    pub(super) fn outcome(&self, outcome: &Outcome, faults: &[Fault]) {
        match self.json {
            true => json::line(&Last::Result(Document::of(outcome, faults))),
            false => {
                print!("{}", Colours::of_output().verdict(&text::render(outcome, faults)));
            }
        }
    }

    /// Tells the exit status, and why the node could not run if it could not.
    pub(super) fn end(&self, status: u8, error: Option<&str>) {
        if let Some(error) = error {
            eprintln!("mycelium: {error}");
        }
        if self.json {
            json::line(&Last::Ended { status, error });
        }
    }

    /// Shows the progress of these replays from here on.
    pub(super) fn progress(&self, rounds: &[Round]) -> &Progress {
        self.progress.get_or_init(|| Progress::new(rounds))
    }
}
