//! Another process, and what this one has of the system.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::future::Future;
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

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

    /// The same, with its temporary files in this folder, and its standard output to be read.
    pub(crate) fn start_in(folder: &Path, arguments: &[&str]) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.args(arguments).env("TMPDIR", folder).env_remove("XDG_RUNTIME_DIR");
        Self(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts"))
    }

    /// What it writes, line by line.
    pub(crate) fn lines(&mut self) -> Lines<BufReader<ChildStdout>> {
        BufReader::new(self.0.stdout.take().expect("it is asked for once")).lines()
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("it was started").is_some()
    }

    /// Waits for its end, and returns whether it succeeded.
    pub(crate) fn has_succeeded(mut self) -> bool {
        self.0.wait().expect("it was started").success()
    }

    /// Sends SIGKILL, and does not wait for its end.
    pub(crate) fn begin_to_kill(&mut self) {
        self.0.kill().expect("it was started");
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

/// What this process has that a link could leave behind, and what it has left in the system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Belongings {
    descriptors: usize,
    mapped: usize,
    named: usize,
}

/// The folder of shared memory that has a name. It is the whole machine's: other programs have
/// their memory there too.
const NAMED: &str = "/dev/shm";

/// The inodes in [`NAMED`] that this process was ever seen to have open or mapped.
static SEEN: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

/// The least of each that there was when a test began.
static LEAST: Mutex<Option<Belongings>> = Mutex::new(None);

fn is_named(path: &str) -> bool {
    path.strip_prefix(NAMED).is_some_and(|rest| rest.starts_with('/'))
}

fn entries(folder: &str) -> impl Iterator<Item = DirEntry> {
    fs::read_dir(folder).into_iter().flatten().map_while(Result::ok)
}

impl Belongings {
    pub(crate) fn now() -> Self {
        let maps = fs::read_to_string("/proc/self/maps").expect("Linux has it");
        let mapped = maps.lines().filter_map(|line| {
            // Addresses, permissions, offset, device, inode, path.
            let mut words = line.split_whitespace();
            let inode = words.nth(4)?.parse().ok()?;
            words.next().is_some_and(is_named).then_some(inode)
        });
        let opened = entries("/proc/self/fd").filter_map(|it| {
            let path = fs::read_link(it.path()).ok()?;
            is_named(path.to_str()?).then(|| Some(fs::metadata(it.path()).ok()?.ino()))?
        });
        let mut seen = SEEN.lock().expect("no panic");
        seen.extend(mapped.chain(opened));
        let is_ours = |it: &DirEntry| {
            seen.contains(&it.ino()) || it.file_name().to_string_lossy().contains("mycelium")
        };
        Self {
            descriptors: entries("/proc/self/fd").count(),
            mapped: maps.lines().filter(|line| line.contains("memfd:mycelium")).count(),
            named: entries(NAMED).filter(is_ours).count(),
        }
    }

    /// The same, when a test begins. What the test before has dropped may be closed on threads of
    /// their own, and still be among it.
    pub(crate) fn before() -> Self {
        let now = Self::now();
        let mut least = LEAST.lock().expect("no panic");
        let so_far = least.get_or_insert(now);
        *so_far = Self {
            descriptors: so_far.descriptors.min(now.descriptors),
            mapped: so_far.mapped.min(now.mapped),
            named: so_far.named.min(now.named),
        };
        now
    }

    /// Holds that the process has no more than it had before. What a peer may make slow to close is
    /// closed on threads of its own, which may take a moment.
    pub(crate) fn are_again(before: &Self) {
        let has_more = |now: &Self| {
            now.descriptors > before.descriptors
                || now.mapped > before.mapped
                || now.named > before.named
        };
        let begun = Instant::now();
        while has_more(&Self::now()) && begun.elapsed() < LONG {
            std::thread::yield_now();
        }
        let now = Self::now();
        assert!(!has_more(&now), "{now:?}, and before {before:?}");
    }

    /// Holds that the process has no more than when any test began: a single one may have begun
    /// with more than it left.
    pub(crate) fn are_the_least() {
        let least = *LEAST.lock().expect("no panic");
        if let Some(least) = least {
            Self::are_again(&least);
        }
    }

    pub(crate) fn descriptors(&self) -> usize {
        self.descriptors
    }

    /// How many mappings there are of memory of links and of the arena.
    pub(crate) fn mapped(&self) -> usize {
        self.mapped
    }

    /// Whether memory of links is mapped.
    pub(crate) fn has_mapped(&self) -> bool {
        self.mapped > 0
    }
}
