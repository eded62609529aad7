//! The outcome in words, for a terminal.

use std::fmt::Write as _;

use super::conclusion;
use super::figures::{self, Section};
use super::outcome::{Fault, Outcome};
use super::plan::{Kind, Place};
use super::tick::FIXED_BYTES;

/// The table of figures, and the verdict.
pub(crate) fn render(outcome: &Outcome, faults: &[Fault]) -> String {
    let mut text = format!("{}\n\n{:46}", headline(outcome), "");
    let places = outcome.plan.places();
    let width = |place: &Place| 16.max(place.name.chars().count() + 2);
    let widths: Vec<usize> = places.iter().map(width).collect();
    for (place, width) in places.iter().zip(&widths) {
        write!(text, "{:>width$}", place.name).expect("a string grows");
    }
    text.push('\n');
    for Section { title, rows } in figures::sections(outcome) {
        writeln!(text, "{title}").expect("a string grows");
        for (label, cells) in rows {
            write!(text, "  {label:44}").expect("a string grows");
            for (cell, width) in cells.iter().zip(&widths) {
                write!(text, "{cell:>width$}").expect("a string grows");
            }
            text.push('\n');
        }
    }
    text.push('\n');
    for line in shared_work(outcome).into_iter().chain(clocks(outcome)) {
        writeln!(text, "{line}").expect("a string grows");
    }
    for sentence in conclusion::sentences(outcome) {
        writeln!(text, "{sentence}").expect("a string grows");
    }
    for fault in faults {
        writeln!(text, "  {fault}").expect("a string grows");
    }
    writeln!(text, "{}", verdict(outcome, faults)).expect("a string grows");
    text
}

/// What was replayed.
pub(crate) fn headline(outcome: &Outcome) -> String {
    let places = outcome.plan.places().iter();
    let places = places.map(|place| format!("{}: {}", place.name, place.readers.len()));
    let places: Vec<String> = places.collect();
    let payloads = outcome.payloads();
    let ticks = payloads.iter().filter_map(|payload| {
        let replay = outcome
            .replays
            .iter()
            .find(|it| it.round.payload == *payload && it.round.kind != Kind::WarmUp)?;
        Some(format!(
            "{} ticks of {} bytes",
            figures::count(replay.planned()),
            figures::count((FIXED_BYTES + payload) as u64)
        ))
    });
    let ticks: Vec<String> = ticks.collect();
    format!(
        "{}, made of {} ({} trades), for {} readers ({})",
        ticks.join(" and "),
        outcome.recording,
        figures::count(outcome.trades as u64),
        outcome.plan.readers().len(),
        places.join(", "),
    )
}

/// Whose latency is not told, and why.
fn clocks(outcome: &Outcome) -> Option<String> {
    let others: Vec<&str> = outcome.other_clocks().map(|place| place.name.as_str()).collect();
    (!others.is_empty()).then(|| {
        format!(
            "The clocks of {} and of the feed cannot be compared, since as far as is known they are \
             not on one machine. No latency is told there, and the speed is that up to the last \
             acknowledgement; round trips, from sending a tick to its acknowledgement, are those of \
             the ticks that readers acknowledge, all by the feed's clock.",
            others.join(", ")
        )
    })
}

/// What the feed's process did once for all readers.
pub(crate) fn shared_work(outcome: &Outcome) -> Vec<String> {
    let shared =
        outcome.replays.iter().filter(|it| matches!(it.round.kind, Kind::Together | Kind::Paced));
    shared
        .map(|replay| {
            let counters = replay.counters();
            format!(
                "{}: {} ticks, each one Arc for all; {} serialisations and {} copies in the feed's \
                 process",
                replay.round,
                figures::count(replay.ticks),
                figures::count(counters.serialised),
                figures::count(counters.copies),
            )
        })
        .collect()
}

/// The verdict in a sentence.
pub(crate) fn verdict(outcome: &Outcome, faults: &[Fault]) -> String {
    let all = outcome.plan.readers().len();
    let sent: u64 = outcome.replays.iter().flat_map(|replay| &replay.sent).sum();
    let sent = figures::count(sent);
    let early = if outcome.interrupted { "Interrupted, and partial: " } else { "" };
    if faults.is_empty() {
        return format!(
            "{early}PASS: of {sent} messages none was lost, doubled or reordered, and the checksums of \
             all {all} readers agree"
        );
    }
    let mut parts = Vec::new();
    let gone = || {
        faults.iter().filter_map(|fault| match fault {
            Fault::Gone { planned, sent, acknowledged, .. } => {
                Some((sent.saturating_sub(*acknowledged), planned.saturating_sub(*sent)))
            }
            _ => None,
        })
    };
    let readers = gone().count();
    if readers > 0 {
        let unknown = figures::count(gone().map(|(unknown, _)| unknown).sum());
        let unsent = figures::count(gone().map(|(_, unsent)| unsent).sum());
        parts.push(format!(
            "{readers} of {all} readers could no longer be reached, {unknown} messages to \
             them are not known to have arrived, and {unsent} were not sent"
        ));
    }
    if faults.len() > readers {
        let wrong = faults.len() - readers;
        parts.push(format!("{wrong} times a reader did not get what was sent"));
    }
    format!(
        "{early}FAIL: of {sent} messages sent not all arrived as they were: {}",
        parts.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::demo::outcome::tests::{finished, spoil};
    use crate::demo::plan::{Plan, Seats};

    #[test]
    fn a_good_run_passes_and_every_distance_has_its_column() {
        let outcome = finished();
        let text = render(&outcome, &outcome.faults());
        let line = |start: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(start));
            line.unwrap_or_else(|| panic!("no {start}: {text}")).trim().to_owned()
        };
        assert!(line("chosen").contains("arc            unix             tcp"), "{text}");
        assert!(line("latency p50").matches("µs").count() == 5, "{text}");
        assert!(line("PASS: of ").contains("none was lost"), "{text}");
    }

    #[test]
    fn a_lost_distance_is_counted() {
        let mut outcome = finished();
        for reader in 16..24 {
            outcome.entries[reader].gone = Some("it burnt".to_owned());
        }
        let faults = outcome.faults();
        let text = render(&outcome, &faults);
        assert!(text.contains("8 of 40 readers could no longer be reached"), "{text}");
        // In each of its ten replays each had acknowledged all but one tick.
        assert!(text.contains("80 messages to them are not known to have arrived"), "{text}");
        assert!(
            text.contains("reader 23 (remote): sent 100, acknowledged 90, unknown 10, not sent 0")
        );
    }

    #[test]
    fn where_clocks_differ_no_latency_is_told_but_round_trips_are() {
        let mut outcome = finished();
        let text = render(&outcome, &[]);
        assert!(!text.contains("clock") && !text.contains("round trip"), "{text}");
        outcome.plan = Arc::new(Plan::new(["a@h", "b@h", "c@h"].map(|place| Seats {
            place: place.to_owned(),
            peer: Some(place.to_owned()),
            readers: 8,
            same_clock: place != "c@h",
            rival: None,
        })));
        let text = render(&outcome, &[]);
        assert!(text.contains("The clocks of c@h and of the feed cannot be compared"), "{text}");
        let cells = |label: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(label));
            let rest = line.unwrap_or_else(|| panic!("no {label}: {text}")).replace(label, "");
            rest.split("  ").filter(|cell| !cell.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(cells("latency p50").last().map(|cell| cell.trim()), Some("–"), "{text}");
        assert_eq!(cells("latency p50").len(), 3, "{text}");
        assert!(cells("round trip p99").iter().all(|cell| cell.contains("µs")), "{text}");
    }

    #[test]
    fn an_interrupted_run_is_partial() {
        let mut outcome = finished();
        outcome.interrupted = true;
        assert!(verdict(&outcome, &[]).starts_with("Interrupted, and partial: PASS"));
        spoil(&mut outcome, 3, |round| round.doubled += 1);
        let words = verdict(&outcome, &outcome.faults());
        assert!(words.starts_with("Interrupted, and partial: FAIL"), "{words}");
    }
}
