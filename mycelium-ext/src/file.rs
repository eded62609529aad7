//! Reads the files that a configuration is made of: regular ones only, and of a bounded size.

use std::fmt;
use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// The largest file that is read, in bytes.
pub(crate) const LARGEST: u64 = 1024 * 1024;

/// Says why a file is not read.
#[derive(Debug)]
pub(crate) enum FileError {
    /// The system refuses it.
    Io(io::Error),
    /// It is something else than a regular file.
    Irregular(&'static str),
    /// It has more than [`LARGEST`] bytes.
    TooLarge,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Irregular(kind) => {
                write!(f, "it is {kind} and no regular file; name a regular file instead")
            }
            Self::TooLarge => {
                f.write_str("it is larger than 1 MiB, the most that is read; name a smaller file")
            }
        }
    }
}

impl std::error::Error for FileError {}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io(error) => error,
            error => Self::new(io::ErrorKind::InvalidInput, error),
        }
    }
}

/// Opens a regular file. It never waits for the writer of a pipe.
pub(crate) fn open(path: &Path) -> Result<File, FileError> {
    // Asked before it is opened as well: to open a device can do something.
    regular(path.metadata().map_err(FileError::Io)?.file_type())?;
    open_at_once(path)
}

/// Opens a file without waiting, and then looks at what it has opened: the path may lead elsewhere
/// by now.
fn open_at_once(path: &Path) -> Result<File, FileError> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;

        use rustix::fs::OFlags;

        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
    }
    let file = options.open(path).map_err(FileError::Io)?;
    regular(file.metadata().map_err(FileError::Io)?.file_type())?;
    Ok(file)
}

/// Reads all of a file, unless that is more than [`LARGEST`] bytes.
pub(crate) fn read(file: &File) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(FileError::Io)?;
    match bytes.len() as u64 > LARGEST {
        true => Err(FileError::TooLarge),
        false => Ok(bytes),
    }
}

/// Text of a file's bytes.
pub(crate) fn text(bytes: Vec<u8>) -> Result<String, FileError> {
    let wrong = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
    String::from_utf8(bytes).map_err(wrong).map_err(FileError::Io)
}

/// The bits of a file that say what its group and others may do; `None` where there are none.
#[cfg_attr(not(unix), expect(clippy::unnecessary_wraps, reason = "Unix can fail"))]
pub(crate) fn mode(file: &File) -> io::Result<Option<u32>> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;

        Ok(Some(file.metadata()?.permissions().mode() & 0o777))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        Ok(None)
    }
}

fn regular(kind: FileType) -> Result<(), FileError> {
    if kind.is_file() {
        return Ok(());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;

        if kind.is_fifo() {
            return Err(FileError::Irregular("a pipe"));
        }
        if kind.is_socket() {
            return Err(FileError::Irregular("a socket"));
        }
        if kind.is_char_device() || kind.is_block_device() {
            return Err(FileError::Irregular("a device"));
        }
    }
    Err(FileError::Irregular(if kind.is_dir() { "a directory" } else { "something else" }))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn a_pipe_that_took_the_place_of_a_file_is_told_without_waiting() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
        let (done, opened) = mpsc::channel();
        std::thread::spawn(move || done.send(open_at_once(&path)));
        let opened = opened.recv_timeout(Duration::from_secs(60)).expect("it does not wait");
        assert!(matches!(opened, Err(FileError::Irregular("a pipe"))), "{opened:?}");
    }
}
