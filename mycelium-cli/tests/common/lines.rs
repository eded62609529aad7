//! What running processes write.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Far above what any step takes; only a hang reaches it.
const HANG: Duration = Duration::from_secs(120);

/// Lines that processes write; they end when the last process that could write one ended.
pub(crate) struct Lines(Receiver<String>);

impl Lines {
    pub(crate) fn of(output: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self(lines)
    }

    /// Reads up to a line that starts with `start`, and gives the rest of it.
    pub(crate) fn wait_for(&self, start: &str) -> String {
        self.find(start, |line| line.strip_prefix(start).map(str::to_owned))
    }

    /// Reads up to a line that is what is `wanted`, and gives what was found in it.
    pub(crate) fn find<T>(&self, wanted: &str, mut found: impl FnMut(&str) -> Option<T>) -> T {
        let mut before = String::new();
        loop {
            match self.0.recv_timeout(HANG) {
                Ok(line) => match found(&line) {
                    Some(found) => return found,
                    None => before += &format!("{line}\n"),
                },
                Err(error) => panic!("no line `{wanted}`: {error}; before:\n{before}"),
            }
        }
    }

    /// Reads up to the end, and gives all of it.
    pub(crate) fn rest(&self) -> String {
        let mut rest = String::new();
        loop {
            match self.0.recv_timeout(HANG) {
                Ok(line) => rest += &format!("{line}\n"),
                Err(RecvTimeoutError::Disconnected) => return rest,
                Err(RecvTimeoutError::Timeout) => panic!("a process hangs; it wrote:\n{rest}"),
            }
        }
    }
}
