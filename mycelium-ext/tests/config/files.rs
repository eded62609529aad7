//! Which files are read, and what is said of those that others may read.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::time::Duration;

use mycelium_ext::config::Warning;

use super::*;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// What is said of a configuration that cannot be loaded, which takes no time.
fn refusal(file: &Path) -> String {
    let (done, loaded) = mpsc::channel();
    let path = file.to_owned();
    std::thread::spawn(move || {
        let _ = done.send(Config::load_with(path, &nothing()));
    });
    let loaded = loaded.recv_timeout(LONG).expect("it does not wait for a writer");
    loaded.expect_err("no regular file of a bounded size").to_string()
}

/// Paths that are not read, and what is said of each.
fn unreadable(folder: &Path) -> Vec<(PathBuf, &'static str)> {
    let large = folder.join("large");
    fs::write(&large, vec![b'#'; 1024 * 1024 + 1]).expect("a file");
    fs::set_permissions(&large, Permissions::from_mode(0o600)).expect("a mode");
    let mut all = vec![
        (folder.to_owned(), "a directory"),
        (PathBuf::from("/dev/zero"), "a device"),
        (large, "too large"),
    ];
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, FileType, Mode, mknodat};

        let pipe = folder.join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
        all.push((pipe, "a pipe"));
    }
    all
}

fn says(words: &str, path: &Path, said: &str) {
    let said =
        if said == "too large" && !words.contains(said) { "larger than 1 MiB" } else { said };
    assert!(words.contains(said) && words.contains(" name a "), "{words:?}: {said}");
    assert!(words.contains(&path.display().to_string()), "{words:?}");
}

#[test]
fn a_configuration_is_a_regular_file_of_at_most_1_mib() {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, said) in unreadable(folder.path()) {
        says(&refusal(&path), &path, said);
    }
    let most = folder.path().join(FILE);
    let mut text = NODE.to_owned();
    text.push_str(&"#".repeat(1024 * 1024 - text.len()));
    fs::write(&most, text).expect("a file");
    Config::load_with(&most, &nothing()).expect("1 MiB is read");
}

#[test]
fn so_are_the_files_that_it_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(FILE);
    for (path, said) in unreadable(folder.path()) {
        let it = path.display();
        let good = folder.path().join("feed.pem");
        let made = rcgen::generate_simple_self_signed(["feed".to_owned()]).expect("a certificate");
        fs::write(&good, made.cert.pem()).expect("a file");
        let good = good.display();
        for text in [
            format!("[node]\nname = \"feed\"\ncookie_file = '{it}'\n"),
            format!("{NODE}[node.tls]\nauthorities = '{it}'\n"),
            format!("{NODE}[node.tls]\ncertificate = '{it}'\nkey = '{it}'\n"),
            format!("{NODE}[node.tls]\ncertificate = '{good}'\nkey = '{it}'\n"),
        ] {
            fs::write(&file, text).expect("a file");
            says(&refusal(&file), &path, said);
        }
    }
}

#[test]
fn a_cookie_in_a_file_that_others_may_read_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(FILE);
    fs::write(&file, NODE.replace("sesame", "0123456789abcdef")).expect("a file");
    let other = Environment::of([("MYCELIUM_NODE_COOKIE", "fedcba9876543210")]);
    for environment in [nothing(), other] {
        let with = |mode| {
            fs::set_permissions(&file, Permissions::from_mode(mode)).expect("a mode");
            Config::load_with(&file, &environment).expect("a warning is no error").warnings()
        };
        assert_eq!(with(0o600), []);
        for readable in [0o640, 0o604] {
            let warnings = with(readable);
            let [Warning::ReadableCookie { mode, .. }] = &warnings[..] else {
                panic!("{warnings:?}");
            };
            assert_eq!(*mode, readable);
            let words = warnings[0].to_string();
            assert!(words.contains(&format!("chmod 600 {}", file.display())), "{words}");
            assert!(!words.contains("0123456789abcdef"), "{words}");
        }
    }
}

#[test]
fn a_file_without_a_cookie_may_be_read_by_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(FILE);
    fs::write(&file, "[node]\nname = \"feed\"\ncookie_env = \"C\"\n").expect("a file");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("a mode");
    let environment = Environment::of([("C", "0123456789abcdef")]);
    let config = Config::load_with(&file, &environment).expect("a configuration");
    assert_eq!(config.warnings(), []);
}
