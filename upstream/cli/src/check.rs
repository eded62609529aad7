//! `cargo upstream check`: whether the fork is still what it says it is.

use std::collections::BTreeSet;
use std::process::Command;

use toml_edit::DocumentMut;
use upstream::Tree;
use upstream::edit::Source;
use upstream::items::Item;

use crate::progress::spinner;
use crate::repository::Repository;
use crate::{Failure, contract, export, manifest, toolchain};

pub(crate) fn run(repository: &Repository, api: bool) -> Result<bool, Failure> {
    let mut complaints = Vec::new();
    for name in repository.crates() {
        let progress = spinner(format!("checking {name}"));
        let pin = repository.fork.pins.get(&name, "the check")?;
        let stock = repository.stock(&name)?;
        // Fails by itself when an edit does not fit, or a shadow is not the pinned one.
        let forked = export::sources(repository, &name, &stock)?;
        let mut found = manifest_complaints(repository, &name, &stock)?;
        let lost = lost_tests(&stock, &forked)?;
        for test in &lost {
            if !pin.retired.contains_key(test) {
                found.push(format!(
                    "upstream's test is lost: {test}\n    keep it, or name the test of ours that \
                     covers it under [crates.{name}.retired]"
                ));
            }
        }
        for test in pin.retired.keys().filter(|test| !lost.contains(*test)) {
            found.push(format!("{test} is retired, and upstream has no such test or it runs"));
        }
        found.extend(toolchain::complaints(&repository.root, &name)?);
        drop(progress);
        println!(
            "{name}: {} edits and {} shadows fit, {} tests of upstream kept, {} retired, {}",
            repository.fork.patches_of(&name).iter().map(|patch| patch.edits.len()).sum::<usize>(),
            pin.shadows.len(),
            tests(&stock)?.len() - lost.len(),
            lost.len(),
            if found.is_empty() { "manifest as upstream's" } else { "see below" },
        );
        complaints.extend(found.into_iter().map(|complaint| format!("{name}: {complaint}")));
    }
    let listed = std::fs::read_to_string(repository.root.join(contract::FILE))?;
    complaints.extend(contract::complaints(&listed, &repository.fork));
    for complaint in &complaints {
        println!("{complaint}");
    }
    let sound = !api || same_api(repository)?;
    Ok(complaints.is_empty() && sound)
}

/// How our manifest differs from that of `stock`, but for what the pins justify.
pub(crate) fn manifest_complaints(
    repository: &Repository,
    name: &str,
    stock: &Tree,
) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(repository.root.join(name).join("Cargo.toml"))?;
    let mut ours = export::standalone(repository, &text)?;
    let theirs: DocumentMut = stock.text("Cargo.toml").unwrap_or_default().parse()?;
    let pin = repository.fork.pins.get(name, "the check")?;
    let crates = repository.crates();
    // A rebase moves our requirements along with the release, so they are compared there.
    if let Some(version) = theirs["package"]["version"].as_str() {
        let mut release = manifest::Release { version, crates: &crates, manifest: theirs.clone() };
        manifest::move_release(&mut ours, &pin.version, &mut release);
    }
    // The siblings are asked for exactly, since no other release of them is patched.
    for krate in &crates {
        manifest::loosen(&mut ours, krate);
    }
    let mut differences = manifest::differences(ours, theirs);
    let mut complaints = Vec::new();
    for path in pin.manifest.keys() {
        if differences.remove(path).is_none() {
            complaints.push(format!("{path} is excused in the pins, and does not differ"));
        }
    }
    let unexcused = differences.into_iter().map(|(path, how)| format!("Cargo.toml, {path}: {how}"));
    complaints.extend(unexcused);
    Ok(complaints)
}

/// The tests of `stock` that `forked` does not have.
fn lost_tests(stock: &Tree, forked: &Tree) -> Result<BTreeSet<String>, Failure> {
    let ours = tests(forked)?;
    Ok(tests(stock)?.into_iter().filter(|test| !ours.contains(test)).collect())
}

/// Every function with a `test` attribute, as `file :: item`.
pub(crate) fn tests(tree: &Tree) -> Result<BTreeSet<String>, Failure> {
    let mut found = BTreeSet::new();
    for (file, _) in tree.iter().filter(|(file, _)| file.ends_with(".rs")) {
        // The compile-fail cases are inputs of a test.
        if file.starts_with("tests/ui/") {
            continue;
        }
        let source = Source::parse(file, tree.text(file).unwrap_or_default())?;
        collect(&source.items, file, &mut found);
    }
    Ok(found)
}

fn collect(items: &[Item], prefix: &str, found: &mut BTreeSet<String>) {
    for item in items {
        let path = format!("{prefix} :: {}", item.name);
        let is_test = item.attributes.iter().any(|attribute| {
            let path: String = attribute
                .split(' ')
                .skip(2)
                .take_while(|word| *word != "(" && *word != "]")
                .collect();
            path == "test" || path.ends_with("::test")
        });
        if is_test && item.name.starts_with("fn ") {
            found.insert(path.clone());
        }
        collect(&item.children, &path, found);
    }
}

/// Compares the public API of the exported crates with that of the stock ones.
fn same_api(repository: &Repository) -> Result<bool, Failure> {
    let (ours, theirs) = (repository.scratch("export"), repository.scratch("stock"));
    export::refresh(repository, &ours)?;
    let mut stock = Tree::default();
    for name in repository.crates() {
        for (file, content) in repository.stock(&name)?.iter() {
            stock.insert(format!("{name}/{file}"), content);
        }
    }
    let crates = repository.crates();
    let workspace = export::workspace(crates.iter().map(String::as_str));
    stock.insert("Cargo.toml", workspace.to_string());
    std::fs::create_dir_all(&theirs)?;
    stock.write(&theirs)?;
    let mut same = true;
    // Macros are no API that the tool can compare.
    for name in ["ractor", "ractor_cluster"] {
        println!("== {name}, public API");
        let status = Command::new("cargo")
            .args(["semver-checks", "check-release", "--release-type=patch", "--all-features"])
            .arg("--manifest-path")
            .arg(ours.join(name).join("Cargo.toml"))
            // Named, since it skips packages that are not to be published.
            .args(["--package", name])
            .arg("--baseline-root")
            .arg(theirs.join(name))
            .env("CARGO_TARGET_DIR", repository.scratch("api-target"))
            .status()?;
        same &= status.success();
    }
    if !same {
        println!(
            "Where the tool is missing: cargo install cargo-semver-checks --locked\n\
             UPSTREAM.md lists the differences that are meant"
        );
    }
    Ok(same)
}
