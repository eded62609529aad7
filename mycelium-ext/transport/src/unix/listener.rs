//! Listening on a Unix socket.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener as BlockingListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

use super::super::blocking::Deferred;
use super::folder::{FolderLock, check_protected, make_private, name, runtime_folder, sweep};
use super::probe::{Probe, probe};
use super::{PATH_LIMIT, UnixListenError, UnixSocketTransport, user};
use crate::log_limit::{limited_error, limited_warn};

/// How long accepting pauses where the process has no descriptors or memory left.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens on a Unix socket, for processes of the same user.
///
/// The socket's file is private (mode 0600), and is removed when the listener is dropped, unless
/// something else has come to its place.
#[derive(Debug)]
pub struct UnixSocketListener {
    listener: UnixListener,
    file: SocketFile,
    /// Whether it was told that nothing can be accepted, and nothing has been accepted since.
    told: AtomicBool,
}

impl UnixSocketListener {
    /// Listens in the [`runtime_folder`], under a name of its own.
    ///
    /// # Errors
    /// As [`in_folder`](Self::in_folder).
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O.
    pub fn automatic() -> Result<Self, UnixListenError> {
        Self::in_folder(runtime_folder())
    }

    /// Listens in a private folder, under a name of its own. The folder is made if it is not
    /// there, and sockets that dead processes left behind in it are removed.
    ///
    /// # Errors
    /// When the folder is not private, and those of the system.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O.
    pub fn in_folder(folder: impl AsRef<Path>) -> Result<Self, UnixListenError> {
        let folder = folder.as_ref();
        let path = folder.join(name());
        check_length(&path)?;
        make_private(folder)?;
        let _lock = FolderLock::take(folder);
        sweep(folder);
        let listener = BlockingListener::bind(&path).map_err(failed(&path, "listen on"))?;
        Self::new(listener, path)
    }

    /// Listens at `path`. What a process of this user left behind there is removed.
    ///
    /// # Errors
    /// When the path is too long or taken, when what is there is no socket or not of this user,
    /// when everybody may write to the folder, and those of the system.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O.
    pub fn at(path: impl AsRef<Path>) -> Result<Self, UnixListenError> {
        let path = path.as_ref().to_owned();
        check_length(&path)?;
        let folder = match (path.parent(), path.file_name()) {
            (Some(folder), Some(_)) if folder.as_os_str().is_empty() => Path::new("."),
            (Some(folder), Some(_)) => folder,
            _ => return Err(UnixListenError::NoName { path }),
        };
        check_protected(folder)?;
        let _lock = FolderLock::take(folder);
        let listener = match BlockingListener::bind(&path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                clear(&path)?;
                BlockingListener::bind(&path)
            }
            bound => bound,
        };
        let listener = listener.map_err(|error| match error.kind() {
            // Another process was faster.
            io::ErrorKind::AddrInUse => UnixListenError::Taken { path: path.clone() },
            _ => failed(&path, "listen on")(error),
        })?;
        Self::new(listener, path)
    }

    fn new(listener: BlockingListener, path: PathBuf) -> Result<Self, UnixListenError> {
        // From here on the file is removed with `file`.
        let file = SocketFile::new(path)?;
        let path = &file.path;
        std::fs::set_permissions(path, Permissions::from_mode(0o600))
            .map_err(failed(path, "make private"))?;
        listener.set_nonblocking(true).map_err(failed(path, "prepare"))?;
        let listener = UnixListener::from_std(listener).map_err(failed(path, "register"))?;
        Ok(Self { listener, file, told: AtomicBool::new(false) })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// The next connection. One of another user than this one and root is closed, with a line in
    /// the log. Where the process has no descriptors or memory left, it says so once, and tries
    /// again every 100 ms. Cancel safe.
    ///
    /// # Errors
    /// Those after which the listener is of no use.
    pub async fn accept(&self) -> io::Result<UnixSocketTransport> {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    self.told.store(false, Ordering::Relaxed);
                    if let Some(transport) = self.admit(stream) {
                        return Ok(transport);
                    }
                }
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) if is_exhaustion(&error) => {
                    if !self.told.swap(true, Ordering::Relaxed) {
                        limited_error!(
                            path = %self.path().display(), %error,
                            "no connection can be accepted for now"
                        );
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Lets in who may.
    fn admit(&self, stream: UnixStream) -> Option<UnixSocketTransport> {
        // Descriptors may wait in it, also of one that is refused.
        let stream = Deferred::new(stream);
        let path = self.path();
        let peer = match stream.peer_cred() {
            Ok(peer) => peer,
            Err(error) => {
                limited_warn!(
                    path = %path.display(), %error,
                    "refused a connection: the system does not tell its user"
                );
                return None;
            }
        };
        if !may_connect(peer.uid(), user()) {
            limited_warn!(
                path = %path.display(), uid = peer.uid(), pid = peer.pid(),
                "refused a connection of another user"
            );
            return None;
        }
        Some(UnixSocketTransport::accepted(stream, path, peer))
    }
}

/// Whether `peer` may connect to a socket of `user`.
fn may_connect(peer: u32, user: u32) -> bool {
    peer == user || peer == 0
}

/// Whether the failure concerns the one connection only.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Whether it passes when others give back what they hold.
fn is_exhaustion(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| exhausted.contains(&errno))
}

fn check_length(path: &Path) -> Result<(), UnixListenError> {
    let length = path.as_os_str().len();
    if length > PATH_LIMIT {
        return Err(UnixListenError::PathTooLong { path: path.to_owned(), length });
    }
    Ok(())
}

/// Removes the socket at `path` if it is a dead one of this user.
fn clear(path: &Path) -> Result<(), UnixListenError> {
    let found = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(failed(path, "look at"))?,
    };
    if !found.file_type().is_socket() {
        return Err(UnixListenError::NotASocket { path: path.to_owned() });
    }
    if found.uid() != user() {
        return Err(UnixListenError::NotOurs { path: path.to_owned(), owner: found.uid() });
    }
    match probe(path).map_err(failed(path, "find out whether anybody listens on"))? {
        Probe::Alive => Err(UnixListenError::Taken { path: path.to_owned() }),
        Probe::Gone => Ok(()),
        Probe::Dead => {
            tracing::debug!(path = %path.display(), "removes a dead process's socket");
            std::fs::remove_file(path).map_err(failed(path, "remove the stale socket"))
        }
    }
}

fn failed<'a>(
    path: &'a Path,
    action: &'static str,
) -> impl FnOnce(io::Error) -> UnixListenError + 'a {
    move |source| UnixListenError::Io { path: path.to_owned(), action, source }
}

/// The file of a socket that this process made, which goes with it.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn new(path: PathBuf) -> Result<Self, UnixListenError> {
        let made = path.symlink_metadata().map_err(failed(&path, "look at"))?;
        Ok(Self { device: made.dev(), inode: made.ino(), path })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = self
            .path
            .symlink_metadata()
            .is_ok_and(|it| (it.dev(), it.ino()) == (self.device, self.inode));
        if !ours {
            return;
        }
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a socket could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_user_and_root_may_connect() {
        assert!(may_connect(1000, 1000));
        assert!(may_connect(0, 1000));
        assert!(may_connect(0, 0));
        assert!(!may_connect(1001, 1000));
        assert!(!may_connect(1000, 0));
    }
}
