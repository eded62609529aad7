//! `mycelium top` at a node on another machine: who has the cookie sees it, if it shows itself, and
//! others see nothing.

#![cfg(all(unix, feature = "cluster"))]

#[path = "common/lines.rs"]
mod lines;
#[path = "common/tmux.rs"]
mod tmux;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use lines::Lines;
use serde_json::Value;
use tempfile::TempDir;
use tmux::{SIZES, Tmux, fits};

const COOKIE: &str = "the cookie of these tests";

/// A node that runs. Dropped, it is killed.
struct Node {
    process: Child,
    lines: Lines,
}

impl Node {
    /// Starts the node `name`. No program of this user can watch it by a socket.
    fn start(folder: &Path, name: &str, view: &str) -> Self {
        let text = format!("{}\n[view]\nsocket = \"off\"\n{view}", node_table(name, COOKIE));
        let file = format!("{name}.toml");
        fs::write(folder.join(&file), text).expect("the configuration");
        let mut command = mycelium(folder);
        command.args(["node", "--config", &file]).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let lines = Lines::of(process.stderr.take().expect("a pipe"));
        Self { process, lines }
    }

    /// Where it listens, without the scheme.
    fn address(&self, name: &str) -> String {
        self.lines.wait_for(&format!("{name}@test listens on tcp://"))
    }
}

impl Node {
    /// Kills it, and returns what else it said.
    fn end(mut self) -> String {
        self.process.kill().expect("it runs");
        self.lines.rest()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn node_table(name: &str, cookie: &str) -> String {
    format!("[node]\nname = \"{name}\"\nhost = \"test\"\ncookie = \"{cookie}\"\n")
}

/// The command, without variables of ours, in a folder.
fn mycelium(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
    let inherited = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in inherited.filter(|name| name.starts_with("MYCELIUM_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).env("XDG_RUNTIME_DIR", folder.join("run"));
    command
}

fn top(folder: &Path, arguments: &[&str]) -> Output {
    mycelium(folder).arg("top").args(arguments).output().expect("it runs")
}

/// A folder with cookies: the right one, one that is wrong, and one that others may read.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str, mode| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
    };
    fs::create_dir(folder.path().join("run")).expect("the folder of sockets");
    file("cookie", COOKIE, 0o600);
    file("wrong", "another cookie than theirs", 0o600);
    file("open", COOKIE, 0o644);
    file("right.toml", &node_table("unlike", COOKIE), 0o600);
    file("wrong.toml", &node_table("unlike", "another cookie than theirs"), 0o600);
    folder
}

fn printed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// What is said when nothing is shown.
#[track_caller]
fn refused(output: &Output) -> String {
    let shown = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), &*shown), (Some(2), ""), "{said}");
    assert!(!said.contains(COOKIE), "{said}");
    said
}

#[test]
fn a_remote_node_is_shown_to_those_with_the_cookie() {
    let folder = folder();
    let folder = folder.path();
    let node = Node::start(folder, "seen", "remote = true\n");
    let address = node.address("seen");
    let address = address.as_str();

    let once = printed(&top(folder, &[address, "--cookie-file", "cookie", "--once"]));
    assert!(once.starts_with(&format!("seen@test, process {}, up ", node.process.id())), "{once}");
    let with_scheme = format!("tcp://{address}");
    let by_config = [&with_scheme, "--config", "right.toml", "--name", "onlooker", "--json"];
    let json = top(folder, &by_config);
    let text = printed(&json);
    assert!(!text.contains(COOKIE), "{text}");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&json["command"], &json["status"]), (&"top".into(), &0.into()));
    assert_eq!(json["node"]["name"], "seen@test");
    // The one who asks is a peer, by the name that it was told.
    let peers = json["peers"].as_array().expect("peers").iter();
    let peers: Vec<_> = peers.filter_map(|it| it["name"].as_str()).collect();
    assert!(peers.len() == 1 && peers[0].starts_with("onlooker@"), "{json}");
    let actors = [address, "--cookie-file", "cookie", "--json", "--filter", "Listener"];
    let json: Value = serde_json::from_str(&printed(&top(folder, &actors))).expect("JSON");
    let actors = json["actors"].as_array().expect("actors");
    assert!(!actors.is_empty(), "{json}");
    assert!(actors.iter().all(|it| it["actor_type"].to_string().contains("Listener")), "{json}");

    let wrong = refused(&top(folder, &[address, "--cookie-file", "wrong", "--once"]));
    assert!(wrong.contains("cookie"), "{wrong}");
    let wrong = refused(&top(folder, &[address, "--config", "wrong.toml", "--once"]));
    assert!(wrong.contains("cookie"), "{wrong}");
    let json = top(folder, &[address, "--cookie-file", "wrong", "--json"]);
    assert_eq!(json.status.code(), Some(2));
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["status"], 2);
    assert!(json["error"].as_str().is_some_and(|it| it.contains("cookie")), "{json}");
    assert!(json.get("node").is_none() && json.get("actors").is_none(), "{json}");

    let said = node.end();
    assert!(said.contains("peer onlooker@") && !said.contains(COOKIE), "{said}");
}

#[test]
fn a_node_that_does_not_show_itself_says_so_and_so_do_wrong_arguments() {
    let folder = folder();
    let folder = folder.path();
    let node = Node::start(folder, "hidden", "");
    let address = node.address("hidden");
    let address = address.as_str();

    let off = refused(&top(folder, &[address, "--cookie-file", "cookie", "--once"]));
    assert!(off.contains("hidden@test does not show itself"), "{off}");
    assert!(off.contains("`remote = true` under [view]"), "{off}");
    let none = refused(&top(folder, &[address, "--once"]));
    assert!(none.contains("--config FILE or --cookie-file FILE"), "{none}");
    let open = refused(&top(folder, &[address, "--cookie-file", "open", "--once"]));
    assert!(open.contains("cookie_file") && open.contains("600"), "{open}");
    let missing = refused(&top(folder, &[address, "--cookie-file", "missing", "--once"]));
    assert!(missing.contains("missing"), "{missing}");
    let local = refused(&top(folder, &["hidden", "--cookie-file", "cookie", "--once"]));
    assert!(local.contains("HOST:PORT"), "{local}");
    drop(node);
    let gone = refused(&top(folder, &[address, "--cookie-file", "cookie", "--once"]));
    assert!(gone.contains(address), "{gone}");
}

/// A shell's command that watches the node at this address, and says how that ended.
fn watching(folder: &Path, address: &str, cookie: &str) -> String {
    let (folder, program) = (folder.display(), env!("CARGO_BIN_EXE_mycelium"));
    format!(
        "cd {folder}; XDG_RUNTIME_DIR={folder}/run {program} top {address} --cookie-file {cookie}; \
         echo status $?; cat"
    )
}

/// Ends what is watched by its key, and demands that the screen is given back.
#[track_caller]
fn quits(tmux: &Tmux) {
    tmux.run(&["send-keys", "q"]);
    let after = tmux.until(|it| it.contains("status 0"));
    assert!(!after.contains("q quit") && !after.contains("@test"), "{after}");
    tmux.end();
}

#[test]
fn a_remote_node_fits_screens_of_three_sizes() {
    let Some(tmux) = Tmux::new("remote") else { return };
    let folder = folder();
    let folder = folder.path();
    let node = Node::start(folder, "afar", "remote = true\n");
    let address = node.address("afar");
    for size in SIZES {
        tmux.begin(size, &watching(folder, &address, "cookie"));
        let screen = tmux.until(|it| it.contains("afar@test") && it.contains("Listener"));
        assert!(screen.lines().any(|line| line.starts_with("q quit")), "{screen}");
        fits(&screen, size);
        tmux.run(&["send-keys", "2"]);
        fits(&tmux.until(|it| it.contains("  1 Listener")), size);
        // The one who watches is a peer, which the node pings.
        tmux.run(&["send-keys", "4"]);
        let screen = tmux.until(|it| it.contains("top-") && it.contains(" tcp "));
        fits(&screen, size);
        assert!(!screen.contains(COOKIE), "{screen}");
        let has_round_trip = |line: &str| line.contains(" rtt ") && line.ends_with('s');
        let screen = tmux.until(|it| it.lines().any(has_round_trip));
        fits(&screen, size);
        quits(&tmux);
    }
}

#[test]
fn on_a_screen_a_wrong_cookie_shows_nothing_but_why() {
    let Some(tmux) = Tmux::new("wrong") else { return };
    let folder = folder();
    let folder = folder.path();
    let node = Node::start(folder, "closed", "remote = true\n");
    let address = node.address("closed");
    for size in SIZES {
        tmux.begin(size, &watching(folder, &address, "wrong"));
        let screen = tmux.until(|it| it.contains("cookie"));
        fits(&screen, size);
        // Nor does another table.
        tmux.run(&["send-keys", "2"]);
        let again = tmux.until(|it| it.contains("cookie"));
        for screen in [screen, again] {
            let shown =
                ["closed@", "process ", "Running", "Listener", "another cookie than", COOKIE];
            assert!(!shown.iter().any(|it| screen.contains(it)), "{screen}");
        }
        quits(&tmux);
    }
}

#[test]
fn on_a_screen_the_end_of_a_remote_node_is_said() {
    let Some(tmux) = Tmux::new("ends") else { return };
    let folder = folder();
    let folder = folder.path();
    for size in SIZES {
        let node = Node::start(folder, "mortal", "remote = true\n");
        let address = node.address("mortal");
        tmux.begin(size, &watching(folder, &address, "cookie"));
        tmux.until(|it| it.contains("mortal@test") && it.contains("Listener"));
        // Its process is killed: it says no goodbye.
        drop(node);
        // What was seen last stays, with the reason below.
        let is_told = |line: &str| line.contains(&address) || line.contains("has ended");
        let screen = tmux.until(|it| it.lines().last().is_some_and(is_told));
        assert!(screen.contains("mortal@test") && screen.contains("Listener"), "{screen}");
        fits(&screen, size);
        quits(&tmux);
    }
}
