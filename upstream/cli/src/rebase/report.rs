//! The report of a rebase in words: conflicts first, and in a summary at the end too.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::PathBuf;

use super::judge::{Report, Tally, Verdict};
use crate::compile::{Compiled, CompilerError};

/// One edit, shadow or difference of a manifest.
#[derive(Debug)]
struct Entry<'a> {
    section: Section,
    name: String,
    /// A note behind the name.
    note: String,
    /// What does not fit, and the nearest match.
    why: Vec<&'a str>,
    /// How upstream changed what it stands on.
    change: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Conflicts,
    Moved,
    ContextChanged,
    Applies,
}

const SECTIONS: [(Section, &str); 4] = [
    (Section::Conflicts, "conflicts"),
    (Section::Moved, "moved"),
    (Section::ContextChanged, "applies, context changed"),
    (Section::Applies, "applies"),
];

/// Every verdict; the folders of `merges` hold the three files of a shadow.
pub(crate) fn verdicts(reports: &[Report], merges: &BTreeMap<String, PathBuf>) -> String {
    let entries: Vec<Entry<'_>> = reports.iter().flat_map(entries).collect();
    let mut text = String::new();
    // Where each diff stands already: several edits may stand on one item.
    let mut shown: HashMap<&str, String> = HashMap::new();
    for (section, title) in SECTIONS {
        let mut entries = entries.iter().filter(|entry| entry.section == section).peekable();
        if entries.peek().is_none() {
            continue;
        }
        _ = writeln!(text, "{title}");
        for entry in entries {
            _ = writeln!(text, "  {}{}", entry.name, entry.note);
            for line in &entry.why {
                _ = writeln!(text, "      {line}");
            }
            if let Some(folder) = merges.get(&entry.name) {
                _ = writeln!(text, "      to merge: {}", folder.display());
            }
            let Some(change) = entry.change else { continue };
            if let Some(place) = shown.get(change) {
                _ = writeln!(text, "      upstream's change is shown above: {place}");
                continue;
            }
            shown.insert(change, entry.name.clone());
            _ = writeln!(text, "      upstream changed what it stands on:");
            for line in change.lines() {
                _ = writeln!(text, "      {line}");
            }
        }
    }
    text
}

fn entries(report: &Report) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    for edit in &report.edits {
        let item = edit.item.as_deref().unwrap_or("the file");
        let name = format!("{}, edit {}: {}, {item}", edit.patch, edit.edit, edit.file);
        entries.push(entry(name, &edit.verdict, edit.item_change.as_deref(), true));
    }
    for shadow in &report.shadows {
        let name = format!("{}/{}", report.krate, shadow.file);
        entries.push(entry(name, &shadow.verdict, shadow.change.as_deref(), false));
    }
    entries.extend(report.manifest.iter().map(|difference| Entry {
        section: Section::Conflicts,
        name: format!("{}/Cargo.toml", report.krate),
        note: String::new(),
        why: vec![difference],
        change: None,
    }));
    entries
}

fn entry<'a>(
    name: String,
    verdict: &'a Verdict,
    change: Option<&'a str>,
    is_edit: bool,
) -> Entry<'a> {
    let (section, note, why) = match verdict {
        Verdict::Applies { lines } => {
            let note = lines.filter(|(from, to)| from != to);
            let note = note.map_or(String::new(), |(from, to)| format!(" (line {from} -> {to})"));
            let changed = is_edit && change.is_some();
            (if changed { Section::ContextChanged } else { Section::Applies }, note, Vec::new())
        }
        Verdict::Moved { to } => (Section::Moved, format!(" -> {to}"), Vec::new()),
        Verdict::Conflicts { why, candidates } => {
            let lines = std::iter::once(why).chain(candidates).flat_map(|line| line.lines());
            (Section::Conflicts, String::new(), lines.collect())
        }
    };
    Entry { section, name, note, why, change }
}

/// What the compiler says, by file: those of ours first.
pub(crate) fn compiler(compiled: &Compiled) -> String {
    if let Some(why) = &compiled.not_run {
        return format!("compiler: not run: {why}\n");
    }
    if compiled.is_sound() {
        return "compiler: no errors\n".to_owned();
    }
    let mut text = String::from("compiler\n");
    for (file, errors) in by_file(compiled) {
        _ = writeln!(text, "  {file}: {}", count(errors.len()));
        for error in errors {
            let line = error.line.map_or(String::new(), |line| format!("line {line}: "));
            let code = error.code.as_ref().map_or(String::new(), |code| format!("{code}: "));
            _ = writeln!(text, "      {line}{code}{}", error.message);
        }
    }
    for package in &compiled.not_reached {
        _ = writeln!(text, "  {package} was not compiled: what it needs has errors");
    }
    _ = writeln!(text, "  the compiler may find more errors once these are gone");
    text
}

/// The errors by file: those of ours first, and each with whose it is.
fn by_file(compiled: &Compiled) -> Vec<(String, Vec<&CompilerError>)> {
    let mut files: BTreeMap<(bool, &str), Vec<&CompilerError>> = BTreeMap::new();
    for error in &compiled.errors {
        files.entry((!error.ours, &error.file)).or_default().push(error);
    }
    let named = files.into_iter().map(|((theirs, file), errors)| {
        let whose = if theirs { "upstream's, patched" } else { "ours" };
        (format!("{file} ({whose})"), errors)
    });
    named.collect()
}

fn count(errors: usize) -> String {
    format!("{errors} error{}", if errors == 1 { "" } else { "s" })
}

/// What is left to do, and the counts.
pub(crate) fn summary(
    reports: &[Report],
    compiled: Option<&Compiled>,
    tally: Tally,
    version: &str,
) -> String {
    let mut text = String::from("summary\n");
    let entries = reports.iter().flat_map(entries);
    for entry in entries.filter(|entry| entry.section == Section::Conflicts) {
        let why = entry.why.first().copied().unwrap_or_default();
        _ = writeln!(text, "  conflicts  {}: {why}", entry.name);
    }
    if let Some(compiled) = compiled {
        if let Some(why) = &compiled.not_run {
            _ = writeln!(text, "  compiler   not run: {}", why.lines().next().unwrap_or_default());
        }
        for (file, errors) in by_file(compiled) {
            _ = writeln!(text, "  compiler   {file}: {}", count(errors.len()));
        }
        for package in &compiled.not_reached {
            _ = writeln!(text, "  compiler   {package} was not compiled");
        }
    }
    _ = writeln!(
        text,
        "{version}: {} apply, {} apply in a changed context, {} moved, {} conflict",
        tally.applies, tally.changed, tally.moved, tally.conflicts
    );
    text
}

#[cfg(test)]
mod tests {
    use crate::rebase::judge::{EditReport, ShadowReport};

    use super::*;

    fn edit(number: usize, item: &str, verdict: Verdict, change: Option<&str>) -> EditReport {
        EditReport {
            patch: "ractor/0001-it.toml".to_owned(),
            edit: number,
            file: "src/a.rs".to_owned(),
            item: Some(item.to_owned()),
            verdict,
            item_change: change.map(str::to_owned),
        }
    }

    fn conflict(why: &str) -> Verdict {
        Verdict::Conflicts { why: why.to_owned(), candidates: vec!["fn other".to_owned()] }
    }

    fn reports() -> Vec<Report> {
        let applies = || Verdict::Applies { lines: Some((3, 8)) };
        vec![Report {
            krate: "ractor".to_owned(),
            from: "0.16.5".to_owned(),
            to: "0.99.0".to_owned(),
            edits: vec![
                edit(1, "fn plain", applies(), None),
                edit(2, "fn changed", applies(), Some("-old\n+new\n")),
                edit(3, "fn changed", applies(), Some("-old\n+new\n")),
                edit(4, "fn gone", conflict("no such item"), None),
                edit(5, "fn away", Verdict::Moved { to: "src/b.rs".to_owned() }, None),
            ],
            shadows: vec![ShadowReport {
                file: "src/message.rs".to_owned(),
                verdict: conflict("upstream changed the file"),
                fingerprint: None,
                change: Some("+news\n".to_owned()),
            }],
            manifest: vec!["features.turbo: upstream has it".to_owned()],
        }]
    }

    /// Where each of `words` begins in `text`, which has to be in this order.
    fn assert_order(text: &str, words: &[&str]) {
        let mut from = 0;
        for word in words {
            let at = text[from..].find(word);
            from += at.unwrap_or_else(|| panic!("{word:?} is not there, or too early:\n{text}"));
        }
    }

    #[test]
    fn conflicts_come_first_and_a_diff_once() {
        let merges = BTreeMap::from([("ractor/src/message.rs".to_owned(), PathBuf::from("/m"))]);
        let text = verdicts(&reports(), &merges);
        let order = [
            "conflicts\n",
            "edit 4: src/a.rs, fn gone\n      no such item\n      fn other\n",
            "ractor/src/message.rs\n",
            "to merge: /m\n",
            "+news\n",
            "features.turbo",
            "moved\n",
            "edit 5: src/a.rs, fn away -> src/b.rs\n",
            "applies, context changed\n",
            "edit 2: src/a.rs, fn changed (line 3 -> 8)\n",
            "+new\n",
            "edit 3: ",
            "shown above: ractor/0001-it.toml, edit 2",
            "\napplies\n",
            "edit 1: src/a.rs, fn plain",
        ];
        assert_order(&text, &order);
        assert_eq!(text.matches("+new\n").count(), 1, "{text}");
    }

    #[test]
    fn the_summary_names_conflicts_and_files_that_do_not_compile() {
        let error = |file: &str, ours| CompilerError {
            file: file.to_owned(),
            line: Some(7),
            code: Some("E0277".to_owned()),
            message: "not `Sync`".to_owned(),
            ours,
        };
        let compiled = Compiled {
            not_run: None,
            errors: vec![
                error("ractor/src/actor.rs", false),
                error("ractor/src/remoting.rs", true),
            ],
            not_reached: vec!["ractor_cluster".to_owned()],
        };
        let tally = reports()[0].tally();
        assert_eq!((tally.applies, tally.changed, tally.moved, tally.conflicts), (1, 2, 1, 3));
        let order = [
            "summary\n",
            "conflicts  ractor/0001-it.toml, edit 4: src/a.rs, fn gone: no such item\n",
            "conflicts  ractor/src/message.rs: upstream changed the file\n",
            "conflicts  ractor/Cargo.toml: features.turbo",
            "compiler   ractor/src/remoting.rs (ours): 1 error\n",
            "compiler   ractor/src/actor.rs (upstream's, patched): 1 error\n",
            "compiler   ractor_cluster was not compiled\n",
            "0.99.0: 1 apply, 2 apply in a changed context, 1 moved, 3 conflict\n",
        ];
        assert_order(&summary(&reports(), Some(&compiled), tally, "0.99.0"), &order);
        let order = [
            "compiler\n",
            "ractor/src/remoting.rs (ours): 1 error\n      line 7: E0277: not `Sync`\n",
            "ractor/src/actor.rs (upstream's, patched): 1 error\n",
            "ractor_cluster was not compiled",
        ];
        assert_order(&super::compiler(&compiled), &order);
        let not_run = Compiled { not_run: Some("no lock\nat all".to_owned()), ..compiled };
        assert_eq!(super::compiler(&not_run), "compiler: not run: no lock\nat all\n");
        let summary = summary(&reports(), Some(&not_run), tally, "0.99.0");
        assert!(summary.contains("  compiler   not run: no lock\n"), "{summary}");
    }
}
