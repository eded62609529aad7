//! A terminal whose screen can be read.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything takes that is waited for.
const LONG: Duration = Duration::from_secs(60);

/// The columns and rows of screens that everything has to fit.
pub(crate) const SIZES: [(u16, u16); 3] = [(80, 24), (60, 15), (160, 50)];

/// A server of tmux with a screen. Dropped, it ends.
pub(crate) struct Tmux(String);

impl Tmux {
    /// One of this test's own, or `None` where there is no tmux, which is said.
    pub(crate) fn new(test: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            eprintln!("skipped: there is no tmux");
            return None;
        }
        Some(Self(format!("mycelium-{test}-{}", std::process::id())))
    }

    /// Runs a shell's command on a screen of its own.
    pub(crate) fn begin(&self, (width, height): (u16, u16), command: &str) {
        let (width, height) = (width.to_string(), height.to_string());
        self.run(&["new-session", "-d", "-x", &width, "-y", &height, command]);
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        let output = command.args(["-L", &self.0, "-f", "/dev/null"]).args(arguments).output();
        String::from_utf8_lossy(&output.expect("tmux runs").stdout).into_owned()
    }

    /// Ends it, and waits until it has ended: a session that is begun before is lost with it.
    #[track_caller]
    pub(crate) fn end(&self) {
        self.run(&["kill-server"]);
        let deadline = Instant::now() + LONG;
        loop {
            let mut sessions = Command::new("tmux");
            let asked = sessions.args(["-L", &self.0, "list-sessions"]).output();
            if !asked.expect("tmux runs").status.success() {
                return;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            thread::yield_now();
        }
    }

    /// The screen, once `holds` is true of it.
    #[track_caller]
    pub(crate) fn until(&self, holds: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + LONG;
        loop {
            let screen = self.run(&["capture-pane", "-p"]);
            if holds(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "it takes too long: {screen}");
            thread::yield_now();
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

/// Demands that no line is wider than the screen.
#[track_caller]
pub(crate) fn fits(screen: &str, (width, _): (u16, u16)) {
    let widest = screen.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(width.into()), "{screen}");
}
