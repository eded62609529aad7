//! What another upstream release does to each edit and each shadow.
//!
//! Three verdicts, and nothing between them:
//!
//! * **applies**: the edit finds its item and anchor, each once, in the file it names. Where
//!   the item around the anchor changed, the report shows how, for a person to look at.
//! * **moved**: not there any more, but the very same item stands in exactly one other file.
//! * **conflicts**: everything else. A rebase never skips one, and never guesses.

#[cfg(test)]
mod releases;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde::Serialize;
use similar::TextDiff;

use upstream::edit::{Misfit, Source, Target, line_of};
use upstream::fork::{Fork, shadow_fingerprint};
use upstream::items;
use upstream::patch::{Edit, Op};
use upstream::pins::Pin;
use upstream::{Error, Result, Tree};

/// What a release does to one crate of the fork.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The crate.
    pub(crate) krate: String,
    /// The pinned release.
    pub(crate) from: String,
    /// The other release.
    pub(crate) to: String,
    /// Every edit of every patch.
    pub(crate) edits: Vec<EditReport>,
    /// Every shadowed file.
    pub(crate) shadows: Vec<ShadowReport>,
    /// How upstream's manifest differs from ours, beyond what is justified.
    pub(crate) manifest: Vec<String>,
}

/// One edit against the other release.
#[derive(Debug, Serialize)]
pub(crate) struct EditReport {
    /// `crate/NNNN-name.toml`.
    pub(crate) patch: String,
    /// Counted from 1.
    pub(crate) edit: usize,
    /// The file that the edit names.
    pub(crate) file: String,
    /// The item's address.
    pub(crate) item: Option<String>,
    /// The outcome.
    #[serde(flatten)]
    pub(crate) verdict: Verdict,
    /// How upstream changed the item that the edit stands on, as a unified diff.
    pub(crate) item_change: Option<String>,
}

/// One shadowed file against the other release.
#[derive(Debug, Serialize)]
pub(crate) struct ShadowReport {
    /// The file.
    pub(crate) file: String,
    /// The outcome.
    #[serde(flatten)]
    pub(crate) verdict: Verdict,
    /// The fingerprint of upstream's file in the other release.
    pub(crate) fingerprint: Option<String>,
    /// How upstream changed the file, as a unified diff.
    pub(crate) change: Option<String>,
}

/// An outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// As it stands.
    Applies {
        /// The first line of what it stands on, in the pinned release and in the other.
        lines: Option<(usize, usize)>,
    },
    /// In another file.
    Moved {
        /// That file.
        to: String,
    },
    /// Not without a person.
    Conflicts {
        /// What does not fit.
        why: String,
        /// The nearest match.
        candidates: Vec<String>,
    },
}

/// How many edits and shadows apply, moved, and conflict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    /// As they stand, on items that did not change.
    pub(crate) applies: usize,
    /// As they stand, while upstream changed the item around them: for a person to look at.
    pub(crate) changed: usize,
    /// In another file.
    pub(crate) moved: usize,
    /// Not without a person; differences of the manifest count here.
    pub(crate) conflicts: usize,
}

impl Report {
    /// Counts the verdicts.
    pub(crate) fn tally(&self) -> Tally {
        let edits = self.edits.iter().map(|edit| (&edit.verdict, edit.item_change.is_some()));
        // A shadow replaces all of its file, and stands on nothing.
        let shadows = self.shadows.iter().map(|shadow| (&shadow.verdict, false));
        let mut tally = Tally { conflicts: self.manifest.len(), ..Tally::default() };
        for (verdict, changed) in edits.chain(shadows) {
            match verdict {
                Verdict::Applies { .. } if changed => tally.changed += 1,
                Verdict::Applies { .. } => tally.applies += 1,
                Verdict::Moved { .. } => tally.moved += 1,
                Verdict::Conflicts { .. } => tally.conflicts += 1,
            }
        }
        tally
    }
}

/// Judges every edit and shadow of the crate `krate` on the way from the release `old`, which
/// is pinned, to `new`.
///
/// # Errors
/// An edit that does not even fit the pinned release, or a file of it that cannot be parsed.
pub(crate) fn judge(fork: &Fork, krate: &str, old: &Tree, new: &Tree, to: &str) -> Result<Report> {
    let pin = fork.pins.get(krate, "the rebase")?;
    let shadows = judge_shadows(pin, old, new)?;
    let (old, new) = (Release::of(old), Release::of(new));
    let mut edits = Vec::new();
    for edit in fork.patches_of(krate).iter().flat_map(|patch| &patch.edits) {
        edits.push(judge_edit(edit, &old, &new)?);
    }
    Ok(Report {
        krate: krate.to_owned(),
        from: pin.version.clone(),
        to: to.to_owned(),
        edits,
        shadows,
        manifest: Vec::new(),
    })
}

fn judge_edit(edit: &Edit, old: &Release<'_>, new: &Release<'_>) -> Result<EditReport> {
    let file = edit.place.file.as_str();
    let unfit = |misfit: Misfit| Error::Edit {
        place: Box::new(edit.place.clone()),
        why: misfit.why,
        candidates: misfit.candidates,
    };
    let old_source = match old.source(file) {
        Some(source) => source?,
        None => return Err(unfit(missing_file())),
    };
    let old_targets = edit.locate(&old_source).map_err(unfit)?;
    let (verdict, item_change) = match locate(edit, new, file) {
        Ok((_, new_targets)) if new_targets.len() != old_targets.len() => {
            let (before, after) = (old_targets.len(), new_targets.len());
            let why = format!("the address names {after} items, and named {before}");
            (Verdict::Conflicts { why, candidates: Vec::new() }, None)
        }
        Ok((new_source, new_targets)) => {
            let confined = edit.item.is_some();
            let change = confined
                .then(|| item_change(&old_source, &old_targets, &new_source, &new_targets))
                .flatten();
            let first = |source: &Source<'_>, targets: &[Target]| {
                line_of(source.text, targets[0].item.start)
            };
            let lines = (first(&old_source, &old_targets), first(&new_source, &new_targets));
            (Verdict::Applies { lines: confined.then_some(lines) }, change)
        }
        Err(misfit) => {
            let homes = if gone(edit, new) {
                elsewhere(edit, &old_source, &old_targets, old, new)
            } else {
                Vec::new()
            };
            match homes.as_slice() {
                [home] => (Verdict::Moved { to: home.clone() }, None),
                _ => (conflict(misfit, homes), changed_item(edit, &old_source, &old_targets, new)),
            }
        }
    };
    Ok(EditReport {
        patch: edit.place.patch.clone(),
        edit: edit.place.edit,
        file: file.to_owned(),
        item: edit.place.item.clone(),
        verdict,
        item_change,
    })
}

fn missing_file() -> Misfit {
    Misfit { why: "upstream has no such file".to_owned(), candidates: Vec::new() }
}

fn conflict(misfit: Misfit, homes: Vec<String>) -> Verdict {
    let homes = homes.into_iter().map(|file| format!("the same item stands in {file}"));
    let candidates = misfit.candidates.into_iter().chain(homes).collect();
    Verdict::Conflicts { why: misfit.why, candidates }
}

/// A release. Each file is parsed once: there are many edits, and they look everywhere.
struct Release<'a> {
    tree: &'a Tree,
    sources: RefCell<HashMap<String, Rc<Source<'a>>>>,
}

impl<'a> Release<'a> {
    fn of(tree: &'a Tree) -> Self {
        Self { tree, sources: RefCell::default() }
    }

    fn text(&self, file: &str) -> Option<&'a str> {
        self.tree.text(file)
    }

    /// The file, parsed; `None` if there is none.
    fn source(&self, file: &str) -> Option<Result<Rc<Source<'a>>>> {
        if let Some(source) = self.sources.borrow().get(file) {
            return Some(Ok(source.clone()));
        }
        let (file, _) = self.tree.iter().find(|(name, _)| *name == file)?;
        let text = self.tree.text(file)?;
        let parsed = Source::parse(file, text).map(Rc::new);
        if let Ok(source) = &parsed {
            self.sources.borrow_mut().insert(file.to_owned(), source.clone());
        }
        Some(parsed)
    }
}

fn locate<'a>(
    edit: &Edit,
    release: &Release<'a>,
    file: &str,
) -> Result<(Rc<Source<'a>>, Vec<Target>), Misfit> {
    let source = release
        .source(file)
        .ok_or_else(missing_file)?
        .map_err(|error| Misfit { why: error.to_string(), candidates: Vec::new() })?;
    let targets = edit.locate(&source)?;
    Ok((source, targets))
}

/// Whether the item that the edit is confined to (or the whole file) is no longer in its file.
fn gone(edit: &Edit, new: &Release<'_>) -> bool {
    let Some(source) = new.source(&edit.place.file) else {
        return true;
    };
    let (Some(address), Ok(source)) = (&edit.item, source) else {
        return false;
    };
    items::resolve(&source.items, address).is_empty()
}

/// The other files in which the edit finds the very same items, and did not before.
fn elsewhere(
    edit: &Edit,
    old: &Source<'_>,
    targets: &[Target],
    old_release: &Release<'_>,
    new: &Release<'_>,
) -> Vec<String> {
    let fingerprints = |source: &Source<'_>, targets: &[Target]| -> Vec<String> {
        targets.iter().map(|target| source.fingerprint(&target.item)).collect()
    };
    let wanted = fingerprints(old, targets);
    let ending = old.file.rsplit('.').next();
    // A file without the item's name cannot hold the item, and need not be parsed.
    let name = edit.place.item.as_deref().and_then(|item| item.rsplit(' ').next()).unwrap_or("");
    new.tree
        .iter()
        .map(|(file, _)| file)
        .filter(|file| *file != old.file && file.rsplit('.').next() == ending)
        .filter(|file| new.text(file).is_some_and(|text| text.contains(name)))
        .filter(|file| locate(edit, old_release, file).is_err())
        .filter(|file| {
            locate(edit, new, file)
                .is_ok_and(|(source, found)| fingerprints(&source, &found) == wanted)
        })
        .map(str::to_owned)
        .collect()
}

/// How the items changed that the edit found in both releases; `None` when they did not.
fn item_change(
    old: &Source<'_>,
    old_targets: &[Target],
    new: &Source<'_>,
    new_targets: &[Target],
) -> Option<String> {
    let pairs = old_targets.iter().zip(new_targets);
    let changes: String = pairs
        .filter(|(a, b)| old.fingerprint(&a.item) != new.fingerprint(&b.item))
        .map(|(a, b)| unified(&old.text[a.item.clone()], &new.text[b.item.clone()]))
        .collect();
    (!changes.is_empty()).then_some(changes)
}

/// How the item changed that holds an anchor which is gone: what a person needs to see.
fn changed_item(
    edit: &Edit,
    old: &Source<'_>,
    targets: &[Target],
    new: &Release<'_>,
) -> Option<String> {
    let bare = Edit { anchor: None, pin: None, op: Op::InsertBefore, ..edit.clone() };
    bare.item.as_ref()?;
    let (source, found) = locate(&bare, new, old.file).ok()?;
    item_change(old, targets, &source, &found)
}

fn judge_shadows(pin: &Pin, old: &Tree, new: &Tree) -> Result<Vec<ShadowReport>> {
    let mut reports = Vec::new();
    for (file, pinned) in &pin.shadows {
        let (verdict, fingerprint, change) = if new.get(file).is_some() {
            let now = shadow_fingerprint(new, file)?;
            let change = unified(old.text(file).unwrap_or(""), new.text(file).unwrap_or(""));
            if now == *pinned {
                (Verdict::Applies { lines: None }, Some(now), None)
            } else {
                let why = "upstream changed the file that ours replaces".to_owned();
                (Verdict::Conflicts { why, candidates: Vec::new() }, Some(now), Some(change))
            }
        } else {
            let ending = file.rsplit('.').next();
            let homes: Vec<String> = new
                .iter()
                .map(|(other, _)| other)
                .filter(|other| other.rsplit('.').next() == ending)
                .filter(|other| shadow_fingerprint(new, other).is_ok_and(|now| now == *pinned))
                .map(|other| format!("the same file stands at {other}: move ours there"))
                .collect();
            (conflict_of_shadow(homes), None, None)
        };
        reports.push(ShadowReport { file: file.clone(), verdict, fingerprint, change });
    }
    Ok(reports)
}

fn conflict_of_shadow(candidates: Vec<String>) -> Verdict {
    let why = "upstream no longer has the file that ours replaces".to_owned();
    Verdict::Conflicts { why, candidates }
}

fn unified(old: &str, new: &str) -> String {
    TextDiff::from_lines(old, new).unified_diff().context_radius(2).to_string()
}
