//! Stock or fork: its sources in a folder, and upstream's bench programs built out of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};
use upstream::Tree;

use crate::repository::Repository;
use crate::{Failure, export};

/// The packages that have benches. Built one after the other: together, `ractor` would get the
/// features that the cluster asks of it.
const PACKAGES: [&str; 2] = ["ractor", "ractor_cluster"];

/// What is measured, and where its sources are.
pub(super) struct Side {
    name: &'static str,
    folder: PathBuf,
}

impl Side {
    /// The pinned release as it was published.
    pub(super) fn stock(repository: &Repository) -> Result<Self, Failure> {
        let mut tree = Tree::default();
        let mut patch = Table::new();
        for name in repository.crates() {
            for (file, content) in export::without_packaging(&repository.stock(&name)?).iter() {
                tree.insert(format!("{name}/{file}"), content);
            }
            let path = InlineTable::from_iter([("path", Value::from(name.as_str()))]);
            patch.insert(&name, Item::Value(Value::InlineTable(path)));
        }
        let crates = repository.crates();
        let mut workspace = export::workspace(crates.iter().map(String::as_str));
        // They ask for each other by version, which is to mean these very sources.
        let mut registries = Table::new();
        registries.set_implicit(true);
        registries.insert("crates-io", Item::Table(patch));
        workspace.insert("patch", Item::Table(registries));
        Self::write(repository, "stock", tree, &workspace)
    }

    /// The same with the patches and with the files of ours.
    pub(super) fn fork(repository: &Repository) -> Result<Self, Failure> {
        let tree = export::workspace_tree(repository)?;
        let workspace = tree.text("Cargo.toml").unwrap_or_default().parse()?;
        Self::write(repository, "fork", tree, &workspace)
    }

    fn write(
        repository: &Repository,
        name: &'static str,
        mut tree: Tree,
        workspace: &DocumentMut,
    ) -> Result<Self, Failure> {
        tree.insert("Cargo.toml", workspace.to_string());
        // Both sides with the same versions of everything else.
        tree.insert("Cargo.lock", std::fs::read(repository.root.join("Cargo.lock"))?);
        let folder = repository.scratch("bench").join(name);
        std::fs::create_dir_all(&folder)?;
        tree.write(&folder)?;
        Ok(Self { name, folder })
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Builds the bench programs; cargo tells how far it is.
    pub(super) fn build(
        &self,
        repository: &Repository,
        features: &str,
    ) -> Result<Vec<Program>, Failure> {
        let mut programs = Vec::new();
        for package in PACKAGES {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let mut command = Command::new(cargo);
            command
                .current_dir(&self.folder)
                // Not `--benches`, which are the unit tests as well, built for benching.
                .args(["bench", "--no-run", "--bench", "*", "--message-format=json", "-p", package])
                // One for both, since all but the crates themselves is the same.
                .env("CARGO_TARGET_DIR", repository.scratch("bench").join("target"))
                .stderr(Stdio::inherit());
            if package == "ractor" && !features.is_empty() {
                command.args(["--features", features]);
            }
            let output =
                command.output().map_err(|error| format!("cargo does not start: {error}"))?;
            if !output.status.success() {
                return Err(format!("the benches of {package} do not build").into());
            }
            programs.extend(output.stdout.split(|byte| *byte == b'\n').filter_map(Program::built));
        }
        Ok(programs)
    }
}

/// A bench program.
pub(super) struct Program {
    pub(super) name: String,
    file: PathBuf,
}

impl Program {
    /// The program that a line of cargo's messages tells of, if it is a bench.
    fn built(line: &[u8]) -> Option<Self> {
        let message: serde_json::Value = serde_json::from_slice(line).ok()?;
        let target = &message["target"];
        target["kind"].as_array()?.iter().find(|kind| *kind == "bench")?;
        let name = target["name"].as_str()?.to_owned();
        Some(Self { name, file: message["executable"].as_str()?.into() })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.file);
        command.arg("--bench").stdin(Stdio::null());
        command
    }

    /// The names of its benches.
    pub(super) fn benches(&self) -> Result<Vec<String>, Failure> {
        let output = finished(self.command().args(["--list", "--format", "terse"]))?;
        let names = output.lines().filter_map(|line| line.strip_suffix(": benchmark"));
        Ok(names.map(str::to_owned).collect())
    }

    /// Runs the bench `name`, and comes back with the median of its iterations, in nanoseconds.
    pub(super) fn time(&self, name: &str, measure: Duration) -> Result<f64, Failure> {
        let home = TempDir::new()?;
        let seconds = |time: Duration| time.as_secs_f64().to_string();
        finished(
            self.command()
                .args(["--exact", name, "--noplot", "--sample-size", "10", "--nresamples", "1000"])
                .args(["--measurement-time", &seconds(measure)])
                .args(["--warm-up-time", &seconds(measure / 3)])
                .env("CRITERION_HOME", home.path()),
        )?;
        let estimates = estimates(home.path())?.ok_or("criterion wrote no estimates")?;
        let estimates: serde_json::Value = serde_json::from_slice(&std::fs::read(estimates)?)?;
        let median = estimates["median"]["point_estimate"].as_f64();
        Ok(median.ok_or("criterion's estimates have no median")?)
    }
}

/// What a program prints that has to succeed.
fn finished(command: &mut Command) -> Result<String, Failure> {
    let output = command.output().map_err(|error| format!("a bench does not start: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    Err(format!("a bench fails:\n{}", String::from_utf8_lossy(&output.stderr)).into())
}

/// The one file of estimates in criterion's folder; the folders on the way there have the bench's
/// name, as far as file systems allow.
fn estimates(folder: &Path) -> Result<Option<PathBuf>, Failure> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.ends_with("new/estimates.json") {
            return Ok(Some(path));
        }
        if path.is_dir() {
            if let Some(found) = estimates(&path)? {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::{Program, estimates};

    #[test]
    fn only_benches_are_programs_to_run() {
        let message = |kind: &str, executable: &str| {
            format!(
                r#"{{"target":{{"kind":["{kind}"],"name":"actor"}},"executable":{executable}}}"#
            )
        };
        let built = |line: String| Program::built(line.as_bytes()).map(|program| program.name);
        assert_eq!(built(message("bench", r#""/a/b""#)).as_deref(), Some("actor"));
        assert_eq!(built(message("lib", r#""/a/b""#)), None);
        assert_eq!(built(message("bench", "null")), None);
        assert_eq!(built("Compiling".to_owned()), None);
    }

    #[test]
    fn the_estimates_of_this_run_are_found_and_no_others() {
        let folder = tempfile::TempDir::new().unwrap();
        assert_eq!(estimates(folder.path()).unwrap(), None);
        let bench = folder.path().join("group/bench");
        for run in ["base", "new"] {
            std::fs::create_dir_all(bench.join(run)).unwrap();
            std::fs::write(bench.join(run).join("estimates.json"), "{}").unwrap();
        }
        let found = estimates(folder.path()).unwrap();
        assert_eq!(found, Some(bench.join("new/estimates.json")));
    }
}
