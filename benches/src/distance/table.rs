//! What came of it, as a table in Markdown that can be read as it is, too.

use super::case::{CLAIMED, RATIOS, STOCK_TCP};
use super::run::Results;
use super::sample::Figure;
use crate::markdown::aligned;
use crate::middle::Middle;

/// How much worse than stock TCP counts as level.
const LEVEL: f64 = 0.95;

const NOTHING: &str = "–";

/// The table, and what it says of the claim.
pub(super) fn table(results: &[Results]) -> String {
    let contenders = results.first().map_or(&[][..], |results| &results.contenders);
    let measured = |(one, other): &(_, _)| contenders.contains(one) && contenders.contains(other);
    let ratios: Vec<_> = RATIOS.into_iter().filter(measured).collect();
    let mut head = vec!["case".to_owned(), "pinned to".to_owned(), "figure".to_owned()];
    head.extend(contenders.iter().map(|it| it.name.to_owned()));
    head.extend(ratios.iter().map(|(one, other)| format!("{} / {}", one.name, other.name)));
    let mut lines = vec![head];
    let (mut claimed, mut missed) = (0, Vec::new());
    for results in results {
        for figure in Figure::of(results.case) {
            let mut line =
                vec![results.case.to_string(), results.cores.to_owned(), figure.label().to_owned()];
            for contender in contenders {
                let values = results.values(contender, *figure);
                line.push(values.map_or(NOTHING.to_owned(), |it| it.to_string()));
            }
            for (one, other) in &ratios {
                let ratio = results.ratio(*figure, one, (results, other));
                line.push(ratio.map_or(NOTHING.to_owned(), Middle::two_digits));
            }
            lines.push(line);
            if figure.is_claimed() {
                let ratio = results.ratio(*figure, &STOCK_TCP, (results, &CLAIMED));
                claimed += usize::from(ratio.is_some());
                if let Some(middle) = ratio.filter(|it| it.median < LEVEL) {
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
        CLAIMED.name, STOCK_TCP.name
    );
    format!("{}\n{claim}\n", aligned(lines))
}

#[cfg(test)]
mod tests {
    use super::table;
    use crate::distance::case::{BARE_TCP, CLAIMED, Case, STOCK_TCP, Work};
    use crate::distance::run::Results;

    /// One round in which stock TCP takes 100 ns a message, and the fork by Unix `fork`.
    fn results(fork: u64) -> Results {
        let sample = |elapsed: u64| Some(format!("1 {elapsed} 1 1").parse().unwrap());
        Results {
            case: Case::of(Work::FanOut(8), 64),
            cores: "1 core",
            contenders: vec![STOCK_TCP, CLAIMED, BARE_TCP],
            rounds: vec![vec![sample(100), sample(fork), None]],
        }
    }

    #[test]
    fn level_is_within_five_in_a_hundred() {
        assert!(table(&[results(104)]).contains("in all 1 cases"));
        let missed = table(&[results(104), results(107)]);
        assert!(missed.contains("in 1 of 2 cases, not in fan-out to 8 64 B on 1 core (0.935)"));
    }

    #[test]
    fn who_takes_no_part_has_no_figure() {
        let table = table(&[results(200)]);
        let line = table.lines().nth(2).unwrap();
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        assert_eq!(cells[4..6], ["0.10 (0.10..0.10)", "0.20 (0.20..0.20)"]);
        // The ratio of stock TCP to the fork by Unix is the only one that there is.
        assert_eq!(cells[6..], ["–", "0.50 (0.50..0.50)", ""]);
    }
}
