//! The folders that sockets are in.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::probe::{Probe, probe};
use super::{FolderProblem, UnixListenError, user};

/// The private folder of this user's sockets: `mycelium` in `$XDG_RUNTIME_DIR`, where that is a
/// folder of this user, or else `mycelium-UID` in the folder of temporary files. It need not exist.
#[must_use]
pub fn runtime_folder() -> PathBuf {
    choose(std::env::var_os("XDG_RUNTIME_DIR"), std::env::temp_dir())
}

fn choose(runtime: Option<OsString>, temporary: PathBuf) -> PathBuf {
    if let Some(runtime) = runtime.map(PathBuf::from).filter(|path| path.is_absolute()) {
        if runtime.metadata().is_ok_and(|it| it.is_dir() && it.uid() == user()) {
            return runtime.join("mycelium");
        }
    }
    temporary.join(format!("mycelium-{}", user()))
}

/// Makes the folder if it is not there, and closes it to other users.
pub(super) fn make_private(path: &Path) -> Result<(), UnixListenError> {
    let failed =
        |action| move |source| UnixListenError::Io { path: path.to_owned(), action, source };
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(failed("make the folder")(error));
        }
        _ => {}
    }
    let folder = path.symlink_metadata().map_err(failed("look at the folder"))?;
    let kind = folder.file_type();
    let problem = if kind.is_symlink() {
        FolderProblem::Symlink
    } else if !kind.is_dir() {
        FolderProblem::NotAFolder
    } else if folder.uid() != user() {
        FolderProblem::NotOurs { owner: folder.uid() }
    } else if !is_private(&folder) {
        FolderProblem::NotPrivate { mode: mode(&folder) }
    } else {
        return Ok(());
    };
    Err(UnixListenError::Folder { path: path.to_owned(), problem })
}

/// Sees to it that not everybody may replace a socket in the folder.
pub(super) fn check_protected(path: &Path) -> Result<(), UnixListenError> {
    let folder = path.metadata().map_err(|source| UnixListenError::Io {
        path: path.to_owned(),
        action: "look at the folder",
        source,
    })?;
    let problem = if !folder.is_dir() {
        FolderProblem::NotAFolder
    } else if folder.mode() & 0o1002 == 0o0002 {
        FolderProblem::Unprotected { mode: mode(&folder) }
    } else {
        return Ok(());
    };
    Err(UnixListenError::Folder { path: path.to_owned(), problem })
}

fn mode(of: &Metadata) -> u32 {
    of.mode() & 0o7777
}

fn is_private(folder: &Metadata) -> bool {
    folder.uid() == user() && folder.mode() & 0o077 == 0
}

/// Keeps other nodes from judging sockets in the folder while it is held: between its making and
/// its listening, a socket looks like that of a dead process.
///
/// The lock is on the folder itself, so that no file is left behind, and the system gives it up
/// when the process dies.
#[derive(Debug)]
pub(super) struct FolderLock {
    _folder: Option<File>,
}

impl FolderLock {
    /// Waits for the lock of a private folder, which others hold for an instant. In one that others
    /// have access to, any user could hold it for ever: there it does without rather than wait.
    pub(super) fn take(path: &Path) -> Self {
        let folder = File::open(path).and_then(|folder| {
            let operation = match folder.metadata() {
                Ok(metadata) if is_private(&metadata) => FlockOperation::LockExclusive,
                _ => FlockOperation::NonBlockingLockExclusive,
            };
            rustix::io::retry_on_intr(|| flock(&folder, operation))?;
            Ok(folder)
        });
        if let Err(error) = &folder {
            tracing::debug!(path = %path.display(), %error, "the folder was not locked");
        }
        Self { _folder: folder.ok() }
    }
}

/// Removes the sockets in the private folder that dead processes left behind, and nothing else.
pub(super) fn sweep(path: &Path) {
    let entries = match path.read_dir() {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the search for stale sockets failed");
            return;
        }
    };
    for entry in entries.flatten() {
        if is_ours(&entry.file_name().to_string_lossy()) {
            remove_stale(&entry.path());
        }
    }
}

/// Whether the name is one that [`name`] made.
fn is_ours(name: &str) -> bool {
    let Some((pid, random)) = name.strip_suffix(".sock").and_then(|name| name.split_once('-'))
    else {
        return false;
    };
    pid.parse::<u32>().is_ok() && random.len() == 8 && u32::from_str_radix(random, 16).is_ok()
}

/// A new name for a socket of this process.
pub(super) fn name() -> String {
    format!("{}-{:08x}.sock", std::process::id(), rand::random::<u32>())
}

fn remove_stale(path: &Path) {
    let socket = path.symlink_metadata();
    if !socket.is_ok_and(|it| it.file_type().is_socket() && it.uid() == user()) {
        return;
    }
    if !matches!(probe(path), Ok(Probe::Dead)) {
        return;
    }
    match std::fs::remove_file(path) {
        Ok(()) => tracing::debug!(path = %path.display(), "removed a dead process's socket"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a stale socket could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fallback(temporary: &Path) -> PathBuf {
        temporary.join(format!("mycelium-{}", user()))
    }

    #[test]
    fn the_runtime_folder_is_used_where_it_is_ours() {
        let folder = tempfile::tempdir().unwrap();
        let chosen = choose(Some(folder.path().into()), "/t".into());
        assert_eq!(chosen, folder.path().join("mycelium"));
    }

    #[test]
    fn what_is_no_folder_of_ours_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let missing = folder.path().join("missing");
        for runtime in [None, Some(file.into()), Some(missing.into()), Some("relative".into())] {
            assert_eq!(choose(runtime, "/t".into()), fallback(Path::new("/t")));
        }
    }

    #[test]
    fn only_our_own_names_are_swept() {
        assert!(is_ours(&name()));
        for other in ["node.sock", "1-2.sock", "1-00000000", "x-00000000.sock", "1-0000000g.sock"] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
