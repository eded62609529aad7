//! A process of the soak, seen from the coordinator.

use std::env;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc::{Sender, UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::crew::{Order, Start};
use super::record::Record;

/// Something that a process did.
#[derive(Debug)]
pub(crate) enum News {
    Noted(Record),
    /// It wrote what is no record.
    Garbled(String),
    /// It has ended, after all its notes. `None`: how it ended is unknown.
    Ended(Option<ExitStatus>),
}

/// A running process. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    controls: UnboundedSender<Control>,
}

#[derive(Debug)]
enum Control {
    Signal(Signal),
    Order(Order),
    Dismiss,
}

impl Process {
    /// Starts a process, whose runtime files are in `folder`.
    ///
    /// # Errors
    /// A sentence that names what does not work.
    pub(crate) fn start(
        start: &Start,
        folder: &Path,
        news: Sender<(u64, News)>,
    ) -> Result<Self, String> {
        let wrong = |error| format!("the process {} cannot be started: {error}", start.name);
        let program = env::current_exe().map_err(wrong)?;
        let mut child = Command::new(program)
            .arg("soak-member")
            .env("XDG_RUNTIME_DIR", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for the coordinator, which ends the others when it has counted.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(wrong)?;
        let pid = child.id().unwrap_or_default();
        let stdin = child.stdin.take().map(|stdin| (stdin, serde_json::to_string(start)));
        let (controls, controlled) = unbounded_channel();
        let incarnation = start.incarnation;
        tokio::spawn(async move {
            let stdin = match stdin {
                Some((mut stdin, Ok(start))) => {
                    write_line(&mut stdin, start).await;
                    Some(stdin)
                }
                _ => None,
            };
            attend(child, stdin, controlled, (incarnation, news)).await;
        });
        Ok(Self { pid, controls })
    }

    /// Sends a signal, unless it has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        self.control(Control::Signal(signal));
    }

    pub(crate) fn order(&self, order: Order) {
        self.control(Control::Order(order));
    }

    /// Lets it end.
    pub(crate) fn dismiss(&self) {
        self.control(Control::Dismiss);
    }

    fn control(&self, control: Control) {
        // Of one that has ended the news tell.
        let _ = self.controls.send(control);
    }
}

/// Passes on what it notes and what it is told, and tells its end.
async fn attend(
    mut child: Child,
    mut stdin: Option<ChildStdin>,
    mut controlled: UnboundedReceiver<Control>,
    (incarnation, news): (u64, Sender<(u64, News)>),
) {
    let mut lines = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
    let status = loop {
        tokio::select! {
            control = controlled.recv() => match control {
                // It is waited for below, so that its number is still its own.
                Some(Control::Signal(signal)) => {
                    let pid = child.id().and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
                    let _ = pid.map(|pid| kill_process(pid, signal));
                }
                Some(Control::Order(order)) => {
                    if let (Some(stdin), Ok(order)) = (&mut stdin, serde_json::to_string(&order)) {
                        write_line(stdin, order).await;
                    }
                }
                Some(Control::Dismiss) => drop(stdin.take()),
                // The status is not asked for any more: the child is killed by its drop.
                None => return,
            },
            line = async { lines.as_mut().expect("it is asked for").next_line().await },
                if lines.is_some() =>
            {
                let told = match line {
                    Ok(Some(line)) => match line.parse() {
                        Ok(record) => News::Noted(record),
                        Err(error) => News::Garbled(error),
                    },
                    Ok(None) | Err(_) => {
                        lines = None;
                        continue;
                    }
                };
                if news.send((incarnation, told)).await.is_err() {
                    return;
                }
            }
            // What it noted stands in the pipe, and is read first.
            status = child.wait(), if lines.is_none() => break status.ok(),
        }
    };
    // A coordinator that does not listen has ended, too.
    let _ = news.send((incarnation, News::Ended(status))).await;
}

async fn write_line(stdin: &mut ChildStdin, mut line: String) {
    line.push('\n');
    // One that has ended reads nothing, and is told of as such.
    let _ = stdin.write_all(line.as_bytes()).await;
}
