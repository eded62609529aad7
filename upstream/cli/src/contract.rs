//! Whether UPSTREAM.md lists the pins, patches and shadows that the fork is made of.

use std::collections::BTreeMap;

use upstream::fork::Fork;

/// The file that lists them.
pub(crate) const FILE: &str = "UPSTREAM.md";

/// What `text`, the content of [`FILE`], says wrongly of `fork`, or leaves out; one line each.
pub(crate) fn complaints(text: &str, fork: &Fork) -> Vec<String> {
    let mut complaints = Vec::new();
    let pins = fork.pins.crates.iter();
    let pins = pins
        .map(|(name, pin)| (name.clone(), vec![pin.version.clone(), format!("`{}`", pin.sha256)]));
    compare(text, "Pins", pins.collect(), &mut complaints);
    let patches = fork.patches.iter().map(|patch| {
        let name = format!("{}/{}", patch.krate, patch.file.trim_end_matches(".toml"));
        (name, vec![patch.edits.len().to_string()])
    });
    compare(text, "Patches", patches.collect(), &mut complaints);
    let shadows = fork.pins.crates.iter().flat_map(|(name, pin)| {
        pin.shadows.keys().map(move |file| (format!("{name}/{file}"), Vec::new()))
    });
    compare(text, "Shadows", shadows.collect(), &mut complaints);
    complaints
}

/// Compares the rows of the table under the heading `title` with those that `expected` names: by
/// their first cell, the cells that have to follow it.
fn compare(
    text: &str,
    title: &str,
    mut expected: BTreeMap<String, Vec<String>>,
    complaints: &mut Vec<String>,
) {
    for (name, cells) in rows(text, title) {
        match expected.remove(&name) {
            None => complaints.push(format!(
                "{FILE}, {title}: the row `{name}` stands for nothing, or is there twice; remove it"
            )),
            Some(facts) if cells.starts_with(&facts) => {}
            Some(facts) => complaints.push(format!(
                "{FILE}, {title}: the row `{name}` says {}, and it is {}",
                cells.iter().take(facts.len()).cloned().collect::<Vec<_>>().join(", "),
                facts.join(", "),
            )),
        }
    }
    for (name, facts) in expected {
        let facts: String = facts.iter().map(|fact| format!(" {fact} |")).collect();
        complaints.push(format!("{FILE}, {title}: there is no row `| `{name}` |{facts} … |`"));
    }
}

/// The rows of the first table below the heading that begins with `title`: the first cell without
/// its backticks, and the other cells.
fn rows(text: &str, title: &str) -> Vec<(String, Vec<String>)> {
    let is_heading = |line: &str| {
        line.strip_prefix('#').is_some_and(|rest| {
            let heading = rest.trim_start_matches('#').trim_start();
            heading.strip_prefix(title).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        })
    };
    let below = text.lines().skip_while(|line| !is_heading(line)).skip(1);
    let section = below.take_while(|line| !line.starts_with('#'));
    // The first two lines are the head of the table.
    let lines = section.filter_map(|line| line.strip_prefix("| ")).skip(1);
    lines
        .map(|line| {
            let mut cells =
                line.trim_end_matches('|').split(" | ").map(|cell| cell.trim().to_owned());
            let name = cells.next().unwrap_or_default();
            (name.trim_matches('`').to_owned(), cells.collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = include_str!("../../../UPSTREAM.md");

    fn fork() -> Fork {
        Fork::load(patches::PINS, patches::FILES).unwrap()
    }

    /// The complaints about the true text with `change` made to the row of `name`.
    fn changed(name: &str, change: impl Fn(&str) -> String) -> Vec<String> {
        let start = format!("| `{name}` |");
        let mut found = 0;
        let lines: Vec<String> = TEXT
            .lines()
            .map(|line| {
                if line.starts_with(&start) {
                    found += 1;
                    change(line)
                } else {
                    line.to_owned()
                }
            })
            .collect();
        assert_eq!(found, 1, "{name} has a row");
        complaints(&lines.join("\n"), &fork())
    }

    #[test]
    fn the_file_lists_all() {
        assert_eq!(complaints(TEXT, &fork()), Vec::<String>::new());
    }

    #[test]
    fn what_has_no_row_is_found() {
        let fork = fork();
        let patches = fork
            .patches
            .iter()
            .map(|patch| format!("{}/{}", patch.krate, patch.file.trim_end_matches(".toml")));
        let shadows =
            fork.pins.crates.iter().flat_map(|(name, pin)| {
                pin.shadows.keys().map(move |file| format!("{name}/{file}"))
            });
        for name in patches.chain(shadows).chain(fork.pins.crates.keys().cloned()) {
            let found = changed(&name, |_| String::new());
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains("there is no row") && found[0].contains(&name), "{found:?}");
        }
    }

    #[test]
    fn a_wrong_count_and_a_wrong_pin_are_found() {
        let found = changed("ractor/0003-names", |line| line.replace("| 2 |", "| 3 |"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].ends_with("`ractor/0003-names` says 3, and it is 2"), "{found:?}");
        let found = changed("ractor", |line| line.replace("`fac0", "`fac1"));
        assert!(found.len() == 1 && found[0].contains("fac1"), "{found:?}");
    }

    #[test]
    fn a_row_for_nothing_is_found() {
        let found = changed("ractor/0003-names", |line| {
            format!("{line}\n| `ractor/9999-gone` | 1 | It was. |\n{line}")
        });
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("`ractor/9999-gone` stands for nothing"), "{found:?}");
        assert!(found[1].contains("there twice"), "{found:?}");
    }
}
