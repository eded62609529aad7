//! The figures of both sides, side by side.

use std::fmt::Write;

/// A bench, with a figure of each round for each side, in nanoseconds.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    stock: Vec<f64>,
    fork: Vec<f64>,
}

/// Whether the fork is slower than stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slower {
    No,
    /// In the middle, but not by more than the rounds differ.
    Perhaps,
    /// In its best round, too, than stock in its worst.
    Surely,
}

impl Row {
    pub(super) fn new(name: String) -> Self {
        Self { name, stock: Vec::new(), fork: Vec::new() }
    }

    /// Adds a round.
    pub(super) fn add(&mut self, stock: f64, fork: f64) {
        self.stock.push(stock);
        self.fork.push(fork);
    }

    pub(super) fn slower(&self) -> Slower {
        let (stock, fork) = (Spread::of(&self.stock), Spread::of(&self.fork));
        if fork.least > stock.most {
            Slower::Surely
        } else if fork.median > stock.median {
            Slower::Perhaps
        } else {
            Slower::No
        }
    }
}

/// The figures of several rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    fn of(figures: &[f64]) -> Self {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len() - 1;
        let median = f64::midpoint(sorted[last / 2], sorted[last.div_ceil(2)]);
        Self { least: sorted[0], median, most: sorted[last] }
    }
}

/// The rows as a table: medians, in brackets the least and the most of the rounds, and how many
/// times as fast the fork is, by the medians.
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut table =
        "| bench | stock | fork | stock / fork | slower |\n|---|---|---|---|---|\n".to_owned();
    for row in rows {
        let (stock, fork) = (Spread::of(&row.stock), Spread::of(&row.fork));
        let slower = match row.slower() {
            Slower::No => "no",
            Slower::Perhaps => "within noise",
            Slower::Surely => "yes",
        };
        let ratio = stock.median / fork.median;
        let (name, stock, fork) = (&row.name, figures(stock), figures(fork));
        let _ = writeln!(table, "| {name} | {stock} | {fork} | {ratio:.2} | {slower} |");
    }
    table
}

/// A spread in the unit that suits its median.
fn figures(spread: Spread) -> String {
    let (unit, size) = match spread.median {
        median if median >= 1e6 => ("ms", 1e6),
        median if median >= 1e3 => ("µs", 1e3),
        _ => ("ns", 1.0),
    };
    let [least, median, most] = [spread.least, spread.median, spread.most].map(|it| it / size);
    let digits = if median < 100.0 { 1 } else { 0 };
    format!("{median:.digits$} {unit} ({least:.digits$} – {most:.digits$})")
}

#[cfg(test)]
mod tests {
    use super::{Row, Slower, markdown};

    fn row(stock: &[f64], fork: &[f64]) -> Row {
        Row { name: "a bench".to_owned(), stock: stock.to_vec(), fork: fork.to_vec() }
    }

    #[test]
    fn slower_is_only_what_no_round_contradicts() {
        let stock = [100.0, 110.0, 130.0];
        assert_eq!(row(&stock, &[131.0, 140.0, 150.0]).slower(), Slower::Surely);
        assert_eq!(row(&stock, &[129.0, 140.0, 150.0]).slower(), Slower::Perhaps);
        assert_eq!(row(&stock, &[90.0, 110.0, 150.0]).slower(), Slower::No);
    }

    #[test]
    fn a_row_has_medians_spreads_and_their_ratio() {
        let table = markdown(&[row(&[3000.0, 1000.0, 2000.0], &[400.0, 600.0])]);
        let last = table.lines().last().unwrap();
        let expected = "| a bench | 2.0 µs (1.0 – 3.0) | 500 ns (400 – 600) | 4.00 | no |";
        assert_eq!(last, expected);
    }
}
