//! The forms in which an application can take the fork.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::work::{CRATES, Work, ensure, succeed, words};
use crate::Failure;

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

/// The same from a clone, with the cluster; and then vendored, with no network at all.
pub(super) fn by_git_and_vendored(work: &Work<'_>) -> Result<(), Failure> {
    let clone = work.path("the fork");
    let mut git = Command::new("git");
    git.args(["clone", "--quiet"]).arg(&work.repository.root).arg(&clone);
    succeed(&mut git)?;
    let url = format!("file://{}", clone.display().to_string().replace(' ', "%20"));
    let patch = work.patch(&CRATES, |_| format!("git = {url:?}"));
    let app = work.application("by git", &patch)?;
    let home = work.cargo_home("home of git")?;
    let mut first = work.cargo(&app, &["run", "--features=cluster"]);
    first.env("CARGO_TARGET_DIR", work.path("target of git"));
    run(first.env("CARGO_HOME", &home))?;
    doctor(work, &app, true)?;

    let vendor = work.cargo(&app, &["vendor"]).env("CARGO_HOME", &home).output()?;
    ensure(vendor.status.success(), words(&vendor))?;
    fs::create_dir_all(app.join(".cargo"))?;
    fs::write(app.join(".cargo/config.toml"), vendor.stdout)?;
    // From here on in the application's own target folder, which nothing was built in yet.
    let empty = work.path("home of vendored");
    fs::create_dir_all(&empty)?;
    // Cargo is offline for this run, and could not reach a registry if it tried.
    let without_network = |cargo: &mut Command| {
        cargo
            .env("CARGO_HOME", &empty)
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_HTTP_PROXY", "http://127.0.0.1:1");
    };
    let mut lost = work.cargo(&app, &["build"]);
    without_network(&mut lost);
    let lost = words(&lost.output()?);
    ensure(
        lost.contains("MYCELIUM_UPSTREAM_DIR"),
        format!("without archives the build should name MYCELIUM_UPSTREAM_DIR:\n{lost}"),
    )?;
    let mut vendored = work.cargo(&app, &["run", "--features=cluster"]);
    without_network(&mut vendored);
    run(vendored.env("MYCELIUM_UPSTREAM_DIR", work.archives()?))
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
