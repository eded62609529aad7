//! Readers that are killed at random while a feed broadcasts through its arena, and a feed that is
//! killed while readers hold payloads.

mod feed;
mod figures;
mod reader;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use libtest_mimic::Failed;

pub(crate) use reader::reader;

use crate::process::{Process, end_with_parent};

/// How long a feed broadcasts while its readers are killed. Without it the test takes seconds, and
/// has fewer readers.
const SECONDS: &str = "MYCELIUM_KILL_SECONDS";
/// Decides which of those that hold payloads is killed, when, and how large payloads are.
const SEED: &str = "MYCELIUM_KILL_SEED";

/// What a run is asked for.
#[derive(Debug, Clone, Copy)]
struct Plan {
    time: Duration,
    readers: usize,
    seed: u64,
    /// Whether it is long enough to see whether memory grows.
    is_long: bool,
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

impl Plan {
    fn asked() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let seed =
            number(SEED).unwrap_or_else(|| u64::from(now.expect("after 1970").as_micros() as u32));
        let (seconds, readers) = number(SECONDS).map_or((2, 4), |seconds| (seconds, 16));
        Self { time: Duration::from_secs(seconds), readers, seed, is_long: seconds >= 60 }
    }
}

/// The process that sends: with a plan until that is over, and else until it is killed. The `next`
/// one sends nothing, and ends.
pub(crate) fn feed(words: &[String]) -> ExitCode {
    end_with_parent();
    match words {
        [word] if word == "plan" => feed::runs(Plan::asked()),
        [word] if word == "next" => feed::starts_and_stops(),
        _ => feed::broadcasts(),
    }
    ExitCode::SUCCESS
}

/// What processes have left in their folder of temporary files, once the next node has started: a
/// killed one leaves the socket that it listened on, which the next one removes. The folder of this
/// user's sockets stays.
fn left_in(folder: &Path) -> Vec<PathBuf> {
    assert!(Process::start_in(folder, &["feed", "next"]).has_succeeded());
    let entries = |path: &Path| {
        let all = path.read_dir().expect("it is there");
        all.map(|it| it.expect("it can be read").path()).collect::<Vec<_>>()
    };
    let (sockets, mut left): (Vec<_>, Vec<_>) = entries(folder).into_iter().partition(|path| {
        path.is_dir()
            && path.file_name().is_some_and(|it| it.to_string_lossy().starts_with("mycelium-"))
    });
    assert_eq!(sockets.len(), 1, "nodes use another folder");
    left.extend(entries(&sockets[0]));
    left
}

pub(crate) fn readers_are_killed_under_load() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let mut feed = Process::start_in(folder.path(), &["feed", "plan"]);
    for line in feed.lines() {
        println!("{}", line?);
    }
    assert!(feed.has_succeeded(), "the feed has failed: see above");
    assert_eq!(left_in(folder.path()), Vec::<PathBuf>::new());
    Ok(())
}

pub(crate) fn readers_outlive_a_killed_feed() -> Result<(), Failed> {
    const READERS: usize = 4;
    let folder = tempfile::tempdir()?;
    let mut feed = Process::start_in(folder.path(), &["feed", "forever"]);
    let address = feed.lines().next().ok_or("the feed has failed")??;
    let start = |number: usize| {
        let name = format!("reader-{number}");
        let mut process =
            Process::start_in(folder.path(), &["reader", &address, &name, "outlives"]);
        (process.lines(), process)
    };
    let mut readers: Vec<_> = (0..READERS).map(start).collect();
    for (lines, _) in &mut readers {
        assert_eq!(lines.next().ok_or("a reader has failed")??, "holds");
    }
    feed.kill();
    for (mut lines, process) in readers {
        // It has read again what it holds, and has let go.
        assert_eq!(lines.next().ok_or("a reader has failed")??, "let go");
        assert!(process.has_succeeded());
    }
    assert_eq!(left_in(folder.path()), Vec::<PathBuf>::new());
    Ok(())
}
