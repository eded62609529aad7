//! A package's files in memory, and their way to the disk.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, io};

use crate::{Error, Result};

/// Files by their path inside the package, always with `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    files: BTreeMap<String, Vec<u8>>,
}

impl Tree {
    /// The text of `file`, or `None` when there is no such file or it is not UTF-8.
    pub fn text(&self, file: &str) -> Option<&str> {
        self.files.get(file).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The bytes of `file`.
    pub fn get(&self, file: &str) -> Option<&[u8]> {
        self.files.get(file).map(Vec::as_slice)
    }

    /// Adds or replaces a file.
    pub fn insert(&mut self, file: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.files.insert(file.into(), content.into());
    }

    /// Removes a file, and says whether it was there.
    pub fn remove(&mut self, file: &str) -> bool {
        self.files.remove(file).is_some()
    }

    /// All files, ordered by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(file, content)| (file.as_str(), content.as_slice()))
    }

    /// Reads every regular file below `folder`.
    ///
    /// # Errors
    /// A folder or file that cannot be read, or a name that is not UTF-8.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.read_below(folder, "")?;
        Ok(tree)
    }

    fn read_below(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        let doing = format!("reading {}", folder.display());
        for entry in fs::read_dir(folder).map_err(Error::io(&doing))? {
            let entry = entry.map_err(Error::io(&doing))?;
            let name = entry.file_name().into_string().map_err(|name| Error::Io {
                doing: doing.clone(),
                source: std::io::Error::other(format!("{name:?} is not UTF-8")),
            })?;
            let path = entry.path();
            let kind = entry.file_type().map_err(Error::io(&doing))?;
            if kind.is_dir() {
                self.read_below(&path, &format!("{prefix}{name}/"))?;
            } else if kind.is_file() {
                let content = fs::read(&path)
                    .map_err(Error::io(format_args!("reading {}", path.display())))?;
                self.insert(format!("{prefix}{name}"), content);
            }
        }
        Ok(())
    }

    /// Makes `folder` hold exactly these files.
    ///
    /// A file that is already right is not touched, so that nothing is compiled again; one that
    /// is not is replaced in one step, so that an interrupted build leaves no half-written file.
    ///
    /// # Errors
    /// A file or folder that cannot be written or removed.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for (file, content) in self.iter() {
            write_if_changed(&folder.join(file), content)?;
        }
        self.remove_others(folder, "")
    }

    fn remove_others(&self, folder: &Path, prefix: &str) -> Result<()> {
        let doing = format!("tidying {}", folder.display());
        for entry in fs::read_dir(folder).map_err(Error::io(&doing))? {
            let entry = entry.map_err(Error::io(&doing))?;
            let path = entry.path();
            let inside = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().map_err(Error::io(&doing))?.is_dir() {
                let below = format!("{inside}/");
                if self
                    .files
                    .range(below.clone()..)
                    .next()
                    .is_some_and(|(f, _)| f.starts_with(&below))
                {
                    self.remove_others(&path, &below)?;
                } else {
                    gone(fs::remove_dir_all(&path)).map_err(Error::io(&doing))?;
                }
            } else if !self.files.contains_key(&inside) && !inside.ends_with(PART) {
                gone(fs::remove_file(&path)).map_err(Error::io(&doing))?;
            }
        }
        Ok(())
    }
}

/// The ending of a file that is being written; one that another build writes is left alone.
const PART: &str = ".part";

/// What another build removed first is gone as well.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Writes `content` to `path` in one step, unless it stands there already.
pub(crate) fn write_if_changed(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|present| present == content) {
        return Ok(());
    }
    let doing = format!("writing {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io(&doing))?;
    }
    // Beside the target, since a rename does not cross file systems; with a number of its own,
    // since another build may be writing the same file.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(format!(".{}-{number}{PART}", std::process::id()));
    let part: PathBuf = path.with_file_name(name);
    fs::write(&part, content).map_err(Error::io(&doing))?;
    fs::rename(&part, path).map_err(Error::io(&doing))
}
