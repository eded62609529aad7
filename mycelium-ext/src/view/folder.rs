//! The folder of the sockets of one user's nodes.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use mycelium_transport::unix::runtime_folder;

/// The number of the user of this process.
pub(super) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Where the nodes of this user have their sockets: `view` in the folder that the sockets of links
/// are in by default, which is `mycelium` in `$XDG_RUNTIME_DIR`, or, without such a folder,
/// `mycelium-USER` in that of temporary files.
#[must_use]
pub fn folder() -> PathBuf {
    runtime_folder().join("view")
}

/// Whether a folder is this user's alone.
///
/// # Errors
/// It is not, or it is no folder (`PermissionDenied`), or it cannot be looked at.
pub(super) fn check(folder: &Path) -> io::Result<()> {
    // A link could lead anywhere by the time that it is followed.
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() || metadata.uid() != user() || metadata.mode() & 0o077 != 0 {
        let what = format!("{} is not a folder of this user alone (mode 0700)", folder.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    Ok(())
}

/// Makes the folder, unless it is there.
///
/// # Errors
/// It cannot be made, or what is there is not this user's alone.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => check(folder),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_folder_that_others_may_use_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("mycelium");
        make(&folder).unwrap();
        make(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).unwrap();
        assert_eq!(make(&folder).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_link_to_a_folder_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let link = base.path().join("link");
        symlink(base.path(), &link).unwrap();
        assert_eq!(make(&link).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
