//! Instructions, which valgrind counts.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::rows::{Cell, Row};
use crate::{Case, Scheduler, heap};

/// The deliveries of the shorter of two runs, about.
const DELIVERIES: u64 = 4096;

/// The instructions that a delivery takes, counted in `program`, which has to deliver when it is
/// run with `argument CASE CONTENDER ROUNDS`.
///
/// Each contender runs twice, the second time twice as long. The difference is
/// what is counted, and what it takes to start is not.
///
/// # Errors
/// In words, why there are none.
pub fn instructions(program: &Path, argument: &str) -> Result<Vec<Row>, String> {
    if cfg!(debug_assertions) {
        return Err("this is a debug build".to_owned());
    }
    if !Command::new("valgrind").arg("--version").output().is_ok_and(|it| it.status.success()) {
        return Err("valgrind is not installed".to_owned());
    }
    Case::instructing().into_iter().map(|case| row(program, argument, case)).collect()
}

fn row(program: &Path, argument: &str, case: Case) -> Result<Row, String> {
    let mut row = Row::new(case, "instructions");
    let rounds = DELIVERIES / case.deliveries();
    for contender in case.contenders(Some(Scheduler::Current)) {
        let name = contender.name();
        println!("counting the instructions of {case}, {name}");
        let count = |rounds| collected(program, argument, case, name, rounds);
        let difference = count(2 * rounds)?.saturating_sub(count(rounds)?);
        row.set(name, Cell::count(difference as f64 / (rounds * case.deliveries()) as f64));
    }
    Ok(row)
}

/// What one run takes as a whole.
fn collected(
    program: &Path,
    argument: &str,
    case: Case,
    contender: &str,
    rounds: u64,
) -> Result<u64, String> {
    let run = || -> io::Result<_> {
        Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(program)
            .args([argument, &case.to_string(), contender, &rounds.to_string()])
            .envs(heap::STEADY)
            .stdin(Stdio::null())
            .output()
    };
    let output = run().map_err(|error| format!("valgrind does not run: {error}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    match total(&told) {
        Some(total) if output.status.success() => Ok(total),
        _ => Err(format!("valgrind failed: {told}")),
    }
}

/// The number after `Collected :`.
fn total(told: &str) -> Option<u64> {
    let (_, collected) = told.split_once("Collected :")?;
    collected.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn the_total_stands_behind_its_name() {
        let told = "==7== Events    : Ir\n==7== Collected : 4711\n==7== \n";
        assert_eq!(total(told), Some(4711));
        assert_eq!(total("==7== Command: x"), None);
    }
}
