//! Falling off the fork is loud.

use super::forms::doctor;
use super::work::{CRATES, Work, ensure, words};
use crate::Failure;

/// What the compile error says first.
const ERROR: &str = "this build took the stock `ractor`";

pub(super) fn prove(work: &Work<'_>) -> Result<(), Failure> {
    let ext = work.repository.root.join("mycelium-ext");
    let depends = format!("\n[dependencies.mycelium-ext]\npath = {ext:?}\n");

    // No patch at all: what cargo silently makes of a patch that no longer matches.
    let app = work.application("without patch", &depends)?;
    let output = work.sharing(&app, &["build"]).output()?;
    let said = words(&output);
    ensure(!output.status.success(), "mycelium-ext compiles with the stock ractor")?;
    ensure(said.contains(ERROR), format!("the compile error does not say why:\n{said}"))?;
    doctor(work, &app, false)?;

    // And the remedy works.
    let root = &work.repository.root;
    let patch = work.patch(&CRATES, |name| format!("path = {:?}", root.join(name)));
    let app = work.application("without patch", &format!("{depends}{patch}"))?;
    let output = work.sharing(&app, &["build"]).output()?;
    ensure(output.status.success(), words(&output))?;
    doctor(work, &app, true)?;

    // `mycelium-ext` is as ractor is, whether anybody told it or not; the application is not, which
    // comes last.
    let output = work.sharing(&app, &["build", "--features=ractor/async-trait"]).output()?;
    let said = words(&output);
    let is_own = said.contains("could not compile `drop-in-app`");
    ensure(is_own, format!("mycelium-ext should go with ractor's async-trait:\n{said}"))?;

    // The cluster is not, and says what to do.
    let app = work.application("half of async-trait", &patch)?;
    let features = "--features=cluster,ractor/async-trait";
    let output = work.sharing(&app, &["build", features]).output()?;
    first_error(&words(&output), "`ractor_cluster` has not: write")?;

    // The cluster of the fork with the derives of stock.
    let patch = work.patch(&CRATES[..2], |name| format!("path = {:?}", root.join(name)));
    let app = work.application("without the derives", &patch)?;
    let output = work.sharing(&app, &["build", "--features=cluster"]).output()?;
    first_error(&words(&output), "was given the stock `ractor_cluster_derive`: name it under")
}

/// What the compiler says first is this.
fn first_error(said: &str, sentence: &str) -> Result<(), Failure> {
    let first = said.lines().find(|line| line.starts_with("error")).unwrap_or_default();
    ensure(first.contains(sentence), format!("the first error should say \"{sentence}\":\n{said}"))
}
