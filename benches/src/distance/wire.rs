//! How many bytes go over the wire for a message. Counted by a relay, in a pass of its own, since
//! it takes time.

use std::time::Duration;

use super::Failure;
use super::apps::Apps;
use super::case::{BARE_TCP, Case, Contender, FORK_TCP, FORK_TLS, STOCK_TCP, STOCK_TLS, Work};
use super::cores::Cores;
use super::pair::Pair;
use super::sample::Sample;
use crate::markdown::{aligned, number};

/// Those whose bytes can be counted. The fork's frames are the same on each kind of link.
const COUNTED: [Contender; 5] = [STOCK_TCP, STOCK_TLS, FORK_TCP, FORK_TLS, BARE_TCP];

/// Bytes of payload that are sent to count the others, about.
const BYTES: usize = 8 * 1024 * 1024;

/// What the messages of a case take.
#[derive(Debug)]
pub(super) struct WireRow {
    pub(super) case: Case,
    /// Bytes for each message, of each of [`COUNTED`]. A message to several is one.
    bytes: Vec<f64>,
}

impl WireRow {
    pub(super) fn bytes(&self, contender: &Contender) -> Option<f64> {
        let index = COUNTED.iter().position(|it| it == contender)?;
        self.bytes.get(index).copied()
    }
}

/// Counts for all cases that have messages.
///
/// # Errors
/// A process does not do as it is told.
pub(super) fn count(
    apps: &Apps,
    cores: &Cores,
    cases: &[Case],
    quick: bool,
) -> Result<Vec<WireRow>, Failure> {
    let is_counted = |case: &&Case| {
        !matches!(case.work, Work::Idle | Work::Raw | Work::RawCall) && !case.is_grown
    };
    let cases = cases.iter().filter(is_counted);
    let mut rows: Vec<_> = cases.map(|case| WireRow { case: *case, bytes: Vec::new() }).collect();
    for contender in &COUNTED {
        let mut pair = Pair::start_relayed(apps, contender, cores)?;
        for row in &mut rows {
            let failed = |error| format!("{}, {}: {error}", contender.name, row.case);
            row.bytes.push(of_each(&mut pair, row.case, quick).map_err(failed)?);
        }
    }
    Ok(rows)
}

/// The bytes of a message: what twice as many take more, so that what is said once does not count.
fn of_each(pair: &mut Pair, case: Case, quick: bool) -> Result<f64, Failure> {
    // A multiple of what is sent at once, or more is sent than is asked for.
    let most = if quick { 512 } else { 1024 };
    let count = (BYTES / case.payload.max(1)).clamp(16, most);
    let mut taken = |count| -> Result<(f64, f64), Failure> {
        let before = pair.relayed();
        // A slow machine is given its time.
        let said = pair.order(&case.order_count(count), Duration::from_secs(60))?;
        let sample: Sample = said.parse()?;
        Ok((sample.messages, (pair.relayed() - before) as f64))
    };
    let (once, twice) = (taken(count)?, taken(2 * count)?);
    let targets = match case.work {
        Work::FanOut(targets) => targets as f64,
        _ => 1.0,
    };
    if twice.0 <= once.0 {
        return Err(format!("{} messages are not more than {}", twice.0, once.0).into());
    }
    Ok((twice.1 - once.1) / (twice.0 - once.0) * targets)
}

/// The rows as a table.
pub(super) fn table(rows: &[WireRow]) -> String {
    let mut lines = vec![vec!["bytes on the wire for a message".to_owned()]];
    lines[0].extend(COUNTED.iter().map(|it| it.name.to_owned()));
    for row in rows {
        let mut line = vec![row.case.to_string()];
        line.extend(row.bytes.iter().map(|bytes| number(*bytes)));
        lines.push(line);
    }
    aligned(lines)
}

#[cfg(test)]
impl WireRow {
    /// As if so many bytes were counted for each contender.
    pub(super) fn with(case: Case, bytes: f64) -> Self {
        Self { case, bytes: vec![bytes; COUNTED.len()] }
    }
}
