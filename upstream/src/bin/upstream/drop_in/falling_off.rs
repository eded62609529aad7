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
    doctor(work, &app, true)
}
