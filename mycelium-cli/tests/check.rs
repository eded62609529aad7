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
