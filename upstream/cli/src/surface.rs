//! How much of upstream the fork touches, with upstream's own tests and without.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use upstream::edit::Source;
use upstream::items::Item;
use upstream::{Tree, weave};

use crate::Failure;

/// Lines of upstream's `src/`, and how many of them a patch removes or a shadow replaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Surface {
    pub(crate) upstream_lines: usize,
    pub(crate) touched_lines: usize,
}

impl Surface {
    /// In percent; 0 where there are no lines.
    pub(crate) fn share(self) -> f64 {
        100.0 * self.touched_lines as f64 / self.upstream_lines.max(1) as f64
    }
}

/// The numbers of the touched lines of each file, from 0.
pub(crate) type Touched = BTreeMap<String, BTreeSet<usize>>;

/// Measures `stock`: all lines below `src/`, and then those that are no tests.
///
/// # Errors
/// A file of `stock` that cannot be parsed.
pub(crate) fn measure(stock: &Tree, touched: &Touched) -> Result<(Surface, Surface), Failure> {
    let tests = test_lines(stock)?;
    let (mut all, mut code) = (Surface::default(), Surface::default());
    for (file, _) in stock.iter().filter(|(file, _)| file.starts_with("src/")) {
        for line in 0..stock.text(file).map_or(0, |text| text.lines().count()) {
            let is_touched = usize::from(touched.get(file).is_some_and(|set| set.contains(&line)));
            all.upstream_lines += 1;
            all.touched_lines += is_touched;
            if !tests.get(file).is_some_and(|set| set.contains(&line)) {
                code.upstream_lines += 1;
                code.touched_lines += is_touched;
            }
        }
    }
    Ok((all, code))
}

/// The numbers of the lines that only tests compile, by file: items under a `cfg` that asks for
/// `test`, and the files of modules under one.
fn test_lines(stock: &Tree) -> Result<Touched, Failure> {
    let mut found = Touched::new();
    for (file, _) in stock.iter().filter(|(f, _)| f.starts_with("src/") && f.ends_with(".rs")) {
        let text = stock.text(file).unwrap_or_default();
        let source = Source::parse(file, text)?;
        collect(stock, file, text, &source.items, &mut found);
    }
    Ok(found)
}

fn collect(stock: &Tree, file: &str, text: &str, items: &[Item], found: &mut Touched) {
    for item in items {
        if !weave::is_test(item) {
            collect(stock, file, text, &item.children, found);
            continue;
        }
        let number = |at: usize| text[..at].matches('\n').count();
        let lines = number(item.range.start)..=number(item.range.end.saturating_sub(1));
        found.entry(file.to_owned()).or_default().extend(lines);
        let Some(child) = weave::child_file(stock, file, item).filter(|_| item.body.is_none())
        else {
            continue;
        };
        // The module's file, and those of the modules inside.
        let stem = child.trim_end_matches(".rs").trim_end_matches("/mod");
        let inside = format!("{stem}/");
        for (other, _) in stock.iter().filter(|(f, _)| *f == child || f.starts_with(&inside)) {
            let count = stock.text(other).map_or(0, |text| text.lines().count());
            found.entry(other.to_owned()).or_default().extend(0..count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIB: &str = "\
pub fn code() {}

mod inner {
    #[cfg(test)]
    fn helper() {
    }
}

#[cfg(test)]
mod tests;
#[cfg(not(test))]
mod real;
#[cfg(test)]
mod inline {
    #[test]
    fn holds() {}
}
";

    #[test]
    fn tests_are_left_out_of_both_counts() {
        let mut stock = Tree::default();
        stock.insert("Cargo.toml", "[package]\n");
        stock.insert("src/lib.rs", LIB);
        stock.insert("src/real.rs", "fn real() {}\nfn too() {}\n");
        stock.insert("src/tests.rs", "mod deep;\n");
        stock.insert("src/tests/deep.rs", "fn deep() {}\n\nfn deeper() {}\n");
        let mut touched = Touched::new();
        // One line of code, and one of a helper for tests.
        touched.insert("src/lib.rs".to_owned(), BTreeSet::from([0, 4]));
        touched.insert("src/tests/deep.rs".to_owned(), BTreeSet::from([0]));

        let (all, code) = measure(&stock, &touched).unwrap();

        assert_eq!(all, Surface { upstream_lines: 17 + 2 + 1 + 3, touched_lines: 3 });
        // Three lines for the helper, two for `mod tests;`, five for the inline module.
        assert_eq!(code, Surface { upstream_lines: 17 - 10 + 2, touched_lines: 1 });
    }
}
