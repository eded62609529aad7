//! `cargo upstream status`: what stands on what, and how much of it there is.

use serde::Serialize;
use similar::{ChangeTag, TextDiff};
use upstream::edit;
use upstream::{Tree, locate};

use crate::progress::spinner;
use crate::repository::Repository;
use crate::surface::{self, Surface, Touched};
use crate::{Failure, diff};

#[derive(Debug, Serialize)]
struct Status {
    crates: Vec<CrateStatus>,
}

#[derive(Debug, Serialize)]
struct CrateStatus {
    name: String,
    version: String,
    sha256: String,
    /// The newest release in the registry, if it was asked and answered.
    newest: Option<String>,
    patches: Vec<PatchStatus>,
    shadows: Vec<ShadowStatus>,
    /// Of all of upstream's `src/`.
    #[serde(flatten)]
    surface: Surface,
    /// Of what is no test of upstream's.
    without_tests: Surface,
}

#[derive(Debug, Serialize)]
struct PatchStatus {
    file: String,
    title: String,
    edits: usize,
    hunks: usize,
    inserted: usize,
    deleted: usize,
}

#[derive(Debug, Serialize)]
struct ShadowStatus {
    file: String,
    upstream_lines: usize,
    our_lines: usize,
}

pub(crate) fn run(repository: &Repository, json: bool, offline: bool) -> Result<bool, Failure> {
    let progress = spinner("reading");
    let mut crates = Vec::new();
    for name in repository.crates() {
        progress.now(format!("looking at {name}"));
        crates.push(status(repository, &name, offline)?);
    }
    drop(progress);
    let status = Status { crates };
    if json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        print(&status);
    }
    Ok(true)
}

fn status(repository: &Repository, name: &str, offline: bool) -> Result<CrateStatus, Failure> {
    let pin = repository.fork.pins.get(name, "status")?;
    let stock = repository.stock(name)?;
    let ours = repository.ours(name)?;
    let shadows: Vec<ShadowStatus> = pin
        .shadows
        .keys()
        .map(|file| ShadowStatus {
            file: file.clone(),
            upstream_lines: lines(&stock, file),
            our_lines: lines(&ours, file),
        })
        .collect();
    let mut patches = Vec::new();
    let mut touched = Touched::new();
    for shadow in &shadows {
        touched.entry(shadow.file.clone()).or_default().extend(0..shadow.upstream_lines);
    }
    for patch in repository.fork.patches_of(name) {
        let mut patched = stock.clone();
        edit::apply(&mut patched, &[patch])?;
        let mut status = PatchStatus {
            file: patch.file.clone(),
            title: patch.title.clone(),
            edits: patch.edits.len(),
            hunks: 0,
            inserted: 0,
            deleted: 0,
        };
        for path in diff::paths(&stock, &patched) {
            let diff = TextDiff::from_lines(
                stock.text(path).unwrap_or(""),
                patched.text(path).unwrap_or(""),
            );
            status.hunks += diff.grouped_ops(0).len();
            for change in diff.iter_all_changes() {
                match change.tag() {
                    ChangeTag::Insert => status.inserted += 1,
                    ChangeTag::Delete => {
                        status.deleted += 1;
                        touched.entry(path.to_owned()).or_default().extend(change.old_index());
                    }
                    ChangeTag::Equal => {}
                }
            }
        }
        patches.push(status);
    }
    let (surface, without_tests) = surface::measure(&stock, &touched)?;
    let newest = if offline { None } else { locate::newest(&repository.places, name) };
    Ok(CrateStatus {
        name: name.to_owned(),
        version: pin.version.clone(),
        sha256: pin.sha256.clone(),
        newest,
        patches,
        shadows,
        surface,
        without_tests,
    })
}

fn lines(tree: &Tree, file: &str) -> usize {
    tree.text(file).map_or(0, |text| text.lines().count())
}

fn print(status: &Status) {
    for krate in &status.crates {
        let news = match &krate.newest {
            None => "the registry was not asked".to_owned(),
            Some(newest) if *newest == krate.version => "the newest release".to_owned(),
            Some(newest) => format!("upstream has {newest}: try `cargo upstream rebase {newest}`"),
        };
        println!("{} {} ({news})", krate.name, krate.version);
        println!("  SHA-256 {}", krate.sha256);
        for patch in &krate.patches {
            println!(
                "  patch  {}: {} ({} edits, {} hunks, +{} -{} lines)",
                patch.file, patch.title, patch.edits, patch.hunks, patch.inserted, patch.deleted
            );
        }
        for shadow in &krate.shadows {
            println!(
                "  shadow {} ({} lines of ours for {} of upstream)",
                shadow.file, shadow.our_lines, shadow.upstream_lines
            );
        }
        for (surface, of) in [(krate.surface, ""), (krate.without_tests, " without its tests")] {
            println!(
                "  touches {} of {} lines of upstream's src/{of} ({:.1} %)",
                surface.touched_lines,
                surface.upstream_lines,
                surface.share()
            );
        }
    }
}
