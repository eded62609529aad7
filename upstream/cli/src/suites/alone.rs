//! Tests of upstream that failed beside others, run by themselves.
//!
//! Upstream's tests wait by the clock: they sleep for some milliseconds, and then claim that
//! something has happened. On a machine with few processors one of them now and then claims that
//! too early. Such a failure says nothing of the fork when the test passes with nothing beside it.
//! Tests of ours get no second chance.

use std::collections::BTreeSet;

use upstream::Tree;

use crate::repository::Repository;
use crate::{Failure, check};

/// How often in a row a test has to pass by itself.
pub(super) const TIMES: usize = 3;

/// Names of tests that failed, as the lines of a test binary name them.
#[derive(Debug, Default)]
pub(super) struct Failures {
    names: BTreeSet<String>,
    listing: bool,
}

impl Failures {
    /// Reads a line of the output.
    pub(super) fn read(&mut self, line: &str) {
        if line == "failures:" {
            self.listing = true;
        } else if line.starts_with("test result:") || line.starts_with("----") {
            self.listing = false;
        } else if let Some(name) = line.strip_prefix("    ").filter(|_| self.listing) {
            if !name.is_empty() && !name.contains(char::is_whitespace) {
                self.names.insert(name.to_owned());
            }
        }
    }

    /// The names, where all of them are of upstream's tests, so that running them again can turn
    /// `failed` failures into none.
    pub(super) fn of_upstream(
        &self,
        repository: &Repository,
        failed: usize,
    ) -> Result<Option<&BTreeSet<String>>, Failure> {
        if self.names.is_empty() || self.names.len() != failed {
            return Ok(None);
        }
        let mut theirs = BTreeSet::new();
        for krate in repository.crates() {
            theirs.extend(unit_tests(&repository.stock(&krate)?)?);
        }
        Ok(self.names.is_subset(&theirs).then_some(&self.names))
    }
}

/// The unit tests of a crate, as its test binary names them.
fn unit_tests(tree: &Tree) -> Result<BTreeSet<String>, Failure> {
    Ok(check::tests(tree)?.iter().filter_map(|test| binary_name(test)).collect())
}

/// What a test binary calls the test `file :: item`; nothing for one outside of `src`.
fn binary_name(test: &str) -> Option<String> {
    let mut parts = test.strip_prefix("src/")?.split(" :: ");
    let file = parts.next()?.strip_suffix(".rs")?;
    let file = file.strip_suffix("/mod").unwrap_or(file);
    let modules = file.split('/').filter(|module| *module != "lib");
    let items = parts
        .map(|item| item.strip_prefix("mod ").or_else(|| item.strip_prefix("fn ")).unwrap_or(item));
    Some(modules.chain(items).collect::<Vec<_>>().join("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_list_names_the_failures() {
        let mut failures = Failures::default();
        for line in [
            "failures:",
            "",
            "---- a::b stdout ----",
            "    0: a frame of a stack",
            "    at_some_place",
            "failures:",
            "    a::b",
            "    c",
            "",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored",
            "    not_a_name",
        ] {
            failures.read(line);
        }
        assert_eq!(failures.names, BTreeSet::from(["a::b".to_owned(), "c".to_owned()]));
    }

    #[test]
    fn a_test_is_called_by_its_modules() {
        let name = |test| binary_name(test);
        assert_eq!(name("src/pg/tests.rs :: fn joins").as_deref(), Some("pg::tests::joins"));
        assert_eq!(name("src/pg.rs :: mod tests :: fn joins").as_deref(), Some("pg::tests::joins"));
        assert_eq!(name("src/actor/mod.rs :: fn it").as_deref(), Some("actor::it"));
        assert_eq!(name("src/lib.rs :: fn it").as_deref(), Some("it"));
        assert_eq!(name("tests/ui.rs :: fn it"), None);
    }
}
