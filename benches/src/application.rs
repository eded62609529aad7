//! Applications outside of the workspace that are built against stock and against the fork.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use upstream::Tree;

use crate::Failure;
use crate::report::target;

const CRATES: [&str; 3] = ["ractor", "ractor_cluster", "ractor_cluster_derive"];

/// The folder of the workspace.
pub(crate) fn workspace() -> Result<&'static Path, Failure> {
    Ok(Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?)
}

/// What stands at the end of a manifest that takes the fork.
pub(crate) fn patch() -> Result<String, Failure> {
    let workspace = workspace()?;
    let lines = CRATES.map(|name| format!("{name} = {{ path = {:?} }}\n", workspace.join(name)));
    Ok(format!("\n[patch.crates-io]\n{}", lines.concat()))
}

/// An application in `benches/BENCH/app`, with one program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Application {
    pub(crate) bench: &'static str,
    pub(crate) program: &'static str,
}

impl Application {
    /// Builds a copy of it below cargo's own folder, with `more` at the end of its manifest, and
    /// returns the program. Cargo tells its progress on standard error.
    pub(crate) fn build(
        self,
        name: &str,
        more: &str,
        options: &[&str],
    ) -> Result<PathBuf, Failure> {
        let workspace = workspace()?;
        let scratch = std::path::absolute(target())?.join(self.bench);
        let folder = scratch.join(name);
        let mut tree = Tree::default();
        let source = workspace.join("benches").join(self.bench).join("app");
        for (file, content) in Tree::read(&source)?.iter() {
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
        fs::copy(built.join("release").join(self.program), &program)?;
        Ok(program)
    }
}
