//! The little of Markdown that links, headings and fences take.

use std::collections::BTreeSet;

/// The lines outside of fences and indented code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence && !line.starts_with("    ")
    })
}

/// A line without its code spans.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// The targets of links `[text](target)`. A line that breaks inside of one is not supported.
pub(crate) fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        let line = without_code(line);
        for rest in line.split("](").skip(1) {
            if let Some((target, _)) = rest.split_once(')') {
                found.push(target.to_owned());
            }
        }
    }
    found
}

/// The names that links to the headings use.
pub(crate) fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// The words behind the opening of each fence.
pub(crate) fn languages(text: &str) -> Vec<&str> {
    let fences = text.lines().filter_map(|line| line.trim_start().strip_prefix("```"));
    fences.step_by(2).collect()
}

/// The content of each fence of a language.
pub(crate) fn fences<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let parts: Vec<&str> = text.split("```").collect();
    let inside = parts.iter().skip(1).step_by(2);
    inside
        .filter_map(|part| part.split_once('\n'))
        .filter(|it| it.0 == language)
        .map(|it| it.1)
        .collect()
}

/// The files that mdBook puts into a page.
pub(crate) fn included(text: &str) -> Vec<&str> {
    let parts = text.split("{{#include ").skip(1);
    parts.filter_map(|part| part.split_once("}}").map(|(name, _)| name)).collect()
}

#[test]
fn what_is_a_link() {
    let text =
        "[a](b.md) and [c](d.md#e), `[no](code)`\n\n    [no](indented)\n```text\n[no](f)\n```\n";
    assert_eq!(links(text), ["b.md", "d.md#e"]);
    assert_eq!(
        anchors("# One `two`: three\n## Four"),
        ["four", "one-two-three"].map(String::from).into()
    );
    assert_eq!(languages("```rust,no_run\nx\n```\n```\ny\n```"), ["rust,no_run", ""]);
    assert_eq!(fences("a\n```toml\nx = 1\n```\nb\n```text\ny\n```\n", "toml"), ["x = 1\n"]);
    assert_eq!(included("{{#include ../a.md}}\n"), ["../a.md"]);
}
