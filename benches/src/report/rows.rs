//! Rows of results, and how they are printed.

use std::collections::BTreeMap;

use crate::Case;
use crate::markdown::{aligned, number};

/// The contenders and their headings, in the order of the columns.
const COLUMNS: [(&str, &str); 14] = [
    ("stock", "stock"),
    ("stock Arc", "stock, Arc inside"),
    ("fork", "fork, code unchanged"),
    ("fast lane", "fork, fast lane"),
    ("fork Arc", "fork, by Arc"),
    ("fork broadcast", "fork, broadcast_arc"),
    ("bare", "bare channel"),
    ("kameo", "kameo"),
    ("actix", "actix"),
    ("xtra", "xtra"),
    ("tokio", "tokio mpsc"),
    ("flume", "flume"),
    ("crossfire", "crossfire"),
    ("crossfire bounded", "crossfire, bounded"),
];

/// A ratio's heading, what is divided by, and what is compared with it.
type Ratio = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const RATIOS: [Ratio; 6] = [
    (
        "fork / stock",
        "stock",
        &[
            ("fork", "unchanged"),
            ("fast lane", "lane"),
            ("fork Arc", "Arc"),
            ("fork broadcast", "broadcast"),
        ],
    ),
    ("fork / stock Arc", "stock Arc", &[("fork Arc", "Arc"), ("fork broadcast", "broadcast")]),
    ("fork / bare", "bare", &[("fork Arc", "Arc"), ("fork broadcast", "broadcast")]),
    ("fork / tokio mpsc", "tokio", &[("fork", "unchanged")]),
    ("fork / flume", "flume", &[("fork", "unchanged"), ("fast lane", "lane")]),
    ("fork / crossfire, bounded", "crossfire bounded", &[("fast lane", "lane")]),
];

const NOTHING: &str = "–";

/// What one contender needs for a delivery.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The middle of the turns, or the count.
    pub middle: f64,
    /// The lowest and the highest of the turns.
    pub spread: Option<(f64, f64)>,
}

impl Cell {
    /// A count, which has no spread.
    pub fn count(count: f64) -> Self {
        Self { middle: count, spread: None }
    }

    fn show(&self) -> String {
        let middle = number(self.middle);
        match self.spread {
            Some((low, high)) => format!("{middle} ({}..{})", number(low), number(high)),
            None => middle,
        }
    }
}

/// What the contenders of a case need, in one unit.
#[derive(Debug, Clone)]
pub struct Row {
    case: Case,
    unit: &'static str,
    cells: BTreeMap<String, Cell>,
}

impl Row {
    /// A row without contenders yet.
    pub fn new(case: Case, unit: &'static str) -> Self {
        Self { case, unit, cells: BTreeMap::new() }
    }

    /// Adds what a contender needs.
    pub fn set(&mut self, contender: &str, cell: Cell) {
        self.cells.insert(contender.to_owned(), cell);
    }

    pub(super) fn is_hot_path(&self) -> bool {
        self.case.is_hot_path()
    }

    fn shown(&self) -> Vec<String> {
        let value =
            |(name, _): &(&str, &str)| self.cells.get(*name).map_or(NOTHING.to_owned(), Cell::show);
        let ratio = |&(_, to, of): &Ratio| self.ratios(to, of);
        let head = [self.case.to_string(), self.unit.to_owned()];
        let values = COLUMNS.iter().map(value);
        head.into_iter().chain(values).chain(RATIOS.iter().map(ratio)).collect()
    }

    /// What those that took part need, each divided by what `to` needs.
    fn ratios(&self, to: &str, of: &[(&str, &str)]) -> String {
        let Some(to) = self.cells.get(to).map(|it| it.middle).filter(|it| *it > 0.0) else {
            return NOTHING.to_owned();
        };
        let ratio = |&(name, label): &(&str, &str)| {
            self.cells.get(name).map(|it| format!("{label} {:.3}", it.middle / to))
        };
        let ratios: Vec<_> = of.iter().filter_map(ratio).collect();
        if ratios.is_empty() { NOTHING.to_owned() } else { ratios.join(", ") }
    }
}

/// The rows as a table in Markdown that can be read as it is, too, without the columns that none
/// of them has.
pub fn table(rows: &[Row]) -> String {
    let mut head = vec!["case".to_owned(), "each".to_owned()];
    head.extend(COLUMNS.iter().map(|(_, heading)| (*heading).to_owned()));
    head.extend(RATIOS.iter().map(|(heading, ..)| (*heading).to_owned()));
    let rows: Vec<_> = rows.iter().map(Row::shown).collect();
    let is_used = |column: &usize| rows.iter().any(|row| row[*column] != NOTHING);
    let used: Vec<_> = (0..head.len()).filter(is_used).collect();
    let of_used = |line: &Vec<String>| used.iter().map(|it| line[*it].clone()).collect();
    aligned(std::iter::once(&head).chain(&rows).map(of_used).collect())
}

#[cfg(test)]
mod tests {
    use super::{Cell, Row, table};
    use crate::Case;

    #[test]
    fn a_row_has_the_values_and_their_ratios() {
        let mut row = Row::new(Case::FanOut(64, 8), "ns");
        row.set("stock", Cell { middle: 200.0, spread: Some((190.0, 210.5)) });
        row.set("fork Arc", Cell::count(50.0));
        row.set("fork broadcast", Cell::count(25.0));
        let table = table(&[row]);
        let line = table.lines().nth(2).unwrap();
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        assert_eq!(cells[1..4], ["fan-out 64 B to 8", "ns", "200 (190..210)"]);
        assert_eq!(cells[4..], ["50.0", "25.0", "Arc 0.250, broadcast 0.125", ""]);
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        let mut row = Row::new(Case::Spawn, "allocations");
        row.set("stock", Cell::count(0.0));
        row.set("fork", Cell::count(0.0));
        assert!(!table(&[row]).contains("NaN"));
    }
}
