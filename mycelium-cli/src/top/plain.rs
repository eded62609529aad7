//! A snapshot as lines, for pipes and logs.

use std::fmt::Write;

use mycelium_ext::view::Snapshot;

use super::find::Found;
use super::state::Rates;
use super::tables::{self, Row};
use super::text::{plain, time};

/// The nodes that can be watched.
pub(super) fn list(found: &[Found]) -> String {
    let mut text = String::new();
    table(&mut text, &tables::NODES, &tables::nodes(found));
    if found.is_empty() {
        text.push_str("no node of this user can be watched\n");
    }
    text
}

/// All of a snapshot.
pub(super) fn snapshot(snapshot: &Snapshot) -> String {
    let rates = Rates::default();
    let node = &snapshot.node;
    let mut text = format!(
        "{}, process {}, up {}\n{}\n",
        plain(&node.name),
        node.pid,
        time(node.uptime_ms),
        tables::head(snapshot).join("; ")
    );
    table(&mut text, &tables::ACTORS, &tables::actors(snapshot, &rates));
    table(&mut text, &tables::GROUPS, &tables::groups(snapshot, ""));
    table(&mut text, &tables::PEERS, &tables::peers(snapshot, &rates, ""));
    table(&mut text, &tables::LOSSES, &tables::losses(snapshot, ""));
    text
}

/// Adds a table, if it has rows.
fn table(text: &mut String, titles: &[&str], rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.cells.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(titles[column].len())
    };
    let widths: Vec<_> = (0..titles.len()).map(width).collect();
    text.push('\n');
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(&mut titles.iter().copied());
    for row in rows {
        line(&mut row.cells.iter().map(String::as_str));
    }
}
