//! The outcome of a replay, for programs. The guide's page `json.md` has each field.

use serde::Serialize;

use super::conclusion;
use super::feed::Replay;
use super::floor::Floor;
use super::histogram::Latencies;
use super::outcome::{Fault, Outcome};
use super::plan::{Kind, Place};
use super::text;
use super::tick::FIXED_BYTES;

/// All of an outcome.
#[derive(Debug, Serialize)]
pub(crate) struct Document<'a> {
    passed: bool,
    interrupted: bool,
    verdict: String,
    recording: &'a str,
    trades: usize,
    messages: u64,
    wake_up: Option<WakeUp>,
    places: Vec<PlaceRow<'a>>,
    replays: Vec<ReplayRow<'a>>,
    conclusions: Vec<String>,
    faults: Vec<FaultRow<'a>>,
}

#[derive(Debug, Serialize)]
struct WakeUp {
    thread_ns: u64,
    process_ns: u64,
    threads_ns: u64,
    threads_apart_ns: u64,
    page_ns: u64,
}

impl From<Floor> for WakeUp {
    fn from(floor: Floor) -> Self {
        Self {
            thread_ns: floor.one.thread_ns,
            process_ns: floor.one.process_ns,
            threads_ns: floor.many.thread_ns,
            threads_apart_ns: floor.many.process_ns,
            page_ns: floor.page_ns,
        }
    }
}

/// Readers that share a process.
#[derive(Debug, Serialize)]
struct PlaceRow<'a> {
    name: &'a str,
    node: Option<&'a str>,
    is_rival: bool,
    readers: usize,
    link: &'a str,
    locality: &'a str,
    same_clock: bool,
    copies: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ReplayRow<'a> {
    title: &'a str,
    kind: &'static str,
    place: Option<&'a str>,
    tick_bytes: usize,
    ticks: u64,
    ticks_planned: u64,
    serialised: u64,
    serialised_bytes: u64,
    copies: u64,
    results: Vec<ResultRow<'a>>,
}

/// What the readers of one place saw of a replay.
#[derive(Debug, Serialize)]
struct ResultRow<'a> {
    place: &'a str,
    messages: u64,
    bytes: u64,
    seconds: f64,
    messages_per_second: f64,
    latency: Option<Percentiles>,
    round_trip: Option<Percentiles>,
}

#[derive(Debug, Serialize)]
struct Percentiles {
    count: u64,
    p50_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum FaultRow<'a> {
    Gone {
        reader: usize,
        place: &'a str,
        planned: u64,
        sent: u64,
        acknowledged: u64,
        why: &'a str,
    },
    Wrong {
        reader: usize,
        place: &'a str,
        replay: &'a str,
        lost: u64,
        doubled: u64,
        reordered: u64,
    },
    Checksum {
        reader: usize,
        place: &'a str,
        replay: &'a str,
        found: String,
        expected: String,
    },
}

impl<'a> Document<'a> {
    pub(crate) fn of(outcome: &'a Outcome, faults: &'a [Fault]) -> Self {
        let places = outcome.plan.places().iter().zip(&outcome.links);
        Self {
            passed: faults.is_empty() && !outcome.interrupted,
            interrupted: outcome.interrupted,
            verdict: text::verdict(outcome, faults),
            recording: &outcome.recording,
            trades: outcome.trades,
            messages: outcome.replays.iter().flat_map(|replay| &replay.sent).sum(),
            wake_up: outcome.floor.map(WakeUp::from),
            places: places
                .map(|(place, link)| PlaceRow {
                    name: &place.name,
                    node: place.peer.as_deref(),
                    is_rival: place.rival.is_some(),
                    readers: place.readers.len(),
                    link: &link.kind,
                    locality: &link.locality,
                    same_clock: place.same_clock,
                    // Rivals share the feed's process, whose copies stand with each replay.
                    copies: place.peer.as_ref().and_then(|_| outcome.copies_apart(place)),
                })
                .collect(),
            replays: (0..outcome.replays.len()).map(|index| replay(outcome, index)).collect(),
            conclusions: conclusion::sentences(outcome),
            faults: faults.iter().map(fault).collect(),
        }
    }
}

fn replay(outcome: &Outcome, index: usize) -> ReplayRow<'_> {
    let replay: &Replay = &outcome.replays[index];
    let counters = replay.counters();
    let places = outcome.plan.places();
    let (kind, alone) = match replay.round.kind {
        Kind::WarmUp => ("warm_up", None),
        Kind::Alone(place) => ("flat_out_alone", Some(place)),
        Kind::Together => ("flat_out", None),
        Kind::PacedAlone(place) => ("paced_alone", Some(place)),
        Kind::Paced => ("paced", None),
    };
    ReplayRow {
        title: &replay.round.title,
        kind,
        place: alone.map(|place| places[place].name.as_str()),
        tick_bytes: FIXED_BYTES + replay.round.payload,
        ticks: replay.ticks,
        ticks_planned: replay.planned(),
        serialised: counters.serialised,
        serialised_bytes: counters.serialised_bytes,
        copies: counters.copies,
        results: places.iter().filter_map(|place| result(outcome, place, index)).collect(),
    }
}

fn result<'a>(outcome: &Outcome, place: &'a Place, index: usize) -> Option<ResultRow<'a>> {
    let seen = outcome.seen(place, index)?;
    Some(ResultRow {
        place: &place.name,
        messages: seen.messages,
        bytes: seen.bytes,
        seconds: seen.seconds,
        messages_per_second: seen.messages as f64 / seen.seconds.max(1e-9),
        latency: percentiles(&seen.latencies),
        round_trip: percentiles(&seen.round_trips),
    })
}

fn percentiles(latencies: &Latencies) -> Option<Percentiles> {
    Some(Percentiles {
        count: latencies.len(),
        p50_ns: latencies.percentile(50.0)?,
        p99_ns: latencies.percentile(99.0)?,
        p999_ns: latencies.percentile(99.9)?,
    })
}

fn fault(fault: &Fault) -> FaultRow<'_> {
    // More digits than a number of JSON has in many programs.
    let hexadecimal = |checksum: &u64| format!("{checksum:016x}");
    match fault {
        Fault::Gone { reader, place, planned, sent, acknowledged, why } => FaultRow::Gone {
            reader: *reader,
            place,
            planned: *planned,
            sent: *sent,
            acknowledged: *acknowledged,
            why,
        },
        Fault::Wrong { reader, place, replay, lost, doubled, late } => FaultRow::Wrong {
            reader: *reader,
            place,
            replay,
            lost: *lost,
            doubled: *doubled,
            reordered: *late,
        },
        Fault::Checksum { reader, place, replay, found, expected } => FaultRow::Checksum {
            reader: *reader,
            place,
            replay,
            found: hexadecimal(found),
            expected: hexadecimal(expected),
        },
    }
}
