//! What tests of running processes share.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// Far above what any step takes; only a hang reaches it.
const HANG: Duration = Duration::from_secs(120);

/// A recording of `trades` trades, `apart` milliseconds from each other.
pub(crate) fn recording(trades: u64, apart: u64) -> String {
    let mut csv = "timestamp,price,size\n".to_owned();
    for number in 0..trades {
        let (time, price) = (1_514_764_800_000 + number * apart, 13_873 + number * 7 % 11);
        let sign = if number % 3 == 0 { "-" } else { "" };
        writeln!(csv, "{time},{price}.5,{sign}{}", 1 + number % 100).expect("a string grows");
    }
    csv
}

/// A folder with a recording, `trades.csv`, and a private one, `run`, for sockets.
pub(crate) fn folder(csv: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("trades.csv"), csv).expect("the recording is written");
    let mut private = fs::DirBuilder::new();
    private.mode(0o700).create(folder.path().join("run")).expect("a runtime folder");
    folder
}

/// The sockets that are left in a [`folder`].
pub(crate) fn sockets(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder.join("run/mycelium")).into_iter().flatten();
    files
        .map(|file| file.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect()
}

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
        let mut before = String::new();
        loop {
            match self.0.recv_timeout(HANG) {
                Ok(line) => match line.strip_prefix(start) {
                    Some(rest) => return rest.to_owned(),
                    None => before += &format!("{line}\n"),
                },
                Err(error) => panic!("no line `{start}`: {error}; before:\n{before}"),
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
