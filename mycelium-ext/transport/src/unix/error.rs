//! Why there is no Unix socket.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::{PATH_LIMIT, user};

/// Why a socket could not be listened on.
#[derive(Debug)]
#[non_exhaustive]
pub enum UnixListenError {
    /// The path is longer than a socket's can be.
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes; [`PATH_LIMIT`] is what it can be.
        length: usize,
    },
    /// The path does not end in the name of a file.
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// A process listens there.
    Taken {
        /// The path.
        path: PathBuf,
    },
    /// There is a file that is no socket.
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// There is a socket of another user.
    NotOurs {
        /// The path.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// The folder that the socket is to be in does not do.
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: FolderProblem,
    },
    /// The system refused.
    Io {
        /// The path.
        path: PathBuf,
        /// What was to be done with it, as in "could not ...".
        action: &'static str,
        /// Why it was not.
        source: io::Error,
    },
}

/// What is wrong with a folder for sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FolderProblem {
    /// It is a symbolic link.
    Symlink,
    /// It is something else than a folder.
    NotAFolder,
    /// It belongs to another user.
    NotOurs {
        /// Whose it is.
        owner: u32,
    },
    /// Others have access to what shall be private.
    NotPrivate {
        /// Its permissions.
        mode: u32,
    },
    /// Everybody may remove what is in it: it is writable for all, and not sticky.
    Unprotected {
        /// Its permissions.
        mode: u32,
    },
}

impl fmt::Display for UnixListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PathTooLong { path, length } => {
                let path = path.display();
                write!(
                    f,
                    "the socket path {path} has {length} bytes and may have {PATH_LIMIT}: choose \
                     a shorter one"
                )
            }
            Self::NoName { path } => {
                let path = path.display();
                write!(f, "the socket path {path:?} names no file: add the name of the socket")
            }
            Self::Taken { path } => {
                let path = path.display();
                write!(
                    f,
                    "a process listens on the socket {path}: stop that process, or choose another \
                     path"
                )
            }
            Self::NotASocket { path } => {
                let path = path.display();
                write!(f, "{path} exists and is no socket: remove it, or choose another path")
            }
            Self::NotOurs { path, owner } => {
                let (path, user) = (path.display(), user());
                write!(
                    f,
                    "the socket {path} belongs to user {owner}, and this process is user {user}: \
                     choose another path"
                )
            }
            Self::Folder { path, problem } => write!(f, "the folder {} {problem}", path.display()),
            Self::Io { path, action, source } => {
                write!(f, "could not {action} {}: {source}", path.display())
            }
        }
    }
}

impl fmt::Display for FolderProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symlink => f.write_str("is a symbolic link: remove it, it is made anew"),
            Self::NotAFolder => f.write_str("is no folder: remove it, it is made anew"),
            Self::NotOurs { owner } => {
                let user = user();
                write!(
                    f,
                    "belongs to user {owner}, and this process is user {user}: have it removed, \
                     or set XDG_RUNTIME_DIR to a folder of this user"
                )
            }
            Self::NotPrivate { mode } => {
                write!(f, "is open to others (mode {mode:04o}): make it private (chmod 700)")
            }
            Self::Unprotected { mode } => write!(
                f,
                "is writable for all (mode {mode:04o}), so that anybody may replace the socket: \
                 chmod o-w, or choose another path"
            ),
        }
    }
}

impl Error for UnixListenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Why a socket could not be connected to.
#[derive(Debug)]
#[non_exhaustive]
pub enum UnixConnectError {
    /// The path is longer than a socket's can be.
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes; [`PATH_LIMIT`] is what it can be.
        length: usize,
    },
    /// The path is that of something else.
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The socket is another user's.
    NotOurs {
        /// The path.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// The file is this user's, and another one listens.
    Impostor {
        /// The path.
        path: PathBuf,
        /// Who listens.
        user: u32,
    },
    /// The system refused.
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A path that a peer may have named: on one line, and of the length that a socket's can have.
fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    match text.char_indices().nth(PATH_LIMIT) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

impl fmt::Display for UnixConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PathTooLong { path, length } => {
                let path = shown(path);
                write!(f, "the socket path {path} has {length} bytes and may have {PATH_LIMIT}")
            }
            Self::NotASocket { path } => write!(f, "{} is no socket", shown(path)),
            Self::NotOurs { path, owner } => {
                let (path, user) = (shown(path), user());
                write!(
                    f,
                    "the socket {path} belongs to user {owner}, and this process is user {user}: \
                     nodes that share a socket run as one user"
                )
            }
            Self::Impostor { path, user: peer } => {
                let (path, user) = (shown(path), user());
                write!(
                    f,
                    "user {peer} listens on the socket {path}, and this process is user {user}: \
                     nodes that share a socket run as one user"
                )
            }
            Self::Io { path, source } => {
                write!(f, "could not connect to the socket {}: {source}", shown(path))
            }
        }
    }
}

impl Error for UnixConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<UnixConnectError> for io::Error {
    fn from(error: UnixConnectError) -> Self {
        let kind = match &error {
            UnixConnectError::Io { source, .. } => source.kind(),
            UnixConnectError::NotOurs { .. } | UnixConnectError::Impostor { .. } => {
                io::ErrorKind::PermissionDenied
            }
            _ => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

impl From<UnixListenError> for io::Error {
    fn from(error: UnixListenError) -> Self {
        let kind = match &error {
            UnixListenError::Io { source, .. } => source.kind(),
            UnixListenError::Taken { .. } => io::ErrorKind::AddrInUse,
            UnixListenError::NotOurs { .. } | UnixListenError::Folder { .. } => {
                io::ErrorKind::PermissionDenied
            }
            _ => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}
