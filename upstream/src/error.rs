//! What can stop a build, each with what failed and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where an edit stands: named in every error that a patch can cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `crate/NNNN-name.toml`.
    pub patch: String,
    /// Which edit of the patch, counted from 1.
    pub edit: usize,
    /// The upstream file, relative to its package.
    pub file: String,
    /// The item's address, when the edit has one.
    pub item: Option<String>,
    /// The anchor, when the edit has one.
    pub anchor: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "patch {}, edit {}\n    file:   {}", self.patch, self.edit, self.file)?;
        if let Some(item) = &self.item {
            write!(f, "\n    item:   {item}")?;
        }
        if let Some(anchor) = &self.anchor {
            write!(f, "\n    anchor: {}", anchor.trim())?;
        }
        Ok(())
    }
}

/// Why upstream could not be found, verified, unpacked or patched.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An archive was found, but it is not the pinned one.
    Checksum {
        /// The archive.
        archive: PathBuf,
        /// The pinned SHA-256, in hexadecimal.
        expected: String,
        /// The archive's SHA-256, in hexadecimal.
        found: String,
    },
    /// `MYCELIUM_UPSTREAM_DIR` names no folder by an absolute path.
    Override(PathBuf),
    /// No archive was found, and none could be fetched.
    NotFound {
        /// `name-version`.
        package: String,
        /// The places that were tried, and the result of each.
        tried: Vec<String>,
    },
    /// An archive that cannot be unpacked.
    Archive {
        /// `name-version`.
        package: String,
        /// What is wrong with it.
        why: String,
    },
    /// The pins cannot be read.
    Pins(String),
    /// A crate that is not pinned.
    UnknownCrate {
        /// The name asked for.
        name: String,
        /// Who asked for it.
        wanted_by: String,
        /// The pinned crates.
        known: Vec<String>,
    },
    /// A patch file that cannot be read.
    Patch {
        /// `crate/NNNN-name.toml`.
        patch: String,
        /// What is wrong with it.
        why: String,
    },
    /// An edit that does not fit what it stands on.
    Edit {
        /// The edit.
        place: Box<Place>,
        /// What does not fit.
        why: String,
        /// The nearest match, or the choices.
        candidates: Vec<String>,
    },
    /// Two edits that change the same text.
    Overlap {
        /// One edit.
        first: Box<Place>,
        /// The other.
        second: Box<Place>,
    },
    /// A file of ours that replaces an upstream file, and no longer may.
    Shadow {
        /// The file, relative to its package.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// A Rust or protobuf file that cannot be parsed.
    Syntax {
        /// The file.
        file: String,
        /// The parser's words.
        why: String,
    },
    /// A file that could not be read or written.
    Io {
        /// What was tried.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl Error {
    /// Wraps an I/O error with what was being done; for `map_err`.
    pub fn io(doing: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.to_string();
        move |source| Self::Io { doing, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum { archive, expected, found } => write!(
                f,
                "{} is not the pinned package\n    pinned SHA-256: {expected}\n    \
                 its SHA-256:    {found}\n  delete the file, so that it is fetched again; when \
                 it stays so, compare both with the registry's checksum",
                archive.display()
            ),
            Self::Override(folder) => write!(
                f,
                "MYCELIUM_UPSTREAM_DIR is {}, which is not the absolute path of a folder\n  \
                 correct it, or unset it",
                folder.display()
            ),
            Self::NotFound { package, tried } => {
                write!(f, "the upstream package {package}.crate was not found; tried:")?;
                for place in tried {
                    write!(f, "\n    {place}")?;
                }
                write!(
                    f,
                    "\n  build once with the network on, or put {package}.crate into a folder \
                     and name it in MYCELIUM_UPSTREAM_DIR"
                )
            }
            Self::Archive { package, why } => write!(
                f,
                "the package {package}.crate cannot be unpacked: {why}\n  download it again"
            ),
            Self::Pins(why) => write!(f, "the pins (patches/upstream.toml) are wrong: {why}"),
            Self::UnknownCrate { name, wanted_by, known } => write!(
                f,
                "{wanted_by} names the crate `{name}`, which is not pinned\n  pin it in \
                 patches/upstream.toml, or use one of: {}",
                known.join(", ")
            ),
            Self::Patch { patch, why } => write!(f, "patch {patch} is wrong: {why}"),
            Self::Edit { place, why, candidates } => {
                write!(f, "{place}\n  {why}")?;
                if !candidates.is_empty() {
                    write!(f, "\n  nearest:")?;
                    for candidate in candidates {
                        write!(f, "\n    {candidate}")?;
                    }
                }
                write!(
                    f,
                    "\n  upstream changed, or the edit is wrong: look at the item with \
                     `cargo upstream open`, and change the patch"
                )
            }
            Self::Overlap { first, second } => {
                write!(f, "two edits change the same text: make one of them\n  {first}\n  {second}")
            }
            Self::Shadow { file, why } => write!(f, "the shadow {file}: {why}"),
            Self::Syntax { file, why } => write!(f, "{file} cannot be parsed: {why}"),
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
