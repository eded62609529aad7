//! Serves the snapshots of a node, on a thread of its own.

use std::fs;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::collect::Subject;
use super::request::Request;
use super::snapshot::Snapshot;
use super::watch::Watcher;
use super::{client, folder, frame};

/// The bytes of the largest request.
pub(super) const LARGEST_REQUEST: usize = 4 * 1024;
/// The most actors of an answer.
const MOST_ACTORS: usize = 1_000_000;
/// The time for a request to come.
const PATIENCE: Duration = Duration::from_secs(1);
/// The time for an answer to be taken.
const TAKING: Duration = Duration::from_secs(5);
/// How often a socket is tried in a folder that vanishes.
const TRIES: usize = 10;
/// The pause after a connection that could not be accepted, for want of descriptors for example.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves the snapshots of a node until it is dropped. Its socket is removed then, and the folder
/// with the last one.
#[derive(Debug)]
pub struct ViewServer {
    path: PathBuf,
    /// Ends the thread when it is dropped.
    end: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl ViewServer {
    /// Serves the snapshots of this process for a node of this name (`name@host`) that listens at
    /// these addresses, in the [folder](folder()) of the user.
    ///
    /// # Errors
    /// The folder is not the user's alone, or the socket or the thread cannot be made.
    pub fn start(name: impl Into<String>, addresses: Vec<String>) -> io::Result<Self> {
        let folder = folder();
        if let Some(parent) = folder.parent() {
            folder::make(parent)?;
        }
        Self::start_in(&folder, name, addresses)
    }

    /// As [`start`](Self::start), in another folder.
    ///
    /// # Errors
    /// As those of [`start`](Self::start).
    pub fn start_in(
        folder: &Path,
        name: impl Into<String>,
        addresses: Vec<String>,
    ) -> io::Result<Self> {
        static SERVERS: AtomicU64 = AtomicU64::new(0);
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{}-{number}.sock", std::process::id()));
        let listener = bind(folder, &path)?;
        listener.set_nonblocking(true)?;
        let (end, ended) = UnixStream::pair()?;
        let subject = Subject { name: name.into(), addresses };
        let serving = Serving { listener, ended, subject, watcher: Watcher::default() };
        let thread = std::thread::Builder::new().name("mycelium-view".to_owned());
        match thread.spawn(move || serving.run()) {
            Ok(thread) => Ok(Self { path, end: Some(end), thread: Some(thread) }),
            Err(error) => {
                _ = fs::remove_file(&path);
                Err(error)
            }
        }
    }

    /// The socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ViewServer {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.path);
        // The folder stays where others have sockets in it.
        _ = self.path.parent().map(fs::remove_dir);
        drop(self.end.take());
        // The thread ends by itself, after the connection that it serves: nobody is kept waiting
        // here for a client that is slow.
        drop(self.thread.take());
    }
}

/// Makes the folder and the socket.
fn bind(folder: &Path, path: &Path) -> io::Result<UnixListener> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        folder::make(folder)?;
        client::remove_stale(folder);
        // Of an earlier process with this number, which was killed.
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        match UnixListener::bind(path) {
            // The last of the others has ended, and removed the folder.
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries > 0 => {}
            bound => return bound,
        }
    }
}

struct Serving {
    listener: UnixListener,
    ended: UnixStream,
    subject: Subject,
    watcher: Watcher,
}

/// What the thread woke for.
enum Woken {
    Connection,
    Sample,
    End,
}

impl Serving {
    fn run(mut self) {
        loop {
            match self.wait() {
                Ok(Woken::Connection) => match self.listener.accept() {
                    // One that is slow, or says something else, has lost its connection.
                    Ok((stream, _)) => _ = self.serve(stream),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => std::thread::sleep(PAUSE),
                },
                Ok(Woken::Sample) => {
                    self.watcher.sample(|_, _| ());
                }
                Ok(Woken::End) => return,
                Err(error) => {
                    tracing::warn!(%error, "the view of this node ends");
                    return;
                }
            }
        }
    }

    fn wait(&self) -> io::Result<Woken> {
        loop {
            let left = self.watcher.next_sample().saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Woken::Sample);
            }
            let timeout = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
            let mut fds = [
                PollFd::new(&self.ended, PollFlags::IN),
                PollFd::new(&self.listener, PollFlags::IN),
            ];
            match poll(&mut fds, Some(&timeout)) {
                Ok(_) if !fds[0].revents().is_empty() => return Ok(Woken::End),
                Ok(_) if !fds[1].revents().is_empty() => return Ok(Woken::Connection),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn serve(&mut self, mut stream: UnixStream) -> io::Result<()> {
        if !is_same_user(&stream) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        // It may have it from the listener, as on macOS.
        stream.set_nonblocking(false)?;
        let mut request: Request =
            frame::read(&mut stream, LARGEST_REQUEST, Instant::now() + PATIENCE)?;
        request.actors = request.actors.min(MOST_ACTORS);
        let snapshot = Snapshot::take(&self.subject, &mut self.watcher, &request);
        frame::write(&mut stream, &snapshot, Instant::now() + TAKING)
    }
}

/// Whether the process at the other end runs as the user of this one. Elsewhere than on Linux the
/// folder's mode alone says so.
fn is_same_user(stream: &UnixStream) -> bool {
    #[cfg(target_os = "linux")]
    {
        let peer = rustix::net::sockopt::socket_peercred(stream);
        peer.is_ok_and(|peer| peer.uid.as_raw() == folder::user())
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = stream;
        true
    }
}
