//! Verifies and unpacks a `.crate` archive, in memory.

use std::fmt::Write as _;
use std::io::Read;
use std::path::{Component, Path};

use flate2::read::GzDecoder;
use hmac_sha256::Hash;

use crate::{Error, Result, Tree};

/// An unpacked package may hold this many bytes: about thirty times what the largest of ours
/// does, and far below what would hurt a build machine.
const MAX_UNPACKED: u64 = 32 << 20;

/// The SHA-256 of `bytes`, in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Hash::hash(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string grows");
        hex
    })
}

/// Unpacks `archive`, whose files all have to stand below one folder named `package`
/// (`name-version`), as the registry makes them.
///
/// # Errors
/// [`Error::Archive`] for a truncated archive, for paths that leave the folder, for links and
/// devices, and for more than 32 MiB of content.
pub fn unpack(package: &str, archive: &[u8]) -> Result<Tree> {
    let wrong = |why: String| Error::Archive { package: package.to_owned(), why };
    let mut tree = Tree::default();
    let mut left = MAX_UNPACKED;
    let mut entries = tar::Archive::new(GzDecoder::new(archive));
    for entry in entries.entries().map_err(|error| wrong(error.to_string()))? {
        let mut entry = entry.map_err(|error| wrong(error.to_string()))?;
        let path = entry.path().map_err(|error| wrong(error.to_string()))?.into_owned();
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        if !kind.is_file() {
            return Err(wrong(format!("{} is neither a file nor a folder", path.display())));
        }
        let inside = inside(package, &path)
            .ok_or_else(|| wrong(format!("{} does not stand below {package}/", path.display())))?;
        let mut content = Vec::new();
        (&mut entry)
            .take(left + 1)
            .read_to_end(&mut content)
            .map_err(|error| wrong(format!("{}: {error}", path.display())))?;
        left = left
            .checked_sub(content.len() as u64)
            .ok_or_else(|| wrong(format!("it holds more than {MAX_UNPACKED} bytes")))?;
        tree.insert(inside, content);
    }
    Ok(tree)
}

/// The path inside the package, or `None` when it leaves it (or is not UTF-8).
fn inside(package: &str, path: &Path) -> Option<String> {
    let mut parts = path.components();
    if parts.next()?.as_os_str() != package {
        return None;
    }
    let names = parts
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()?;
    (!names.is_empty()).then(|| names.join("/"))
}
