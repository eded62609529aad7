//! Resident memory of actors that have nothing to do, and of messages that wait.

use std::io;
use std::path::Path;
use std::process::Command;

use super::rows::{Cell, Row};
use crate::Case;

/// Who is asked. Those that do not take part say so.
const CONTENDERS: [&str; 8] =
    ["stock", "fork", "fast lane", "kameo", "xtra", "tokio", "flume", "crossfire"];

/// The bytes that each needs, by running `program` with `argument CASE CONTENDER`, which prints
/// them: each in a process of its own, since what one left free the next would take.
///
/// # Errors
/// The program does not run.
pub fn resident(program: &Path, argument: &str) -> io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for case in Case::resident() {
        let mut row = Row::new(case, "bytes resident");
        for contender in CONTENDERS {
            println!("counting the memory of {case}, {contender}");
            let arguments = [argument, &case.to_string(), contender];
            let output = Command::new(program).args(arguments).output()?;
            let told = String::from_utf8_lossy(&output.stdout);
            if let Ok(bytes) = told.trim().parse() {
                row.set(contender, Cell::count(bytes));
            }
        }
        rows.push(row);
    }
    Ok(rows)
}
