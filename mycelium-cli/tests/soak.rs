//! `mycelium soak` through its executable: a short one adds up, and one that is ended leaves nothing running.

#![cfg(all(unix, feature = "cluster"))]

#[path = "common/lines.rs"]
mod lines;

use std::fs;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use lines::Lines;

/// A running soak, with a folder for temporary files of its own. Dropped, it is killed, and its processes end with it.
struct Soak {
    folder: TempDir,
    coordinator: Child,
    /// Of standard error, which all its processes hold as long as they live.
    lines: Lines,
}

impl Soak {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut coordinator = Command::new(env!("CARGO_BIN_EXE_mycelium"))
            .arg("soak")
            .args(arguments)
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the soak starts");
        let lines = Lines::of(coordinator.stderr.take().expect("a pipe"));
        Self { folder, coordinator, lines }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.coordinator), signal).expect("it runs");
    }

    /// Waits for the end of all its processes, and gives how it ended, what it said, and how many files it left.
    fn end(mut self) -> (ExitStatus, String, usize) {
        self.lines.rest();
        let mut words = String::new();
        let mut stdout = self.coordinator.stdout.take().expect("a pipe");
        stdout.read_to_string(&mut words).expect("it is text");
        let status = self.coordinator.wait().expect("it ended");
        let left = fs::read_dir(self.folder.path()).expect("it is there").count();
        (status, words, left)
    }
}

impl Drop for Soak {
    fn drop(&mut self) {
        let _ = self.coordinator.kill();
        let _ = self.coordinator.wait();
    }
}

/// The count in the line that starts with `name`.
fn count(words: &str, name: &str) -> u64 {
    let line = words.lines().find_map(|line| line.strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("no {name}: {words}"));
    line.split_whitespace().next().and_then(|count| count.parse().ok()).expect("a count")
}

#[test]
fn every_message_of_a_short_soak_is_accounted_for() {
    // The seed's faults of this time are of all kinds.
    let (status, words, left) = Soak::start(&["--seconds", "20", "--seed", "2"]).end();
    assert!(status.success(), "{words}");
    assert!(words.contains("PASS"), "{words}");
    for kind in ["killed", "stopped", "cut", "held", "parted", "link closed"] {
        let first = words.lines().next().expect("a line");
        assert!(first.contains(kind), "no process or link is {kind}: {first}");
    }
    let parts = ["delivered", "rejected", "dead letters", "unacknowledged", "killed", "missing"];
    let sum: u64 = parts.iter().map(|part| count(&words, part)).sum();
    assert_eq!(count(&words, "sent"), sum, "{words}");
    assert_eq!(count(&words, "missing"), 0, "{words}");
    assert!(count(&words, "delivered") > 0, "{words}");
    // Mailboxes have room for fewer than are sent at once, in the feeds' processes and in others.
    assert!(count(&words, "rejected") > 0, "{words}");
    assert!(count(&words, "  Full") > 0, "{words}");
    let reasons =
        words.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().nth(1));
    let dead: u64 = reasons.map(|count| count.parse::<u64>().expect("a count")).sum();
    assert_eq!(count(&words, "dead letters"), dead, "{words}");
    if cfg!(target_os = "linux") {
        let courses = words.lines().filter(|line| line.contains(" held ") && line.contains(" MiB"));
        assert_eq!(courses.count(), 3, "one of each role lasts: {words}");
    }
    assert_eq!(left, 0, "files are left");
}

#[test]
fn an_interrupted_soak_tells_what_it_has() {
    for signal in [Signal::INT, Signal::TERM] {
        let soak = Soak::start(&["--minutes", "60", "--seed", "3"]);
        soak.lines.wait_for("seed 3");
        soak.signal(signal);
        let (status, words, left) = soak.end();
        assert_eq!(status.code(), Some(130), "{words}");
        assert_eq!(count(&words, "missing"), 0, "{words}");
        assert_eq!(left, 0, "files are left");
    }
    let soak = Soak::start(&["--minutes", "60", "--seed", "3"]);
    // The first fault.
    soak.lines.wait_for("     ");
    soak.signal(Signal::INT);
    let (status, words, _) = soak.end();
    assert_eq!(status.code(), Some(130), "{words}");
    assert!(words.contains("Interrupted, and partial: PASS"), "{words}");
}

#[test]
fn its_processes_end_when_the_coordinator_is_killed() {
    let soak = Soak::start(&["--minutes", "60", "--seed", "3"]);
    soak.lines.wait_for("     ");
    soak.signal(Signal::KILL);
    // Which waits for the end of all that hold its standard error.
    let (status, _, _) = soak.end();
    assert_eq!(status.code(), None);
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    let wrong: [&[&str]; 3] = [&["--minutes", "0"], &["--seconds", "x"], &["--seed", "-1"]];
    for arguments in wrong {
        let (status, words, _) = Soak::start(arguments).end();
        assert_eq!(status.code(), Some(2), "{words}");
    }
    let member = Command::new(env!("CARGO_BIN_EXE_mycelium"))
        .arg("soak-member")
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    assert_eq!(member.status.code(), Some(2));
}
