//! The processes that the demo starts.

use std::env;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::child::Start;
use super::distance::Distance;
use super::ledger::Ledger;

/// How long a child may take to end when it is told to.
const PARTING: Duration = Duration::from_secs(5);

/// The most that is read of what a child has to say.
const MOST_WORDS: u64 = 4096;

/// A process with readers. Dropped, it is killed.
pub(crate) struct ReaderProcess {
    pub(crate) distance: Distance,
    pub(crate) pid: u32,
    /// Its end is the child's.
    stdin: Option<ChildStdin>,
    /// Whether it may end now.
    dismissed: Arc<AtomicBool>,
    ended: JoinHandle<()>,
}

impl ReaderProcess {
    /// Starts a process, and tells it what to do. When it ends before it was dismissed, the
    /// ledger says so.
    ///
    /// # Errors
    /// A sentence that names what does not work.
    pub(crate) async fn start(start: &Start, ledger: &Arc<Ledger>) -> Result<Self, String> {
        let distance = start.distance;
        let wrong = |error| format!("the process for {distance} cannot be started: {error}");
        let program = env::current_exe().map_err(wrong)?;
        let mut child = Command::new(program)
            .arg("demo-readers")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for the coordinator, which ends the others when it has their reports.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(wrong)?;
        let pid = child.id().unwrap_or_default();
        let mut stdin = child.stdin.take();
        let stdout = child.stdout.take();
        let mut line = serde_json::to_vec(start).expect("it has a form in JSON");
        line.push(b'\n');
        if let Some(stdin) = &mut stdin {
            // A child that is dead already is found so below.
            let _ = stdin.write_all(&line).await;
        }
        let dismissed = Arc::new(AtomicBool::new(false));
        let ended = tokio::spawn(watch(child, stdout, dismissed.clone(), {
            let ledger = ledger.clone();
            move |why| {
                ledger.lose_place(distance.index(), &format!("its process {pid} ended: {why}"))
            }
        }));
        Ok(Self { distance, pid, stdin, dismissed, ended })
    }

    /// Waits a moment for the process to end by itself, for a better reason than a closed link.
    pub(crate) async fn wait_a_moment(&mut self) {
        if !self.ended.is_finished() {
            let _ = timeout(Duration::from_secs(1), &mut self.ended).await;
        }
    }

    /// Lets it end, and kills it when it does not.
    pub(crate) async fn dismiss(mut self) {
        self.dismissed.store(true, Ordering::Relaxed);
        drop(self.stdin.take());
        if !self.ended.is_finished() && timeout(PARTING, &mut self.ended).await.is_err() {
            // Drops the child, which kills it.
            self.ended.abort();
            let _ = (&mut self.ended).await;
        }
    }
}

async fn watch(
    mut child: Child,
    stdout: Option<ChildStdout>,
    dismissed: Arc<AtomicBool>,
    lost: impl Fn(&str),
) {
    let mut words = String::new();
    if let Some(stdout) = stdout {
        // It ends with the process. What cannot be read is not worth losing the status for.
        let _ = stdout.take(MOST_WORDS).read_to_string(&mut words).await;
    }
    let status = child.wait().await;
    if dismissed.load(Ordering::Relaxed) {
        return;
    }
    match status {
        Ok(status) if words.trim().is_empty() => lost(&status.to_string()),
        Ok(_) => lost(words.trim()),
        Err(error) => lost(&error.to_string()),
    }
}
