//! Allocations, which a bench of their own counts and leaves in the report's folder.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::folder::report;
use super::rows::{Cell, Row};
use crate::Case;

/// Calls of the allocator and bytes, by case and contender.
#[derive(Debug, Clone, Default)]
pub struct Allocations(Map<String, Value>);

impl Allocations {
    /// Adds what a delivery costs a contender.
    pub fn add(&mut self, case: Case, contender: &str, calls: f64, bytes: f64) {
        self.0.entry(case.to_string()).or_insert_with(|| json!({}))[contender] =
            json!({ "calls": calls, "bytes": bytes });
    }

    /// Two rows for each case.
    pub fn rows(&self) -> Vec<Row> {
        Case::all().into_iter().flat_map(|case| self.rows_of(case)).collect()
    }

    fn rows_of(&self, case: Case) -> Vec<Row> {
        let Some(contenders) = self.0.get(&case.to_string()).and_then(Value::as_object) else {
            return Vec::new();
        };
        let row = |(unit, key): (&'static str, &str)| {
            let mut row = Row::new(case, unit);
            for (contender, counts) in contenders {
                row.set(contender, Cell::count(counts[key].as_f64().unwrap_or(f64::NAN)));
            }
            row
        };
        [("allocations", "calls"), ("bytes allocated", "bytes")].map(row).to_vec()
    }
}

fn file() -> PathBuf {
    report().join("allocations.json")
}

/// Keeps the counts for the report.
///
/// # Panics
/// When they cannot be written.
pub fn keep_allocations(counts: &Allocations) {
    fs::create_dir_all(report()).expect("the report's folder");
    let text = serde_json::to_string_pretty(&counts.0).expect("numbers and names");
    fs::write(file(), text).expect("the counts are written");
}

/// The counts that were kept; none when there are none.
pub(super) fn kept_allocations() -> Allocations {
    let text = fs::read_to_string(file()).unwrap_or_default();
    Allocations(serde_json::from_str(&text).unwrap_or_default())
}
