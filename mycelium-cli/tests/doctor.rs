//! `mycelium doctor`, as people call it: on a project that stands on disk.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// The release of ractor that the fork is made of.
const RELEASE: &str = "0.16.5";

/// A workspace with two packages that ask for ractor like this, and with a lock file that has
/// this version of it.
fn project(first: &str, second: &str, locked: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write(
        "Cargo.toml",
        "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"2\"\n\n[workspace.dependencies]\n\
         ractor_cluster = \"0.16.5\"\n\n[patch.crates-io]\nractor = { path = \"../fork\" }\n",
    );
    for (name, asks) in [("first", first), ("second", second)] {
        let package = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
        write(&format!("crates/{name}/Cargo.toml"), &format!("{package}\n[dependencies]\n{asks}"));
        write(&format!("crates/{name}/src/lib.rs"), "");
    }
    let source = match locked.contains('+') {
        true => "",
        false => "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n",
    };
    write(
        "Cargo.lock",
        &format!("version = 4\n\n[[package]]\nname = \"ractor\"\nversion = \"{locked}\"\n{source}"),
    );
    folder
}

fn doctor(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
    // As from a shell, and with colours as far as the environment is concerned.
    command.env_remove("NO_COLOR").env("TERM", "xterm");
    command.arg("doctor").arg(folder).args(arguments).output().expect("it runs")
}

fn words(output: &Output) -> String {
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_missing_sign_is_a_warning_and_one_sign_is_enough() {
    let exact = format!("ractor = \"={RELEASE}\"\n");
    let fork = format!("{RELEASE}+mycelium.1");
    let loose = "ractor = \"0.16.5\"\nractor_cluster.workspace = true\n";
    let folder = project("ractor = { version = \"0.16\" }\n", loose, &fork);
    let output = doctor(folder.path(), &[]);
    let said = words(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for asks in ["first asks for ractor \"^0.16\"", "second asks for ractor \"^0.16.5\""] {
        assert!(said.contains(&format!("warning: {asks}, without `=`")), "{said}");
    }
    assert!(said.contains(&format!("write `ractor = \"={RELEASE}\"`")), "{said}");
    assert!(said.contains("second asks for ractor_cluster \"^0.16.5\""), "{said}");
    assert!(said.contains("All of ractor comes from the fork."), "{said}");
    assert!(!said.contains('\x1b'), "no colours without a terminal: {said:?}");

    // Cargo takes one version for all of a workspace.
    let folder = project(&exact, loose, &fork);
    let said = words(&doctor(folder.path(), &[]));
    assert!(!said.contains("asks for ractor \""), "{said}");
    assert!(said.contains("asks for ractor_cluster"), "{said}");
    let folder = project(&exact, &exact, &fork);
    assert!(!words(&doctor(folder.path(), &[])).contains("warning"));
}

#[test]
fn json_has_findings_remedies_and_warnings() {
    let folder = project("ractor = \"0.16.5\"\n", "", "0.16.6");
    let output = doctor(folder.path(), &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&words(&output)).expect("JSON alone");
    assert_eq!((output.status.code(), &json["status"]), (Some(1), &1.into()), "{json}");
    assert_eq!((&json["command"], &json["healthy"]), (&"doctor".into(), &false.into()));
    let has = |key: &str, text: &str| {
        let sentences = json[key].as_array().expect("sentences").iter();
        sentences.filter_map(|it| it.as_str()).any(|it| it.contains(text))
    };
    assert!(has("findings", "ractor 0.16.6: STOCK"), "{json}");
    assert!(has("remedies", "cargo update -p ractor@0.16.6 --precise 0.16.5"), "{json}");
    assert!(has("warnings", "without `=`"), "{json}");

    let empty = tempfile::tempdir().expect("a folder");
    let output = doctor(empty.path(), &["--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON alone");
    assert_eq!((output.status.code(), &json["status"]), (Some(2), &2.into()), "{json}");
    assert!(json["error"].as_str().is_some_and(|it| it.contains("Cargo.lock")), "{json}");
}

/// On a terminal of its own.
#[cfg(all(target_os = "linux", feature = "cluster"))]
mod terminal {
    use std::fs::File;
    use std::io::Read as _;
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::process::Stdio;

    use rustix::fs::OFlags;
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    /// What it prints there, with this variable.
    fn shown(folder: &Path, (name, text): (&str, &str)) -> String {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = openpt(flags).expect("a terminal");
        grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("its other end");
        let path = ptsname(&ours, Vec::new()).expect("its name");
        let open = || {
            let path = path.to_str().expect("it is text");
            let mut options = File::options();
            // It does not become the terminal of this process.
            options.custom_flags(OFlags::NOCTTY.bits() as i32);
            Stdio::from(OwnedFd::from(options.read(true).write(true).open(path).expect("it opens")))
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
        command.env_remove("NO_COLOR").env("TERM", "xterm").env(name, text);
        command.arg("doctor").arg(folder).stdin(Stdio::null()).stdout(open()).stderr(open());
        let mut child = command.spawn().expect("it runs");
        // With which our copies of the other end are closed.
        drop(command);
        let mut shown = Vec::new();
        // The end of a terminal is an error.
        let mut ours = File::from(ours);
        let mut some = [0; 4096];
        while let Ok(read @ 1..) = ours.read(&mut some) {
            shown.extend_from_slice(&some[..read]);
        }
        child.wait().expect("it ended");
        String::from_utf8(shown).expect("it is text")
    }

    #[test]
    fn colours_are_for_terminals_and_never_with_no_color() {
        let folder = project("ractor = \"0.16.5\"\n", "", "0.16.6");
        let coloured = shown(folder.path(), ("ANY", ""));
        assert!(coloured.contains("\x1b[31mSTOCK\x1b[0m"), "{coloured:?}");
        assert!(coloured.contains("\x1b[33mwarning\x1b[0m"), "{coloured:?}");
        // An empty one is as good as none.
        assert!(shown(folder.path(), ("NO_COLOR", "")).contains('\x1b'));
        for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
            let plain = shown(folder.path(), variable);
            assert!(plain.contains("STOCK") && !plain.contains('\x1b'), "{plain:?}");
        }
    }
}
