//! The documents of the repository: their links lead somewhere, the book has all of its pages, and
//! each snippet is compiled.

#[path = "documents/markdown.rs"]
mod markdown;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use markdown::{anchors, fences, included, languages, links};
use mycelium_ext::config::{Config, Environment};

/// Folders that hold no documents of ours.
const SKIPPED: [&str; 3] = ["target", ".git", "book"];

/// How a link begins that leads out of the repository.
const ELSEWHERE: [&str; 3] = ["https://", "http://", "mailto:"];

fn root() -> PathBuf {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR"));
    guide.ancestors().nth(2).expect("the guide stands in docs/guide").to_owned()
}

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// All Markdown files below a folder.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")) {
        let path = entry.expect("a folder that can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !SKIPPED.contains(&name) {
            found.extend(documents(&path));
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A page as mdBook sees it: with the files that it includes.
fn page(file: &Path) -> String {
    let text = read(file);
    let folder = file.parent().expect("a file has a folder");
    included(&text).into_iter().fold(text.clone(), |whole, name| {
        whole.replace(&format!("{{{{#include {name}}}}}"), &read(&folder.join(name)))
    })
}

/// What is wrong with the links of a document with this text.
fn broken(file: &Path, text: &str) -> Vec<String> {
    let folder = file.parent().expect("a file has a folder");
    let mut complaints = Vec::new();
    for link in links(text) {
        if ELSEWHERE.iter().any(|scheme| link.starts_with(scheme)) {
            continue;
        }
        let (name, anchor) = link.split_once('#').unwrap_or((&link, ""));
        let target = if name.is_empty() { file.to_owned() } else { folder.join(name) };
        let there = target.exists();
        let names_it = anchor.is_empty() || (there && anchors(&page(&target)).contains(anchor));
        if !there || !names_it {
            complaints.push(format!("{}: ({link}) leads nowhere", file.display()));
        }
    }
    complaints
}

#[test]
fn links_lead_somewhere() {
    let files = documents(&root());
    assert!(files.len() > 30, "where are the documents? {files:?}");
    // What is a page of the book is checked below, with what it includes.
    let complaints: Vec<String> = files.iter().flat_map(|file| broken(file, &read(file))).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// A link out of the book works in the repository, and in the built book it does not.
#[test]
fn links_of_the_book_stay_in_the_book() {
    let mut complaints = Vec::new();
    for file in documents(&pages()) {
        let text = page(&file);
        complaints.extend(broken(&file, &text));
        let folder = file.parent().expect("a file has a folder");
        for link in links(&text) {
            let name = link.split('#').next().unwrap_or_default();
            let target = folder.join(name).canonicalize();
            let outside = target.is_ok_and(|it| !it.starts_with(pages().canonicalize().unwrap()));
            if outside && !ELSEWHERE.iter().any(|scheme| link.starts_with(scheme)) {
                complaints.push(format!("{}: ({link}) leads out of the book", file.display()));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_summary_names_every_page_once() {
    let summary = pages().join("SUMMARY.md");
    let named: Vec<PathBuf> =
        links(&read(&summary)).iter().map(|link| pages().join(link)).collect();
    let once: BTreeSet<&PathBuf> = named.iter().collect();
    assert_eq!(once.len(), named.len(), "a page is named twice: {named:?}");
    let there: BTreeSet<PathBuf> =
        documents(&pages()).into_iter().filter(|file| *file != summary).collect();
    let missing: Vec<_> = there.iter().filter(|file| !once.contains(file)).collect();
    assert!(missing.is_empty(), "SUMMARY.md does not name {missing:?}");
}

/// Every Rust snippet stands in a page that `lib.rs` names, or says that it is no program.
#[test]
fn every_snippet_is_compiled() {
    let compiled = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("lib.rs"));
    let mut files = documents(&pages());
    files.push(root().join("README.md"));
    let mut snippets = 0;
    for file in files {
        let text = read(&file);
        let untold = languages(&text).iter().filter(|language| language.is_empty()).count();
        assert_eq!(untold, 0, "{}: a fence names no language", file.display());
        let rust = languages(&text).iter().filter(|it| it.starts_with("rust")).count();
        snippets += rust;
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(
            rust == 0 || compiled.contains(&format!("{name}\"")),
            "{}: add a line for it to docs/guide/lib.rs",
            file.display()
        );
        let ignored = languages(&text).iter().filter(|it| it.contains("ignore")).count();
        assert_eq!(ignored, 0, "{}: a snippet is not compiled", file.display());
    }
    assert!(snippets > 10, "where are the snippets? There are {snippets}");
}

/// The README is short enough to be read, and has what a reader needs to begin.
#[test]
fn the_front_door_is_short_and_leads_on() {
    let readme = read(&root().join("README.md"));
    let lines = readme.lines().count();
    assert!(lines <= 150, "README.md has {lines} lines, and 150 are the most");
    let manifests = fences(&readme, "toml").iter().filter(|it| it.contains("[patch.")).count();
    assert_eq!(manifests, 2, "for ractor alone, and with mycelium-ext");
    let before = readme.split("## Use it").next().expect("a begin");
    assert!(before.contains("--bin before-after"), "the first figures have their command");
    for lead in ["docs/guide/src/SUMMARY.md", "SECURITY.md", "UPSTREAM.md", "CHANGELOG.md"] {
        assert!(links(&readme).iter().any(|it| it.starts_with(lead)), "no link to {lead}");
    }
    assert!(readme.contains("Sean Lawlor"), "upstream's author is named");
}

/// Every configuration of a node is one, but for those that name certificates.
#[test]
fn configurations_are_right() {
    let environment = Environment::of([("MYCELIUM_NODE_COOKIE", "16 random bytes or more")]);
    let mut checked = 0;
    for file in documents(&pages()) {
        let text = read(&file);
        let of_nodes = fences(&text, "toml").into_iter().filter(|it| it.contains("[node]"));
        for configuration in of_nodes.filter(|it| !it.contains("certificate")) {
            checked += 1;
            if let Err(error) = Config::parse(configuration, &file, &environment) {
                panic!("{}: {error}\n{configuration}", file.display());
            }
        }
    }
    assert!(checked > 3, "where are the configurations? There are {checked}");
}
