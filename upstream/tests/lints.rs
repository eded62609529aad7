//! The workspace's lints reach every file of ours in the forked crates, and none of upstream's.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::pins;
use tempfile::TempDir;
use toml::de::DeTable;
use upstream::edit::Source;
use upstream::fork::{Fork, shadow_fingerprint};
use upstream::items::Item;
use upstream::locate::Places;
use upstream::weave::{self, LINTS, Layout};
use upstream::{Tree, build_script};

/// Two violations, as a file of ours may hold them.
const CARELESS: &str = "//! Careless.\npub struct Bare;\npub fn first(bytes: &[u8]) -> u8 { unsafe { *bytes.as_ptr() } }\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The manifest in `folder`.
fn manifest(folder: &Path) -> String {
    fs::read_to_string(folder.join("Cargo.toml")).unwrap()
}

/// The violations alone.
fn bare() -> &'static str {
    CARELESS.split_once('\n').unwrap().1
}

/// An upstream crate of a root, a module with two children, and code that our lints would refuse.
fn stock() -> Tree {
    let mut tree = Tree::default();
    tree.insert("src/lib.rs", format!("pub mod engine;\n\n{}", bare()));
    let engine = format!("pub mod pump;\npub mod valve;\n{}", bare());
    tree.insert("src/engine.rs", engine);
    tree.insert("src/engine/pump.rs", CARELESS);
    tree.insert("src/engine/valve.rs", CARELESS);
    tree
}

/// Weaves `ours` into [`stock`] for building, and gives what the compiler says of the result where
/// warnings are errors; nothing if it is content.
fn compiled(ours: &[(&str, &str)], patch: &str) -> String {
    let folder = TempDir::new().unwrap();
    let (package, out) = (folder.path().join("package"), folder.path().join("out"));
    let mut tree = Tree::default();
    for (file, text) in ours {
        tree.insert(*file, *text);
    }
    fs::create_dir_all(&package).unwrap();
    tree.write(&package).unwrap();
    fs::create_dir_all(package.join("src")).unwrap();
    let root = "//! Ours.\n\ninclude!(concat!(env!(\"OUT_DIR\"), \"/upstream/src/lib.rs\"));\n";
    fs::write(package.join("src/lib.rs"), root).unwrap();

    let stock = stock();
    let shadows = ours.iter().map(|(file, _)| *file).filter(|file| stock.get(file).is_some());
    let shadows: String = shadows
        .map(|file| format!("{file:?} = {:?}\n", shadow_fingerprint(&stock, file).unwrap()))
        .collect();
    let patch = format!("title = \"T\"\nwhy = \"W\"\n{patch}");
    let fork = Fork::load(&pins(&shadows), &[("demo", "0001-test.toml", &patch)]).unwrap();
    let woven = out.join("upstream");
    let layout = Layout::Apart { package: &package, woven: &woven };
    fork.make("demo", &stock, &tree, layout).unwrap().write(&woven).unwrap();

    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args(["--edition=2021", "--crate-type=lib", "--emit=metadata", "--crate-name=demo"]);
    for (level, lint) in LINTS.iter().filter(|(_, lint)| !lint.contains("::")) {
        command.arg(format!("--{level}={lint}"));
    }
    command.args(["--deny=warnings", "--error-format=short"]).arg("--out-dir").arg(&out);
    let output = command.arg(package.join("src/lib.rs")).env("OUT_DIR", &out).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.success(), words.is_empty(), "{words}");
    words
}

const INSERT_END: &str = "[[edit]]\nfile = \"src/engine.rs\"\nop = \"insert-end\"\n";

#[test]
fn upstreams_own_files_are_not_checked() {
    assert_eq!(compiled(&[], &format!("{INSERT_END}code = \"fn f() {{}}\"")), "");
}

/// Whether the compiler refuses both violations in `file`, and finds no fault with another file.
fn assert_refused(words: &str, file: &str) {
    let faults: Vec<&str> = words.lines().filter(|line| line.contains(".rs:")).collect();
    assert!(faults.iter().all(|line| line.contains(file)), "{words}");
    for complaint in ["missing documentation", "`unsafe` block"] {
        assert!(faults.iter().any(|line| line.contains(complaint)), "{complaint}: {words}");
    }
}

#[test]
fn a_shadow_is_checked() {
    let words = compiled(
        &[("src/engine/valve.rs", CARELESS)],
        &format!("{INSERT_END}code = \"fn f() {{}}\""),
    );
    assert_refused(&words, "package/src/engine/valve.rs");
}

#[test]
fn a_file_that_a_patch_declares_is_checked_and_so_are_its_children() {
    let words = compiled(
        &[
            (
                "src/engine/turbo.rs",
                "//! Ours.\n#[path = \"turbo/blade.rs\"]\n/// A.\npub mod blade;\n",
            ),
            ("src/engine/turbo/blade.rs", CARELESS),
        ],
        &format!("{INSERT_END}code = \"pub mod turbo;\""),
    );
    assert_refused(&words, "package/src/engine/turbo/blade.rs");
}

#[test]
fn a_shadow_below_a_shadow_that_does_not_declare_it_is_checked() {
    let engine = "//! Ours.\n\
                  include!(concat!(env!(\"OUT_DIR\"), \"/upstream/graft/src/engine.rs\"));\n";
    let words = compiled(
        &[("src/engine.rs", engine), ("src/engine/pump.rs", CARELESS)],
        "[[edit]]\nfile = \"src/lib.rs\"\nop = \"insert-end\"\ncode = \"fn f() {}\"",
    );
    assert_refused(&words, "package/src/engine/pump.rs");
}

/// The list that the build knows is the workspace's own, and the forked crates ask for it.
#[test]
fn the_lints_are_those_of_the_workspace() {
    let workspace = manifest(&root());
    let workspace = DeTable::parse(&workspace).unwrap();
    let table = workspace.get_ref()["workspace"].get_ref().get("lints").unwrap().get_ref();
    let mut listed = BTreeSet::from([("warn".to_owned(), "unused".to_owned())]);
    for (tool, lints) in table.as_table().unwrap() {
        for (lint, level) in lints.get_ref().as_table().unwrap() {
            // Upstream's sources and ours may name the same `cfg`s.
            if lint.get_ref() == "unexpected_cfgs" {
                continue;
            }
            let level = level.get_ref();
            let level = level.get("level").map_or(level, |level| level.get_ref()).as_str().unwrap();
            let tool = tool.get_ref();
            let prefix = if tool == "rust" { String::new() } else { format!("{tool}::") };
            listed.insert((level.to_owned(), format!("{prefix}{}", lint.get_ref())));
        }
    }
    let ours = LINTS.map(|(level, lint)| (level.to_owned(), lint.to_owned()));
    assert_eq!(BTreeSet::from(ours), listed, "`weave::LINTS` and `[workspace.lints]`");
    let fork = Fork::load(patches::PINS, patches::FILES).unwrap();
    for krate in fork.pins.crates.keys() {
        let manifest = manifest(&root().join(krate));
        let manifest = DeTable::parse(&manifest).unwrap();
        let lints =
            manifest.get_ref().get("lints").and_then(|lints| lints.get_ref().get("workspace"));
        let inherited = lints.and_then(|inherited| inherited.get_ref().as_bool());
        assert_eq!(inherited, Some(true), "{krate}/Cargo.toml");
    }
}

/// Whether `item` is preceded by the attribute `text`.
fn has(item: &Item, text: &str) -> bool {
    let packed = |text: &str| text.split_whitespace().collect::<String>();
    item.attributes.iter().any(|attribute| packed(attribute) == packed(text))
}

/// Whether `item` has a `#[path]` that ends where the path `file` does.
fn leads_to(item: &Item, file: &str) -> bool {
    item.attributes.iter().any(|attribute| {
        let path = attribute.split('"').nth(1);
        attribute.starts_with("# [ path =") && path.is_some_and(|path| file.ends_with(path))
    })
}

/// `item`, and all that stand inside of it.
fn with_children(item: Item) -> Vec<Item> {
    let inside = item.children.clone().into_iter().flat_map(with_children).collect::<Vec<_>>();
    std::iter::once(item).chain(inside).collect()
}

/// Each file of ours is declared by another file of ours, or by a line with all lints.
#[test]
fn every_file_of_the_fork_is_checked() {
    let fork = Fork::load(patches::PINS, patches::FILES).unwrap();
    let places = Places::of_environment(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let mut checked = 0;
    for krate in fork.pins.crates.keys() {
        let package = root().join(krate);
        let stock = fork.stock(krate, &places).unwrap();
        let ours = build_script::our_sources(&package).unwrap();
        let layout = Layout::Apart { package: &package, woven: Path::new("/out/upstream") };
        let woven = fork.make(krate, &stock, &ours, layout).unwrap();
        // Every declaration in what the build makes, and in our own files.
        let parse = |tree: &Tree| -> Vec<Item> {
            let files = tree.iter().filter(|(file, _)| file.ends_with(".rs"));
            let texts = files.filter_map(|(file, _)| Some((file, tree.text(file)?)));
            let items = texts.flat_map(|(file, text)| Source::parse(file, text).unwrap().items);
            items.flat_map(with_children).collect()
        };
        let (theirs, own) = (parse(&woven), parse(&ours));
        for (file, _) in
            ours.iter().filter(|(file, _)| *file != weave::ROOT && file.ends_with(".rs"))
        {
            let path = format!("#[path = {:?}]", package.join(file).display().to_string());
            let lines: Vec<&Item> = theirs.iter().filter(|item| has(item, &path)).collect();
            for line in &lines {
                for (level, lint) in LINTS {
                    let attribute = format!("#[{level}({lint})]");
                    assert!(has(line, &attribute), "{krate}/{file} lacks {attribute}");
                }
            }
            let stem = file.trim_end_matches(".rs").trim_end_matches("/mod");
            let name = format!("mod {}", stem.rsplit('/').next().unwrap());
            let declared = own.iter().any(|item| item.name == name || leads_to(item, file));
            assert!(declared || !lines.is_empty(), "nothing declares {krate}/{file}");
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked} files");
}
