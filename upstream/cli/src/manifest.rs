//! Reads manifests: ours, with what they inherit, and upstream's; and compares them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toml_edit::{DocumentMut, Item, TableLike, Value, value};

use crate::Failure;

const DEPENDENCIES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// The workspace's own manifest.
pub(crate) fn workspace(root: &Path) -> Result<DocumentMut, Failure> {
    Ok(fs::read_to_string(root.join("Cargo.toml"))?.parse()?)
}

/// The keys of `[package]` that say `workspace = true`.
pub(crate) fn inherited_keys(package: &dyn TableLike) -> Vec<String> {
    package
        .iter()
        .filter(|(_, item)| item.get("workspace").and_then(Item::as_bool) == Some(true))
        .map(|(key, _)| key.to_owned())
        .collect()
}

/// Every table of dependencies, with its path in the manifest; those of targets included.
pub(crate) fn dependency_tables(document: &mut DocumentMut) -> Vec<(String, &mut dyn TableLike)> {
    let mut tables = Vec::new();
    for (key, item) in document.iter_mut() {
        let key = key.get().to_owned();
        let Some(table) = item.as_table_like_mut() else {
            continue;
        };
        if DEPENDENCIES.contains(&key.as_str()) {
            tables.push((key, table));
        } else if key == "target" {
            for (target, item) in table.iter_mut() {
                // Written with and without spaces after commas.
                let target: String = target.get().split_whitespace().collect();
                for (key, item) in item.as_table_like_mut().into_iter().flat_map(|t| t.iter_mut()) {
                    if DEPENDENCIES.contains(&key.get()) {
                        let path = format!("{} for {target}", key.get());
                        tables.extend(item.as_table_like_mut().map(|table| (path, table)));
                    }
                }
            }
        }
    }
    tables
}

/// Upstream's other release, as far as our manifests follow it.
#[derive(Debug)]
pub(crate) struct Release<'a> {
    pub(crate) version: &'a str,
    /// The forked crates, which all have that version.
    pub(crate) crates: &'a [String],
    /// Upstream's manifest there of the crate whose manifest is moved.
    pub(crate) manifest: DocumentMut,
}

/// Moves our manifest `document` from the release `from` to the release `to`: its own version, and
/// the requirements that name the old release. One on a forked crate names the new release then;
/// one on a crate that upstream releases along with them asks for what upstream asks for there.
pub(crate) fn move_release(document: &mut DocumentMut, from: &str, to: &mut Release<'_>) {
    let theirs = requirements(&mut to.manifest);
    for (path, table) in dependency_tables(document) {
        for (name, dependency) in table.iter_mut() {
            let Some(requirement) = requirement(dependency) else { continue };
            let text = requirement.as_str().unwrap_or_default();
            let (exact, version) = text.strip_prefix('=').map_or(("", text), |rest| ("=", rest));
            if version != from {
                continue;
            }
            let name = name.get().to_owned();
            if to.crates.contains(&name) {
                *requirement = value(format!("{exact}{}", to.version));
            } else if let Some(theirs) = theirs.get(&(path.clone(), name)) {
                *requirement = value(theirs);
            }
        }
    }
    if let Some(version) = document.get_mut("package").and_then(|p| p.get_mut("version")) {
        if let Some((base, mark)) = version.as_str().and_then(|text| text.split_once('+')) {
            if base == from {
                *version = value(format!("{}+{mark}", to.version));
            }
        }
    }
}

/// What `document` requires of each dependency, by the path of its table and its name.
fn requirements(document: &mut DocumentMut) -> BTreeMap<(String, String), String> {
    let mut requirements = BTreeMap::new();
    for (path, table) in dependency_tables(document) {
        for (name, dependency) in table.iter_mut() {
            if let Some(version) = requirement(dependency).and_then(|item| item.as_str()) {
                requirements.insert((path.clone(), name.get().to_owned()), version.to_owned());
            }
        }
    }
    requirements
}

/// Takes the `=` from the requirements on `name`.
pub(crate) fn loosen(document: &mut DocumentMut, name: &str) {
    for (_, table) in dependency_tables(document) {
        if let Some(requirement) = table.get_mut(name).and_then(requirement) {
            if let Some(version) = requirement.as_str().and_then(|text| text.strip_prefix('=')) {
                *requirement = value(version);
            }
        }
    }
}

/// The version of a dependency, however it is written.
fn requirement(dependency: &mut Item) -> Option<&mut Item> {
    if dependency.is_table_like() {
        dependency.as_table_like_mut().and_then(|table| table.get_mut("version"))
    } else {
        Some(dependency)
    }
}

/// How `ours` differs from `theirs` in what a user or a build notices: edition, Rust version,
/// features and dependencies. By path, as `features.cluster` or `dependencies.tokio`.
pub(crate) fn differences(
    mut ours: DocumentMut,
    mut theirs: DocumentMut,
) -> BTreeMap<String, String> {
    let (ours, theirs) = (facts(&mut ours), facts(&mut theirs));
    let mut differences = BTreeMap::new();
    for path in ours.keys().chain(theirs.keys()) {
        let (us, them) = (ours.get(path), theirs.get(path));
        if us != them {
            let say = |fact: Option<&String>| fact.map_or("nothing", String::as_str).to_owned();
            differences
                .insert(path.clone(), format!("upstream has {}, we have {}", say(them), say(us)));
        }
    }
    differences
}

fn facts(document: &mut DocumentMut) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    for key in ["edition", "rust-version"] {
        if let Some(value) = document.get("package").and_then(|p| p.get(key)).and_then(Item::as_str)
        {
            facts.insert(format!("package.{key}"), value.to_owned());
        }
    }
    if let Some(features) = document.get("features").and_then(Item::as_table_like) {
        for (name, enables) in features.iter() {
            facts.insert(format!("features.{name}"), strings(enables).join(", "));
        }
    }
    for (path, table) in dependency_tables(document) {
        for (name, dependency) in table.iter() {
            facts.insert(format!("{path}.{name}"), dependency_fact(dependency));
        }
    }
    facts
}

/// One dependency in words, however it is written.
fn dependency_fact(dependency: &Item) -> String {
    if let Some(version) = dependency.as_str() {
        return version.to_owned();
    }
    let text = |key: &str| dependency.get(key).and_then(Item::as_str).map(str::to_owned);
    let flag = |key: &str| dependency.get(key).and_then(Item::as_bool);
    let mut words = vec![text("version").unwrap_or_else(|| "any version".to_owned())];
    words.extend(text("package").map(|package| format!("package {package}")));
    if flag("optional") == Some(true) {
        words.push("optional".to_owned());
    }
    if flag("default-features") == Some(false) {
        words.push("without default features".to_owned());
    }
    let features = dependency.get("features").map(strings).unwrap_or_default();
    if !features.is_empty() {
        words.push(format!("with {}", features.join(", ")));
    }
    words.join(" ")
}

/// The strings of an array, sorted.
fn strings(item: &Item) -> Vec<String> {
    let mut strings: Vec<String> = item
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    strings.sort();
    strings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_follows_the_release_that_upstream_asks_for() {
        let mut ours: DocumentMut = "[package]\nversion = \"0.1.5+ours.1\"\n[dependencies]\n\
            sibling = \"=0.1.5\"\nmacros = { version = \"0.1.5\", optional = true }\n\
            apart = \"0.1.5\"\ngone = \"0.1.5\"\nother = \"0.1.4\"\n"
            .parse()
            .unwrap();
        let theirs = "[dependencies]\nsibling = \"0.2\"\nmacros = { version = \"0.2.0\" }\n\
            apart = \"0.1.5\"\nother = \"0.3\"\n";
        let crates = ["sibling".to_owned()];
        let manifest = theirs.parse().unwrap();
        let mut release = Release { version: "0.2.0", crates: &crates, manifest };
        move_release(&mut ours, "0.1.5", &mut release);
        assert_eq!(
            ours.to_string(),
            "[package]\nversion = \"0.2.0+ours.1\"\n[dependencies]\nsibling = \"=0.2.0\"\n\
             macros = { version = \"0.2.0\", optional = true }\napart = \"0.1.5\"\n\
             gone = \"0.1.5\"\nother = \"0.1.4\"\n"
        );
    }
}
