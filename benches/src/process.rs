//! Processes that do what they read line by line, and answer each line with one.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::Failure;

/// How long one may take to end by itself.
const GOODBYE: Duration = Duration::from_secs(3);

/// A process. It ends when this is dropped, and is killed if it does not.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Result<Self, Failure> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (sender, lines) = channel();
        if let Some(output) = child.stdout.take() {
            // Ends with the process.
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self { input: child.stdin.take(), child, lines })
    }

    /// Has it do something, and returns its answer.
    pub(crate) fn order(&mut self, order: &str, patience: Duration) -> Result<String, Failure> {
        let input = self.input.as_mut().ok_or("it has ended")?;
        writeln!(input, "{order}")?;
        self.line(patience)
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self, patience: Duration) -> Result<String, Failure> {
        Ok(self.lines.recv_timeout(patience).map_err(|error| format!("a process: {error}"))?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It ends with its input, and tidies up; one that hangs does not.
        drop(self.input.take());
        let until = Instant::now() + GOODBYE;
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // It may have ended meanwhile.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
