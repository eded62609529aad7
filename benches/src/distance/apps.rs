//! The application, built against stock and against the fork.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use upstream::Tree;

use super::Failure;
use super::case::{Build, RAW, SHM};
use crate::report::target;

const CRATES: [&str; 3] = ["ractor", "ractor_cluster", "ractor_cluster_derive"];

/// Both programs.
#[derive(Debug)]
pub(super) struct Apps {
    stock: PathBuf,
    fork: PathBuf,
}

impl Apps {
    /// Builds them below cargo's own folder. Cargo tells its progress on standard error.
    pub(super) fn build() -> Result<Self, Failure> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?;
        let patch: String = CRATES
            .iter()
            .map(|name| format!("{name} = {{ path = {:?} }}\n", workspace.join(name)))
            .collect();
        let mut more = format!("\n[patch.crates-io]\n{patch}");
        let mut features = vec!["fork"];
        if SHM {
            let path = workspace.join("mycelium-ext");
            more += &format!(
                "\n[dependencies.mycelium-ext]\npath = {path:?}\nfeatures = [\"cluster\"]\n"
            );
            features.push("shm");
        }
        if RAW {
            features.push("raw");
        }
        Ok(Self {
            stock: build(workspace, "stock", "", &[])?,
            fork: build(workspace, "fork", &more, &["--features", &features.join(",")])?,
        })
    }

    pub(super) fn program(&self, build: Build) -> &Path {
        match build {
            Build::Stock => &self.stock,
            Build::Fork => &self.fork,
        }
    }
}

/// Builds a copy of the application, with `more` at the end of its manifest.
fn build(workspace: &Path, name: &str, more: &str, options: &[&str]) -> Result<PathBuf, Failure> {
    let scratch = std::path::absolute(target())?.join("distance");
    let folder = scratch.join(name);
    let mut tree = Tree::default();
    for (file, content) in Tree::read(&workspace.join("benches/distance/app"))?.iter() {
        // What a run of the application in its place may have left.
        if !file.starts_with("target/") && file != "Cargo.lock" {
            tree.insert(file, content);
        }
    }
    let manifest = tree.text("Cargo.toml").ok_or("the application has no manifest")?;
    let manifest = format!("{manifest}{more}");
    tree.insert("Cargo.toml", manifest);
    // Both builds take the same releases of everything else: those of this workspace.
    let lock = [folder.join("Cargo.lock"), workspace.join("Cargo.lock")];
    if let Some(lock) = lock.iter().find_map(|lock| fs::read(lock).ok()) {
        tree.insert("Cargo.lock", lock);
    }
    fs::create_dir_all(&folder)?;
    tree.write(&folder)?;

    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // What both depend on is compiled once.
    let built = scratch.join("target");
    let status = Command::new(cargo)
        .args(["build", "--release"])
        .args(options)
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", &built)
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(format!("the application does not build against {name}: {status}").into());
    }
    let is_forked = fs::read_to_string(folder.join("Cargo.lock"))?.contains("+mycelium");
    if is_forked == more.is_empty() {
        return Err(format!("the application for {name} took the wrong ractor").into());
    }
    let program = scratch.join(format!("{name}-app"));
    // Not written over: the last one may still run.
    _ = fs::remove_file(&program);
    fs::copy(built.join("release/distance-app"), &program)?;
    Ok(program)
}
