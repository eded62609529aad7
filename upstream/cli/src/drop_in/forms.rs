//! The forms in which an application can take the fork.

use std::fs;
use std::path::Path;
use std::process::Command;

use toml_edit::DocumentMut;

use super::work::{CRATES, Work, ensure, succeed, words};
use crate::Failure;

/// What the build scripts of the three crates are made of.
const LIBRARIES: [&str; 2] = ["mycelium-patches", "mycelium-upstream"];

/// What the application prints at its end.
const DONE: &str = "drop-in: all as with stock ractor";

/// `[patch.crates-io] ractor = { path = … }`, with an empty cargo home.
pub(super) fn by_path(work: &Work<'_>) -> Result<(), Failure> {
    let root = &work.repository.root;
    let patch = work.patch(&CRATES, |name| format!("path = {:?}", root.join(name)));
    let app = work.application("by path", &patch)?;
    let home = work.cargo_home("home of path")?;
    // In a target folder of its own: packages from another home would replace those of the shared
    // one, which the next proof would compile once more.
    run(work.cargo(&app, &["run"]).env("CARGO_HOME", home))?;
    doctor(work, &app, true)
}

/// The same from a clone, with the cluster; and then vendored, with no network at all. The packages
/// of the registry are vendored for both, and compiled once: among them is a large library in C.
pub(super) fn by_git_and_vendored(work: &Work<'_>) -> Result<(), Failure> {
    let clone = work.path("the fork");
    let mut git = Command::new("git");
    git.args(["clone", "--quiet"]).arg(&work.repository.root).arg(&clone);
    succeed(&mut git)?;
    let url = format!("file://{}", clone.display().to_string().replace(' ', "%20"));
    let patch = work.patch(&CRATES, |_| format!("git = {url:?}"));
    let app = work.application("by git", &patch)?;
    let home = work.cargo_home("home of git")?;
    let vendor = work.cargo(&app, &["vendor"]).env("CARGO_HOME", &home).output()?;
    ensure(vendor.status.success(), words(&vendor))?;
    fs::create_dir_all(app.join(".cargo"))?;
    let settings = app.join(".cargo/config.toml");
    let vendored = String::from_utf8(vendor.stdout)?;
    // Not around the build scripts, which look for upstream's packages where the user does.
    let target = work.path("target of git");
    let cargo = |words: &[&str], home: &Path| {
        let mut cargo = work.cargo(&app, words);
        cargo.env("CARGO_TARGET_DIR", &target).env("CARGO_HOME", home);
        cargo
    };

    // The fork itself still comes from the clone.
    let mut from_clone: DocumentMut = vendored.parse()?;
    let sources = from_clone["source"].as_table_like_mut().ok_or("cargo vendors no sources")?;
    let clones: Vec<String> =
        sources.iter().map(|(name, _)| name.to_owned()).filter(|it| it.contains(&url)).collect();
    ensure(!clones.is_empty(), format!("cargo does not vendor the clone:\n{vendored}"))?;
    for name in clones {
        sources.remove(&name);
    }
    fs::write(&settings, from_clone.to_string())?;
    run(&mut cargo(&["run", "--features=cluster"], &home))?;
    doctor(work, &app, true)?;

    fs::write(&settings, vendored)?;
    let empty = work.path("home of vendored");
    fs::create_dir_all(&empty)?;
    // Cargo is offline for this run, and could not reach a registry if it tried.
    let without_network = |words: &[&str]| {
        let mut cargo = cargo(words, &empty);
        cargo.env("CARGO_NET_OFFLINE", "true").env("CARGO_HTTP_PROXY", "http://127.0.0.1:1");
        cargo
    };
    // Nothing is left of the fork as it was built from the clone.
    let mut clean = without_network(&["clean", "--quiet"]);
    succeed(clean.args(CRATES.iter().chain(&LIBRARIES).flat_map(|name| ["--package", name])))?;
    let lost = words(&without_network(&["build"]).output()?);
    ensure(
        lost.contains("MYCELIUM_UPSTREAM_DIR"),
        format!("without archives the build should name MYCELIUM_UPSTREAM_DIR:\n{lost}"),
    )?;
    let mut offline = without_network(&["run", "--features=cluster"]);
    run(offline.env("MYCELIUM_UPSTREAM_DIR", work.archives()?))
}

fn run(cargo: &mut Command) -> Result<(), Failure> {
    let said = words(&succeed(cargo)?);
    ensure(said.contains(DONE), format!("the application did not come to its end:\n{said}"))
}

/// Asks `mycelium doctor` about the project in `folder`, built as those install it who want nothing
/// else: without the cluster, and in seconds.
pub(super) fn doctor(work: &Work<'_>, folder: &Path, healthy: bool) -> Result<(), Failure> {
    let run = ["run", "--quiet", "-p", "mycelium-cli", "--no-default-features", "--"];
    let mut doctor = work.cargo(&work.repository.root, &run);
    let output = doctor.arg("doctor").arg(folder).output()?;
    let expected = if healthy { Some(0) } else { Some(1) };
    ensure(output.status.code() == expected, format!("the doctor errs:\n{}", words(&output)))
}
