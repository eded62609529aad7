//! Reads what cargo decided: `Cargo.lock`, and the patches in the `Cargo.toml` beside it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The parts of a `Cargo.lock` that say where packages come from.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Lock {
    #[serde(default)]
    pub(crate) package: Vec<Package>,
}

/// One package of the lock file.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// `None` for a package on disk.
    pub(crate) source: Option<String>,
}

/// The part of a workspace's `Cargo.toml` that names patches.
#[derive(Debug, Default, Deserialize)]
struct Manifest {
    #[serde(default)]
    patch: BTreeMap<String, BTreeMap<String, toml::Value>>,
}

/// What a project's files say.
#[derive(Debug, Default)]
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    pub(crate) lock: Lock,
    /// The crates that `[patch.crates-io]` names. A patch can rename its package.
    pub(crate) patched: Vec<String>,
}

/// Reads the project that the folder `start` belongs to.
///
/// # Errors
/// A sentence that names the file and what to do.
pub(crate) fn read(start: &Path) -> Result<Project, String> {
    let start = start
        .canonicalize()
        .map_err(|error| format!("the folder {} cannot be read: {error}", start.display()))?;
    let folder =
        start.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).ok_or_else(|| {
            format!(
                "neither {} nor a folder above it has a Cargo.lock; run `cargo generate-lockfile` \
                 in the project first",
                start.display()
            )
        })?;
    let lock = parse::<Lock>(&folder.join("Cargo.lock"))?;
    let manifest = parse::<Manifest>(&folder.join("Cargo.toml"))?;
    let patched = manifest
        .patch
        .get("crates-io")
        .into_iter()
        .flatten()
        .map(|(key, patch)| match patch.get("package").and_then(toml::Value::as_str) {
            Some(package) => package.to_owned(),
            None => key.clone(),
        })
        .collect();
    Ok(Project { folder: folder.to_owned(), lock, patched })
}

fn parse<T: for<'de> Deserialize<'de>>(file: &Path) -> Result<T, String> {
    let text = fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    toml::from_str(&text)
        .map_err(|error| format!("{} is not as cargo writes it: {error}", file.display()))
}
