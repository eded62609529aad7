//! Builds that are repeated, interrupted, or run twice at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use upstream::Tree;

use super::work::{Work, ensure, succeed, words};
use crate::Failure;

/// How long a build may take to come to its build script.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) fn prove(work: &Work<'_>) -> Result<(), Failure> {
    let clone = sources(work)?;
    let before = Tree::read(&clone)?;
    let patch = work.patch(&["ractor"], |name| format!("path = {:?}", clone.join(name)));
    let first = work.application("first", &patch)?;
    let second = work.application("second", &patch)?;

    // Two at once. One is stopped in the middle of the forked crate.
    let mut interrupted = build(work, &first)?;
    let mut other = build(work, &second)?;
    wait_for_sources(&first)?;
    interrupted.kill()?;
    interrupted.wait()?;
    spoil(&first)?;
    ensure(other.wait()?.success(), "a build beside another one failed")?;

    succeed(&mut work.cargo(&first, &["build"]))?;
    succeed(&mut work.cargo(&first, &["run"]))?;

    // An unchanged rebuild compiles nothing and runs no build script.
    let again = words(&succeed(&mut work.cargo(&first, &["build", "--verbose"]))?);
    ensure(again.contains("Fresh ractor v"), format!("a rebuild is not fresh:\n{again}"))?;
    ensure(
        !again.contains("Compiling")
            && !again.contains("Dirty")
            && !again.contains("build-script-build`"),
        format!("an unchanged rebuild does something:\n{again}"),
    )?;

    ensure(Tree::read(&clone)? == before, "a build wrote into the source tree")
}

/// The sources alone, so that whatever is written there is noticed.
fn sources(work: &Work<'_>) -> Result<PathBuf, Failure> {
    let folder = work.path("read only");
    for name in
        ["ractor", "ractor_cluster", "ractor_cluster_derive", "mycelium-ext", "patches", "upstream"]
    {
        let tree = Tree::read(&work.repository.root.join(name))?;
        let target = folder.join(name);
        fs::create_dir_all(&target)?;
        tree.write(&target)?;
    }
    let manifest = fs::read_to_string(work.repository.root.join("Cargo.toml"))?;
    let mut manifest: toml_edit::DocumentMut = manifest.parse()?;
    let members = [
        "ractor",
        "ractor_cluster",
        "ractor_cluster_derive",
        "mycelium-ext/guard",
        "mycelium-ext/link",
        "mycelium-ext/transport",
        "patches",
        "upstream",
        "upstream/example-entry",
    ];
    manifest["workspace"]["members"] = toml_edit::value(toml_edit::Array::from_iter(members));
    fs::write(folder.join("Cargo.toml"), manifest.to_string())?;
    for (file, _) in Tree::read(&folder)?.iter() {
        let mut permissions = fs::metadata(folder.join(file))?.permissions();
        permissions.set_readonly(true);
        fs::set_permissions(folder.join(file), permissions)?;
    }
    Ok(folder)
}

fn build(work: &Work<'_>, app: &Path) -> Result<Child, Failure> {
    let mut cargo = work.cargo(app, &["build", "--quiet"]);
    Ok(cargo.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

/// The folders that build scripts made the forked sources in.
fn woven(app: &Path) -> Vec<PathBuf> {
    let builds = fs::read_dir(app.join("target/debug/build")).into_iter().flatten().flatten();
    builds.map(|build| build.path().join("out/upstream")).filter(|path| path.is_dir()).collect()
}

/// Waits until the build script has begun to write.
fn wait_for_sources(app: &Path) -> Result<(), Failure> {
    let started = Instant::now();
    while woven(app).is_empty() {
        ensure(started.elapsed() < PATIENCE, "the build does not come to its build script")?;
        // Another process makes the folder; there is nothing to wait on but time.
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Leaves what a build script leaves that is killed while it writes: half a file, and the
/// record of no run.
fn spoil(app: &Path) -> Result<(), Failure> {
    for folder in woven(app) {
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("src/lib.rs"), "pub mod ac")?;
        let _ = fs::remove_file(folder.join("../../output"));
        let _ = fs::remove_file(folder.join("../../invoked.timestamp"));
    }
    Ok(())
}
