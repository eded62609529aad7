//! The figures of a run, as rows for people.

use super::feed::Replay;
use super::histogram::Latencies;
use super::outcome::Outcome;
use super::plan::{Kind, Place};
use super::tick::FIXED_BYTES;

/// Rows under a heading, with a column for each place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) rows: Vec<(&'static str, Vec<String>)>,
}

/// What is not known.
const NONE: &str = "–";

/// All figures of a run.
pub(crate) fn sections(outcome: &Outcome) -> Vec<Section> {
    let kind = outcome.links.iter().map(|link| link.kind.clone()).collect();
    let locality = outcome.links.iter().map(|link| link.locality.clone()).collect();
    let mut sections = vec![Section {
        title: "link".to_owned(),
        rows: vec![("chosen", kind), ("the peer is", locality)],
    }];
    for payload in outcome.payloads() {
        sections.extend(alone(outcome, payload));
        for kind in [Kind::Together, Kind::Paced] {
            let is_it = |it: &Replay| it.round.kind == kind && it.round.payload == payload;
            let Some(index) = outcome.replays.iter().position(is_it) else { continue };
            let column = |place| speed_and_latency(outcome, place, index);
            let columns: Vec<_> = outcome.plan.places().iter().map(column).collect();
            sections.push(section(outcome.replays[index].round.title.clone(), &columns));
            if kind == Kind::Together {
                sections.extend(paced_alone(outcome, payload));
            }
        }
    }
    sections
}

/// One column of each replay to a place alone at recorded pace, where readers sleep between ticks
/// as a rule, so that what waking costs stands beside the latencies.
fn paced_alone(outcome: &Outcome, payload: usize) -> Option<Section> {
    let columns = outcome.plan.places().iter().enumerate().map(|(number, place)| {
        let (index, seen) = outcome.seen_of(number, Kind::PacedAlone(number), payload)?;
        let mut column = speed_and_latency(outcome, place, index)?;
        if let Some(floor) = outcome.floor {
            let p50 = seen.latencies.percentile(50.0);
            let ratio = |to: u64| p50.map_or(NONE.to_owned(), |p50| times(p50 as f64, to as f64));
            let is_apart = place.peer.is_some();
            let (one, many) = (floor.one.of(is_apart), floor.many.of(is_apart));
            column.push(("one wake-up here, p50", time(one)));
            column.push(("latency p50 / wake-up", ratio(one)));
            column.push(("as many wake-ups at the same instants, p50", time(many)));
            column.push(("latency p50 / as many wake-ups", ratio(many)));
            column.push(("touching a page after the same pauses, p50", time(floor.page_ns)));
        }
        Some(column)
    });
    let columns: Vec<_> = columns.collect();
    let title = format!("recorded pace, each alone{}", ticks_of(payload));
    columns.iter().any(Option::is_some).then(|| section(title, &columns))
}

fn ticks_of(payload: usize) -> String {
    format!(", {} bytes a tick", count((FIXED_BYTES + payload) as u64))
}

/// How many times one figure is another.
pub(crate) fn times(one: f64, other: f64) -> String {
    match one / other.max(1e-9) {
        ratio if ratio >= 10.0 => format!("{ratio:.0} x"),
        ratio if ratio >= 2.0 => format!("{ratio:.1} x"),
        ratio => format!("{ratio:.2} x"),
    }
}

/// One column of each replay to a place alone, where costs can be told apart.
fn alone(outcome: &Outcome, payload: usize) -> Option<Section> {
    let columns = outcome.plan.places().iter().enumerate().map(|(number, place)| {
        let (index, _) = outcome.seen_of(number, Kind::Alone(number), payload)?;
        let mut column = speed_and_latency(outcome, place, index)?;
        let counters = outcome.replays[index].counters();
        // Payloads are moved, or written once into the frame.
        column.push(("bytes serialised, payloads apart", bytes(counters.serialised_bytes as f64)));
        column.push(("copies made by the feed", count(counters.copies)));
        let apart = match (place.rival, &place.peer) {
            // In one process with the feed, and not free of copies: whose they are is not known.
            (Some(_), _) => None,
            (None, None) => Some(counters.copies),
            (None, Some(_)) => outcome.copies_apart(place),
        };
        column.push(("copies made by the readers", apart.map_or(NONE.to_owned(), count)));
        Some(column)
    });
    let columns: Vec<_> = columns.collect();
    let title = format!("flat out, each alone{}", ticks_of(payload));
    columns.iter().any(Option::is_some).then(|| section(title, &columns))
}

type Column = Vec<(&'static str, String)>;

fn section(title: String, columns: &[Option<Column>]) -> Section {
    let labels = columns.iter().flatten().next();
    let rows = labels.into_iter().flatten().enumerate().map(|(index, (label, _))| {
        let cell = |column: &Option<Column>| match column {
            Some(column) => column[index].1.clone(),
            None => NONE.to_owned(),
        };
        (*label, columns.iter().map(cell).collect())
    });
    let rows = rows.collect();
    Section { title, rows }
}

fn speed_and_latency(outcome: &Outcome, place: &Place, index: usize) -> Option<Column> {
    let paced = outcome.replays[index].round.kind.is_paced();
    let seen = outcome.seen(place, index)?;
    let per_second = |amount: u64| amount as f64 / seen.seconds.max(1e-9);
    let mut column = Vec::new();
    // At recorded pace the speed is the recording's.
    if paced {
        column.push(("messages", count(seen.messages)));
    }
    column.push(("messages per second", count(per_second(seen.messages) as u64)));
    column.push(("bytes per second", bytes(per_second(seen.bytes))));
    let told = |latencies: &Latencies, percent| {
        latencies.percentile(percent).map_or(NONE.to_owned(), time)
    };
    for (label, percent) in PERCENTILES {
        column.push((label, told(&seen.latencies, percent)));
    }
    // What can be compared where latencies cannot.
    if outcome.other_clocks().next().is_some() {
        for (label, percent) in ROUND_TRIPS {
            column.push((label, told(&seen.round_trips, percent)));
        }
    }
    Some(column)
}

/// The percentiles that are told.
pub(crate) const PERCENTILES: [(&str, f64); 3] =
    [("latency p50", 50.0), ("latency p99", 99.0), ("latency p99.9", 99.9)];

/// Those of round trips; too few ticks are acknowledged for more.
const ROUND_TRIPS: [(&str, f64); 2] = [("round trip p50", 50.0), ("round trip p99", 99.0)];

/// A time in nanoseconds, with three digits.
pub(crate) fn time(nanoseconds: u64) -> String {
    scaled(nanoseconds as f64, 1000.0, &["ns", "µs", "ms", "s"])
}

/// Bytes, with three digits.
pub(crate) fn bytes(bytes: f64) -> String {
    scaled(bytes, 1000.0, &["B", "kB", "MB", "GB", "TB"])
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut units = units.iter();
    let mut unit = units.next().expect("there is one");
    for larger in units {
        if value < step {
            break;
        }
        value /= step;
        unit = larger;
    }
    match value {
        value if value >= 100.0 || value.fract() == 0.0 => format!("{value:.0} {unit}"),
        value if value >= 10.0 => format!("{value:.1} {unit}"),
        value => format!("{value:.2} {unit}"),
    }
}

/// A count, with its digits in groups of three.
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        assert_eq!(time(0), "0 ns");
        assert_eq!(time(999), "999 ns");
        assert_eq!(time(1_234), "1.23 µs");
        assert_eq!(time(98_765_432), "98.8 ms");
        assert_eq!(time(61_000_000_000), "61 s");
        assert_eq!(bytes(1_500_000.0), "1.50 MB");
    }

    #[test]
    fn ratios_have_as_many_digits_as_they_deserve() {
        let of = |one, other| times(one, other);
        assert_eq!([of(1.0, 3.0), of(5.0, 2.0), of(25.0, 2.0)], ["0.33 x", "2.5 x", "12 x"]);
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(count(7), "7");
        assert_eq!(count(123_456), "123 456");
        assert_eq!(count(1_234_567), "1 234 567");
    }
}
