//! `cargo upstream rebase`: tries the fork on another release, and moves the pins there.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::Serialize;
use toml_edit::{DocumentMut, value};
use upstream::archive;
use upstream::fork::Fork;
use upstream::rebase::{Report, Tally, Verdict, judge};
use upstream::weave::Layout;
use upstream::{Tree, locate::Places};

use crate::progress::spinner;
use crate::repository::Repository;
use crate::{Failure, check, export, manifest, suites};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The release to try, for all three crates.
    #[arg(value_parser = parse_version)]
    version: semver::Version,
    /// Stop after the report: run no tests, write no pins.
    #[arg(long)]
    dry_run: bool,
    /// Take a shadow as brought up to date, as `ractor/src/message.rs`; can be repeated.
    #[arg(long, value_name = "CRATE/FILE")]
    accept: Vec<String>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Write the report as JSON to this file, whatever comes of the rebase.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn parse_version(text: &str) -> Result<semver::Version, semver::Error> {
    semver::Version::parse(text)
}

/// A crate of the other release.
struct Release {
    sha256: String,
    tree: Tree,
}

/// How far a rebase got.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Conflicts,
    /// In a dry run.
    Fits,
    TestsFail,
    Rebased,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Conflicts => "conflicts",
            Self::Fits => "fits",
            Self::TestsFail => "tests fail",
            Self::Rebased => "rebased",
        })
    }
}

/// The report as JSON.
#[derive(Serialize)]
struct Published<'a> {
    version: String,
    tally: Tally,
    /// How far the rebase got, or what stopped it.
    result: String,
    crates: &'a [Report],
}

pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> Result<bool, Failure> {
    let mut reports = Vec::new();
    let outcome = attempt(repository, arguments, &mut reports);
    let result = match &outcome {
        Ok(result) => result.to_string(),
        Err(error) => format!("stopped: {error}"),
    };
    let published = Published {
        version: arguments.version.to_string(),
        tally: total(&reports),
        result,
        crates: &reports,
    };
    let json = serde_json::to_string_pretty(&published)? + "\n";
    if let Some(file) = &arguments.report {
        fs::write(file, &json)?;
    }
    if arguments.json {
        print!("{json}");
    }
    Ok(matches!(outcome?, Outcome::Fits | Outcome::Rebased))
}

/// Judges the release, and goes on as far as it can.
fn attempt(
    repository: &Repository,
    arguments: &Arguments,
    reports: &mut Vec<Report>,
) -> Result<Outcome, Failure> {
    let say: suites::Say =
        if arguments.json { |line| eprintln!("{line}") } else { |line| println!("{line}") };
    let version = arguments.version.to_string();
    let releases = fetch(&repository.places, &repository.crates(), &version)?;
    for (name, release) in &releases {
        reports.push(report(repository, arguments, name, release, &version)?);
    }
    let tally = total(reports);
    print(reports, tally, &version, say);
    if tally.conflicts > 0 {
        return Ok(Outcome::Conflicts);
    }
    let moved = moved_files(reports);
    let trial = trial(repository, &releases, &version, &moved)?;
    // Also what only the sources for building show, such as two edits that collide.
    for (name, release) in &releases {
        let layout =
            Layout::Apart { package: &trial.root.join(name), woven: &trial.scratch("woven") };
        trial.fork.make(name, &release.tree, &trial.ours(name)?, layout)?;
    }
    if arguments.dry_run {
        return Ok(Outcome::Fits);
    }
    let exported = repository.scratch(&format!("rebase-{version}"));
    export::refresh(&trial, &exported)?;
    let outcomes = suites::run_exported(repository, &exported, say)?;
    if !outcomes.iter().all(|outcome| outcome.succeeded) {
        say(&format!("upstream's tests fail on the patched {version}; no pin was changed"));
        return Ok(Outcome::TestsFail);
    }
    write_pins(repository, &releases, reports, &version, &moved)?;
    say(&format!("the pins are at {version}; what still names the old release: `git grep`"));
    Ok(Outcome::Rebased)
}

fn fetch(
    places: &Places,
    crates: &[String],
    version: &str,
) -> Result<BTreeMap<String, Release>, Failure> {
    let progress = spinner("fetching");
    let mut releases = BTreeMap::new();
    for name in crates {
        progress.now(format!("fetching {name} {version}"));
        let bytes = places.find(name, version, None)?;
        let tree = archive::unpack(&format!("{name}-{version}"), &bytes)?;
        releases.insert(name.clone(), Release { sha256: archive::sha256(&bytes), tree });
    }
    Ok(releases)
}

fn report(
    repository: &Repository,
    arguments: &Arguments,
    name: &str,
    release: &Release,
    version: &str,
) -> Result<Report, Failure> {
    let progress = spinner(format!("trying {name} {version}"));
    let stock = repository.stock(name)?;
    let mut report = judge(&repository.fork, name, &stock, &release.tree, version)?;
    for shadow in &mut report.shadows {
        let accepted = arguments.accept.contains(&format!("{name}/{}", shadow.file));
        if accepted && shadow.fingerprint.is_some() {
            shadow.verdict = Verdict::Applies { lines: None };
        }
    }
    report.manifest = check::manifest_complaints(repository, name, &release.tree)?;
    drop(progress);
    Ok(report)
}

fn total(reports: &[Report]) -> Tally {
    reports.iter().map(Report::tally).fold(Tally::default(), |sum, tally| Tally {
        applies: sum.applies + tally.applies,
        moved: sum.moved + tally.moved,
        conflicts: sum.conflicts + tally.conflicts,
    })
}

fn print(reports: &[Report], tally: Tally, version: &str, say: suites::Say) {
    for report in reports {
        say(&format!("{} {} -> {}", report.krate, report.from, report.to));
        for edit in &report.edits {
            let item = edit.item.as_deref().unwrap_or("the file");
            let name = format!("{}, edit {}: {}, {item}", edit.patch, edit.edit, edit.file);
            print_verdict(&name, &edit.verdict, edit.item_change.as_deref(), say);
        }
        for shadow in &report.shadows {
            let name = format!("shadow {}/{}", report.krate, shadow.file);
            print_verdict(&name, &shadow.verdict, shadow.change.as_deref(), say);
        }
        for difference in &report.manifest {
            say(&format!("  conflicts  {difference}"));
        }
    }
    say(&format!(
        "{version}: {} apply, {} moved, {} conflict",
        tally.applies, tally.moved, tally.conflicts
    ));
}

fn print_verdict(name: &str, verdict: &Verdict, change: Option<&str>, say: suites::Say) {
    match verdict {
        Verdict::Applies { lines: Some((from, to)) } if from != to => {
            say(&format!("  applies    {name} (line {from} -> {to})"));
        }
        Verdict::Applies { .. } => say(&format!("  applies    {name}")),
        Verdict::Moved { to } => say(&format!("  moved      {name} -> {to}")),
        Verdict::Conflicts { why, candidates } => {
            say(&format!("  conflicts  {name}\n             {why}"));
            for candidate in candidates {
                say(&format!("               {candidate}"));
            }
        }
    }
    if let Some(change) = change {
        say("             upstream changed what it stands on:");
        for line in change.lines() {
            say(&format!("             {line}"));
        }
    }
}

/// The new file of each edit that moved, by patch and number.
fn moved_files(reports: &[Report]) -> BTreeMap<(String, usize), String> {
    let edits = reports.iter().flat_map(|report| &report.edits);
    edits
        .filter_map(|edit| match &edit.verdict {
            Verdict::Moved { to } => Some(((edit.patch.clone(), edit.edit), to.clone())),
            _ => None,
        })
        .collect()
}

/// The repository as it would be after the rebase, in memory.
fn trial(
    repository: &Repository,
    releases: &BTreeMap<String, Release>,
    version: &str,
    moved: &BTreeMap<(String, usize), String>,
) -> Result<Repository, Failure> {
    let mut fork: Fork = repository.fork.clone();
    for (name, release) in releases {
        let Some(pin) = fork.pins.crates.get_mut(name) else {
            continue;
        };
        pin.version = version.to_owned();
        pin.sha256.clone_from(&release.sha256);
        for (file, pinned) in &mut pin.shadows {
            *pinned = upstream::fork::shadow_fingerprint(&release.tree, file)?;
        }
    }
    for edit in fork.patches.iter_mut().flat_map(|patch| &mut patch.edits) {
        if let Some(file) = moved.get(&(edit.place.patch.clone(), edit.place.edit)) {
            edit.place.file.clone_from(file);
        }
    }
    Ok(Repository { root: repository.root.clone(), fork, places: repository.places.clone() })
}

fn write_pins(
    repository: &Repository,
    releases: &BTreeMap<String, Release>,
    reports: &[Report],
    version: &str,
    moved: &BTreeMap<(String, usize), String>,
) -> Result<(), Failure> {
    // All of them are read and changed before the first is written.
    let mut documents: BTreeMap<PathBuf, DocumentMut> = BTreeMap::new();
    let mut edit = |file: &str, change: &dyn Fn(&mut DocumentMut)| -> Result<(), Failure> {
        let path = repository.root.join(file);
        if !documents.contains_key(&path) {
            documents.insert(path.clone(), fs::read_to_string(&path)?.parse()?);
        }
        documents.get_mut(&path).into_iter().for_each(change);
        Ok(())
    };
    for ((patch, number), file) in moved {
        edit(&format!("patches/{patch}"), &|document| {
            document["edit"][number - 1]["file"] = value(file);
        })?;
    }
    for name in releases.keys() {
        let from = &repository.fork.pins.get(name, "the rebase")?.version;
        edit(&format!("{name}/Cargo.toml"), &|document| {
            manifest::move_release(document, from, version);
        })?;
    }
    edit("Cargo.toml", &|document| {
        for name in releases.keys() {
            let entry = &mut document["workspace"]["dependencies"][name];
            let requirement = value(format!("={version}"));
            if entry.is_str() {
                *entry = requirement;
            } else {
                entry["version"] = requirement;
            }
        }
    })?;
    edit("patches/upstream.toml", &|document| {
        for (name, release) in releases {
            let pin = &mut document["crates"][name];
            pin["version"] = value(version);
            pin["sha256"] = value(&release.sha256);
        }
        for report in reports {
            for shadow in &report.shadows {
                if let Some(fingerprint) = &shadow.fingerprint {
                    document["crates"][&report.krate]["shadows"][&shadow.file] = value(fingerprint);
                }
            }
        }
    })?;
    for (path, document) in documents {
        fs::write(path, document.to_string())?;
    }
    Ok(())
}
