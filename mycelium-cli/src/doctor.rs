//! Whether a project takes all of ractor from the fork, and what to type if not.
//!
//! Cargo drops a `[patch]` without an error when a newer upstream release fits a requirement
//! better, and then builds stock ractor as if nothing had happened.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::colour::{Colour, Colours};
use crate::json;
use crate::lockfile::{self, Package, Project};
use crate::requirements::{self, Requirement};

const CRATES: [&str; 3] = ["ractor", "ractor_cluster", "ractor_cluster_derive"];

/// The build metadata in the version of a forked crate.
const MARK: &str = "+mycelium";

/// What was found, crate by crate, and what to do about it.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    folder: PathBuf,
    findings: Vec<String>,
    remedies: Vec<String>,
    warnings: Vec<String>,
}

impl Diagnosis {
    /// What was found, for programs.
    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "folder": self.folder,
            "healthy": self.healthy(),
            "findings": self.findings,
            "remedies": self.remedies,
            "warnings": self.warnings,
        })
    }

    /// Whether there is nothing to do.
    fn healthy(&self) -> bool {
        self.remedies.is_empty()
    }

    /// What was found, for people.
    fn text(&self, colours: Colours) -> String {
        let mut text = format!("{}\n", self.folder.display());
        for finding in &self.findings {
            text += &format!("  {}\n", finding.replace(STOCK, &colours.paint(Colour::Red, STOCK)));
        }
        for warning in &self.warnings {
            text += &format!("{}: {warning}\n", colours.paint(Colour::Yellow, "warning"));
        }
        if self.healthy() {
            let well = "All of ractor comes from the fork.";
            return text + &colours.paint(Colour::Green, well) + "\n";
        }
        text += "To do:\n";
        for (index, remedy) in self.remedies.iter().enumerate() {
            text += &format!("  {}. {remedy}\n", index + 1);
        }
        text
    }
}

/// What the finding of a stock crate has in it.
const STOCK: &str = "STOCK";

/// Examines the project in `folder`, and prints what was found. Exit status 0 when all is from the
/// fork, 1 when something is not, 2 when there is nothing to read.
pub(crate) fn run(folder: &Path, json: bool) -> ExitCode {
    let status = match examine_folder(folder) {
        Ok(diagnosis) => {
            let status = u8::from(!diagnosis.healthy());
            match json {
                true => json::result("doctor", status, diagnosis.json()),
                false => print!("{}", diagnosis.text(Colours::of_output())),
            }
            status
        }
        Err(error) => {
            eprintln!("mycelium: {error}");
            if json {
                json::failure("doctor", UNREADABLE, &error);
            }
            UNREADABLE
        }
    };
    ExitCode::from(status)
}

/// The exit status when there is nothing to read.
const UNREADABLE: u8 = 2;

fn examine_folder(folder: &Path) -> Result<Diagnosis, String> {
    let pins = upstream::pins::Pins::parse(patches::PINS).map_err(|error| error.to_string())?;
    let version = &pins.get("ractor", "the doctor").map_err(|error| error.to_string())?.version;
    let project = lockfile::read(folder)?;
    let requirements = requirements::read(&project.folder);
    let mut diagnosis = examine(&project, version);
    diagnosis.warnings = match requirements {
        Ok(requirements) => warnings(&requirements, version),
        Err(why) => vec![format!("whether `=` stands in the requirements was not seen: {why}")],
    };
    Ok(diagnosis)
}

/// Requirements that a newer release of upstream may fit. One exact requirement is enough for all
/// of a workspace: cargo takes one version of a crate for all that are compatible.
fn warnings(requirements: &[Requirement], version: &str) -> Vec<String> {
    let is_pinned = |name: &str| requirements.iter().any(|it| it.name == name && it.is_exact());
    let loose = |it: &&Requirement| CRATES.contains(&&*it.name) && !is_pinned(&it.name);
    let mut warnings: Vec<String> = Vec::new();
    for Requirement { by, name, versions } in requirements.iter().filter(loose) {
        let warning = format!(
            "{by} asks for {name} {versions:?}, without `=`: when a newer release fits, cargo takes \
             it from the registry and drops the patch; write `{name} = \"={version}\"`"
        );
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    warnings
}

/// Where a package comes from.
#[derive(Debug, PartialEq, Eq)]
enum Origin<'a> {
    Fork(Place<'a>),
    Stock,
    /// On disk or in some repository, without the fork's mark.
    Stranger,
}

/// Where a forked package lies. A lock file does not say which folder on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place<'a> {
    Disk,
    Revision(&'a str),
    /// A mirror or vendored registry that serves the fork itself.
    Registry,
}

fn origin(package: &Package) -> Origin<'_> {
    let marked = package.version.contains(MARK);
    match package.source.as_deref() {
        _ if !marked => match &package.source {
            Some(source) if source.starts_with("git+") => Origin::Stranger,
            Some(_) => Origin::Stock,
            None => Origin::Stranger,
        },
        None => Origin::Fork(Place::Disk),
        Some(source) => match source.strip_prefix("git+").and_then(|url| url.split_once('#')) {
            Some((_, revision)) => Origin::Fork(Place::Revision(revision)),
            None => Origin::Fork(Place::Registry),
        },
    }
}

fn examine(project: &Project, version: &str) -> Diagnosis {
    let mut findings = Vec::new();
    let mut remedies = Vec::new();
    let mut places: Vec<(Place<'_>, &str)> = Vec::new();
    let mut used = false;
    for name in CRATES {
        let packages: Vec<&Package> =
            project.lock.package.iter().filter(|package| package.name == name).collect();
        if packages.is_empty() {
            findings.push(format!("{name}: not used"));
        }
        for package in packages {
            used = true;
            let full = format!("{name} {}", package.version);
            match origin(package) {
                Origin::Fork(place) => {
                    findings.push(match &place {
                        Place::Disk => format!("{full}: the fork, from a folder on disk"),
                        Place::Revision(revision) => {
                            format!("{full}: the fork, at revision {revision}")
                        }
                        Place::Registry => format!("{full}: the fork, from a registry"),
                    });
                    if !places.contains(&(place, &package.version)) {
                        places.push((place, &package.version));
                    }
                }
                Origin::Stock => {
                    findings.push(format!("{full}: {STOCK}, not the fork"));
                    remedies.extend(back_to_the_fork(project, package, version));
                }
                Origin::Stranger => {
                    findings.push(format!("{full}: neither the registry's nor the fork's"));
                    remedies.push(format!(
                        "some dependency or patch takes `{name}` from {}; let \
                         [patch.crates-io] name the fork instead",
                        package.source.as_deref().unwrap_or("a folder on disk")
                    ));
                }
            }
        }
    }
    if !used {
        remedies.push(format!("depend on ractor: `cargo add ractor@={version}`"));
    }
    if places.len() > 1 {
        remedies.push(
            "the crates come from different revisions of the fork; give all lines under \
             [patch.crates-io] the same `git` and `rev` (or `path`), then run `cargo update -p \
             ractor -p ractor_cluster -p ractor_cluster_derive` with those that are used"
                .to_owned(),
        );
    }
    Diagnosis { folder: project.folder.clone(), findings, remedies, warnings: Vec::new() }
}

/// What makes cargo take the fork in the place of `package`, which is stock.
fn back_to_the_fork(project: &Project, package: &Package, version: &str) -> Vec<String> {
    let name = &package.name;
    let mut steps = Vec::new();
    if !project.patched.contains(name) {
        steps.push(format!(
            "add to Cargo.toml in {}, under [patch.crates-io]: {name} = {{ git = \"<the fork>\" }}",
            project.folder.display()
        ));
    }
    if package.version == version {
        steps.push(format!("run `cargo update -p {name}`"));
    } else {
        steps.push(format!(
            "the lock file holds {name} {}, and the fork is {version}: depend on `{name} = \
             \"={version}\"`, then run `cargo update -p {name}@{} --precise {version}`",
            package.version, package.version
        ));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lockfile::Lock;

    const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

    fn examined(lock: &str, patched: &[&str]) -> Diagnosis {
        let lock: Lock = toml::from_str(lock).expect("a lock file");
        let patched = patched.iter().map(|name| (*name).to_owned()).collect();
        examine(&Project { folder: PathBuf::from("/project"), lock, patched }, "0.16.5")
    }

    fn words(diagnosis: &Diagnosis) -> String {
        diagnosis.text(Colours::none())
    }

    #[test]
    fn one_exact_requirement_is_enough_for_a_crate() {
        let asks = |by: &str, name: &str, versions: &str| Requirement {
            by: by.to_owned(),
            name: name.to_owned(),
            versions: versions.to_owned(),
        };
        let loose = [asks("a", "ractor", "^0.16"), asks("b", "ractor_cluster", "^0.16.5")];
        let all = warnings(&loose, "0.16.5");
        assert!(all[0].contains("a asks for ractor \"^0.16\"") && all.len() == 2, "{all:?}");
        let pinned = [loose.as_slice(), &[asks("c", "ractor", "=0.16.5")]].concat();
        let all = warnings(&pinned, "0.16.5");
        assert!(all.len() == 1 && all[0].contains("ractor_cluster = \"=0.16.5\""), "{all:?}");
    }

    fn package(name: &str, version: &str, source: Option<&str>) -> String {
        let source = source.map_or(String::new(), |source| format!("source = {source:?}\n"));
        format!("[[package]]\nname = {name:?}\nversion = {version:?}\n{source}\n")
    }

    #[test]
    fn the_fork_from_one_revision_is_healthy() {
        let fork = Some("git+https://example.org/fork?rev=abc#abcdef");
        let lock = CRATES.map(|name| package(name, "0.16.5+mycelium.1", fork)).concat();
        let diagnosis = examined(&lock, &CRATES);
        assert!(diagnosis.healthy(), "{}", words(&diagnosis));
        assert!(words(&diagnosis).contains("revision abcdef"), "{}", words(&diagnosis));
    }

    #[test]
    fn the_fork_from_disk_is_healthy_and_unused_crates_are_no_matter() {
        let diagnosis = examined(&package("ractor", "0.16.5+mycelium.1", None), &["ractor"]);
        assert!(diagnosis.healthy(), "{}", words(&diagnosis));
        assert!(words(&diagnosis).contains("ractor_cluster: not used"), "{}", words(&diagnosis));
    }

    #[test]
    fn a_newer_stock_release_is_told_with_the_way_back() {
        let diagnosis = examined(&package("ractor", "0.16.6", Some(REGISTRY)), &["ractor"]);
        assert!(!diagnosis.healthy());
        let words = words(&diagnosis);
        assert!(words.contains("ractor 0.16.6: STOCK"), "{words}");
        assert!(words.contains("cargo update -p ractor@0.16.6 --precise 0.16.5"), "{words}");
        assert!(!words.contains("under [patch.crates-io]:"), "{words}");
    }

    #[test]
    fn a_missing_patch_is_told() {
        let diagnosis = examined(&package("ractor", "0.16.5", Some(REGISTRY)), &[]);
        let words = words(&diagnosis);
        assert!(words.contains("under [patch.crates-io]: ractor ="), "{words}");
        assert!(words.contains("`cargo update -p ractor`"), "{words}");
    }

    #[test]
    fn two_revisions_are_not_one_fork() {
        let lock = package("ractor", "0.16.5+mycelium.1", Some("git+https://e.org/f#aaa"))
            + &package("ractor_cluster", "0.16.5+mycelium.1", Some("git+https://e.org/f#bbb"));
        let words = words(&examined(&lock, &CRATES));
        assert!(words.contains("different revisions"), "{words}");
    }

    #[test]
    fn the_fork_beside_stock_is_not_healthy() {
        let lock = package("ractor", "0.16.5+mycelium.1", None)
            + &package("ractor", "0.15.12", Some(REGISTRY));
        assert!(!examined(&lock, &CRATES).healthy());
    }

    #[test]
    fn a_package_from_elsewhere_is_a_stranger() {
        let lock = package("ractor", "0.16.5", Some("git+https://e.org/other#ccc"));
        let words = words(&examined(&lock, &CRATES));
        assert!(words.contains("neither the registry's nor the fork's"), "{words}");
    }

    #[test]
    fn a_project_without_ractor_is_told_so() {
        assert!(words(&examined("", &[])).contains("depend on ractor"));
    }
}
