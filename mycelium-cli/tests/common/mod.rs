//! What tests of running processes share.

mod lines;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use tempfile::TempDir;

pub(crate) use lines::Lines;

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
