//! Finds the nodes of this user, and asks them.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};

use super::request::Request;
use super::snapshot::Snapshot;
use super::{folder, frame};

/// The bytes of the largest answer: a million actors with long names.
const LARGEST_ANSWER: usize = 1 << 30;
/// The time for an answer. A node may serve others first, each for seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The socket of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    path: PathBuf,
}

/// A node cannot be looked at.
#[derive(Debug)]
pub struct ViewError {
    path: PathBuf,
    source: io::Error,
}

impl fmt::Display for ViewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                write!(f, "no node serves {path}: it has ended, or has [view] socket = \"off\"")
            }
            io::ErrorKind::TimedOut => write!(
                f,
                "the node at {path} does not answer in {} s: it is suspended, or others ask it",
                PATIENCE.as_secs()
            ),
            _ => write!(f, "asking the node at {path}: {}", self.source),
        }
    }
}

impl std::error::Error for ViewError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl Target {
    /// The socket at this path.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks the node. Blocks, for ten seconds at most once it is connected.
    ///
    /// # Errors
    /// [`ViewError`] names the socket and what is wrong with it.
    pub fn ask(&self, request: &Request) -> Result<Snapshot, ViewError> {
        self.asked(request).map_err(|source| ViewError { path: self.path.clone(), source })
    }

    fn asked(&self, request: &Request) -> io::Result<Snapshot> {
        let mut stream = UnixStream::connect(&self.path)?;
        let deadline = Instant::now() + PATIENCE;
        frame::write(&mut stream, request, deadline)?;
        frame::read(&mut stream, LARGEST_ANSWER, deadline)
    }
}

/// The sockets of the nodes of this user, in the [folder](folder()) that they have by default or in
/// another one. Those whose process is gone are removed.
///
/// # Errors
/// The folder is not this user's alone, or cannot be read. That there is none is no error.
pub fn list(folder: &Path) -> io::Result<Vec<Target>> {
    match folder::check(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        checked => checked?,
    }
    remove_stale(folder);
    let mut targets: Vec<_> = sockets(folder)?.map(|(path, _)| Target { path }).collect();
    targets.sort();
    Ok(targets)
}

/// The sockets in a folder, with the numbers of their processes.
fn sockets(folder: &Path) -> io::Result<impl Iterator<Item = (PathBuf, Pid)>> {
    Ok(fs::read_dir(folder)?.filter_map(|entry| {
        let path = entry.ok()?.path();
        let stem = path.file_name()?.to_str()?.strip_suffix(".sock")?;
        let pid = stem.split_once('-')?.0.parse().ok().and_then(Pid::from_raw)?;
        Some((path, pid))
    }))
}

/// Removes the sockets of processes that are gone: which no longer exist, and take no connection.
/// Processes of another namespace seem not to exist, and do take one.
pub(super) fn remove_stale(folder: &Path) {
    let Ok(sockets) = sockets(folder) else { return };
    for (path, pid) in sockets {
        let is_gone = test_kill_process(pid) == Err(rustix::io::Errno::SRCH);
        if is_gone {
            let refused = UnixStream::connect(&path).err();
            if refused.is_some_and(|it| it.kind() == io::ErrorKind::ConnectionRefused) {
                _ = fs::remove_file(path);
            }
        }
    }
}
