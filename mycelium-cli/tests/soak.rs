//! `mycelium soak` through its executable: a short one adds up, and one that is ended leaves
//! nothing running.

#![cfg(all(unix, feature = "cluster"))]

#[path = "common/lines.rs"]
mod lines;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use lines::Lines;

/// What a build without optimisation, on a machine that does other things as well, may take in a
/// few seconds. The defaults are for longer runs of optimised ones.
const PATIENT: [&str; 8] = [
    "--max-computing",
    "3000",
    "--max-stall",
    "10000",
    "--max-growth",
    "512",
    "--max-lines",
    "10000",
];

/// A running soak, with a folder for temporary files of its own. Dropped, it is killed, and its
/// processes end with it.
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

    /// Waits for the end of all its processes, and gives how it ended, what it said, and how many
    /// files it left.
    fn end(mut self) -> (ExitStatus, String, usize) {
        let told = self.lines.rest();
        let mut words = String::new();
        let mut stdout = self.coordinator.stdout.take().expect("a pipe");
        stdout.read_to_string(&mut words).expect("it is text");
        let status = self.coordinator.wait().expect("it ended");
        let left = fs::read_dir(self.folder.path()).expect("it is there").count();
        if !status.success() {
            // Why a process of it failed, where it is not meant to: what nodes log is left out.
            let why = told.lines().filter(|line| line.starts_with("mycelium:"));
            words.extend(why.flat_map(|line| [line, "\n"]));
        }
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
    let arguments = [["--seconds", "20", "--seed", "2"].as_slice(), &PATIENT].concat();
    let (status, words, left) = Soak::start(&arguments).end();
    assert!(status.success(), "{words}");
    assert!(words.contains("PASS"), "{words}");
    for kind in ["killed", "stopped", "cut", "held", "parted", "link closed"] {
        let first = words.lines().next().expect("a line");
        assert!(first.contains(kind), "no process or link is {kind}: {first}");
    }
    let parts = [
        "delivered",
        "rejected",
        "dead letters",
        "replaced",
        "unacknowledged",
        "killed",
        "missing",
    ];
    let sum: u64 = parts.iter().map(|part| count(&words, part)).sum();
    assert_eq!(count(&words, "sent"), sum, "{words}");
    assert_eq!(count(&words, "missing"), 0, "{words}");
    assert!(count(&words, "delivered") > 0, "{words}");
    assert!(count(&words, "replaced") > 0, "{words}");
    // What `mycelium top` shows of the processes that came to their ends is in the book too.
    assert!(count(&words, "shown readers") > 0, "{words}");
    assert!(count(&words, "shown sessions") > 0, "{words}");
    // Mailboxes have room for fewer than are sent at once. Feeds feel those of other processes too.
    let rejected = words.lines().find(|line| line.starts_with("rejected")).expect("the line");
    assert!(rejected.contains(" full "), "{words}");
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
fn json_balances_as_the_words_do() {
    let arguments =
        [["--seconds", "6", "--seed", "18446744073709551615", "--json"].as_slice(), &PATIENT];
    let (status, words, _) = Soak::start(&arguments.concat()).end();
    assert!(status.success(), "{words}");
    let json: serde_json::Value = serde_json::from_str(&words).expect("JSON alone");
    assert_eq!((&json["command"], &json["status"]), (&"soak".into(), &0.into()));
    assert_eq!((&json["passed"], &json["error"]), (&true.into(), &serde_json::Value::Null));
    // As text: many programs would round the number.
    assert_eq!(json["seed"], "18446744073709551615");
    let balance = json["balance"].as_object().expect("a balance");
    let sum = |value: &serde_json::Value| match value.as_object() {
        Some(by_reason) => by_reason.values().filter_map(serde_json::Value::as_u64).sum(),
        None => value.as_u64().expect("a count"),
    };
    let sent = sum(&balance["sent"]);
    let explained: u64 = balance.iter().filter(|it| it.0 != "sent").map(|it| sum(it.1)).sum();
    assert!(sent > 0 && sent == explained, "{json}");
    let shown = |field: &str| json["shown"][field].as_u64().expect("a count");
    assert!(shown("readers") > 0 && shown("sessions") > 0, "{json}");
    assert_eq!((shown("otherwise"), shown("missing_frames")), (0, 0), "{json}");
    assert_eq!(json["wrong"].as_array().map(Vec::len), Some(0), "{json}");
    let members = json["members"].as_array().expect("members").iter();
    let names: Vec<_> = members.clone().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names, ["far-0", "feed-0", "near-0"], "one of each role lasts: {json}");
    assert!(members.clone().all(|it| it["failed_calls"] == 0), "{json}");
}

/// Without faults nothing else is to blame: each call is answered, and each budget kept.
#[test]
fn outsiders_cost_the_others_no_more_than_their_budgets() {
    let arguments = [["--minutes", "60", "--seed", "4", "--without-faults"].as_slice(), &PATIENT];
    let soak = Soak::start(&arguments.concat());
    // How long that takes is up to the machine.
    let mut done = BTreeSet::new();
    soak.lines.find("<outsider>: <count> <misdeed> at", |line| {
        let (outsider, what) = line.split_once("s  ")?.1.split_once(": ")?;
        let (count, misdeed) = what.split_once(" at ")?.0.split_once(' ')?;
        if count.parse::<u64>().ok()? > 0 {
            done.insert((outsider.to_owned(), misdeed.to_owned()));
        }
        let kinds_of = |outsider| done.iter().filter(|it| it.0 == outsider).count();
        (kinds_of("hostile") >= 4 && kinds_of("stranger") >= 4).then_some(())
    });
    soak.signal(Signal::INT);
    let (status, words, left) = soak.end();
    assert_eq!(status.code(), Some(130), "{words}");
    assert!(words.contains("Interrupted, and partial: PASS"), "{words}");
    for (outsider, misdeed) in done {
        let row = |line: &str| line.starts_with(&outsider) && line.ends_with(&misdeed);
        assert!(words.lines().any(row), "no {misdeed} of the {outsider}:\n{words}");
    }
    let answered = words.lines().filter(|line| line.contains(" calls answered "));
    assert!(answered.clone().any(|line| !line.contains(" 0 calls answered ")), "{words}");
    assert!(answered.clone().all(|line| line.contains(" 0 failed")), "{words}");
    assert_eq!(answered.count(), 3, "one of each role lasts: {words}");
    assert_eq!(left, 0, "files are left");
}

#[test]
fn a_budget_that_is_exceeded_fails_the_soak() {
    let mut arguments = vec!["--seconds", "3", "--seed", "4", "--without-faults"];
    arguments.extend(["--misdeed", "pg-joins", "--misdeed", "wrong-cookies"]);
    arguments.extend(PATIENT.iter().take(6));
    arguments.extend(["--max-lines", "0", "--max-peak", "0"]);
    let (status, words, left) = Soak::start(&arguments).end();
    assert_eq!(status.code(), Some(1), "{words}");
    let complaint = |member: &str, option: &str| {
        words.lines().any(|line| line.contains(member) && line.contains(&format!("({option})")))
    };
    assert!(complaint("feed-0", "--max-lines"), "{words}");
    if cfg!(target_os = "linux") {
        assert!(complaint("feed-0", "--max-peak"), "{words}");
    }
    assert_eq!(left, 0, "files are left");
}

#[test]
fn an_interrupted_soak_tells_what_it_has() {
    let hour = [["--minutes", "60", "--seed", "3"].as_slice(), &PATIENT].concat();
    for signal in [Signal::INT, Signal::TERM] {
        let soak = Soak::start(&hour);
        soak.lines.wait_for("seed 3");
        soak.signal(signal);
        let (status, words, left) = soak.end();
        assert_eq!(status.code(), Some(130), "{words}");
        assert_eq!(count(&words, "missing"), 0, "{words}");
        assert_eq!(left, 0, "files are left");
    }
    let soak = Soak::start(&hour);
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
    let wrong: [&[&str]; 5] = [
        &["--minutes", "0"],
        &["--seconds", "x"],
        &["--seed", "-1"],
        &["--misdeed", "murder"],
        &["--max-peak", "all"],
    ];
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
