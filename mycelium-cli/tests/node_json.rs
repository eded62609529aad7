//! `mycelium node --json`, and what a node tells of the members of its cluster.

#![cfg(all(unix, feature = "cluster"))]

mod common;
#[path = "common/nodes.rs"]
mod nodes;

use std::path::Path;
use std::process::{Child, ChildStderr};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use common::{Lines, recording};
use nodes::{command, configured, dialling};

/// A running node that prints JSON. Dropped, it is killed.
struct Node {
    process: Child,
    /// Of standard output.
    lines: Lines,
    /// Nothing but errors and progress. It is kept open.
    errors: Option<ChildStderr>,
}

impl Node {
    fn start(folder: &Path, name: &str, more: &str, arguments: &[&str]) -> Self {
        let file = configured(folder, name, more);
        let arguments = [&["--json"], arguments].concat();
        let mut process = command(folder, &file, &arguments).spawn().expect("the node starts");
        let lines = Lines::of(process.stdout.take().expect("a pipe"));
        let errors = process.stderr.take();
        Self { process, lines, errors }
    }

    /// The next event of this name that has these words in these fields.
    fn event(&self, name: &str, fields: &[(&str, &str)]) -> Value {
        self.lines.find(name, |line| {
            let event: Value = serde_json::from_str(line).expect("a line of JSON");
            assert!(event["unix_ms"].as_u64().is_some_and(|it| it > 1_700_000_000_000), "{event}");
            let fits = fields.iter().all(|(key, word)| event[key] == **word);
            (event["event"] == *name && fits).then_some(event)
        })
    }

    /// Reads on until each of these events was there, in whatever order, with this word in this
    /// field, and gives the last.
    fn events(&self, wanted: &[(&str, &str, &str)]) -> Value {
        let mut missing = wanted.to_vec();
        self.lines.find(&format!("{wanted:?}"), |line| {
            let event: Value = serde_json::from_str(line).expect("a line of JSON");
            let is_it = |(name, key, word): &(&str, &str, &str)| {
                event["event"] == **name && event[*key] == **word
            };
            missing.retain(|it| !is_it(it));
            missing.is_empty().then_some(event)
        })
    }

    /// Where it listens by TCP, without the scheme.
    fn endpoint(&self) -> String {
        self.lines.find("listening", |line| {
            let event: Value = serde_json::from_str(line).expect("a line of JSON");
            assert_eq!(event["event"], "listening", "{event}");
            event["address"].as_str()?.strip_prefix("tcp://").map(str::to_owned)
        })
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("it runs");
    }

    /// Waits for its last event, which has its exit status, and gives that.
    fn end(mut self) -> Option<i32> {
        let last = self.event("ended", &[]);
        assert_eq!(self.lines.rest(), "", "it is the last");
        let errors = Lines::of(self.errors.take().expect("a pipe")).rest();
        let status = self.process.wait().expect("it ended").code();
        assert_eq!(last["status"].as_i64(), status.map(i64::from), "{last}");
        assert_eq!(last["error"].is_null(), status != Some(2), "{last}\n{errors}");
        status
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_feed_and_its_readers_print_what_came_of_it() {
    let folder = common::folder(&recording(300, 20));
    let feed = [
        "--feed",
        "--data",
        "trades.csv",
        "--readers",
        "1",
        "--wait",
        "3",
        "--ticks",
        "200",
        "--seconds",
        "1",
    ];
    let feed = Node::start(folder.path(), "feed", "", &feed);
    let more = dialling(&format!("tcp://{}", feed.endpoint()), "");
    let near = Node::start(folder.path(), "near", &more, &["--readers", "2"]);
    let connected = feed.event("peer_connected", &[("peer", "near@test")]);
    assert_eq!(connected["locality"], "same machine", "{connected}");
    let gathered = feed.lines.find("readers_gathered", |line| {
        let event: Value = serde_json::from_str(line).expect("a line of JSON");
        (event["readers"] == 3).then_some(event)
    });
    assert_eq!((&gathered["event"], &gathered["wanted"]), (&"readers_gathered".into(), &3.into()));

    let result = feed.event("result", &[]);
    assert_eq!((&result["passed"], &result["interrupted"]), (&true.into(), &false.into()));
    // 200 ticks to each node alone and to all at once, and 51 at recorded pace.
    assert_eq!(result["messages"], 2 * 200 * 3 + 51 * 3, "{result}");
    let places = result["places"].as_array().expect("places");
    assert_eq!(places.len(), 2, "{result}");
    assert_eq!((&places[0]["name"], &places[0]["link"]), (&"feed@test".into(), &"arc".into()));
    assert_eq!((&places[1]["node"], &places[1]["readers"]), (&"near@test".into(), &2.into()));
    let replays = result["replays"].as_array().expect("replays").iter();
    let paced = replays.filter(|it| it["kind"] == "paced").collect::<Vec<_>>();
    let near_paced = &paced[0]["results"][1];
    assert_eq!((&near_paced["place"], &near_paced["messages"]), (&"near@test".into(), &102.into()));
    let (p50, p99) = (&near_paced["latency"]["p50_ns"], &near_paced["latency"]["p99_ns"]);
    assert!(p50.as_u64().zip(p99.as_u64()).is_some_and(|(p50, p99)| p50 <= p99), "{near_paced}");
    assert_eq!(feed.end(), Some(0));

    near.event("waiting_for_feed", &[]);
    let found = near.event("feed_found", &[]);
    assert_eq!((&found["readers"], &found["locality"]), (&2.into(), &"same machine".into()));
    for reader in 0..2 {
        let report = near.event("reader_report", &[]);
        let field = |key: &str| report[key].as_u64().expect("a number");
        assert_eq!(field("reader"), reader, "{report}");
        assert_eq!(field("ticks"), 2 * 200 + 51, "{report}");
        assert_eq!(["skipped", "doubled", "reordered"].map(field), [0; 3], "{report}");
    }
    assert_eq!(near.end(), Some(0));
    assert_eq!(common::sockets(folder.path()), Vec::<String>::new());
}

#[test]
fn what_keeps_a_node_from_running_is_the_last_event() {
    let folder = common::folder("");
    let wrong = Node::start(folder.path(), "wrong", "transport = \"unx\"\n", &[]);
    let last = wrong.event("ended", &[]);
    assert_eq!(last["error"], "1 mistake in the configuration", "{last}");
    assert_eq!(last["status"], 2, "{last}");
    assert!(!last.to_string().contains("sesame"), "{last}");
}

/// So fast that a second is a long time.
const INTERVAL: &str = "interval = \"50ms\"\n";

fn member(folder: &TempDir, name: &str, seed: &str) -> Node {
    let more = format!("[cluster]\nseeds = [\"{seed}\"]\n{INTERVAL}");
    Node::start(folder.path(), name, &more, &[])
}

#[test]
fn members_join_leave_and_die() {
    let folder = common::folder("");
    let seed = Node::start(folder.path(), "seed", &format!("[cluster]\n{INTERVAL}"), &[]);
    let endpoint = seed.endpoint();
    // The same in lines for people.
    let more = format!("[cluster]\nseeds = [\"{endpoint}\"]\n{INTERVAL}");
    let file = configured(folder.path(), "people", &more);
    let mut people = command(folder.path(), &file, &[]).spawn().expect("the node starts");
    let told = Lines::of(people.stderr.take().expect("a pipe"));
    let people = Node {
        lines: Lines::of(people.stdout.take().expect("a pipe")),
        errors: None,
        process: people,
    };
    let people_listen = told.wait_for("people@test listens on tcp://");
    let joined = seed.event("member_joined", &[("member", "people@test")]);
    assert!(joined["incarnation"].as_str().is_some_and(|it| !it.is_empty()), "{joined}");
    let addresses = joined["addresses"].as_array().expect("addresses").iter();
    let by_tcp = addresses.filter_map(Value::as_str).find(|it| it.starts_with("tcp://"));
    assert_eq!(by_tcp, Some(&*format!("tcp://{people_listen}")), "{joined}");

    let leaves = member(&folder, "leaves", &endpoint);
    seed.events(&[
        ("member_joined", "member", "leaves@test"),
        ("peer_connected", "peer", "leaves@test"),
    ]);
    let dies = member(&folder, "dies", &endpoint);
    leaves.events(&[
        ("peer_connected", "peer", "seed@test"),
        ("peer_connected", "peer", "people@test"),
        ("peer_connected", "peer", "dies@test"),
    ]);
    seed.events(&[
        ("member_joined", "member", "dies@test"),
        ("peer_connected", "peer", "dies@test"),
    ]);
    let mut missing = vec![
        "member leaves@test: joined",
        "peer leaves@test: connected",
        "member dies@test: joined",
        "peer dies@test: connected",
    ];
    told.find("both members", |line| {
        missing.retain(|start| !line.starts_with(start));
        missing.is_empty().then_some(())
    });

    leaves.send(Signal::TERM);
    assert_eq!(leaves.end(), Some(0));
    seed.event("member_left", &[("member", "leaves@test")]);
    told.wait_for("member leaves@test: left");
    drop(dies);
    seed.event("member_dead", &[("member", "dies@test")]);
    told.wait_for("member dies@test: dead");
    for node in [&seed, &people] {
        node.send(Signal::TERM);
    }
    assert_eq!(seed.end(), Some(0));
    told.rest();
    assert_eq!(people.lines.rest(), "", "standard output is for results");
}
