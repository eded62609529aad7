//! The application, built against stock and against the fork.

use std::path::{Path, PathBuf};

use super::Failure;
use super::case::{Build, RAW, SHM};
use crate::application::{Application, patch, workspace};

const APPLICATION: Application = Application { bench: "distance", program: "distance-app" };

/// Both programs.
#[derive(Debug)]
pub(super) struct Apps {
    stock: PathBuf,
    fork: PathBuf,
}

impl Apps {
    /// Builds them below cargo's own folder. Cargo tells its progress on standard error.
    pub(super) fn build() -> Result<Self, Failure> {
        let mut more = patch()?;
        let mut features = vec!["fork"];
        if SHM {
            let path = workspace()?.join("mycelium-ext");
            more += &format!(
                "\n[dependencies.mycelium-ext]\npath = {path:?}\nfeatures = [\"cluster\", \"spinning\"]\n"
            );
            features.push("shm");
        }
        if RAW {
            features.push("raw");
        }
        Ok(Self {
            stock: APPLICATION.build("stock", "", &[])?,
            fork: APPLICATION.build("fork", &more, &["--features", &features.join(",")])?,
        })
    }

    pub(super) fn program(&self, build: Build) -> &Path {
        match build {
            Build::Stock => &self.stock,
            Build::Fork => &self.fork,
        }
    }
}
