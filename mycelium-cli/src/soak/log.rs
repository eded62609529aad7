//! Counts the lines that an application with the usual settings would have in its log.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Event, Level, Metadata, Subscriber};

use super::record::Record;

/// Lines since the last report, by level, module and line of the sources.
static LINES: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

/// Takes what this process logs, and keeps the number of lines.
struct Counter;

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        // No span is enabled.
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Values<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let it = event.metadata();
        let place = format!("{}:{}:{}", it.level(), it.target(), it.line().unwrap_or_default());
        *LINES.lock().entry(place).or_default() += 1;
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Counts from here on.
pub(crate) fn begin() {
    // A member sets it once, at its start.
    let _ = tracing::subscriber::set_global_default(Counter);
}

/// Notes the lines since this was called last.
pub(crate) fn note_lines() {
    let lines = std::mem::take(&mut *LINES.lock());
    for (place, count) in lines {
        Record::Lines { count, place }.note();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_usual_levels_are_counted_by_their_place() {
        tracing::subscriber::with_default(Counter, || {
            for _ in 0..3 {
                tracing::info!("a line");
            }
            tracing::debug!("none");
        });
        let lines = LINES.lock();
        let (place, count) = lines.first_key_value().expect("a place");
        assert!(place.starts_with("INFO:") && place.contains("log"), "{place}");
        assert_eq!((*count, lines.len()), (3, 1));
    }
}
