//! Synthetic releases, made from the pinned ones: each change of upstream is judged as what it
//! is, and nothing is ever patched in the wrong place.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use upstream::edit::{self, Source};
use upstream::fork::Fork;
use upstream::items::{self, Item};
use upstream::patch::{Edit, Patch};
use upstream::{Tree, tokens};

use super::{EditReport, Report, Tally, Verdict, judge};
use crate::repository::Repository;

const NEXT: &str = "0.99.0";

/// The fork as it is, and every pinned release.
fn pinned() -> (Fork, BTreeMap<String, Tree>) {
    let repository = Repository::find().unwrap();
    let stock = |name: String| {
        let stock = repository.stock(&name).unwrap();
        (name, stock)
    };
    let stock = repository.crates().into_iter().map(stock).collect();
    (repository.fork, stock)
}

/// Judges a release in which `change` was made to every crate.
fn released(change: impl Fn(&Fork, &str, &mut Tree)) -> Vec<Report> {
    let (fork, stock) = pinned();
    stock
        .iter()
        .map(|(name, old)| {
            let mut new = old.clone();
            change(&fork, name, &mut new);
            judge(&fork, name, old, &new, NEXT).unwrap()
        })
        .collect()
}

fn verdicts(reports: &[Report]) -> Vec<(String, &Verdict)> {
    let edits = reports.iter().flat_map(|report| &report.edits);
    let shadows = reports.iter().flat_map(|report| &report.shadows);
    edits
        .map(|edit| (format!("{} {}", edit.patch, edit.edit), &edit.verdict))
        .chain(shadows.map(|shadow| (shadow.file.clone(), &shadow.verdict)))
        .collect()
}

fn assert_all(reports: &[Report], expected: &str, fits: impl Fn(&Verdict) -> bool) {
    let verdicts = verdicts(reports);
    assert!(!verdicts.is_empty(), "the fork has neither patches nor shadows");
    for (name, verdict) in verdicts {
        assert!(fits(verdict), "{name} should be {expected}, and is {verdict:?}");
    }
}

fn applies(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Applies { .. })
}

fn conflicts(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Conflicts { .. })
}

/// `text` with every token on a line of its own that white space allows.
fn relaid(text: &str) -> String {
    let mut ranges: Vec<_> =
        tokens::lex(text).unwrap().into_iter().map(|t| (t.range().start, t.range().end)).collect();
    ranges.dedup();
    let mut result = String::new();
    let mut done = 0;
    for (start, end) in ranges.into_iter().filter(|(start, _)| *start > 0) {
        if start < done {
            continue;
        }
        let gap = &text[done..start];
        result += gap;
        if gap.ends_with(char::is_whitespace) {
            result += "\n\t\t/* another layout */ ";
        }
        result += &text[start..end];
        done = end;
    }
    result + &text[done..]
}

/// `text` as another style of rustfmt would lay it out, which adds and removes braces too.
fn reformatted(text: &str) -> String {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition=2021", "--config"])
        .arg("max_width=60,tab_spaces=2,use_small_heuristics=Off,reorder_imports=false,reorder_modules=false")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("rustfmt comes with the toolchain");
    rustfmt.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = rustfmt.wait_with_output().unwrap();
    let formatted = String::from_utf8(output.stdout).unwrap();
    // It prints nothing where a line cannot be made to fit.
    if formatted.is_empty() { text.to_owned() } else { formatted }
}

/// The files of `tree` that the fork edits or shadows.
fn concerned(fork: &Fork, krate: &str) -> Vec<String> {
    let patches = fork.patches_of(krate);
    let edits = patches.iter().flat_map(|patch| &patch.edits).map(|edit| edit.place.file.clone());
    let shadows = fork.pins.crates[krate].shadows.keys().cloned();
    let mut files: Vec<String> = edits.chain(shadows).collect();
    files.sort();
    files.dedup();
    files
}

fn change_text(tree: &mut Tree, file: &str, change: impl Fn(&str) -> String) {
    let text = change(tree.text(file).unwrap());
    tree.insert(file, text);
}

/// Changes the item of every edit that has one: each item as it is found in the unchanged file,
/// inner ones before those that hold them.
fn change_items(fork: &Fork, krate: &str, tree: &mut Tree, change: impl Fn(&Edit, &str) -> String) {
    for file in concerned(fork, krate) {
        let mut text = tree.text(&file).unwrap().to_owned();
        let mut items = Vec::new();
        let patches = fork.patches_of(krate);
        let source = Source::parse(&file, &text).unwrap();
        for edit in patches.iter().flat_map(|patch| &patch.edits) {
            if edit.place.file == file && edit.item.is_some() {
                items.push((edit.locate(&source).unwrap()[0].item.clone(), edit));
            }
        }
        // By start from the last, and the shorter before the longer.
        items.sort_by_key(|(range, _)| (std::cmp::Reverse(range.start), range.end));
        let mut longer: Vec<(usize, isize)> = Vec::new();
        for (range, edit) in items {
            let within = longer.iter().filter(|(start, _)| range.contains(start));
            let end = range.end.checked_add_signed(within.map(|(_, more)| more).sum()).unwrap();
            let changed = change(edit, &text[range.start..end]);
            longer.push((range.start, changed.len() as isize - (end - range.start) as isize));
            text.replace_range(range.start..end, &changed);
        }
        tree.insert(file, text);
    }
}

#[test]
fn the_pinned_release_itself_fits() {
    assert_all(&released(|_, _, _| {}), "applied", applies);
}

#[test]
fn a_reformatted_release_fits() {
    let reports = released(|fork, krate, tree| {
        for file in concerned(fork, krate) {
            change_text(tree, &file, relaid);
        }
    });
    assert_all(&reports, "applied", applies);
}

#[test]
fn moved_lines_fit_and_are_told() {
    let reports = released(|fork, krate, tree| {
        for file in concerned(fork, krate) {
            change_text(tree, &file, |text| format!("{}{text}", "// A new line.\n".repeat(50)));
        }
    });
    assert_all(&reports, "applied", applies);
    for edit in reports.iter().flat_map(|report| &report.edits).filter(|edit| edit.item.is_some()) {
        let Verdict::Applies { lines: Some((from, to)) } = &edit.verdict else {
            panic!("{edit:?}");
        };
        assert_eq!(from + 50, *to);
    }
}

/// Moves the outermost items that the edits are confined to into files named `stem`.
fn move_items(fork: &Fork, krate: &str, tree: &mut Tree, stem: &str) {
    let patches = fork.patches_of(krate);
    for edit in patches.iter().flat_map(|patch| &patch.edits).filter(|edit| edit.item.is_some()) {
        let file = edit.place.file.as_str();
        let text = tree.text(file).unwrap().to_owned();
        let source = Source::parse(file, &text).unwrap();
        let Ok(targets) = edit.locate(&source) else {
            continue; // It went along with another one.
        };
        let at = targets[0].item.start;
        let outer = source.items.iter().find(|item| item.range.contains(&at)).unwrap();
        let home = &home(stem, file);
        let moved = format!("{}\n{}\n", tree.text(home).unwrap_or(""), &text[outer.range.clone()]);
        tree.insert(home.as_str(), moved);
        tree.insert(file, format!("{}{}", &text[..outer.range.start], &text[outer.range.end..]));
    }
}

/// The file named `stem` for items of `file`, which may be Rust or protobuf.
fn home(stem: &str, file: &str) -> String {
    format!("{stem}.{}", file.rsplit('.').next().unwrap())
}

/// The edits that are confined to an item; without those of an import that edits of several files
/// name: such lines do not move, and there is one in many a file.
fn edits_with_items(reports: &[Report]) -> Vec<&EditReport> {
    let edits = reports.iter().flat_map(|report| &report.edits);
    let is_twice = |edit: &EditReport| {
        edit.item.as_deref().is_some_and(|item| item.starts_with("use "))
            && reports
                .iter()
                .flat_map(|report| &report.edits)
                .any(|other| other.item == edit.item && other.file != edit.file)
    };
    let found: Vec<_> = edits.filter(|edit| edit.item.is_some() && !is_twice(edit)).collect();
    assert!(!found.is_empty(), "the fork has no edit with an item");
    found
}

#[test]
fn items_that_moved_to_another_file_are_found_there() {
    let reports = released(|fork, krate, tree| move_items(fork, krate, tree, "src/new_home"));
    for edit in edits_with_items(&reports) {
        let to = home("src/new_home", &edit.file);
        assert_eq!(edit.verdict, Verdict::Moved { to }, "{edit:?}");
    }
}

#[test]
fn items_that_moved_to_two_files_are_not_guessed() {
    let reports = released(|fork, krate, tree| {
        move_items(fork, krate, tree, "src/new_home");
        for ending in ["rs", "proto"] {
            if let Some(home) = tree.text(&format!("src/new_home.{ending}")).map(str::to_owned) {
                tree.insert(format!("src/second_home.{ending}"), home);
            }
        }
    });
    for edit in edits_with_items(&reports) {
        let Verdict::Conflicts { candidates, .. } = &edit.verdict else { panic!("{edit:?}") };
        assert!(candidates.iter().any(|line| line.contains("src/second_home.")), "{candidates:?}");
    }
}

#[test]
fn a_copy_that_was_always_there_is_no_new_home() {
    let (fork, stock) = pinned();
    for (name, old) in &stock {
        let mut both = old.clone();
        // Every file that is edited has a twin elsewhere, in the old release and in the new one.
        for file in concerned(&fork, name) {
            both.insert(format!("copy/{file}"), old.text(&file).unwrap());
        }
        let mut new = both.clone();
        change_items(&fork, name, &mut new, |_, _| String::new());
        let report = judge(&fork, name, &both, &new, NEXT).unwrap();
        for edit in report.edits.iter().filter(|edit| edit.item.is_some()) {
            assert!(conflicts(&edit.verdict), "{edit:?}");
        }
    }
}

#[test]
fn a_namesake_in_another_file_is_not_taken_for_the_item() {
    let reports = released(|fork, krate, tree| {
        move_items(fork, krate, tree, "src/namesakes");
        // The same items and anchors, with something else around them.
        for (file, more) in [("src/namesakes.rs", "let _other = 1;"), ("src/namesakes.proto", ";")]
        {
            if tree.text(file).is_some() {
                change_text(tree, file, |text| text.replace("{\n", &format!("{{\n{more}\n")));
            }
        }
    });
    for edit in edits_with_items(&reports) {
        assert!(conflicts(&edit.verdict), "{edit:?}");
    }
}

#[test]
fn a_renamed_item_conflicts_and_the_new_name_is_a_candidate() {
    let reports = released(|fork, krate, tree| {
        change_items(fork, krate, tree, |edit, item| {
            let address = edit.place.item.as_deref().unwrap();
            let name = address.rsplit([' ', ':']).next().unwrap();
            let all = tokens::lex(item).unwrap();
            // Not the name in a comment; and gone if another edit of the item has changed it
            // already.
            let Some(token) = all.iter().find(|token| name.starts_with(&*token.text)) else {
                return item.to_owned();
            };
            format!("{}_ng{}", &item[..token.range().end], &item[token.range().end..])
        });
    });
    for edit in edits_with_items(&reports) {
        let Verdict::Conflicts { candidates, .. } = &edit.verdict else { panic!("{edit:?}") };
        assert!(candidates.iter().any(|line| line.contains("_ng")), "{edit:?}");
    }
}

#[test]
fn an_edited_anchor_conflicts_and_the_change_is_shown() {
    let reports = released(|fork, krate, tree| {
        change_items(fork, krate, tree, |edit, item| {
            let Some(anchor) = &edit.anchor else { return item.to_owned() };
            let all = tokens::lex(item).unwrap();
            // One that an edit of the same item has changed already.
            let Some(at) = tokens::find(&all, anchor).first().cloned() else {
                return item.to_owned();
            };
            let is_name = |text: &str| text.starts_with(|c: char| c.is_alphabetic());
            let inside = tokens::within(&all, &at);
            // The last, since the first may be a keyword.
            let name = inside.iter().rfind(|token| is_name(&token.text)).unwrap();
            format!("{}_ng{}", &item[..name.range().end], &item[name.range().end..])
        });
    });
    let (fork, _) = pinned();
    let anchored = fork
        .patches
        .iter()
        .flat_map(|patch| &patch.edits)
        .filter(|e| e.anchor.is_some() && e.item.is_some());
    let anchored: Vec<_> =
        anchored.map(|edit| (edit.place.patch.clone(), edit.place.edit)).collect();
    assert!(!anchored.is_empty());
    for edit in reports.iter().flat_map(|report| &report.edits) {
        if anchored.contains(&(edit.patch.clone(), edit.edit)) {
            assert!(conflicts(&edit.verdict), "{edit:?}");
            let change = edit.item_change.as_deref();
            assert!(change.is_some_and(|change| change.contains("_ng")), "{edit:?}");
        }
    }
}

#[test]
fn a_changed_shadowed_file_conflicts_and_the_change_is_shown() {
    let reports = released(|fork, krate, tree| {
        for file in fork.pins.crates[krate].shadows.keys() {
            change_text(tree, file, |text| format!("{text}\npub fn news() {{}}\n"));
        }
    });
    let mut shadows = 0;
    for shadow in reports.iter().flat_map(|report| &report.shadows) {
        shadows += 1;
        assert!(conflicts(&shadow.verdict), "{shadow:?}");
        assert!(shadow.change.as_deref().unwrap().contains("+pub fn news() {}"), "{shadow:?}");
    }
    assert!(shadows > 0, "the fork has no shadow");
}

#[test]
fn a_shadowed_file_that_is_gone_conflicts() {
    let reports = released(|fork, krate, tree| {
        for file in fork.pins.crates[krate].shadows.keys() {
            let text = tree.text(file).unwrap().to_owned();
            tree.remove(file);
            tree.insert(format!("{file}.renamed.rs"), text);
        }
    });
    for shadow in reports.iter().flat_map(|report| &report.shadows) {
        let Verdict::Conflicts { candidates, .. } = &shadow.verdict else { panic!("{shadow:?}") };
        assert!(candidates[0].contains(".renamed.rs"), "{candidates:?}");
    }
}

/// An edit of every function of `tree`'s sources that an address can name alone.
fn edit_everything(tree: &Tree) -> Patch {
    let mut edits = String::from("title = \"T\"\nwhy = \"W\"\n");
    for (file, _) in tree.iter().filter(|(f, _)| f.starts_with("src/") && f.ends_with(".rs")) {
        let source = Source::parse(file, tree.text(file).unwrap()).unwrap();
        let mut addresses = BTreeMap::new();
        functions(&source.items, "", &mut addresses);
        for (address, _) in addresses.into_iter().filter(|(_, count)| *count == 1) {
            edits += &format!(
                "[[edit]]\nfile = {file:?}\nitem = {address:?}\nop = \"insert-start\"\ncode = \
                 {:?}\n",
                format!("mark({address:?});")
            );
        }
    }
    Patch::parse("ractor", "0001-everything.toml", &edits).unwrap()
}

fn functions(items: &[Item], prefix: &str, found: &mut BTreeMap<String, usize>) {
    for item in items {
        let address = format!("{prefix}{}", item.name);
        functions(&item.children, &format!("{address} :: "), found);
        if item.body.is_some() && item.name.starts_with("fn ") {
            *found.entry(address).or_default() += 1;
        }
    }
}

#[test]
fn an_edit_of_every_function_lands_in_the_same_place_of_a_reformatted_release() {
    let (_, stock) = pinned();
    let old = &stock["ractor"];
    let mut new = old.clone();
    for (file, _) in old.iter().filter(|(f, _)| f.starts_with("src/") && f.ends_with(".rs")) {
        change_text(&mut new, file, |text| {
            let text = reformatted(text);
            // Doc comments are tokens; a note above all is not.
            format!("// Moved down by a line.\n{text}")
        });
    }
    let changed = old.iter().filter(|(file, _)| {
        let lines = |tree: &Tree| tree.text(file).map(|text| text.lines().count());
        file.starts_with("src/") && lines(&new).unwrap_or(0) > lines(old).unwrap_or(0) + 1
    });
    assert!(changed.count() > 30, "rustfmt changed next to nothing");
    let patch = edit_everything(old);
    assert!(patch.edits.len() > 800, "{} edits", patch.edits.len());
    let (mut from_old, mut from_new) = (old.clone(), new);
    edit::apply(&mut from_old, &[&patch]).unwrap();
    edit::apply(&mut from_new, &[&patch]).unwrap();
    let mut same = 0;
    for (file, _) in old.iter().filter(|(f, _)| f.starts_with("src/") && f.ends_with(".rs")) {
        let marks = |tree: &Tree| marks(file, tree.text(file).unwrap());
        assert_eq!(marks(&from_old), marks(&from_new), "{file}");
        same += marks(&from_old).len();
    }
    assert_eq!(same, patch.edits.len());
}

/// Which function each mark stands in, by the function's own address.
fn marks(file: &str, text: &str) -> Vec<String> {
    let source = Source::parse(file, text).unwrap();
    let mut addresses = BTreeMap::new();
    functions(&source.items, "", &mut addresses);
    let mut found = Vec::new();
    for address in addresses.keys() {
        let parsed = upstream::address::Address::parse(address).unwrap();
        for item in items::resolve(&source.items, &parsed) {
            let body = &text[item.body.clone().unwrap()];
            let mark = format!("mark({address:?});");
            let starts = tokens::lex(body).unwrap();
            let mark = tokens::lex(&mark).unwrap();
            if tokens::find(&starts, &mark)
                .first()
                .is_some_and(|at| body[..at.start].trim().is_empty())
            {
                found.push(address.clone());
            }
        }
    }
    found
}

#[test]
fn an_item_that_is_still_in_its_file_did_not_move() {
    let reports = released(|fork, krate, tree| {
        // The old text appears elsewhere, while the item that is edited stays and changes.
        for file in concerned(fork, krate) {
            let old = tree.text(&file).unwrap().to_owned();
            tree.insert(format!("copy/{file}"), old);
        }
        change_items(fork, krate, tree, |edit, item| match &edit.anchor {
            None => item.to_owned(),
            Some(anchor) => {
                let all = tokens::lex(item).unwrap();
                // One that an edit of the same item has changed already.
                let Some(at) = tokens::find(&all, anchor).first().cloned() else {
                    return item.to_owned();
                };
                let end = tokens::within(&all, &at)[0].range().end;
                format!("{}_ng{}", &item[..end], &item[end..])
            }
        });
    });
    for edit in reports.iter().flat_map(|report| &report.edits) {
        assert!(!matches!(edit.verdict, Verdict::Moved { .. }), "{edit:?}");
    }
    assert!(edits_with_items(&reports).iter().any(|edit| conflicts(&edit.verdict)));
}

/// Upstream's next release may look like this: a shadowed trait gains hooks, and an error that our
/// files rely on is no longer `Sync`.
fn next_minor(krate: &str, tree: &mut Tree) {
    if krate != "ractor" {
        return;
    }
    let hooks: String = ["size_hint", "write_to", "read_from"]
        .map(|hook| format!("/// A hook.\nfn {hook}(&self) -> Option<usize> {{ None }}\n"))
        .concat();
    change_text(tree, "src/serialization.rs", |text| {
        let source = Source::parse("src/serialization.rs", text).unwrap();
        let hooked =
            source.items.iter().find(|item| item.name == "trait BytesConvertable").unwrap();
        let start = hooked.body.clone().unwrap().start;
        format!("{}\n{hooks}{}", &text[..start], &text[start..])
    });
    change_text(tree, "src/errors.rs", |text| {
        let source = Source::parse("src/errors.rs", text).unwrap();
        let is_bound = |name: &str| name.contains(" Sync for MessagingErr");
        let bound = source.items.iter().find(|item| is_bound(&item.name)).unwrap();
        format!("{}{}", &text[..bound.range.start], &text[bound.range.end..])
    });
}

#[test]
fn hooks_of_a_shadowed_trait_conflict_and_a_lost_bound_is_the_compilers_to_find() {
    let reports = released(|_, krate, tree| next_minor(krate, tree));
    let conflicting: Vec<String> = verdicts(&reports)
        .into_iter()
        .filter(|(_, verdict)| conflicts(verdict))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(conflicting, ["src/serialization.rs"]);
    let shadow = reports.iter().flat_map(|report| &report.shadows);
    let change: Vec<&str> = shadow.filter_map(|shadow| shadow.change.as_deref()).collect();
    assert!(change.len() == 1 && change[0].matches("+fn ").count() == 3, "{change:?}");
}

#[test]
fn an_item_that_changed_around_an_edit_is_counted_apart() {
    let unchanged = released(|_, _, _| {});
    let reports = released(|fork, krate, tree| {
        change_items(fork, krate, tree, |edit, item| {
            let is_function = edit.place.item.as_deref().is_some_and(|name| name.contains("fn "));
            match item.rfind('}') {
                // An edit that pins its item, or replaces all of it, conflicts then.
                Some(end) if is_function && edit.anchor.is_some() => {
                    format!("{}; let _news = 1; {}", &item[..end], &item[end..])
                }
                _ => item.to_owned(),
            }
        });
    });
    for (before, after) in unchanged.iter().zip(&reports) {
        let (before, after) = (before.tally(), after.tally());
        assert_eq!(before.changed, 0, "nothing changed");
        let all = |tally: Tally| tally.applies + tally.changed + tally.moved + tally.conflicts;
        assert_eq!(all(before), all(after));
    }
    let changed: usize = reports.iter().map(|report| report.tally().changed).sum();
    let edits = reports.iter().flat_map(|report| &report.edits);
    let shown = edits.filter(|edit| applies(&edit.verdict) && edit.item_change.is_some()).count();
    assert!(changed > 10 && changed == shown, "{changed} counted, {shown} shown");
}
