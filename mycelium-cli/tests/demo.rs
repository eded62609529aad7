//! `mycelium demo` through its executable: what it says when all goes well, and when it does not.

#![cfg(all(unix, feature = "cluster"))]

mod common;

use std::fs;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use common::{Lines, recording};

/// A running demo, in a folder of its own. Dropped, it is killed, and its children end with it.
struct Demo {
    /// `None` when it has ended.
    folder: Option<TempDir>,
    coordinator: Child,
    /// Of standard error, which all its processes hold as long as they live.
    lines: Lines,
    children: Vec<Pid>,
}

/// How a demo ended.
struct Ended {
    status: ExitStatus,
    /// What it wrote to standard output.
    words: String,
    report: Option<String>,
    folder: TempDir,
}

impl Ended {
    /// The sockets that are left in the demo's runtime folder.
    fn sockets(&self) -> Vec<String> {
        common::sockets(self.folder.path())
    }
}

impl Demo {
    fn start(csv: &str, arguments: &[&str]) -> Self {
        let folder = common::folder(csv);
        Self::start_in(folder, arguments)
    }

    fn start_in(folder: TempDir, arguments: &[&str]) -> Self {
        let mut coordinator = Command::new(env!("CARGO_BIN_EXE_mycelium"))
            .current_dir(folder.path())
            .args(["demo", "--data", "trades.csv"])
            .args(arguments)
            .env("XDG_RUNTIME_DIR", folder.path().join("run"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the demo starts");
        let lines = Lines::of(coordinator.stderr.take().expect("a pipe"));
        Self { folder: Some(folder), coordinator, lines, children: Vec::new() }
    }

    /// Waits for both children to be started.
    fn wait_for_children(&mut self) {
        for start in ["same machine: process ", "remote: process "] {
            let pid = self.lines.wait_for(start).parse().expect("a process id");
            self.children.push(Pid::from_raw(pid).expect("a process id"));
        }
    }

    fn coordinator(&self) -> Pid {
        Pid::from_child(&self.coordinator)
    }

    /// Waits for the end of all its processes.
    fn end(self) -> Ended {
        self.end_with_report("mycelium-demo.html")
    }

    fn end_with_report(mut self, report: &str) -> Ended {
        self.lines.rest();
        let mut words = String::new();
        let mut stdout = self.coordinator.stdout.take().expect("a pipe");
        stdout.read_to_string(&mut words).expect("it is text");
        let status = self.coordinator.wait().expect("it ended");
        for child in &self.children {
            assert!(has_ended(*child), "{child:?} is still there");
        }
        let folder = self.folder.take().expect("it has not ended before");
        let report = fs::read_to_string(folder.path().join(report)).ok();
        Ended { status, words, report, folder }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.coordinator.kill();
        let _ = self.coordinator.wait();
    }
}

/// Whether a process is gone, or is a zombie.
fn has_ended(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    stat.map_or(true, |stat| stat.rsplit(')').next().is_some_and(|it| it.starts_with(" Z")))
}

/// What the verdict says of each reader that was lost: number, sent, acknowledged, unknown, not
/// sent.
fn lost_readers(words: &str) -> Vec<[u64; 5]> {
    let lines = words.lines().filter(|line| line.contains("acknowledged"));
    lines
        .map(|line| {
            let mut numbers = line
                .split(|letter: char| !letter.is_ascii_digit())
                .filter(|digits| !digits.is_empty())
                .map(|digits| digits.parse().expect("digits"));
            std::array::from_fn(|_| numbers.next().expect("five numbers"))
        })
        .collect()
}

/// The transport between processes of a machine.
const NEAR: &str = if cfg!(target_os = "linux") { "shm" } else { "unix" };

#[test]
fn all_readers_get_all_ticks() {
    let arguments = ["--ticks", "2000", "--seconds", "1", "--payload", "0"];
    let demo = Demo::start(&recording(3_000, 20), &arguments);
    let ended = demo.end();
    assert!(ended.status.success(), "{}", ended.words);
    // Of 2000 ticks flat out, and of 51 at recorded pace: replays to 8 readers each, of three
    // distances and two rivals, and one to the 24 at the distances.
    // And 32 to these, to warm up.
    let messages = (2000 + 51) * (5 * 8 + 24) + 32 * 24;
    let words = ended.words.replace(' ', "");
    assert!(words.contains(&format!("PASS:of{messages}messagesnonewaslost")), "{}", ended.words);
    let row = |label: &str| {
        let line = ended.words.lines().find(|line| line.trim_start().starts_with(label));
        line.unwrap_or_else(|| panic!("no {label}: {}", ended.words)).replace(label, "")
    };
    let words_of =
        |label: &str| -> Vec<String> { row(label).split_whitespace().map(str::to_owned).collect() };
    assert_eq!(words_of("chosen"), ["arc", NEAR, "tcp", "none", "none"]);
    assert!(row("the peer is").trim_start().starts_with("same process    same machine"));
    // What waking costs stands beside the latencies.
    assert!(words_of("one wake-up here, p50").len() >= 5, "{}", ended.words);
    assert_eq!(words_of("latency p50 / wake-up").len(), 10, "{}", ended.words);
    assert_eq!(words_of("latency p50 / as many wake-ups").len(), 10, "{}", ended.words);
    assert_eq!(words_of("touching a page after the same pauses, p50").len(), 10, "{}", ended.words);
    assert!(ended.words.contains("Ticks of 700 bytes: in one process the fork"), "{}", ended.words);
    assert_eq!(ended.sockets(), Vec::<String>::new());
    // Those of the same process share what was sent.
    assert!(
        row("bytes serialised, payloads apart").trim_start().starts_with("0 B"),
        "{}",
        ended.words
    );
    assert!(row("copies made by the feed").trim_start().starts_with("0 "), "{}", ended.words);
    let by_readers = words_of("copies made by the readers");
    assert_eq!(by_readers, ["0", "0", "0", "–", "–"], "{}", ended.words);
    assert_eq!(words_of("copies made by the feed")[..3], ["0", "0", "0"], "{}", ended.words);
    // Stock clones for each reader.
    let by_feed = row("copies made by the feed").replace(' ', "");
    assert!(by_feed.ends_with("160000"), "{}", ended.words);
    let report = ended.report.expect("there is a report");
    assert_eq!(report.matches("<svg").count(), 3);
    for outside in ["http", "src=", "href=", "@import", "url("] {
        assert!(!report.contains(outside), "the report asks for something by {outside}");
    }
}

#[test]
fn larger_ticks_arrive_and_the_report_goes_where_it_is_asked_for() {
    let arguments = ["--payload", "300k", "--seconds", "0", "--report", "other.html"];
    let ended = Demo::start(&recording(40, 1), &arguments).end_with_report("other.html");
    assert!(ended.status.success(), "{}", ended.words);
    assert!(ended.words.starts_with("40 ticks of 307 900 bytes"), "{}", ended.words);
    assert!(ended.report.is_some_and(|report| report.contains("<svg")));
}

#[test]
fn json_has_the_figures_and_nothing_else() {
    let arguments = ["--ticks", "200", "--seconds", "0", "--payload", "0", "--json"];
    let ended = Demo::start(&recording(300, 20), &arguments).end();
    assert!(ended.status.success(), "{}", ended.words);
    let json: Value = serde_json::from_str(&ended.words).expect("JSON alone");
    assert_eq!((&json["command"], &json["status"]), (&"demo".into(), &0.into()));
    assert!(json["error"].is_null(), "{json}");
    assert_eq!((&json["passed"], &json["interrupted"]), (&true.into(), &false.into()));
    assert_eq!((&json["report"], &json["trades"]), (&"mycelium-demo.html".into(), &300.into()));
    assert!(ended.report.is_some(), "it is written as well");
    for cost in ["thread_ns", "process_ns", "threads_ns", "threads_apart_ns", "page_ns"] {
        assert!(json["wake_up"][cost].as_u64().is_some_and(|it| it > 0), "{cost}: {json}");
    }
    let column = |key: &str| -> Vec<Value> {
        let places = json["places"].as_array().expect("places").iter();
        places.map(|place| place[key].clone()).collect()
    };
    assert_eq!(column("link"), ["arc", NEAR, "tcp", "none", "none"]);
    assert_eq!(column("readers"), [8; 5]);
    assert_eq!(column("is_rival"), [false, false, false, true, true]);
    let replays = json["replays"].as_array().expect("replays");
    let sent = |replay: &Value| -> u64 {
        let results = replay["results"].as_array().expect("results").iter();
        results.map(|result| result["messages"].as_u64().expect("a count")).sum()
    };
    let all: u64 = replays.iter().map(sent).sum();
    assert_eq!(json["messages"], all, "each was handled once");
    let near = replays.iter().find(|it| it["place"] == "same machine").expect("its replay");
    let result = &near["results"][0];
    assert_eq!((&near["kind"], &near["ticks"]), (&"flat_out_alone".into(), &200.into()), "{near}");
    let rate = result["messages"].as_f64().zip(result["seconds"].as_f64()).map(|(n, s)| n / s);
    let told = result["messages_per_second"].as_f64();
    assert!(rate.zip(told).is_some_and(|(one, other)| (one / other - 1.0).abs() < 1e-6), "{near}");
    assert!(json["conclusions"].as_array().is_some_and(|it| !it.is_empty()), "{json}");
}

#[test]
fn json_of_a_run_that_lost_readers_names_each() {
    let arguments = ["--seconds", "1", "--payload", "0", "--json"];
    let mut demo = Demo::start(&recording(3_000, 1), &arguments);
    demo.wait_for_children();
    demo.lines.wait_for("flat out, same machine alone");
    kill_process(demo.children[0], Signal::KILL).expect("it runs");
    let ended = demo.end();
    let json: Value = serde_json::from_str(&ended.words).expect("JSON alone");
    assert_eq!((ended.status.code(), &json["status"]), (Some(1), &1.into()), "{json}");
    assert_eq!(json["passed"], false, "{json}");
    let faults = json["faults"].as_array().expect("faults").iter();
    let gone: Vec<_> = faults.filter(|it| it["kind"] == "gone").map(|it| &it["reader"]).collect();
    assert_eq!(gone, (8..16).map(Value::from).collect::<Vec<_>>().iter().collect::<Vec<_>>());
}

/// Kills one of the children when standard error has a line that starts with `moment`, and checks
/// what is said of its readers, of which the first has this number.
fn kill_a_child(child: usize, first: u64, moment: Option<&str>) {
    const TICKS: u64 = 3_000;
    const PACED: u64 = 1_001;
    const WARM_UP: u64 = 32;
    let mut demo = Demo::start(&recording(TICKS, 1), &["--seconds", "1", "--payload", "0"]);
    demo.wait_for_children();
    if let Some(moment) = moment {
        demo.lines.wait_for(moment);
    }
    kill_process(demo.children[child], Signal::KILL).expect("it runs");
    let ended = demo.end();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.words);
    let lost = lost_readers(&ended.words);
    let numbers: Vec<u64> = lost.iter().map(|reader| reader[0]).collect();
    assert_eq!(numbers, (first..first + 8).collect::<Vec<_>>(), "{}", ended.words);
    for [_, sent, acknowledged, unknown, not_sent] in lost {
        assert_eq!(sent - acknowledged, unknown, "{}", ended.words);
        assert_eq!(sent + not_sent, WARM_UP + 2 * (TICKS + PACED), "{}", ended.words);
        // The feed lets no more be under way.
        assert!(unknown <= 256, "{}", ended.words);
        if moment.is_none() {
            assert!(sent < TICKS, "{}", ended.words);
        }
    }
    assert!(ended.words.contains("signal: 9"), "{}", ended.words);
    assert!(!ended.words.contains(", lost "), "the other readers got all: {}", ended.words);
    assert!(ended.words.contains("FAIL"), "{}", ended.words);
    assert!(ended.report.as_ref().is_some_and(|report| report.contains("FAIL")));
    nothing_is_left_after_the_next_run(ended);
}

/// Runs once more where another run ended badly.
fn nothing_is_left_after_the_next_run(before: Ended) {
    let again = Demo::start_in(before.folder, &["--ticks", "10", "--seconds", "0"]).end();
    assert!(again.status.success(), "{}", again.words);
    assert_eq!(again.sockets(), Vec::<String>::new());
}

#[test]
fn a_child_is_killed_while_it_starts() {
    kill_a_child(0, 8, None);
    kill_a_child(1, 16, None);
}

#[test]
fn a_child_is_killed_before_it_is_sent_anything() {
    kill_a_child(1, 16, Some("warming up"));
}

#[test]
fn a_child_is_killed_while_it_alone_is_sent_ticks() {
    kill_a_child(0, 8, Some("flat out, same machine alone"));
}

#[test]
fn a_child_is_killed_while_all_are_sent_ticks() {
    kill_a_child(0, 8, Some("flat out, all at once"));
    kill_a_child(1, 16, Some("flat out, all at once"));
}

#[test]
fn a_child_is_killed_at_recorded_pace() {
    kill_a_child(1, 16, Some("recorded pace"));
}

#[test]
fn both_children_are_killed() {
    let mut demo = Demo::start(&recording(3_000, 1), &["--seconds", "1", "--payload", "0"]);
    demo.wait_for_children();
    demo.lines.wait_for("flat out, remote alone");
    for child in &demo.children {
        kill_process(*child, Signal::KILL).expect("it runs");
    }
    let ended = demo.end();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.words);
    let numbers = lost_readers(&ended.words).into_iter().map(|reader| reader[0]);
    assert_eq!(numbers.collect::<Vec<_>>(), (8..24).collect::<Vec<_>>(), "{}", ended.words);
}

#[test]
fn children_end_when_the_coordinator_is_killed() {
    for moment in [None, Some("flat out, same process alone"), Some("flat out, all at once")] {
        let mut demo = Demo::start(&recording(3_000, 1), &[]);
        demo.wait_for_children();
        if let Some(moment) = moment {
            demo.lines.wait_for(moment);
        }
        kill_process(demo.coordinator(), Signal::KILL).expect("it runs");
        // Which checks that the children have ended.
        let ended = demo.end();
        assert_eq!(ended.status.code(), None);
        nothing_is_left_after_the_next_run(ended);
    }
}

#[test]
fn an_interrupted_run_tells_what_it_has() {
    for (signal, moment) in [
        (Signal::INT, "flat out, same machine alone"),
        (Signal::INT, "recorded pace"),
        (Signal::TERM, "flat out, all at once"),
    ] {
        // At recorded pace it would take a quarter of an hour.
        let mut demo =
            Demo::start(&recording(3_000, 300), &["--ticks", "2500", "--seconds", "900"]);
        demo.wait_for_children();
        demo.lines.wait_for(moment);
        kill_process(demo.coordinator(), signal).expect("it runs");
        let ended = demo.end();
        assert_eq!(ended.status.code(), Some(130), "{}", ended.words);
        assert!(ended.words.contains("Interrupted, and partial: PASS"), "{}", ended.words);
        assert_eq!(ended.sockets(), Vec::<String>::new());
        assert!(ended.report.is_some_and(|report| report.contains("Interrupted")));
    }
}

/// Runs the demo where it cannot run, and gives what it says.
fn refused(csv: &str, arguments: &[&str]) -> String {
    let mut demo = Demo::start(csv, arguments);
    let words = demo.lines.rest();
    assert_eq!(demo.coordinator.wait().expect("it ends").code(), Some(2), "{words}");
    words
}

#[test]
fn a_recording_that_cannot_be_read_is_told_with_its_line() {
    let words = refused("timestamp,price,size\n1,2,3\n2,two,3\n", &[]);
    assert!(words.contains("trades.csv: line 3: the price \"two\""), "{words}");
    let words = refused("timestamp,price,size\n", &[]);
    assert!(words.contains("trades.csv: it holds no trade"), "{words}");
    let demo = Demo::start("timestamp,price,size\n", &["--json"]);
    let ended = demo.end();
    let json: Value = serde_json::from_str(&ended.words).expect("JSON alone");
    assert_eq!((ended.status.code(), &json["status"]), (Some(2), &2.into()));
    assert!(json["error"].as_str().is_some_and(|it| it.contains("it holds no trade")), "{json}");
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_the_run() {
    let words = refused(&recording(10, 1), &["--report", "nowhere/report.html"]);
    assert!(words.contains("nowhere/report.html") && !words.contains("flat out"), "{words}");
}

#[test]
fn without_network_and_cache_the_ways_out_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |override_dir: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_mycelium"))
            .current_dir(folder.path())
            .arg("demo")
            .env("XDG_CACHE_HOME", folder.path().join("cache"))
            .env("CARGO_HOME", folder.path().join("cargo"))
            .env("CARGO_NET_OFFLINE", "true")
            .env("MYCELIUM_UPSTREAM_DIR", override_dir)
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let words = String::from_utf8(output.stderr).expect("it is text");
        assert!(words.contains("MYCELIUM_UPSTREAM_DIR") && words.contains("--data"), "{words}");
        let left = fs::read_dir(folder.path().join("cache/mycelium")).expect("the cache is there");
        assert_eq!(left.count(), 0, "something unfinished is left in the cache");
        words
    };
    run("");
    // An archive of that name with other content.
    let archive = folder.path().join("trade_aggregation-13.1.0.crate");
    fs::write(archive, b"not it").expect("it is written");
    let words = run(folder.path().to_str().expect("text"));
    assert!(words.contains("31dfadb1173305d1"), "it names the sum that was expected: {words}");
}
