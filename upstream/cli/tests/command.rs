//! The `upstream` command, as a person runs it.

#[path = "../../tests/common/mod.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::pack_as;
use tempfile::TempDir;
use upstream::Tree;
use upstream::fork::Fork;
use upstream::locate::Places;

const NEXT: &str = "0.99.0";

/// Another one, for the test that reads what a rebase leaves in its scratch folder.
const MERGED: &str = "0.99.1";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn upstream(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_upstream"));
    command.current_dir(root()).args(words);
    command
}

fn run(words: &[&str]) -> Output {
    upstream(words).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A folder with archives of a release in which `change` was made to every crate.
fn release(change: impl Fn(&str, &mut Tree)) -> TempDir {
    let fork = Fork::load(patches::PINS, patches::FILES).unwrap();
    let places = Places::of_environment(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let folder = TempDir::new().unwrap();
    for (name, pin) in &fork.pins.crates {
        let mut tree = fork.stock(name, &places).unwrap();
        change(name, &mut tree);
        let package = format!("{name}-{NEXT}");
        let bytes = pack_as(&package, &tree);
        fs::write(folder.path().join(format!("{package}.crate")), bytes).unwrap();
        // The pinned archive has to come from somewhere too.
        let pinned = places.find(name, &pin.version, Some(&pin.sha256)).unwrap();
        fs::write(folder.path().join(format!("{name}-{}.crate", pin.version)), pinned).unwrap();
    }
    folder
}

fn rebase(folder: &TempDir, more: &[&str]) -> (Option<i32>, serde_json::Value) {
    let words = [&["rebase", NEXT, "--dry-run", "--no-compile", "--json"], more].concat();
    let output = upstream(&words).env("MYCELIUM_UPSTREAM_DIR", folder.path()).output().unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    (output.status.code(), json)
}

#[test]
fn status_tells_pins_patches_shadows_and_surface() {
    let output = run(&["status", "--offline", "--json"]);
    assert!(output.status.success());
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let fork = Fork::load(patches::PINS, patches::FILES).unwrap();
    for krate in status["crates"].as_array().unwrap() {
        let name = krate["name"].as_str().unwrap();
        assert_eq!(krate["version"], fork.pins.crates[name].version);
        assert_eq!(krate["patches"].as_array().unwrap().len(), fork.patches_of(name).len());
        assert_eq!(
            krate["shadows"].as_array().unwrap().len(),
            fork.pins.crates[name].shadows.len()
        );
        let (all, code) = (krate, &krate["without_tests"]);
        for surface in [all, code] {
            assert!(surface["upstream_lines"].as_u64() > surface["touched_lines"].as_u64());
        }
        // The derives have no tests beside their code.
        let fewer = all["upstream_lines"].as_u64() > code["upstream_lines"].as_u64();
        assert_eq!(fewer, name != "ractor_cluster_derive", "{name}");
    }
    let words = stdout(&run(&["status", "--offline"]));
    assert!(words.contains("lines of upstream's src/ ("), "{words}");
    assert!(words.contains("lines of upstream's src/ without its tests ("), "{words}");
}

#[test]
fn diff_prints_what_the_fork_changes_in_one_file() {
    let words = stdout(&run(&["diff", "ractor", "src/actor/actor_properties.rs"]));
    assert!(words.starts_with("--- stock/ractor/src/actor/actor_properties.rs\n"), "{words}");
    assert!(words.contains("\n+mod send_arc;\n"), "{words}");
    assert_eq!(words.matches("\n--- ").count(), 0, "one file: {words}");
    let unknown = run(&["diff", "reactor"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("use one of: ractor,"));
}

#[test]
fn export_stands_for_itself_and_open_has_a_commit_per_patch() {
    let folder = TempDir::new().unwrap();
    let exported = folder.path().join("the export");
    assert!(run(&["export", exported.to_str().unwrap()]).status.success());
    let tree = Tree::read(&exported).unwrap();
    for (file, content) in tree.iter().filter(|(file, _)| file.contains("/src/")) {
        let text = String::from_utf8_lossy(content);
        // Upstream itself includes what its protocol compiles to.
        assert!(!text.contains("/upstream/"), "{file} includes what only our build makes");
    }
    assert!(tree.text("ractor/src/message.rs").unwrap().contains("mod tests"));
    assert!(tree.text("ractor_cluster/Cargo.toml").unwrap().contains("path = \"../ractor\""));
    let manifest = tree.text("ractor/Cargo.toml").unwrap();
    assert!(
        manifest.contains("unexpected_cfgs") && !manifest.contains("missing_docs"),
        "{manifest}"
    );
    let again = run(&["export", exported.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is not an empty folder"));

    let opened = folder.path().join("opened");
    assert!(run(&["open", opened.to_str().unwrap()]).status.success());
    let log = Command::new("git").arg("-C").arg(&opened).args(["log", "--format=%s"]).output();
    let log = stdout(&log.unwrap());
    let patches = Fork::load(patches::PINS, patches::FILES).unwrap().patches.len();
    assert_eq!(log.lines().count(), patches + 2, "{log}");
    assert!(log.lines().last().unwrap().starts_with("Stock: ractor "), "{log}");
}

#[test]
fn a_release_that_fits_is_reported_so() {
    let report = TempDir::new().unwrap();
    let file = report.path().join("report.json");
    let (status, json) = rebase(&release(|_, _| {}), &["--report", file.to_str().unwrap()]);
    assert_eq!(status, Some(0), "{json:#}");
    assert_eq!(json["result"], "fits");
    assert_eq!(json["tally"]["conflicts"], 0);
    let written: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(written, json);
}

#[test]
fn an_added_feature_is_a_conflict_with_our_manifest() {
    let folder = release(|name, tree| {
        if name == "ractor" {
            let manifest = tree.text("Cargo.toml").unwrap();
            let manifest = manifest.replacen("[features]\n", "[features]\nturbo = []\n", 1);
            tree.insert("Cargo.toml", manifest);
        }
    });
    let (status, json) = rebase(&folder, &[]);
    assert_eq!(status, Some(1));
    assert_eq!(json["result"], "conflicts");
    assert_eq!(json["tally"]["conflicts"], 1, "{json:#}");
    let manifest = &json["crates"][0]["manifest"][0];
    assert!(manifest.as_str().unwrap().contains("features.turbo"), "{manifest}");
}

#[test]
fn a_shadow_that_was_brought_up_to_date_can_be_accepted() {
    let folder = release(|name, tree| {
        if name == "ractor" {
            let text = format!("{}\npub fn news() {{}}\n", tree.text("src/message.rs").unwrap());
            tree.insert("src/message.rs", text);
        }
    });
    assert_eq!(rebase(&folder, &[]).0, Some(1));
    let (status, json) = rebase(&folder, &["--accept", "ractor/src/message.rs"]);
    assert_eq!(status, Some(0), "{json:#}");
}

#[test]
fn a_shadow_that_conflicts_is_written_as_three_files_to_merge() {
    let file = "src/message.rs";
    let folder = release(|name, tree| {
        if name == "ractor" {
            let text = format!("{}\npub fn news() {{}}\n", tree.text(file).unwrap());
            tree.insert(file, text);
        }
    });
    let words = ["rebase", MERGED, "--dry-run", "--no-compile"];
    for name in ["ractor", "ractor_cluster", "ractor_cluster_derive"] {
        let path = |version: &str| folder.path().join(format!("{name}-{version}.crate"));
        let bytes = fs::read(path(NEXT)).unwrap();
        let tree = upstream::archive::unpack(&format!("{name}-{NEXT}"), &bytes).unwrap();
        fs::write(path(MERGED), pack_as(&format!("{name}-{MERGED}"), &tree)).unwrap();
    }
    let output = upstream(&words).env("MYCELIUM_UPSTREAM_DIR", folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report = stdout(&output);
    let merge = root().join(format!("target/upstream/merge-{MERGED}/ractor/{file}"));
    assert!(report.contains(&format!("to merge: {}", merge.display())), "{report}");
    assert!(report.starts_with("conflicts\n  ractor/src/message.rs\n"), "{report}");
    let last: Vec<&str> = report.lines().rev().take(3).collect();
    assert!(last[0].starts_with("0.99.1: ") && last[0].ends_with(" 1 conflict"), "{report}");
    assert!(last[1].starts_with("  conflicts  ractor/src/message.rs: "), "{report}");
    assert_eq!(last[2], "summary", "{report}");
    let sides = Tree::read(&merge).unwrap();
    let names: Vec<&str> = sides.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["base.rs", "ours.rs", "theirs.rs"]);
    let [base, ours, theirs] = names
        .try_into()
        .map(|names: [&str; 3]| names.map(|name| sides.text(name).unwrap()))
        .unwrap();
    assert_eq!(theirs.strip_prefix(base), Some("\npub fn news() {}\n"));
    assert_eq!(ours, fs::read_to_string(root().join("ractor").join(file)).unwrap());

    // Once it is merged nothing is left to merge.
    let accept = [&words[..], &["--accept", "ractor/src/message.rs"]].concat();
    let output = upstream(&accept).env("MYCELIUM_UPSTREAM_DIR", folder.path()).output().unwrap();
    assert!(output.status.success());
    assert!(!merge.exists());
}

#[test]
fn a_wrong_command_line_says_what_is_wrong() {
    for (words, complaint) in [
        (&["rebase", "sixteen"] as &[&str], "unexpected character"),
        (&["frobnicate"], "unrecognized subcommand"),
        (&[], "Usage: cargo upstream"),
    ] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(complaint), "{complaint:?} is not in {stderr}");
    }
}
