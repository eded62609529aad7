//! Where measurements, plots and the report are.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::Case;

/// Where cargo builds, and with it criterion's measurements and the report.
pub fn target() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    target.unwrap_or_else(|| workspace.expect("the package's own folder").join("target"))
}

/// Where criterion writes.
pub(super) fn criterion() -> PathBuf {
    target().join("criterion")
}

/// Where the report goes.
pub(super) fn report() -> PathBuf {
    target().join("report")
}

/// Removes the last report and what criterion measured for it, so that nothing old is taken for
/// new; makes the report's folder.
///
/// # Errors
/// A folder cannot be removed or made.
pub fn forget_last_run() -> io::Result<PathBuf> {
    let report = report();
    let measured = Case::all().into_iter().map(|case| criterion().join(case.to_string()));
    for folder in measured.chain([report.clone()]) {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
    }
    fs::create_dir_all(&report)?;
    Ok(report)
}

/// Copies criterion's pages and plots into the report.
///
/// # Errors
/// One cannot be copied.
pub fn copy_plots() -> io::Result<()> {
    let plots = report().join("criterion");
    let index = criterion().join("report");
    copy(&index, &plots.join("report"))?;
    for case in Case::all() {
        let case = case.to_string();
        copy(&criterion().join(&case), &plots.join(&case))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in entries(from) {
        let to = to.join(entry.file_name().unwrap_or_default());
        if entry.is_dir() {
            copy(&entry, &to)?;
        } else if entry.extension().is_some_and(|it| it == "html" || it == "svg") {
            fs::create_dir_all(to.parent().unwrap_or(&to))?;
            fs::copy(&entry, &to)?;
        }
    }
    Ok(())
}

/// What is in a folder; nothing when there is none.
pub(super) fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}
