//! The shadows that conflict, each as three files that a merge tool takes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use upstream::Tree;

use super::judge::{Report, Verdict};
use crate::Failure;

/// The three states of a crate: the pinned release, the other one, and our files.
#[derive(Debug)]
pub(crate) struct States<'a> {
    pub(crate) base: Tree,
    pub(crate) theirs: &'a Tree,
    pub(crate) ours: Tree,
}

/// Writes `base` (the old upstream file), `theirs` (the new one) and `ours` (the shadow) of each
/// shadow that conflicts below `folder`, which is the tool's own and holds nothing else then.
/// Returns the folder of each, by `crate/file`. A file that the new release does not have is empty.
pub(crate) fn write(
    folder: &Path,
    reports: &[Report],
    states: &BTreeMap<String, States<'_>>,
) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut files = Tree::default();
    let mut folders = BTreeMap::new();
    for report in reports {
        let Some(states) = states.get(&report.krate) else {
            continue;
        };
        for shadow in &report.shadows {
            if !matches!(shadow.verdict, Verdict::Conflicts { .. }) {
                continue;
            }
            let name = format!("{}/{}", report.krate, shadow.file);
            let ending = shadow.file.rsplit('.').next().unwrap_or_default();
            let sides = [("base", &states.base), ("theirs", states.theirs), ("ours", &states.ours)];
            for (side, tree) in sides {
                let content = tree.get(&shadow.file).unwrap_or_default();
                files.insert(format!("{name}/{side}.{ending}"), content);
            }
            folders.insert(name.clone(), folder.join(name));
        }
    }
    if !folders.is_empty() {
        fs::create_dir_all(folder)?;
        files.write(folder)?;
    } else if folder.is_dir() {
        fs::remove_dir_all(folder)?;
    }
    Ok(folders)
}
