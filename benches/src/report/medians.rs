//! Times, out of the measurements that criterion left.

use std::fs;
use std::path::Path;

use super::folder::{criterion, entries};
use super::rows::{Cell, Row, table};
use crate::Case;

/// The table of the cases' times.
pub fn times(cases: &[Case]) -> String {
    let rows: Vec<_> = cases.iter().filter_map(|case| row(*case)).collect();
    table(&rows)
}

/// The times of a case; `None` when there are none.
pub(super) fn row(case: Case) -> Option<Row> {
    let mut row = Row::new(case, "ns");
    let mut any = false;
    for contender in entries(&criterion().join(case.to_string())) {
        let medians = medians(&contender, case.deliveries());
        let (Some(low), Some(high)) = (medians.first(), medians.last()) else {
            continue;
        };
        let cell = Cell { middle: medians[medians.len() / 2], spread: Some((*low, *high)) };
        row.set(&contender.file_name()?.to_string_lossy(), cell);
        any = true;
    }
    any.then_some(row)
}

/// The medians of all turns in nanoseconds a delivery, sorted.
fn medians(contender: &Path, deliveries: u64) -> Vec<f64> {
    let turn = |turn: &std::path::PathBuf| median(&turn.join("new/estimates.json"));
    let mut medians: Vec<_> = entries(contender).iter().filter_map(turn).collect();
    medians.iter_mut().for_each(|median| *median /= deliveries as f64);
    medians.sort_by(f64::total_cmp);
    medians
}

fn median(estimates: &Path) -> Option<f64> {
    let text = fs::read_to_string(estimates).ok()?;
    let estimates: serde_json::Value = serde_json::from_str(&text).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}
