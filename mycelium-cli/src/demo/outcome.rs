//! What came of a run, and whether it is as it should be.

use std::fmt;

use super::cluster::Link;
use super::feed::Replay;
use super::histogram::Latencies;
use super::ledger::Entry;
use super::plan::{ALL_READERS, Distance};
use super::reader::{ReaderReport, RoundReport};

/// Everything that is known at the end.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The recording, for people.
    pub(crate) recording: String,
    /// Its trades.
    pub(crate) trades: usize,
    pub(crate) tick_bytes: usize,
    pub(crate) links: [Link; 3],
    /// Those that were begun.
    pub(crate) replays: Vec<Replay>,
    /// What the feed knows of each reader.
    pub(crate) entries: Vec<Entry>,
    /// What each reader said itself.
    pub(crate) reports: Vec<Option<ReaderReport>>,
    /// Whether somebody ended it early.
    pub(crate) interrupted: bool,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A reader could no longer be reached. All counts are of ticks, over all replays.
    Gone { reader: usize, planned: u64, sent: u64, acknowledged: u64, why: String },
    /// A reader did not get exactly what was sent to it.
    Wrong { reader: usize, replay: String, lost: u64, doubled: u64, late: u64 },
    /// A reader got as many ticks as were sent, but not these.
    Checksum { reader: usize, replay: String, found: u64, expected: u64 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone { reader, planned, sent, acknowledged, why } => write!(
                f,
                "reader {reader} ({}): sent {sent}, acknowledged {acknowledged}, unknown {}, not \
                 sent {}; {why}",
                Distance::of(*reader),
                sent.saturating_sub(*acknowledged),
                planned.saturating_sub(*sent),
            ),
            Self::Wrong { reader, replay, lost, doubled, late } => write!(
                f,
                "reader {reader} ({}), {replay}: lost {lost}, doubled {doubled}, reordered {late}",
                Distance::of(*reader)
            ),
            Self::Checksum { reader, replay, found, expected } => write!(
                f,
                "reader {reader} ({}), {replay}: checksum {found:016x} and not {expected:016x}",
                Distance::of(*reader)
            ),
        }
    }
}

/// What the readers of one distance saw of one replay.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Ticks handled, by all of them.
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// From the first tick's sending to the last one's handling.
    pub(crate) seconds: f64,
    pub(crate) latencies: Latencies,
}

impl Outcome {
    /// What is not as it should be; nothing, when all readers got all ticks that were sent, each
    /// once and in order.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        (0..ALL_READERS).flat_map(|reader| self.faults_of(reader)).collect()
    }

    fn faults_of(&self, reader: usize) -> Vec<Fault> {
        let begun =
            || self.replays.iter().enumerate().filter(|(_, it)| it.round.kind.includes(reader));
        let entry = &self.entries[reader];
        let report = match (&entry.gone, &self.reports[reader]) {
            (None, Some(report)) => report,
            (gone, _) => {
                // When the run was interrupted, nobody was to get more.
                let planned = |it: &Replay| if self.interrupted { it.ticks } else { it.planned() };
                return vec![Fault::Gone {
                    reader,
                    planned: begun().map(|(_, it)| planned(it)).sum(),
                    sent: begun().map(|(_, it)| it.sent[reader]).sum(),
                    acknowledged: begun().map(|(index, _)| entry.acknowledged(index)).sum(),
                    why: gone.clone().unwrap_or_else(|| "it gave no report".to_owned()),
                }];
            }
        };
        begun().filter_map(|(index, it)| fault(reader, it, round_of(report, index))).collect()
    }

    /// What the readers of a distance saw of a replay; `None` when none of them took part and told.
    pub(crate) fn seen(&self, distance: Distance, index: usize) -> Option<Seen> {
        let replay = &self.replays[index];
        let mut seen = Seen::default();
        let mut last_ns = 0;
        for reader in distance.readers() {
            let report = self.reports[reader].as_ref();
            let Some(round) = report.and_then(|report| round_of(report, index)) else { continue };
            seen.messages += round.received;
            seen.latencies.add(&round.latencies);
            last_ns = last_ns.max(round.last_ns);
        }
        seen.bytes = seen.messages * self.tick_bytes as u64;
        seen.seconds = last_ns.saturating_sub(replay.first_ns) as f64 / 1e9;
        (seen.messages > 0).then_some(seen)
    }

    /// Copies that the readers' own process made of ticks in the whole run, where it is not the
    /// feed's; `None` when none of them told.
    pub(crate) fn copies_apart(&self, distance: Distance) -> Option<u64> {
        let reports = distance.readers().filter_map(|reader| self.reports[reader].as_ref());
        reports.map(|report| report.counters.copies).max()
    }
}

fn round_of(report: &ReaderReport, index: usize) -> Option<&RoundReport> {
    report.rounds.iter().find(|round| usize::from(round.round) == index)
}

/// What is wrong with what a reader saw of a replay.
fn fault(reader: usize, replay: &Replay, seen: Option<&RoundReport>) -> Option<Fault> {
    let sent = replay.sent[reader];
    let name = || replay.round.kind.to_string();
    let Some(seen) = seen else {
        let nothing = Fault::Wrong { reader, replay: name(), lost: sent, doubled: 0, late: 0 };
        return (sent > 0).then_some(nothing);
    };
    let distinct = seen.received.saturating_sub(seen.doubled);
    let lost = sent.saturating_sub(distinct).max(seen.skipped);
    // More than was sent has to be somebody else's, or doubled in a way that numbers hide.
    let doubled = seen.doubled + distinct.saturating_sub(sent);
    if lost > 0 || doubled > 0 || seen.late > 0 {
        return Some(Fault::Wrong { reader, replay: name(), lost, doubled, late: seen.late });
    }
    let expected = replay.checksum.value();
    (seen.checksum != expected).then(|| Fault::Checksum {
        reader,
        replay: name(),
        found: seen.checksum,
        expected,
    })
}
