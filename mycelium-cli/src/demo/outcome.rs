//! What came of a run, and whether it is as it should be.

use std::fmt;
use std::sync::Arc;

use super::cluster::Link;
use super::feed::Replay;
use super::floor::Floor;
use super::histogram::Latencies;
use super::ledger::{Entry, RoundTrips};
use super::plan::{Kind, Place, Plan};
use super::reader::{ReaderReport, RoundReport};
use super::tick::FIXED_BYTES;

/// Everything that is known at the end.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The recording, for people.
    pub(crate) recording: String,
    /// Its trades.
    pub(crate) trades: usize,
    pub(crate) plan: Arc<Plan>,
    /// By which link each place was reached.
    pub(crate) links: Vec<Link>,
    /// Those that were begun.
    pub(crate) replays: Vec<Replay>,
    /// What the feed knows of each reader.
    pub(crate) entries: Vec<Entry>,
    /// Of each reader, for each replay.
    pub(crate) round_trips: Vec<Vec<RoundTrips>>,
    /// What each reader said itself.
    pub(crate) reports: Vec<Option<ReaderReport>>,
    /// What waking costs on this machine; `None` when it was not measured.
    pub(crate) floor: Option<Floor>,
    /// Whether it was ended early.
    pub(crate) interrupted: bool,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A reader could no longer be reached. All counts are of ticks, over all replays.
    Gone { reader: usize, place: String, planned: u64, sent: u64, acknowledged: u64, why: String },
    /// A reader did not get exactly what was sent to it.
    Wrong { reader: usize, place: String, replay: String, lost: u64, doubled: u64, late: u64 },
    /// A reader got as many ticks as were sent, but not these.
    Checksum { reader: usize, place: String, replay: String, found: u64, expected: u64 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone { reader, place, planned, sent, acknowledged, why } => write!(
                f,
                "reader {reader} ({place}): sent {sent}, acknowledged {acknowledged}, unknown {}, \
                 not sent {}; {why}",
                sent.saturating_sub(*acknowledged),
                planned.saturating_sub(*sent),
            ),
            Self::Wrong { reader, place, replay, lost, doubled, late } => write!(
                f,
                "reader {reader} ({place}), {replay}: lost {lost}, doubled {doubled}, reordered \
                 {late}",
            ),
            Self::Checksum { reader, place, replay, found, expected } => write!(
                f,
                "reader {reader} ({place}), {replay}: checksum {found:016x} and not \
                 {expected:016x}",
            ),
        }
    }
}

/// What the readers of one place saw of one replay.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Ticks handled, by all of them.
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// From the first tick's sending to the last one's handling, or, at a place with another clock,
    /// to the last acknowledgement.
    pub(crate) seconds: f64,
    /// From sending to handling; none at a place with another clock.
    pub(crate) latencies: Latencies,
    /// From sending to the acknowledgement, of those ticks that were acknowledged.
    pub(crate) round_trips: Latencies,
}

impl Outcome {
    /// What is not as it should be; nothing, when all readers got all ticks that were sent, each
    /// once and in order.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        self.plan.readers().flat_map(|reader| self.faults_of(reader)).collect()
    }

    fn faults_of(&self, reader: usize) -> Vec<Fault> {
        let takes_part = |it: &Replay| self.plan.part(it.round.kind).contains(&reader);
        let begun = || self.replays.iter().enumerate().filter(|(_, it)| takes_part(it));
        let (place, first) =
            self.plan.place_of(reader).map_or(("", 0), |it| (&it.name, it.readers.start));
        let entry = &self.entries[reader];
        let report = match (&entry.gone, &self.reports[reader]) {
            (None, Some(report)) => report,
            (gone, _) => {
                // An interrupted run sends nothing more.
                let planned = |it: &Replay| if self.interrupted { it.ticks } else { it.planned() };
                return vec![Fault::Gone {
                    reader,
                    place: place.to_owned(),
                    planned: begun().map(|(_, it)| planned(it)).sum(),
                    sent: begun().map(|(_, it)| it.sent[reader]).sum(),
                    acknowledged: begun().map(|(index, _)| entry.acknowledged(index)).sum(),
                    why: gone.clone().unwrap_or_else(|| "it gave no report".to_owned()),
                }];
            }
        };
        begun()
            .filter_map(|(index, it)| {
                let expected = it.expected.of(reader - first);
                fault((reader, place), it, round_of(report, index), expected)
            })
            .collect()
    }

    /// What the readers of a place saw of a replay; `None` when none of them took part and told.
    pub(crate) fn seen(&self, place: &Place, index: usize) -> Option<Seen> {
        let replay = &self.replays[index];
        let mut seen = Seen::default();
        let mut last_ns = 0;
        for reader in place.readers.clone() {
            let report = self.reports[reader].as_ref();
            let Some(round) = report.and_then(|report| round_of(report, index)) else { continue };
            seen.messages += round.received;
            let round_trips = self.round_trips[reader].get(index);
            if let Some(round_trips) = round_trips {
                seen.round_trips.add(&round_trips.times.counts());
            }
            if place.same_clock {
                seen.latencies.add(&round.latencies);
                last_ns = last_ns.max(round.last_ns);
            } else {
                last_ns = last_ns.max(round_trips.map_or(0, |it| it.last_ns));
            }
        }
        seen.bytes = seen.messages * (FIXED_BYTES + replay.round.payload) as u64;
        seen.seconds = last_ns.saturating_sub(replay.first_ns) as f64 / 1e9;
        (seen.messages > 0).then_some(seen)
    }

    /// Copies that the readers' own process made of ticks in the whole run, where it is not the
    /// feed's; `None` when none of them told.
    pub(crate) fn copies_apart(&self, place: &Place) -> Option<u64> {
        let reports = place.readers.clone().filter_map(|reader| self.reports[reader].as_ref());
        reports.map(|report| report.counters.copies).max()
    }

    /// The payloads of the ticks that were replayed, each once, in order.
    pub(crate) fn payloads(&self) -> Vec<usize> {
        let mut payloads: Vec<usize> = self.replays.iter().map(|it| it.round.payload).collect();
        payloads.dedup();
        payloads
    }

    /// What the readers of a place saw of a kind of replay of ticks with so much payload, and which
    /// replay it was; `None` when there was none, or none of them told.
    pub(crate) fn seen_of(
        &self,
        place: usize,
        kind: Kind,
        payload: usize,
    ) -> Option<(usize, Seen)> {
        let is_it = |it: &Replay| it.round.kind == kind && it.round.payload == payload;
        let index = self.replays.iter().position(is_it)?;
        Some((index, self.seen(&self.plan.places()[place], index)?))
    }

    /// The places whose clock is not the feed's, as far as it knows.
    pub(crate) fn other_clocks(&self) -> impl Iterator<Item = &Place> {
        self.plan.places().iter().filter(|place| !place.same_clock)
    }
}

fn round_of(report: &ReaderReport, index: usize) -> Option<&RoundReport> {
    report.rounds.iter().find(|round| usize::from(round.round) == index)
}

/// What is wrong with what a reader saw of a replay.
fn fault(
    (reader, place): (usize, &str),
    replay: &Replay,
    seen: Option<&RoundReport>,
    expected: u64,
) -> Option<Fault> {
    let place = || place.to_owned();
    let sent = replay.sent[reader];
    let name = || replay.round.title.clone();
    let Some(seen) = seen else {
        return (sent > 0).then(|| Fault::Wrong {
            reader,
            place: place(),
            replay: name(),
            lost: sent,
            doubled: 0,
            late: 0,
        });
    };
    let distinct = seen.received.saturating_sub(seen.doubled);
    let lost = sent.saturating_sub(distinct).max(seen.skipped);
    // More than was sent comes from another feed, or is doubled in a way that numbers hide.
    let doubled = seen.doubled + distinct.saturating_sub(sent);
    if lost > 0 || doubled > 0 || seen.late > 0 {
        return Some(Fault::Wrong {
            reader,
            place: place(),
            replay: name(),
            lost,
            doubled,
            late: seen.late,
        });
    }
    (seen.checksum != expected).then(|| Fault::Checksum {
        reader,
        place: place(),
        replay: name(),
        found: seen.checksum,
        expected,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::demo::counters::Counters;
    use crate::demo::distance::Distance;
    use crate::demo::floor::Wake;

    use crate::demo::plan::Round;

    const TICKS: u64 = 10;
    /// As the demo has them.
    pub(crate) const PAYLOADS: [usize; 2] = [0, 1 << 20];

    /// A run without faults: ten ticks in each replay.
    pub(crate) fn finished() -> Outcome {
        let plan = Distance::plan();
        let ticks = 0..TICKS as usize;
        let rounds: Vec<Round> =
            PAYLOADS.iter().flat_map(|payload| plan.rounds(&ticks, &ticks, *payload)).collect();
        let readers = plan.readers().len();
        let mut replays = Vec::new();
        let report = ReaderReport { counters: Counters::default(), asked: 0, rounds: vec![] };
        let mut reports = vec![report; readers];
        let mut entries = vec![Entry { present: true, ..Entry::default() }; readers];
        let mut round_trips = vec![Vec::new(); readers];
        for (index, round) in rounds.into_iter().enumerate() {
            let mut replay = Replay::new(round, readers);
            replay.ticks = TICKS;
            replay.expected.fold(|ticks| ticks.fold(index as u64), None);
            replay.complete = true;
            replay.close();
            for reader in plan.part(replay.round.kind) {
                replay.sent[reader] = TICKS;
                entries[reader].acknowledged.resize(index, 0);
                entries[reader].acknowledged.push(TICKS - 1);
                round_trips[reader].resize_with(index, RoundTrips::default);
                let mut round_trip =
                    RoundTrips { last_ns: replay.first_ns + 2_000_000, ..RoundTrips::default() };
                round_trip.times.record(8_000);
                round_trips[reader].push(round_trip);
                reports[reader].rounds.push(RoundReport {
                    round: index as u16,
                    received: TICKS,
                    skipped: 0,
                    doubled: 0,
                    late: 0,
                    checksum: replay.expected.of(0),
                    last_ns: replay.first_ns + 1_000_000,
                    latencies: vec![(5_000, TICKS)],
                });
            }
            replays.push(replay);
        }
        let link = |kind: &str| Link { kind: kind.to_owned(), locality: "somewhere".to_owned() };
        Outcome {
            recording: "<recording>".to_owned(),
            trades: 10,
            plan: Arc::new(plan),
            links: ["arc", "unix", "tcp", "none", "none"].map(link).to_vec(),
            replays,
            entries,
            round_trips,
            reports: reports.into_iter().map(Some).collect(),
            floor: Some(Floor {
                one: Wake { thread_ns: 4_000, process_ns: 10_000 },
                many: Wake { thread_ns: 8_000, process_ns: 20_000 },
                page_ns: 1_500,
            }),
            interrupted: false,
        }
    }

    /// What speeds [`paced`] runs at: from sending to handling, in nanoseconds.
    pub(crate) fn set_latency(outcome: &mut Outcome, place: usize, nanoseconds: u64) {
        for reader in outcome.plan.places()[place].readers.clone() {
            let rounds = &mut outcome.reports[reader].as_mut().expect("it reported").rounds;
            rounds.iter_mut().for_each(|it| it.latencies = vec![(nanoseconds, TICKS)]);
        }
    }

    /// How long a place takes for each replay, in nanoseconds.
    pub(crate) fn set_duration(outcome: &mut Outcome, place: usize, nanoseconds: u64) {
        for reader in outcome.plan.places()[place].readers.clone() {
            let rounds = &mut outcome.reports[reader].as_mut().expect("it reported").rounds;
            for round in rounds {
                round.last_ns = outcome.replays[usize::from(round.round)].first_ns + nanoseconds;
            }
        }
    }

    /// Changes what a reader says of its last replay.
    pub(crate) fn spoil(
        outcome: &mut Outcome,
        reader: usize,
        spoil: impl FnOnce(&mut RoundReport),
    ) {
        let report = outcome.reports[reader].as_mut().expect("it reported");
        spoil(report.rounds.last_mut().expect("it took part"));
    }

    fn fault_of(reader: usize, change: impl FnOnce(&mut RoundReport)) -> Fault {
        let mut outcome = finished();
        spoil(&mut outcome, reader, change);
        let [fault] = outcome.faults().try_into().expect("one fault");
        fault
    }

    fn wrong(reader: usize, lost: u64, doubled: u64, late: u64) -> Fault {
        let outcome = finished();
        let place = outcome.plan.place_of(reader).expect("it has one").name.clone();
        let replay = outcome.replays.last().expect("there are some").round.title.clone();
        Fault::Wrong { reader, place, replay, lost, doubled, late }
    }

    #[test]
    fn a_good_run_has_no_faults() {
        assert_eq!(finished().faults(), []);
    }

    #[test]
    fn each_fault_is_told() {
        assert_eq!(fault_of(0, |round| round.received -= 2), wrong(0, 2, 0, 0));
        assert_eq!(fault_of(9, |round| round.skipped = 1), wrong(9, 1, 0, 0));
        let doubled = |round: &mut RoundReport| {
            round.received += 1;
            round.doubled += 1;
        };
        assert_eq!(fault_of(23, doubled), wrong(23, 0, 1, 0));
        assert_eq!(fault_of(23, |round| round.received += 3), wrong(23, 0, 3, 0));
        assert_eq!(fault_of(1, |round| round.late = 4), wrong(1, 0, 0, 4));
        let other = fault_of(1, |round| round.checksum ^= 1);
        assert!(matches!(other, Fault::Checksum { reader: 1, .. }), "{other}");
    }

    #[test]
    fn a_replay_that_a_reader_never_saw_is_lost_to_it() {
        let mut outcome = finished();
        outcome.reports[4].as_mut().expect("it reported").rounds.pop();
        assert_eq!(outcome.faults(), [wrong(4, TICKS, 0, 0)]);
    }

    #[test]
    fn a_reader_without_report_is_told_by_what_it_acknowledged() {
        let mut outcome = finished();
        outcome.reports[20] = None;
        let [fault] = outcome.faults().try_into().expect("one fault");
        assert_eq!(
            fault.to_string(),
            "reader 20 (remote): sent 100, acknowledged 90, unknown 10, not sent 0; it gave no \
             report"
        );
    }

    #[test]
    fn what_a_reader_was_not_sent_is_told_unless_nobody_was() {
        let mut outcome = finished();
        outcome.entries[20].gone = Some("it burnt".to_owned());
        let replay = outcome.replays.last_mut().expect("there are some");
        replay.sent[20] = 4;
        replay.ticks = 7;
        let not_sent = |outcome: &Outcome| match outcome.faults().as_slice() {
            [Fault::Gone { planned, sent, .. }, ..] => planned - sent,
            other => panic!("{other:?}"),
        };
        assert_eq!(not_sent(&outcome), 6);
        outcome.interrupted = true;
        assert_eq!(not_sent(&outcome), 3);
    }

    #[test]
    fn speed_counts_from_the_first_sending_to_the_last_handling() {
        let outcome = finished();
        let remote = &outcome.plan.places()[Distance::Remote.index()];
        let seen = outcome.seen(remote, 3).expect("it took part");
        assert_eq!((seen.messages, seen.bytes), (80, 56_000));
        assert!((seen.seconds - 0.001).abs() < 1e-12);
        assert_eq!((seen.latencies.len(), seen.round_trips.len()), (80, 8));
        assert!(outcome.seen(remote, 1).is_none());
    }

    #[test]
    fn of_another_clock_nothing_is_taken() {
        let outcome = finished();
        let remote = outcome.plan.places()[Distance::Remote.index()].clone();
        let seen = outcome.seen(&Place { same_clock: false, ..remote }, 3).expect("it took part");
        // To the last acknowledgement, which the feed's clock tells.
        assert!((seen.seconds - 0.002).abs() < 1e-12);
        assert_eq!((seen.latencies.len(), seen.round_trips.len()), (0, 8));
    }
}
