//! A folder far from this workspace, with the application and a cargo home of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use upstream::Tree;

use crate::Failure;
use crate::repository::Repository;
use crate::suites;

/// Everything is below one temporary folder, which goes away with it, also on failure.
pub(super) struct Work<'a> {
    pub(super) repository: &'a Repository,
    folder: TempDir,
    shared: &'a Path,
}

impl<'a> Work<'a> {
    pub(super) fn new(repository: &'a Repository, shared: &'a Path) -> Result<Self, Failure> {
        // A space in the path, since users have them.
        let folder = tempfile::Builder::new().prefix("drop in ").tempdir()?;
        Ok(Self { repository, folder, shared })
    }

    /// A path in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Copies the application, with `more` at the end of its manifest.
    pub(super) fn application(&self, name: &str, more: &str) -> Result<PathBuf, Failure> {
        let folder = self.path(name);
        let mut tree = Tree::default();
        for (file, content) in Tree::read(&self.repository.root.join("drop-in/app"))?.iter() {
            // What a run of the application in its place may have left.
            if !file.starts_with("target/") && file != "Cargo.lock" {
                tree.insert(file, content);
            }
        }
        let manifest = format!("{}\n{more}", tree.text("Cargo.toml").unwrap_or_default());
        tree.insert("Cargo.toml", manifest);
        fs::create_dir_all(&folder)?;
        tree.write(&folder)?;
        Ok(folder)
    }

    /// A cargo home with nothing but the user's configuration, which may name a mirror.
    pub(super) fn cargo_home(&self, name: &str) -> Result<PathBuf, Failure> {
        let home = self.path(name);
        fs::create_dir_all(&home)?;
        if let Some(users) = &self.repository.places.cargo_home {
            for file in ["config.toml", "config", "credentials.toml"] {
                if users.join(file).is_file() {
                    fs::copy(users.join(file), home.join(file))?;
                }
            }
        }
        Ok(home)
    }

    /// As [`Work::cargo`], with the target folder of all proofs that use the user's cargo home:
    /// packages of a registry, and of this workspace with the same features, are compiled once.
    /// Those of a clone or a copy are other packages to cargo, and so is each application.
    pub(super) fn sharing(&self, folder: &Path, words: &[&str]) -> Command {
        let mut cargo = self.cargo(folder, words);
        cargo.env("CARGO_TARGET_DIR", self.shared);
        cargo
    }

    /// A program that [`Work::sharing`] built last.
    pub(super) fn built(&self, name: &str) -> PathBuf {
        self.shared.join("debug").join(name)
    }

    /// Cargo in `folder`, with a target folder of its own there.
    pub(super) fn cargo(&self, folder: &Path, words: &[&str]) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(folder).args(words).env_remove("MYCELIUM_UPSTREAM_DIR");
        if folder != self.repository.root {
            cargo.env_remove("CARGO_TARGET_DIR");
            suites::sparing(&mut cargo);
        }
        cargo
    }

    /// The lines that take these crates from the fork at `source`, as `path = "…"`; `{}` stands
    /// for the crate.
    pub(super) fn patch(&self, crates: &[&str], source: impl Fn(&str) -> String) -> String {
        let lines: String =
            crates.iter().map(|name| format!("{name} = {{ {} }}\n", source(name))).collect();
        format!("\n[patch.crates-io]\n{lines}")
    }

    /// The archives of the pinned packages, in a folder as `MYCELIUM_UPSTREAM_DIR` wants it.
    pub(super) fn archives(&self) -> Result<PathBuf, Failure> {
        let folder = self.path("archives");
        fs::create_dir_all(&folder)?;
        for (name, pin) in &self.repository.fork.pins.crates {
            let bytes = self.repository.places.find(name, &pin.version, Some(&pin.sha256))?;
            fs::write(folder.join(format!("{name}-{}.crate", pin.version)), bytes)?;
        }
        Ok(folder)
    }
}

/// The three crates.
pub(super) const CRATES: [&str; 3] = ["ractor", "ractor_cluster", "ractor_cluster_derive"];

/// Runs `command`, and fails with what it printed unless it succeeds.
pub(super) fn succeed(command: &mut Command) -> Result<Output, Failure> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{command:?} failed:\n{}", words(&output)).into())
}

/// What a command printed.
pub(super) fn words(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// Fails with `complaint` unless `holds`.
pub(super) fn ensure(holds: bool, complaint: impl Into<String>) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(complaint.into().into()) }
}
