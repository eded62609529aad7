//! What came of it, as a table in Markdown that can be read as it is, too.

use super::case::{CLAIMED, CONTENDERS, RATIOS};
use super::run::Results;
use super::sample::{Figure, Middle};

/// How much worse than stock TCP counts as level.
const LEVEL: f64 = 0.95;

/// The table, and what it says of the claim.
pub(super) fn table(results: &[Results]) -> String {
    let mut head = vec!["case".to_owned(), "pinned to".to_owned(), "figure".to_owned()];
    head.extend(CONTENDERS.iter().map(|it| it.name.to_owned()));
    head.extend(
        RATIOS
            .iter()
            .map(|(one, other)| format!("{} / {}", CONTENDERS[*one].name, CONTENDERS[*other].name)),
    );
    let mut lines = vec![head];
    let (mut claimed, mut missed) = (0, Vec::new());
    for results in results {
        for figure in Figure::of(results.case) {
            lines.push(line(results, *figure));
            if figure.is_claimed() {
                claimed += 1;
                let middle = ratio(results, *figure, 0, CLAIMED);
                if middle.median < LEVEL {
                    let at = results.cores;
                    missed.push(format!("{} on {at} ({:.3})", results.case, middle.median));
                }
            }
        }
    }
    let verdict = match missed.as_slice() {
        [] => format!("in all {claimed} cases"),
        missed => {
            format!(
                "in {} of {claimed} cases, not in {}",
                claimed - missed.len(),
                missed.join(", ")
            )
        }
    };
    let claim = format!(
        "{} is level with {} (within 5 %) or better {verdict}.",
        CONTENDERS[CLAIMED].name, CONTENDERS[0].name
    );
    format!("{}\n{claim}\n", aligned(lines))
}

fn line(results: &Results, figure: Figure) -> Vec<String> {
    let case = results.case;
    let mut line = vec![case.to_string(), results.cores.to_owned(), figure.label().to_owned()];
    for contender in 0..CONTENDERS.len() {
        let values = results.rounds.iter().map(|round| figure.value(case, &round[contender]));
        let Middle { low, median, high } = Middle::of(values.collect());
        line.push(format!("{} ({}..{})", number(median), number(low), number(high)));
    }
    for (one, other) in RATIOS {
        let Middle { low, median, high } = ratio(results, figure, one, other);
        line.push(format!("{median:.2} ({low:.2}..{high:.2})"));
    }
    line
}

/// Of the two turns of each round, so that what slowed both down does not count.
fn ratio(results: &Results, figure: Figure, one: usize, other: usize) -> Middle {
    let of = |round: &Vec<_>| figure.ratio(results.case, &round[one], &round[other]);
    Middle::of(results.rounds.iter().map(of).collect())
}

fn aligned(mut lines: Vec<Vec<String>>) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    lines.insert(1, widths.iter().map(|width| "-".repeat(*width)).collect());
    let mut table = String::new();
    for line in &lines {
        for (cell, width) in line.iter().zip(&widths) {
            table += &format!("| {cell:width$} ");
        }
        table += "|\n";
    }
    table
}

/// Three or four digits that matter, and no more.
fn number(number: f64) -> String {
    match number {
        n if n >= 100.0 => format!("{n:.0}"),
        n if n >= 10.0 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::table;
    use crate::distance::case::{Case, Work};
    use crate::distance::run::Results;
    use crate::distance::sample::Sample;

    /// One round in which stock TCP takes 100 ns a message, and the fork by Unix `fork`.
    fn results(fork: u64) -> Results {
        let sample = |elapsed: u64| format!("1 {elapsed} 1 1").parse::<Sample>().unwrap();
        let round = [100, 100, 100, fork, 100, 100].map(sample).to_vec();
        let case = Case { work: Work::FanOut, payload: 64 };
        Results { case, cores: "1 core", rounds: vec![round] }
    }

    #[test]
    fn level_is_within_five_in_a_hundred() {
        assert!(table(&[results(104)]).contains("in all 1 cases"));
        let missed = table(&[results(104), results(107)]);
        assert!(missed.contains("in 1 of 2 cases, not in fan-out to 8 64 B on 1 core (0.935)"));
    }

    #[test]
    fn all_lines_are_of_one_width() {
        let table = table(&[results(100)]);
        let lines = table.lines().filter(|line| line.starts_with('|'));
        let widths: Vec<_> = lines.map(|line| line.chars().count()).collect();
        assert!(widths.len() > 3 && widths.iter().all(|width| *width == widths[0]), "{table}");
    }
}
