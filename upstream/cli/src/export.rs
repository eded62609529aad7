//! `cargo upstream export`: the three crates as they are after the build, in one folder that
//! needs nothing else. The crates of ours that they depend on stand beside them.

use std::collections::BTreeMap;
use std::path::Path;

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};
use upstream::Tree;

use crate::progress::spinner;
use crate::repository::{Repository, fresh};
use crate::{Failure, manifest, whole};

/// What only the build out of patches needs.
const BUILD_ONLY: [&str; 2] = ["mycelium-patches", "mycelium-upstream"];

/// The stand-in that upstream's examples need, and that is no crate of the registry.
const ENTRY: &str = "ractor_example_entry_proc";

pub(crate) fn run(repository: &Repository, folder: &Path) -> Result<bool, Failure> {
    let _progress = spinner("writing the forked sources");
    write(repository, folder)?;
    println!("{}", folder.display());
    Ok(true)
}

/// Writes the three crates, and a workspace around them, into the empty folder `folder`.
fn write(repository: &Repository, folder: &Path) -> Result<(), Failure> {
    fresh(folder)?;
    Ok(workspace_tree(repository)?.write(folder)?)
}

/// Makes `folder`, which is ours, hold the exported workspace with the versions that this
/// repository's lock file names.
pub(crate) fn refresh(repository: &Repository, folder: &Path) -> Result<(), Failure> {
    let mut tree = workspace_tree(repository)?;
    ask_as_build_scripts_do(repository, &mut tree)?;
    tree.insert("Cargo.lock", std::fs::read(repository.root.join("Cargo.lock"))?);
    std::fs::create_dir_all(folder)?;
    Ok(tree.write(folder)?)
}

/// Lets the stand-in in `tree` ask for the features that our build scripts turn on in the crates
/// that all macros are made of. Without them each macro, and all that uses one, would be compiled
/// once for this workspace and once for the exported one.
fn ask_as_build_scripts_do(repository: &Repository, tree: &mut Tree) -> Result<(), Failure> {
    let ours = std::fs::read_to_string(repository.root.join("upstream/Cargo.toml"))?;
    let ours: DocumentMut = ours.parse()?;
    let path = format!("{ENTRY}/Cargo.toml");
    let mut entry: DocumentMut = tree.text(&path).unwrap_or_default().parse()?;
    let asked = entry.entry("dependencies").or_insert(Item::Table(Table::new()));
    for name in ["proc-macro2", "syn"] {
        asked[name] = ours["dependencies"][name].clone();
    }
    tree.insert(path, entry.to_string());
    Ok(())
}

/// The three crates, and a workspace around them.
pub(crate) fn workspace_tree(repository: &Repository) -> Result<Tree, Failure> {
    let mut all = Tree::default();
    for name in repository.crates() {
        let stock = repository.stock(&name)?;
        for (file, content) in sources(repository, &name, &stock)?.iter() {
            all.insert(format!("{name}/{file}"), content);
        }
    }
    let companions = companions(repository)?;
    for (name, folder) in &companions {
        for (file, content) in Tree::read(&repository.root.join(folder))?.iter() {
            all.insert(format!("{name}/{file}"), content);
        }
        let manifest = format!("{name}/Cargo.toml");
        let text = all.text(&manifest).unwrap_or_default().to_owned();
        all.insert(manifest, standalone(repository, &text)?.to_string());
    }
    let crates = repository.crates();
    let members = crates.iter().chain(companions.keys()).map(String::as_str);
    all.insert("Cargo.toml", workspace(members).to_string());
    all.insert("LICENSE", std::fs::read(repository.root.join("LICENSE"))?);
    Ok(all)
}

/// The crates of ours that the forked crates depend on, also by way of others, and their folders.
/// Files that only the build out of patches needs are left out.
pub(crate) fn companions(repository: &Repository) -> Result<BTreeMap<String, String>, Failure> {
    let root = manifest::workspace(&repository.root)?;
    let crates = repository.crates();
    let mut folders: Vec<String> = crates.clone();
    let mut found = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        let text = std::fs::read_to_string(repository.root.join(&folder).join("Cargo.toml"))?;
        let mut document: DocumentMut = text.parse()?;
        for (_, table) in manifest::dependency_tables(&mut document) {
            for (name, _) in table.iter() {
                let path =
                    root["workspace"]["dependencies"].get(name).and_then(|it| it.get("path"));
                let Some(path) = path.and_then(Item::as_str) else { continue };
                if BUILD_ONLY.contains(&name) || crates.iter().any(|krate| krate == name) {
                    continue;
                }
                if found.insert(name.to_owned(), path.to_owned()).is_none() {
                    folders.push(path.to_owned());
                }
            }
        }
    }
    Ok(found)
}

/// Upstream's package without what only a registry and cargo need.
pub(crate) fn without_packaging(stock: &Tree) -> Tree {
    let mut tree = stock.clone();
    for file in ["Cargo.toml.orig", "Cargo.lock", ".cargo_vcs_info.json", ".cargo-ok"] {
        tree.remove(file);
    }
    tree
}

/// The package `name` in one piece: sources, tests, examples, benches and a manifest.
pub(crate) fn sources(repository: &Repository, name: &str, stock: &Tree) -> Result<Tree, Failure> {
    let ours = repository.ours(name)?;
    let mut tree = without_packaging(&whole::sources(&repository.fork, name, stock, &ours)?);
    tree.remove("src/build.rs");
    let package = repository.root.join(name);
    for name in ["tests", "benches"] {
        let folder = package.join(name);
        if !folder.is_dir() {
            continue;
        }
        for (file, content) in Tree::read(&folder)?.iter() {
            // A bench of the same name includes upstream's, which stands here itself.
            let path = format!("{name}/{file}");
            if name == "tests" || tree.get(&path).is_none() {
                tree.insert(path, content);
            }
        }
    }
    let manifest = std::fs::read_to_string(package.join("Cargo.toml"))?;
    let mut manifest = standalone(repository, &manifest)?;
    take_over_tests(&mut manifest, stock)?;
    // What the build script does beyond calling the library, if anything.
    let protocol = package.join("protocol.rs");
    if protocol.is_file() {
        tree.insert("build.rs", std::fs::read(protocol)?);
    } else {
        manifest.remove("build-dependencies");
    }
    tree.insert("Cargo.toml", manifest.to_string());
    Ok(tree)
}

/// A manifest of a member, with what it inherits from the workspace written out, and without
/// what only the build out of patches needs.
pub(crate) fn standalone(repository: &Repository, text: &str) -> Result<DocumentMut, Failure> {
    let mut document: DocumentMut = text.parse()?;
    let root = manifest::workspace(&repository.root)?;
    if document.get("lints").and_then(|lints| lints.get("workspace")).is_some() {
        document.remove("lints");
        // What upstream's sources ask for is no opinion of ours.
        let lint = "unexpected_cfgs";
        document["lints"]["rust"][lint] = root["workspace"]["lints"]["rust"][lint].clone();
    }
    if let Some(package) = document.get_mut("package").and_then(Item::as_table_like_mut) {
        let inherited = manifest::inherited_keys(package);
        for key in inherited {
            let value = root["workspace"]["package"][key.as_str()].clone();
            package.insert(&key, value);
        }
    }
    for (_, table) in manifest::dependency_tables(&mut document) {
        for name in BUILD_ONLY {
            table.remove(name);
        }
        let names: Vec<String> = table.iter().map(|(name, _)| name.to_owned()).collect();
        for name in names {
            write_out(repository, &root, table, &name);
        }
    }
    follow_pin(repository, &mut document)?;
    Ok(document)
}

/// Moves a manifest of ours to the release that its crate is pinned to, which in a rebase is
/// another one.
fn follow_pin(repository: &Repository, document: &mut DocumentMut) -> Result<(), Failure> {
    let package = |key: &str| document.get("package").and_then(|p| p.get(key)?.as_str());
    let name = package("name").unwrap_or_default().to_owned();
    let base = package("version").and_then(|version| version.split('+').next()).map(str::to_owned);
    let (Some(base), Some(pin)) = (base, repository.fork.pins.crates.get(&name)) else {
        return Ok(());
    };
    if base == pin.version {
        return Ok(());
    }
    let stock = repository.stock(&name)?;
    let mut release = manifest::Release {
        version: &pin.version,
        crates: &repository.crates(),
        manifest: stock.text("Cargo.toml").unwrap_or_default().parse()?,
    };
    manifest::move_release(document, &base, &mut release);
    Ok(())
}

/// Writes out the dependency `name` where it is inherited. Siblings become paths, and a forked one
/// is asked for in the release that it is pinned to.
fn write_out(repository: &Repository, root: &DocumentMut, table: &mut dyn TableLike, name: &str) {
    let inherits = table
        .get(name)
        .and_then(|item| item.get("workspace"))
        .is_some_and(|flag| flag.as_bool() == Some(true));
    if !inherits {
        return;
    }
    let shared = &root["workspace"]["dependencies"][name];
    let mut entry = match shared.as_value() {
        Some(Value::InlineTable(table)) => table.clone(),
        Some(version) => InlineTable::from_iter([("version", version.clone())]),
        None => InlineTable::new(),
    };
    for key in ["features", "optional"] {
        if let Some(value) = table.get(name).and_then(|item| item.get(key)).and_then(Item::as_value)
        {
            entry.insert(key, value.clone());
        }
    }
    let pin = repository.fork.pins.crates.get(name);
    if let (Some(pin), Some(version)) = (pin, entry.get("version").and_then(Value::as_str)) {
        let exact = if version.starts_with('=') { "=" } else { "" };
        entry.insert("version", Value::from(format!("{exact}{}", pin.version)));
    }
    if pin.is_some() || entry.contains_key("path") {
        entry.insert("path", Value::from(format!("../{name}")));
    }
    table.insert(name, Item::Value(Value::InlineTable(entry)));
}

/// Upstream's integration tests run here as they stand, with what they require.
fn take_over_tests(manifest: &mut DocumentMut, stock: &Tree) -> Result<(), Failure> {
    let theirs: DocumentMut = stock.text("Cargo.toml").unwrap_or_default().parse()?;
    if let Some(tests) = theirs.get("test") {
        manifest.insert("test", tests.clone());
    }
    Ok(())
}

/// A workspace of these members.
pub(crate) fn workspace<'a>(members: impl IntoIterator<Item = &'a str>) -> DocumentMut {
    let mut document = DocumentMut::new();
    let members = Array::from_iter(members);
    let mut table = Table::new();
    table.insert("resolver", Item::Value("3".into()));
    table.insert("members", Item::Value(Value::Array(members)));
    document.insert("workspace", Item::Table(table));
    document
}
