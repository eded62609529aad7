//! `mycelium check`, as people call it.

#![cfg(feature = "cluster")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs it on `file`, with no variables of ours but `variables`.
fn check(file: &Path, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
    let inherited = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in inherited.filter(|name| name.starts_with("MYCELIUM_")) {
        command.env_remove(name);
    }
    let variables = variables.iter().copied();
    command.arg("check").arg(file).envs(variables).output().expect("the command runs")
}

fn written(folder: &tempfile::TempDir, text: &str) -> PathBuf {
    let file = folder.path().join("mycelium.toml");
    std::fs::write(&file, text).expect("a file");
    file
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_right_file_prints_its_topology_and_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = written(
        &folder,
        "[node]\nname = \"feed\"\nhost = \"h\"\n[nodes.archive]\naddress = \"tcp://a.example:1\"\n\
         location = \"remote\"\n",
    );
    let output =
        check(&file, &[("MYCELIUM_NODE_COOKIE", "open sesame"), ("MYCELIUM_NODE_ID", "7")]);
    let said = words(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output.stderr));
    assert!(said.contains("node feed@h\n"), "{said}");
    assert!(said.contains("id: 7 (from MYCELIUM_NODE_ID)"), "{said}");
    assert!(said.contains("cookie: set (from MYCELIUM_NODE_COOKIE)"), "{said}");
    assert!(said.contains("archive: remote, dialled at tcp://a.example:1"), "{said}");
    assert!(!said.contains("sesame"), "{said}");
}

#[test]
fn every_mistake_is_told_with_file_line_and_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let file =
        written(&folder, "[node]\nnaem = \"feed\"\ntransport = \"unx\"\ncookie = \"sesame\"\n");
    let output = check(&file, &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = words(&output.stderr);
    let at = file.display();
    assert!(said.contains(&format!("{at}:1:")), "{said}");
    assert!(said.contains("node.name"), "{said}");
    assert!(said.contains(&format!("{at}:2:1: node.naem")), "{said}");
    assert!(said.contains("did you mean \"name\"?"), "{said}");
    assert!(said.contains(&format!("{at}:3:13: node.transport")), "{said}");
    assert!(said.contains("3 mistakes"), "{said}");
    assert!(!said.contains("sesame"), "{said}");
}

#[test]
fn a_file_that_is_not_there_is_another_matter() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = check(&folder.path().join("none.toml"), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(words(&output.stderr).contains("none.toml"), "{}", words(&output.stderr));
}

#[test]
fn a_mistake_shows_its_line_and_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let text =
        "[node]\nname = \"feed\"\ntransport = \"unx\"\ncooky = \"sesame\"\ncookie = sesame\n";
    let broken = words(&check(&written(&folder, text), &[]).stderr);
    assert!(!broken.contains("sesame"), "{broken}");
    let text = text.replace("cookie = sesame", "cookie = \"sesame\"");
    let said = words(&check(&written(&folder, &text), &[]).stderr);
    assert!(said.contains("  3 | transport = \"unx\"\n    |             ^\n"), "{said}");
    assert!(said.contains("  4 | cooky = \"…\"\n    | ^\n"), "{said}");
    assert!(!said.contains("sesame"), "{said}");
}

/// Runs it with these arguments in a folder.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
    command.current_dir(folder).args(arguments).env_remove("RUST_LOG").output().expect("it runs")
}

#[test]
fn json_says_the_same_for_programs() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = |text: &str| {
        written(&folder, text);
        let output = run(folder.path(), &["check", "--json"]);
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!((&value["command"], &value["error"]), (&"check".into(), &None::<()>.into()));
        assert_eq!(value["status"].as_i64(), output.status.code().map(i64::from));
        (output.status.code(), value)
    };
    let (status, right) = json("[node]\nname = \"feed\"\nhost = \"h\"\ncookie = \"sesame\"\n");
    assert_eq!((status, &right["right"]), (Some(0), &true.into()));
    assert!(right["topology"].as_str().is_some_and(|it| it.contains("node feed@h")), "{right}");
    assert!(right["warnings"].as_array().is_some_and(|it| !it.is_empty()), "{right}");
    assert!(!right.to_string().contains("sesame"), "{right}");
    let (status, wrong) =
        json("[node]\nname = \"feed\"\ncookie = \"sesame\"\ntransport = \"unx\"\n");
    assert_eq!((status, &wrong["right"]), (Some(1), &false.into()));
    let mistake = &wrong["mistakes"][0];
    assert_eq!((&mistake["key"], &mistake["line"]), (&"node.transport".into(), &4.into()));
    std::fs::remove_file(folder.path().join("mycelium.toml")).expect("it was there");
    let missing = run(folder.path(), &["check", "--json"]);
    assert_eq!(missing.status.code(), Some(2));
    let missing: serde_json::Value = serde_json::from_slice(&missing.stdout).expect("JSON");
    assert!(missing["error"].as_str().is_some_and(|it| it.contains("cannot read")), "{missing}");
    assert_eq!(missing["status"], 2, "{missing}");
}

#[test]
fn a_first_configuration_passes_its_check() {
    let folder = tempfile::tempdir().expect("a folder");
    let begun = run(folder.path(), &["init", "--name", "feed"]);
    assert_eq!(begun.status.code(), Some(0), "{}", words(&begun.stderr));
    let checked = run(folder.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", words(&checked.stderr));
    assert_eq!(words(&checked.stderr), "", "it has no warnings");
    let cookie = std::fs::read_to_string(folder.path().join("cookie")).expect("the cookie");
    assert_eq!(cookie.len(), 64);
    assert!(!words(&begun.stdout).contains(&cookie) && !words(&checked.stdout).contains(&cookie));
    // What is there is left alone.
    let again = run(folder.path(), &["init"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(words(&again.stderr).contains("left alone"), "{}", words(&again.stderr));
    assert_eq!(std::fs::read_to_string(folder.path().join("cookie")).expect("it"), cookie);
}

#[test]
fn completions_and_logs_are_there_for_the_asking() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish"] {
        let output = run(folder.path(), &["completions", shell]);
        let text = words(&output.stdout);
        assert!(text.contains("mycelium") && text.contains("doctor"), "{shell}: {text}");
    }
    let wrong = Command::new(env!("CARGO_BIN_EXE_mycelium"))
        .current_dir(folder.path())
        .args(["check"])
        .env("RUST_LOG", "a=loud")
        .output()
        .expect("it runs");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(words(&wrong.stderr).contains("RUST_LOG"), "{}", words(&wrong.stderr));
}
