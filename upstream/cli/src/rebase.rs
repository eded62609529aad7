//! `cargo upstream rebase`: tries the fork on another release, and moves the pins there.

mod judge;
mod merge;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml_edit::{DocumentMut, value};
use upstream::archive;
use upstream::fork::Fork;
use upstream::weave::{Layout, ROOT};
use upstream::{Tree, locate::Places};

use crate::compile::{self, Compiled};
use crate::progress::spinner;
use crate::repository::Repository;
use crate::{Failure, check, export, manifest, suites};
use judge::{Report, Tally, Verdict, judge};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The release to try, for all three crates.
    #[arg(value_parser = parse_version)]
    version: semver::Version,
    /// Stop after the report: run no tests, write no pins.
    #[arg(long)]
    dry_run: bool,
    /// Do not compile what the edits that apply make.
    #[arg(long)]
    no_compile: bool,
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
    DoesNotCompile,
    /// In a dry run.
    Fits,
    TestsFail,
    Rebased,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Conflicts => "conflicts",
            Self::DoesNotCompile => "does not compile",
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
    /// The folder with the three files of each shadow that conflicts.
    merges: &'a BTreeMap<String, PathBuf>,
    /// What the compiler says, if it was asked.
    compiler: Option<&'a Compiled>,
}

/// What was found out, also where something stopped the rebase.
#[derive(Default)]
struct Findings {
    reports: Vec<Report>,
    merges: BTreeMap<String, PathBuf>,
    compiled: Option<Compiled>,
}

pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> Result<bool, Failure> {
    let mut findings = Findings::default();
    let outcome = attempt(repository, arguments, &mut findings);
    let result = match &outcome {
        Ok(result) => result.to_string(),
        Err(error) => format!("stopped: {error}"),
    };
    let published = Published {
        version: arguments.version.to_string(),
        tally: total(&findings.reports),
        result,
        crates: &findings.reports,
        merges: &findings.merges,
        compiler: findings.compiled.as_ref(),
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
    findings: &mut Findings,
) -> Result<Outcome, Failure> {
    let say: suites::Say =
        if arguments.json { |line| eprintln!("{line}") } else { |line| println!("{line}") };
    check_accepted(repository, &arguments.accept)?;
    let version = arguments.version.to_string();
    let releases = fetch(&repository.places, &repository.crates(), &version)?;
    for (name, release) in &releases {
        findings.reports.push(report(repository, arguments, name, release, &version)?);
    }
    findings.merges = write_merges(repository, &findings.reports, &releases, &version)?;
    say(report::verdicts(&findings.reports, &findings.merges).trim_end());
    let tally = total(&findings.reports);
    let moved = moved_files(&findings.reports);
    let trial = trial(repository, &releases, &version, &findings.reports)?;
    let exported = repository.scratch(&format!("rebase-{version}"));
    if tally.conflicts == 0 {
        // Also what only the sources for building show, such as two edits that collide.
        for (name, release) in &releases {
            let layout =
                Layout::Apart { package: &trial.root.join(name), woven: &trial.scratch("woven") };
            trial.fork.make(name, &release.tree, &trial.ours(name)?, layout)?;
        }
    }
    if !arguments.no_compile {
        let compiled = match compile(&trial, &exported) {
            Ok(compiled) => compiled,
            // Without the edits that conflict the rest need not come together.
            Err(error) if tally.conflicts > 0 => {
                Compiled { not_run: Some(error.to_string()), ..Compiled::default() }
            }
            Err(error) => return Err(error),
        };
        say(report::compiler(&compiled).trim_end());
        findings.compiled = Some(compiled);
    }
    let compiled = findings.compiled.as_ref();
    say(report::summary(&findings.reports, compiled, tally, &version).trim_end());
    if tally.conflicts > 0 {
        return Ok(Outcome::Conflicts);
    }
    if compiled.is_some_and(|compiled| !compiled.is_sound()) {
        return Ok(Outcome::DoesNotCompile);
    }
    if arguments.dry_run {
        return Ok(Outcome::Fits);
    }
    export::refresh(&trial, &exported)?;
    let outcomes = suites::run_exported(repository, &exported, say)?;
    if !outcomes.iter().all(|outcome| outcome.succeeded) {
        say(&format!("upstream's tests fail on the patched {version}; no pin was changed"));
        return Ok(Outcome::TestsFail);
    }
    write_pins(repository, &releases, &findings.reports, &version, &moved)?;
    say(&format!("the pins are at {version}; what still names the old release: `git grep`"));
    Ok(Outcome::Rebased)
}

/// Refuses a shadow to accept that there is not.
fn check_accepted(repository: &Repository, accepted: &[String]) -> Result<(), Failure> {
    let pins = repository.fork.pins.crates.iter();
    let shadows: BTreeSet<String> = pins
        .flat_map(|(name, pin)| pin.shadows.keys().map(move |file| format!("{name}/{file}")))
        .collect();
    let Some(unknown) = accepted.iter().find(|name| !shadows.contains(*name)) else {
        return Ok(());
    };
    let known: Vec<String> = shadows.into_iter().collect();
    Err(format!("--accept {unknown}: no shadow is there; use one of: {}", known.join(", ")).into())
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
        changed: sum.changed + tally.changed,
        moved: sum.moved + tally.moved,
        conflicts: sum.conflicts + tally.conflicts,
    })
}

/// Writes the shadows that conflict to a scratch folder, to merge there.
fn write_merges(
    repository: &Repository,
    reports: &[Report],
    releases: &BTreeMap<String, Release>,
    version: &str,
) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut states = BTreeMap::new();
    for (name, release) in releases {
        let (base, ours) = (repository.stock(name)?, repository.ours(name)?);
        states.insert(name.clone(), merge::States { base, theirs: &release.tree, ours });
    }
    merge::write(&repository.scratch(&format!("merge-{version}")), reports, &states)
}

/// Compiles the crates of `trial` out of the folder `exported`, which is the tool's own.
fn compile(trial: &Repository, exported: &Path) -> Result<Compiled, Failure> {
    let _progress = spinner("compiling what applies");
    export::refresh(trial, exported)?;
    // By where it stands in the exported workspace: where it stands in the repository.
    let mut ours = BTreeMap::new();
    for name in trial.crates() {
        // Upstream's root stands in ours where all is in one piece.
        let tree = trial.ours(&name)?;
        let files = tree.iter().map(|(file, _)| file).filter(|file| *file != ROOT);
        ours.extend(files.map(|file| (format!("{name}/{file}"), format!("{name}/{file}"))));
    }
    for (name, folder) in export::companions(trial)? {
        let tree = Tree::read(&trial.root.join(&folder))?;
        let files = tree.iter().map(|(file, _)| file);
        ours.extend(files.map(|file| (format!("{name}/{file}"), format!("{folder}/{file}"))));
    }
    let target = trial.scratch("rebase-target");
    compile::run(exported, &target, &trial.crates(), |file| ours.get(file).cloned())
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

/// The repository as it would be after the rebase, in memory: without the edits that conflict, and
/// with the shadows as they are.
fn trial(
    repository: &Repository,
    releases: &BTreeMap<String, Release>,
    version: &str,
    reports: &[Report],
) -> Result<Repository, Failure> {
    let mut fork: Fork = repository.fork.clone();
    for (name, release) in releases {
        let Some(pin) = fork.pins.crates.get_mut(name) else {
            continue;
        };
        pin.version = version.to_owned();
        pin.sha256.clone_from(&release.sha256);
        // A file that upstream no longer has is replaced by nothing.
        pin.shadows.retain(|file, _| release.tree.get(file).is_some());
        for (file, pinned) in &mut pin.shadows {
            *pinned = upstream::fork::shadow_fingerprint(&release.tree, file)?;
        }
    }
    let moved = moved_files(reports);
    let edits = reports.iter().flat_map(|report| &report.edits);
    let conflicting: BTreeSet<(String, usize)> = edits
        .filter(|edit| matches!(edit.verdict, Verdict::Conflicts { .. }))
        .map(|edit| (edit.patch.clone(), edit.edit))
        .collect();
    for patch in &mut fork.patches {
        patch.edits.retain_mut(|edit| {
            let name = (edit.place.patch.clone(), edit.place.edit);
            if let Some(file) = moved.get(&name) {
                edit.place.file.clone_from(file);
            }
            !conflicting.contains(&name)
        });
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
    let crates = repository.crates();
    for (name, release) in releases {
        let from = &repository.fork.pins.get(name, "the rebase")?.version;
        let theirs: DocumentMut = release.tree.text("Cargo.toml").unwrap_or_default().parse()?;
        edit(&format!("{name}/Cargo.toml"), &|document| {
            let manifest = theirs.clone();
            let mut release = manifest::Release { version, crates: &crates, manifest };
            manifest::move_release(document, from, &mut release);
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
