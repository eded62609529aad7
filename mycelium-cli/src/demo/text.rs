//! The outcome in words, for a terminal.

use std::fmt::Write as _;

use super::figures::{self, Section};
use super::outcome::{Fault, Outcome};
use super::plan::{ALL_READERS, Distance, Kind, READERS};

/// The table of figures, and the verdict.
pub(crate) fn render(outcome: &Outcome, faults: &[Fault]) -> String {
    let mut text = format!("{}\n\n{:46}", headline(outcome), "");
    for distance in Distance::ALL {
        write!(text, "{distance:>16}").expect("a string grows");
    }
    text.push('\n');
    for Section { title, rows } in figures::sections(outcome) {
        writeln!(text, "{title}").expect("a string grows");
        for (label, cells) in rows {
            write!(text, "  {label:44}").expect("a string grows");
            for cell in cells {
                write!(text, "{cell:>16}").expect("a string grows");
            }
            text.push('\n');
        }
    }
    text.push('\n');
    for line in shared_work(outcome) {
        writeln!(text, "{line}").expect("a string grows");
    }
    for fault in faults {
        writeln!(text, "  {fault}").expect("a string grows");
    }
    writeln!(text, "{}", verdict(outcome, faults)).expect("a string grows");
    text
}

/// What was replayed.
pub(crate) fn headline(outcome: &Outcome) -> String {
    let flat_out = outcome.replays.first().map_or(0, |replay| replay.planned());
    format!(
        "{} ticks of {} bytes, made of {} ({} trades), for {READERS} readers at each distance",
        figures::count(flat_out),
        figures::count(outcome.tick_bytes as u64),
        outcome.recording,
        figures::count(outcome.trades as u64),
    )
}

/// What the feed's process did once for all readers.
pub(crate) fn shared_work(outcome: &Outcome) -> Vec<String> {
    let shared =
        outcome.replays.iter().filter(|replay| !matches!(replay.round.kind, Kind::Alone(_)));
    shared
        .map(|replay| {
            let counters = replay.counters();
            format!(
                "{}: {} ticks, each one Arc for all; {} serialisations and {} copies in the feed's \
                 process",
                replay.round.kind,
                figures::count(replay.ticks),
                figures::count(counters.serialised),
                figures::count(counters.copies),
            )
        })
        .collect()
}

/// The verdict in a sentence.
pub(crate) fn verdict(outcome: &Outcome, faults: &[Fault]) -> String {
    let sent: u64 = outcome.replays.iter().flat_map(|replay| replay.sent).sum();
    let sent = figures::count(sent);
    let early = if outcome.interrupted { "Interrupted, and partial: " } else { "" };
    if faults.is_empty() {
        let begun: Vec<String> = outcome
            .replays
            .iter()
            .filter(|replay| replay.ticks > 0)
            .map(|replay| format!("{:016x}", replay.checksum.value()))
            .collect();
        return format!(
            "{early}PASS: of {sent} messages none was lost, doubled or reordered, and the checksums of \
             all {ALL_READERS} readers agree ({})",
            begun.join(" ")
        );
    }
    let gone = faults.iter().filter(|fault| matches!(fault, Fault::Gone { .. })).count();
    let unknown: u64 = faults
        .iter()
        .map(|fault| match fault {
            Fault::Gone { sent, acknowledged, .. } => sent.saturating_sub(*acknowledged),
            _ => 0,
        })
        .sum();
    format!(
        "{early}FAIL: of {sent} messages, {} are unknown to have arrived; {gone} of {ALL_READERS} \
         readers could no longer be reached, and {} findings are told above",
        figures::count(unknown),
        faults.len() - gone,
    )
}
