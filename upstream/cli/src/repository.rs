//! This repository on disk: its pins, patches and files.

use std::fs;
use std::path::{Path, PathBuf};

use upstream::fork::Fork;
use upstream::locate::Places;
use upstream::{Tree, build_script};

use crate::Failure;

/// The repository that the current folder belongs to.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) root: PathBuf,
    pub(crate) fork: Fork,
    pub(crate) places: Places,
}

impl Repository {
    /// Looks for the repository from the current folder upwards, and reads pins and patches
    /// from its files (and not those that were compiled in, which may be older).
    pub(crate) fn find() -> Result<Self, Failure> {
        let here = std::env::current_dir()?;
        let root = here
            .ancestors()
            .find(|folder| folder.join("patches/upstream.toml").is_file())
            .ok_or("no folder from here upwards holds patches/upstream.toml")?
            .to_owned();
        Self::read(root)
    }

    fn read(root: PathBuf) -> Result<Self, Failure> {
        let folder = root.join("patches");
        let mut texts = Vec::new();
        for (file, content) in Tree::read(&folder)?.iter() {
            if let Some((krate, name)) = file.split_once('/') {
                if name.ends_with(".toml") && !name.contains('/') {
                    texts.push((
                        krate.to_owned(),
                        name.to_owned(),
                        String::from_utf8(content.to_vec())?,
                    ));
                }
            }
        }
        let files: Vec<_> =
            texts.iter().map(|(k, n, t)| (k.as_str(), n.as_str(), t.as_str())).collect();
        let fork = Fork::load(&fs::read_to_string(folder.join("upstream.toml"))?, &files)?;
        let places = Places::of_environment(&root.join("target/upstream"));
        Ok(Self { root, fork, places })
    }

    /// The names of the forked crates.
    pub(crate) fn crates(&self) -> Vec<String> {
        self.fork.pins.crates.keys().cloned().collect()
    }

    /// Upstream's own files of `krate`.
    pub(crate) fn stock(&self, krate: &str) -> Result<Tree, Failure> {
        Ok(self.fork.stock(krate, &self.places)?)
    }

    /// Our files of `krate`, below `src/`.
    pub(crate) fn ours(&self, krate: &str) -> Result<Tree, Failure> {
        Ok(build_script::our_sources(&self.root.join(krate))?)
    }

    /// A folder for scratch work, below `target`.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.root.join("target/upstream").join(name)
    }
}

/// Makes sure that `folder` can be filled: it does not exist, or is empty.
pub(crate) fn fresh(folder: &Path) -> Result<(), Failure> {
    let taken = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if taken || folder.is_file() {
        return Err(format!(
            "{} is not an empty folder; name another, or remove it",
            folder.display()
        )
        .into());
    }
    Ok(fs::create_dir_all(folder)?)
}
