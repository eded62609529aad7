//! `docs/undelivered.md` lists every cause for which a message is not handled, by the name that
//! errors, counters and log lines have.

use std::collections::BTreeSet;
use std::path::Path;

use ractor::errors::UndeliveredCause;
use ractor_cluster::link;

/// The cells of each row of the document's table, behind its head.
fn rows() -> Vec<Vec<String>> {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/undelivered.md");
    let text = std::fs::read_to_string(document).expect("the document");
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split('|').map(|it| it.trim().to_owned()).collect())
        .collect()
}

#[test]
fn the_table_has_a_row_for_each_cause_in_their_order() {
    let rows = rows();
    let named: Vec<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let names: Vec<&str> = UndeliveredCause::ALL.iter().map(|cause| cause.name()).collect();
    assert_eq!(named, names);
    for row in &rows {
        assert_eq!(row.len(), 4, "{row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
}

#[test]
fn each_cause_has_a_name_and_a_text_of_its_own() {
    let all = UndeliveredCause::ALL;
    let names: BTreeSet<&str> = all.iter().map(|cause| cause.name()).collect();
    let texts: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!((names.len(), texts.len()), (all.len(), all.len()));
    assert!(names.iter().all(|name| name.chars().all(|it| it == '_' || it.is_ascii_lowercase())));
}

#[test]
fn the_counters_have_the_names_of_the_table() {
    let counted: Vec<&str> = link::dead_letters().iter().map(|(cause, _)| cause.name()).collect();
    let unique: BTreeSet<&str> = counted.iter().copied().collect();
    assert_eq!(unique.len(), counted.len(), "two counters of one name: {counted:?}");
    let rows = rows();
    for name in counted {
        let row = rows.iter().find(|row| row[0].trim_matches('`') == name);
        let row = row.unwrap_or_else(|| panic!("{name} has no row"));
        assert!(row[2].contains("dead letter"), "{name}: {}", row[2]);
    }
}
