//! Published crates that build on ractor: their own tests, on stock and on the fork.

use std::collections::BTreeSet;
use std::fs;

use upstream::archive;

use super::work::{Work, ensure, succeed, words};
use crate::Failure;
use crate::progress::spinner;

/// `name`, `version`, SHA-256 of the archive.
const PUBLISHED: [(&str, &str, &str); 2] = [
    (
        "ractor-supervisor",
        "0.2.0",
        "98e817d6ba63d0fe751878b2d7018ae967d7a3d84f362673ce02842a0075bce4",
    ),
    ("ractor_actors", "0.7.0", "1a92ad36adaffdc484f9a1d2b0ed3d8ce88652dc1ca6e7138b4693d41a1532eb"),
];

pub(super) fn prove(work: &Work<'_>) -> Result<(), Failure> {
    let lock = fs::read(work.repository.root.join("Cargo.lock"))?;
    for (name, version, sha256) in PUBLISHED {
        let bytes = work.repository.places.find(name, version, Some(sha256))?;
        let package = format!("{name}-{version}");
        let tree = archive::unpack(&package, &bytes)?;
        let root = &work.repository.root;
        let patch = work.patch(&["ractor"], |krate| format!("path = {:?}", root.join(krate)));
        let mut results = Vec::new();
        for (variant, more) in [("stock", ""), ("fork", patch.as_str())] {
            let progress = spinner(format!("testing {package} on {variant}"));
            let mut tree = tree.clone();
            let manifest = tree.text("Cargo.toml").unwrap_or_default();
            let manifest = format!("{manifest}\n[workspace]\n{more}");
            tree.insert("Cargo.toml", manifest);
            // Not the versions of the day it was published, which no dependent gets,
            // but those that the tests were compiled with: a large library in C is among them.
            tree.insert("Cargo.lock", lock.as_slice());
            let folder = work.path(&format!("{package} on {variant}"));
            fs::create_dir_all(&folder)?;
            tree.write(&folder)?;
            // Takes what is not ours out of it, and leaves the other versions.
            succeed(&mut work.cargo(&folder, &["update", "--quiet", "--workspace"]))?;
            let pinned = &work.repository.fork.pins.get("ractor", "the proof")?.version;
            let mut update = work.cargo(&folder, &["update", "--quiet", "-p", "ractor"]);
            if variant == "stock" {
                update.args(["--precise", pinned]);
            }
            succeed(&mut update)?;
            let lock = fs::read_to_string(folder.join("Cargo.lock"))?;
            let forked = lock.contains("+mycelium");
            ensure(forked == (variant == "fork"), format!("{variant} took the wrong ractor"))?;
            let output = work.sharing(&folder, &["test", "--no-fail-fast"]).output()?;
            drop(progress);
            results.push(Results::read(&words(&output)));
        }
        let [stock, fork] = results.as_slice() else {
            return Err("two runs make two results".into());
        };
        println!("{package} on stock: {stock}");
        println!("{package} on fork:  {fork}");
        ensure(!stock.passed.is_empty(), "no test passed on stock")?;
        let only = |a: &Results, b: &Results| -> Vec<String> {
            a.passed.difference(&b.passed).cloned().collect()
        };
        ensure(
            stock.passed == fork.passed,
            format!(
                "{package} passes other tests on the fork; only on stock: {:?}; only on the \
                 fork: {:?}",
                only(stock, fork),
                only(fork, stock)
            ),
        )?;
    }
    Ok(())
}

/// Tests by name.
struct Results {
    passed: BTreeSet<String>,
    failed: BTreeSet<String>,
}

impl Results {
    /// Reads lines such as `test some::name ... ok`.
    fn read(output: &str) -> Self {
        let mut results = Self { passed: BTreeSet::new(), failed: BTreeSet::new() };
        for line in output.lines().filter_map(|line| line.strip_prefix("test ")) {
            if let Some((name, outcome)) = line.rsplit_once(" ... ") {
                match outcome {
                    "ok" => _ = results.passed.insert(name.to_owned()),
                    "FAILED" => _ = results.failed.insert(name.to_owned()),
                    _ => {}
                }
            }
        }
        results
    }
}

impl std::fmt::Display for Results {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed.len(), self.failed.len())?;
        if self.failed.is_empty() { Ok(()) } else { write!(f, " ({:?})", self.failed) }
    }
}
