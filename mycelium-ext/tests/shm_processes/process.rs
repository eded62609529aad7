//! Another process, and what this one has of the system.

use std::future::Future;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// Turns what hangs into a failure.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it takes too long")
}

/// Runs on one thread, so that nothing is open any more when it returns.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(future)
}

/// A process that does not outlive this one.
pub(crate) struct Process(Child);

impl Process {
    /// This program again, with these arguments.
    pub(crate) fn start(arguments: &[&str], input: Stdio) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let child = Command::new(program).args(arguments).stdin(input).spawn();
        Self(child.expect("it starts"))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// By SIGKILL.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Has this process killed when its parent ends, however that is.
pub(crate) fn end_with_parent() {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .expect("every process may have it");
}

/// What this process and the system have that a link could leave behind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Belongings {
    descriptors: usize,
    mapped: usize,
    named: usize,
}

impl Belongings {
    pub(crate) fn now() -> Self {
        let entries = |folder| std::fs::read_dir(folder).map_or(0, Iterator::count);
        let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux has it");
        Self {
            descriptors: entries("/proc/self/fd"),
            mapped: maps.lines().filter(|line| line.contains("memfd:mycelium")).count(),
            named: entries("/dev/shm"),
        }
    }

    /// Holds that the process has what it had before. What a peer may make slow to close is closed
    /// on threads of its own, which may take a moment.
    pub(crate) fn are_again(before: &Self) {
        let begun = std::time::Instant::now();
        while Self::now() != *before && begun.elapsed() < std::time::Duration::from_secs(10) {
            std::thread::yield_now();
        }
        assert_eq!(Self::now(), *before);
    }

    /// Whether memory of links is mapped.
    pub(crate) fn has_mapped(&self) -> bool {
        self.mapped > 0
    }
}
