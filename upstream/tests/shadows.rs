//! Shadows: our files in the place of upstream's, and what they take over.

mod common;

use std::path::Path;

use common::{pins, stock};
use upstream::fork::{Fork, shadow_fingerprint};
use upstream::weave::Layout;
use upstream::{Error, Result, Tree};

const INCLUDE: &str =
    "include!(concat!(env!(\"OUT_DIR\"), \"/upstream/graft/src/engine/valve.rs\"));\n";

/// `demo` made for building, with these files of ours and these patches.
fn made(pinned: &[&str], ours: &[(&str, &str)], patches: &[&str]) -> Result<Tree> {
    let shadows: String = pinned
        .iter()
        .map(|file| format!("{file:?} = {:?}\n", shadow_fingerprint(&stock(), file).unwrap()))
        .collect();
    let patches: Vec<String> =
        patches.iter().map(|edits| format!("title = \"T\"\nwhy = \"W\"\n{edits}")).collect();
    let files: Vec<_> = patches.iter().map(|text| ("demo", "0001.toml", text.as_str())).collect();
    let mut tree = Tree::default();
    for (file, text) in ours {
        tree.insert(*file, *text);
    }
    let layout = Layout::Apart {
        package: Path::new("/our \"own\" package"),
        woven: Path::new("/out/upstream"),
    };
    Fork::load(&pins(&shadows), &files)?.make("demo", &stock(), &tree, layout)
}

#[test]
fn a_shadow_is_declared_by_path_and_leaves_its_tests_behind() {
    let valve = format!("pub fn open() -> bool {{ true }}\n{INCLUDE}");
    let tree = made(&["src/engine/valve.rs"], &[("src/engine/valve.rs", &valve)], &[]).unwrap();
    let engine = tree.text("src/engine.rs").unwrap();
    // A path with spaces and quotes is a string literal still.
    assert!(
        engine
            .contains("#[path = \"/our \\\"own\\\" package/src/engine/valve.rs\"]\npub mod valve;"),
        "{engine}"
    );
    assert!(engine.contains("\npub mod pump;"), "{engine}");
    let graft = tree.text("graft/src/engine/valve.rs").unwrap();
    assert!(graft.contains("fn opens()"), "{graft}");
    assert!(!graft.contains("pub fn open()"), "{graft}");
    // The file that is replaced should not be read.
    assert_eq!(tree.text("src/engine/valve.rs"), None);
}

#[test]
fn a_shadow_that_drops_upstreams_tests_is_refused() {
    let valve = "pub fn open() -> bool { true }\n";
    let error = made(&["src/engine/valve.rs"], &[("src/engine/valve.rs", valve)], &[]).unwrap_err();
    assert!(error.to_string().contains(INCLUDE.trim()), "{error}");
}

#[test]
fn child_modules_that_a_shadow_does_not_declare_come_from_upstream() {
    let engine = "#[path = \"engine/valve.rs\"]\npub mod valve;\npub struct Engine;\n\
                  include!(concat!(env!(\"OUT_DIR\"), \"/upstream/graft/src/engine.rs\"));\n";
    let tree = made(&["src/engine.rs"], &[("src/engine.rs", engine)], &[]).unwrap();
    let graft = tree.text("graft/src/engine.rs").unwrap();
    assert!(graft.contains("#[path = \"/out/upstream/src/engine/pump.rs\"]"), "{graft}");
    assert!(!graft.contains("valve"), "{graft}");
}

#[test]
fn a_file_of_ours_that_a_patch_declares_is_found() {
    let patch = "[[edit]]\nfile = \"src/engine.rs\"\nop = \"insert-end\"\ncode = \"mod turbo;\"\n";
    let tree = made(&[], &[("src/engine/turbo.rs", "")], &[patch]).unwrap();
    let engine = tree.text("src/engine.rs").unwrap();
    assert!(engine.contains("package/src/engine/turbo.rs\"]\nmod turbo;"), "{engine}");
}

#[test]
fn pins_and_shadows_have_to_agree() {
    let valve = format!("pub fn open() -> bool {{ true }}\n{INCLUDE}");
    let ours = [("src/engine/valve.rs", valve.as_str())];
    let unpinned = made(&[], &ours, &[]).unwrap_err().to_string();
    assert!(unpinned.contains("[crates.demo.shadows]"), "{unpinned}");
    let missing = made(&["src/engine/valve.rs"], &[], &[]).unwrap_err().to_string();
    assert!(missing.contains("does not exist"), "{missing}");
    let stale = Fork::load(&pins("\"src/engine/valve.rs\" = \"0\"\n"), &[]).unwrap();
    let mut tree = Tree::default();
    tree.insert("src/engine/valve.rs", valve.as_str());
    let changed = stale.make("demo", &stock(), &tree, Layout::Together).unwrap_err();
    assert!(matches!(changed, Error::Shadow { .. }));
    assert!(changed.to_string().contains("no longer the one"), "{changed}");
}

#[test]
fn an_edit_of_shadowed_text_is_refused_and_one_of_its_tests_is_not() {
    let valve = format!("pub fn open() -> bool {{ true }}\n{INCLUDE}");
    let ours = [("src/engine/valve.rs", valve.as_str())];
    let edit = |item: &str| {
        format!(
            "[[edit]]\nfile = \"src/engine/valve.rs\"\nitem = \"{item}\"\nop = \
             \"insert-start\"\ncode = \"marked();\"\n"
        )
    };
    let lost = made(&["src/engine/valve.rs"], &ours, &[&edit("fn open")]).unwrap_err();
    assert!(lost.to_string().contains("the file is shadowed"), "{lost}");
    // Beside the module that is taken over is not in it.
    let beside = edit("mod tests").replace("insert-start", "insert-after");
    let lost = made(&["src/engine/valve.rs"], &ours, &[&beside]).unwrap_err();
    assert!(lost.to_string().contains("the file is shadowed"), "{lost}");
    let kept = made(&["src/engine/valve.rs"], &ours, &[&edit("mod tests :: fn opens")]).unwrap();
    assert!(kept.text("graft/src/engine/valve.rs").unwrap().contains("marked();"));
}

#[test]
fn a_crate_root_loses_its_inner_attributes_and_keeps_its_documentation() {
    let tree = made(&[], &[], &[]).unwrap();
    assert_eq!(tree.text("lib.md"), Some("A demonstration.\n\nWith two lines of words.\n"));
    let root = tree.text("src/lib.rs").unwrap();
    assert!(!root.contains("#!["), "{root}");
    assert!(root.contains("pub mod engine;"), "{root}");
}

#[test]
fn files_that_are_not_rust_join_upstreams() {
    let ours = [("src/ours.proto", "message O {}"), ("src/wire.proto", "message F {}")];
    let tree = made(&["src/wire.proto"], &ours, &[]).unwrap();
    assert_eq!(tree.text("src/ours.proto"), Some("message O {}"));
    assert_eq!(tree.text("src/wire.proto"), Some("message F {}"));
}

#[test]
fn a_shadow_that_nothing_declares_is_refused() {
    let mut renamed = stock();
    renamed.insert(
        "src/engine.rs",
        stock().text("src/engine.rs").unwrap().replace("pub mod pump;", ""),
    );
    let pin = shadow_fingerprint(&renamed, "src/engine/pump.rs").unwrap();
    let fork = Fork::load(&pins(&format!("\"src/engine/pump.rs\" = {pin:?}\n")), &[]).unwrap();
    let mut ours = Tree::default();
    ours.insert("src/engine/pump.rs", "pub fn pump() {}\n");
    let layout = Layout::Apart { package: Path::new("/ours"), woven: Path::new("/out/upstream") };
    let error = fork.make("demo", &renamed, &ours, layout).unwrap_err();
    assert!(error.to_string().contains("does not declare `mod pump;`"), "{error}");
}
