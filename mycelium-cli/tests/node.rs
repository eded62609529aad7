//! `mycelium node` through its executable: nodes of one machine, of which one is configured as
//! remote.

#![cfg(all(unix, feature = "cluster"))]

mod common;
#[path = "common/nodes.rs"]
mod nodes;
#[path = "common/tmux.rs"]
mod tmux;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use common::{Lines, recording};
use nodes::{command, configured, dialling};
use tmux::{SIZES, Tmux, fits};

/// A running node. Dropped, it is killed.
struct Node {
    process: Child,
    lines: Lines,
}

impl Node {
    /// Starts the node `name` with a configuration of its own, to which `more` is added.
    fn start(folder: &Path, name: &str, more: &str, arguments: &[&str]) -> Self {
        Self::start_from(folder, &configured(folder, name, more), arguments)
    }

    fn start_from(folder: &Path, file: &str, arguments: &[&str]) -> Self {
        let mut process = command(folder, file, arguments).spawn().expect("the node starts");
        let lines = Lines::of(process.stderr.take().expect("a pipe"));
        Self { process, lines }
    }

    /// Where it listens by TCP.
    fn address(&self, name: &str) -> String {
        format!("tcp://{}", self.lines.wait_for(&format!("{name}@test listens on tcp://")))
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("it runs");
    }

    /// Waits for its end, and gives its exit status, what it printed, and what else it told.
    fn end(mut self) -> (Option<i32>, String, String) {
        let told = self.lines.rest();
        let mut printed = String::new();
        let mut stdout = self.process.stdout.take().expect("a pipe");
        stdout.read_to_string(&mut printed).expect("it is text");
        (self.process.wait().expect("it ended").code(), printed, told)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const REMOTE: &str = "location = \"remote\"\n";

/// A feed with two readers, and a node with three that is found to be near, and one with three that
/// is configured as remote.
struct Three {
    feed: Node,
    near: Node,
    far: Node,
    folder: TempDir,
}

impl Three {
    fn start(csv: &str, arguments: &[&str]) -> Self {
        let folder = common::folder(csv);
        let all = ["--feed", "--data", "trades.csv", "--readers", "2", "--wait", "8"];
        let arguments: Vec<&str> = all.iter().chain(arguments).copied().collect();
        let far = format!("[nodes.far]\n{REMOTE}");
        let feed = Node::start(folder.path(), "feed", &far, &arguments);
        let address = feed.address("feed");
        let readers = ["--readers", "3"];
        let near = Node::start(folder.path(), "near", &dialling(&address, ""), &readers);
        let far = Node::start(folder.path(), "far", &dialling(&address, REMOTE), &readers);
        Self { feed, near, far, folder }
    }
}

/// The transport between processes of a machine.
const NEAR: &str = if cfg!(target_os = "linux") { "shm" } else { "unix" };

#[test]
fn three_nodes_do_what_the_demo_does() {
    let Three { feed, near, far, folder } =
        Three::start(&recording(2_000, 20), &["--ticks", "1500", "--seconds", "1"]);
    let (status, words, told) = feed.end();
    assert_eq!(status, Some(0), "{words}\n{told}");
    // 1500 ticks to each node alone and to all at once, and 51 at recorded pace.
    let messages = 2 * 1500 * 8 + 51 * 8;
    let dense = words.replace(' ', "");
    assert!(dense.contains(&format!("PASS:of{messages}messagesnonewaslost")), "{words}");
    let cells = |label: &str| -> Vec<String> {
        let line = words.lines().find(|line| line.trim_start().starts_with(label));
        let rest = line.unwrap_or_else(|| panic!("no {label}: {words}")).replace(label, "");
        rest.split("  ").map(|cell| cell.trim().to_owned()).filter(|it| !it.is_empty()).collect()
    };
    assert_eq!(cells("chosen"), ["arc", NEAR, "tcp"]);
    assert_eq!(cells("the peer is"), ["same process", "same machine", "remote"]);
    // What stays in the process is neither copied nor serialised.
    assert_eq!(
        (&*cells("copies made by the feed")[0], &*cells("bytes serialised, payloads apart")[0]),
        ("0", "0 B")
    );
    assert_ne!(cells("bytes serialised, payloads apart")[2], "0 B");
    // As far as the feed knows, the clock of the last one is another machine's.
    assert!(words.contains("The clocks of far@test and of the feed cannot be compared"), "{words}");
    let latencies = cells("latency p50");
    assert!(latencies[0].ends_with('s') && latencies[1].ends_with('s'), "{words}");
    assert_eq!(latencies[2], "–");
    assert!(cells("round trip p50").iter().all(|cell| cell.ends_with('s')), "{words}");
    for line in [
        &format!("peer near@test: connected, same machine, by {NEAR}"),
        "peer far@test: connected, remote, by tcp",
    ] {
        assert!(told.contains(line), "{told}");
    }
    for node in [near, far] {
        let (status, words, told) = node.end();
        assert_eq!(status, Some(0), "{words}\n{told}");
        // Alone, together, and paced.
        let each = "3 051 ticks, skipped 0, doubled 0, reordered 0\n";
        assert_eq!(words, (0..3).map(|it| format!("reader {it}: {each}")).collect::<String>());
    }
    assert_eq!(common::sockets(folder.path()), Vec::<String>::new());
}

#[test]
fn readers_whose_node_is_killed_are_told() {
    let Three { feed, near, far, folder: _folder } = Three::start(&recording(2_000, 1), &[]);
    feed.lines.wait_for("flat out, near@test alone");
    far.send(Signal::KILL);
    let (status, words, told) = feed.end();
    assert_eq!(status, Some(1), "{words}\n{told}");
    for reader in 5..8 {
        assert!(words.contains(&format!("reader {reader} (far@test): sent ")), "{words}");
    }
    assert!(words.contains("3 of 8 readers could no longer be reached"), "{words}");
    assert!(!words.contains(", lost "), "the other readers got all: {words}");
    let (status, words, told) = near.end();
    assert_eq!(status, Some(0), "{words}\n{told}");
}

#[test]
fn a_feed_that_is_killed_is_missed() {
    let folder = common::folder(&recording(10, 1));
    let arguments = ["--feed", "--data", "trades.csv", "--wait", "100"];
    let feed = Node::start(folder.path(), "feed", "", &arguments);
    let address = feed.address("feed");
    let more = dialling(&address, "");
    let near = Node::start(folder.path(), "near", &more, &["--readers", "3"]);
    feed.lines.wait_for("3 readers are there, of 100 or more");
    feed.send(Signal::KILL);
    let (status, words, told) = near.end();
    assert_eq!(status, Some(1), "{words}\n{told}");
    assert!(told.contains("the feed is gone"), "{told}");
    assert_eq!(words.matches(": 0 ticks").count(), 3, "{words}");
}

#[test]
fn an_interrupted_feed_gives_what_it_has() {
    let folder = common::folder(&recording(10, 1));
    let arguments = ["--feed", "--data", "trades.csv", "--wait", "100"];
    let waiting = Node::start(folder.path(), "feed", "", &arguments);
    waiting.lines.wait_for("0 readers are there");
    waiting.send(Signal::INT);
    let (status, words, told) = waiting.end();
    assert_eq!((status, words.as_str()), (Some(130), ""), "{told}");
    assert!(told.contains("interrupted before all readers were there"), "{told}");

    // At recorded pace it would take a quarter of an hour.
    let Three { feed, near, far, folder } =
        Three::start(&recording(3_000, 300), &["--ticks", "100", "--seconds", "900"]);
    feed.lines.wait_for("recorded pace");
    feed.send(Signal::INT);
    let (status, words, told) = feed.end();
    assert_eq!(status, Some(130), "{words}\n{told}");
    assert!(words.contains("Interrupted, and partial: PASS"), "{words}");
    for node in [near, far] {
        assert_eq!(node.end().0, Some(0), "the feed asked for reports");
    }
    assert_eq!(common::sockets(folder.path()), Vec::<String>::new());
}

#[test]
fn a_node_alone_tells_of_its_peers_and_ends_with_ctrl_c() {
    let folder = common::folder("");
    let feed = Node::start(folder.path(), "feed", "", &[]);
    let address = feed.address("feed");
    feed.lines.wait_for("feed@test listens on unix://");
    let other = Node::start(folder.path(), "other", &dialling(&address, ""), &["--readers", "1"]);
    feed.lines.wait_for(&format!("peer other@test: connected, same machine, by {NEAR}"));
    other.lines.wait_for(&format!("peer feed@test: connected, same machine, by {NEAR}"));
    other.send(Signal::INT);
    assert_eq!(other.end().0, Some(0));
    feed.lines.wait_for("peer other@test: disconnected");
    feed.send(Signal::TERM);
    assert_eq!(feed.end().0, Some(0));
    assert_eq!(common::sockets(folder.path()), Vec::<String>::new());
}

/// It burns a core until it ends.
#[cfg(target_os = "linux")]
#[test]
fn a_node_may_have_a_thread_that_never_sleeps() {
    let folder = common::folder("");
    let more = "[node.shm]\nspin_thread = \"any\"\n";
    let node = Node::start(folder.path(), "feed", more, &[]);
    node.lines.wait_for("feed@test listens on ");
    let tasks = fs::read_dir(format!("/proc/{}/task", node.process.id())).expect("it runs");
    let names: Vec<_> = tasks
        .map(|task| fs::read_to_string(task.expect("a thread").path().join("comm")))
        .collect::<Result<_, _>>()
        .expect("no thread ends");
    assert!(names.iter().any(|name| name == "spinning node\n"), "{names:?}");
    node.send(Signal::INT);
    assert_eq!(node.end().0, Some(0));
}

#[test]
fn a_peer_that_is_not_there_is_told() {
    let folder = common::folder("");
    // The port is reserved, and not listened on.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("tcp://{}", taken.local_addr().expect("an address"));
    let limits = "[node.limits]\nhandshake_timeout = \"50ms\"\n";
    let more = format!("{limits}{}", dialling(&address, ""));
    let node = Node::start(folder.path(), "other", &more, &[]);
    let why = node.lines.wait_for("peer feed: ");
    assert!(why.contains(&address) && why.contains("dialled again in"), "{why}");
    node.send(Signal::INT);
    assert_eq!(node.end().0, Some(0));
}

#[test]
fn a_wrong_configuration_is_told_with_all_its_mistakes() {
    let folder = common::folder("");
    let text = "[node]\nnaem = \"feed\"\ncookie = \"sesame\"\ntransport = \"unx\"\n";
    fs::write(folder.path().join("wrong.toml"), text).expect("it is written");
    let (status, words, told) = Node::start_from(folder.path(), "wrong.toml", &[]).end();
    assert_eq!((status, words.as_str()), (Some(2), ""), "{told}");
    assert!(told.contains("wrong.toml:2:1: node.naem"), "{told}");
    assert!(told.contains("node.transport") && told.contains("3 mistakes"), "{told}");
    assert!(!told.contains("sesame"), "{told}");

    let (status, _, told) = Node::start_from(folder.path(), "none.toml", &[]).end();
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("none.toml"), "{told}");
}

#[test]
fn what_only_a_feed_can_do_is_refused_without_one() {
    let folder = common::folder("");
    for arguments in [["--ticks", "5"], ["--wait", "3"], ["--payload", "1k"]] {
        let (status, _, told) = Node::start_from(folder.path(), "none.toml", &arguments).end();
        assert_eq!(status, Some(2), "{told}");
        assert!(told.contains("--feed"), "{arguments:?}: {told}");
    }
}

/// A member of a cluster in this process, which watches others.
mod cluster {
    use std::time::Duration;

    use mycelium_ext::config::{ClusterSettings, Limits};
    use mycelium_ext::membership::{MemberEvent, MemberState, Membership};
    use mycelium_ext::node::{Listen, Node as Watcher, NodeEvent};
    use tokio::sync::broadcast::Receiver;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// So fast that a second is a long time.
    const INTERVAL: &str = "50ms";

    async fn event<E: Clone, T>(events: &mut Receiver<E>, wanted: impl Fn(E) -> Option<T>) -> T {
        let heard = async {
            loop {
                if let Some(found) = wanted(events.recv().await.expect("an event")) {
                    return found;
                }
            }
        };
        tokio::time::timeout(LONG, heard).await.expect("it takes too long")
    }

    fn word(event: MemberEvent) -> Option<&'static str> {
        Some(match event {
            MemberEvent::Up(_) => "up",
            MemberEvent::Suspected(_) => "suspected",
            MemberEvent::Recovered(_) => "recovered",
            MemberEvent::Down(_) => "down",
            _ => return None,
        })
    }

    fn ended(event: NodeEvent) -> Option<Option<String>> {
        match event {
            NodeEvent::Disconnected { reason, .. } => Some(reason),
            _ => None,
        }
    }

    async fn watcher(limits: Limits) -> Watcher {
        let mut cluster = ClusterSettings::default();
        cluster.pace.interval = Duration::from_millis(50).into();
        let watcher = Watcher::builder("watcher")
            .host("test")
            .cookie("sesame")
            .listen(Listen::tcp("127.0.0.1:0"))
            .limits(limits)
            .cluster(cluster);
        watcher.start().await.unwrap_or_else(|error| panic!("{error}"))
    }

    fn membership(watcher: &Watcher) -> &Membership {
        watcher.membership().expect("it has a cluster")
    }

    fn member(folder: &TempDir, watcher: &Watcher) -> Node {
        let seed = membership(watcher).address();
        let more = format!("[cluster]\nseeds = [\"{seed}\"]\ninterval = \"{INTERVAL}\"\n");
        Node::start(folder.path(), "member", &more, &[])
    }

    #[tokio::test]
    async fn a_member_that_is_suspended_is_not_down_while_its_session_may_live() {
        let folder = common::folder("");
        let watcher = watcher(Limits::default()).await;
        let (mut events, mut sessions) = (membership(&watcher).events(), watcher.events());
        let member = member(&folder, &watcher);
        assert_eq!(event(&mut events, word).await, "up");
        let before = tokio::time::timeout(LONG, watcher.connected("member")).await.expect("soon");
        member.send(Signal::STOP);
        // The gossip misses it within half a second; its session has 15.
        assert_eq!(event(&mut events, word).await, "suspected");
        tokio::time::sleep(Duration::from_millis(500)).await;
        member.send(Signal::CONT);
        assert_eq!(event(&mut events, word).await, "recovered");
        let after = watcher.connected("member").await;
        assert_eq!((after.node_id, after.incarnation), (before.node_id, before.incarnation));

        // By SIGKILL: its links close, and the grace of the session is not waited for.
        drop(member);
        while event(&mut events, word).await != "down" {}
        assert_eq!(event(&mut sessions, ended).await.as_deref(), Some("member_down"));
        let members = membership(&watcher).members();
        assert_eq!((members[0].state, &*members[0].name), (MemberState::Down, "member@test"));
        watcher.stop().await;
    }

    #[tokio::test]
    async fn a_member_that_is_suspended_for_long_comes_back_as_the_one_that_it_was() {
        let folder = common::folder("");
        let mut limits = Limits::default();
        limits.silence_timeout = Duration::from_millis(300).into();
        let watcher = watcher(limits).await;
        let mut events = membership(&watcher).events();
        let member = member(&folder, &watcher);
        assert_eq!(event(&mut events, word).await, "up");
        let before = tokio::time::timeout(LONG, watcher.connected("member")).await.expect("soon");
        member.send(Signal::STOP);
        while event(&mut events, word).await != "down" {}
        member.send(Signal::CONT);
        assert_eq!(event(&mut events, word).await, "up");
        // By a new session, or the old one, if a link of it came back before its end.
        let same = async {
            loop {
                let after = watcher.connected("member").await;
                if !after.links.is_empty() {
                    return after.incarnation;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let after = tokio::time::timeout(LONG, same).await.expect("it takes too long");
        assert_eq!(after, before.incarnation);
        watcher.stop().await;
    }
}

/// `mycelium` in the folder of the nodes, with their sockets.
fn mycelium(folder: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
    command.current_dir(folder).args(arguments).env("XDG_RUNTIME_DIR", folder.join("run"));
    command.output().expect("it runs")
}

fn private_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("run")).expect("the sockets' folder");
    folder
}

#[test]
fn top_prints_the_node_that_is_meant() {
    let folder = private_folder();
    let none = mycelium(folder.path(), &["top", "--once"]);
    assert_eq!(none.status.code(), Some(2));
    let one = Node::start(folder.path(), "one", "", &["--readers", "1"]);
    let address = one.address("one");
    let dials = format!("[nodes.one]\naddress = \"{address}\"\n{REMOTE}");
    let two = Node::start(folder.path(), "two", &dials, &["--readers", "1"]);
    two.lines.wait_for("peer one@test: connected");

    let text = |output: &std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let several = mycelium(folder.path(), &["top", "--once"]);
    let said = String::from_utf8_lossy(&several.stderr).into_owned();
    assert!(said.contains("one@test") && said.contains("two@test"), "{said}");
    let listed = text(&mycelium(folder.path(), &["top", "--list"]));
    assert!(listed.contains("one@test") && listed.contains(&address), "{listed}");
    let listed = mycelium(folder.path(), &["top", "--list", "--json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(listed["nodes"].as_array().map(Vec::len), Some(2), "{listed}");
    let once = text(&mycelium(folder.path(), &["top", "two", "--once"]));
    assert!(once.starts_with("two@test, process "), "{once}");
    assert!(once.contains("one@test ") && once.contains(" kept\n"), "{once}");
    let json = mycelium(folder.path(), &["top", "two@test", "--json", "--filter", "Server"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!((&json["command"], &json["status"]), (&"top".into(), &0.into()));
    assert_eq!(json["peers"][0]["name"], "one@test");
    let session = &json["peers"][0]["session"];
    let figure = |key: &str| session[key].as_u64().expect("a number");
    assert_eq!(figure("frames"), figure("acknowledged") + figure("kept"), "{session}");
    let types = json["actors"].as_array().expect("actors").iter();
    assert!(types.clone().all(|it| it["actor_type"].to_string().contains("Server")), "{json}");
    assert!(types.len() > 0 && !json.to_string().contains("sesame"), "{json}");
}

#[test]
fn top_fits_screens_of_three_sizes_and_gives_them_back() {
    let Some(tmux) = Tmux::new("top") else { return };
    let folder = private_folder();
    let node = Node::start(folder.path(), "shown", "", &["--readers", "1"]);
    node.address("shown");
    let sockets = folder.path().join("run");
    let top =
        format!("XDG_RUNTIME_DIR={} {} top", sockets.display(), env!("CARGO_BIN_EXE_mycelium"));
    for size in SIZES {
        tmux.begin(size, &format!("{top}; echo status $?; cat"));
        let screen = tmux.until(|it| it.contains("shown@test") && it.contains("Listener"));
        assert!(screen.lines().any(|line| line.starts_with("q quit")), "{screen}");
        fits(&screen, size);
        tmux.run(&["send-keys", "2"]);
        tmux.until(|it| it.contains("  1 Listener"));
        tmux.run(&["send-keys", "q"]);
        let after = tmux.until(|it| it.contains("status 0"));
        assert!(!after.contains("shown@test"), "the screen is given back: {after}");
        tmux.end();
    }
    // A request to terminate ends it as well, and so does the end of the terminal, which it may
    // have been told of or not.
    let start = |before: &str| {
        let command = format!("{before} {top} & echo $! >pid; fg >/dev/null; echo status $?; cat");
        let inner = format!("cd {}; bash -mc '{command}'", folder.path().display());
        tmux.begin(SIZES[0], &inner);
        tmux.until(|it| it.contains("shown@test"));
        let pid = fs::read_to_string(folder.path().join("pid")).expect("its number");
        pid.trim().parse().ok().and_then(Pid::from_raw).expect("a number")
    };
    kill_process(start(""), Signal::TERM).expect("it runs");
    let after = tmux.until(|it| it.contains("status 0"));
    assert!(!after.contains("shown@test"), "the screen is given back: {after}");
    for before in ["", "trap \"\" HUP;"] {
        tmux.end();
        let pid = start(before);
        tmux.end();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while rustix::process::test_kill_process(pid).is_ok() {
            assert!(std::time::Instant::now() < deadline, "it goes on without a terminal");
            std::thread::yield_now();
        }
    }
}
