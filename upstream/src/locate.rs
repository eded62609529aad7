//! Finds the archive of an upstream package: in the override folder, in cargo's cache, or by
//! asking the running cargo to download it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use crate::archive::sha256;
use crate::{Error, Result};

/// Where to look, in this order.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// A folder with `NAME-VERSION.crate` files (`MYCELIUM_UPSTREAM_DIR`).
    pub override_dir: Option<PathBuf>,
    /// Cargo's home, with its cache of downloaded packages.
    pub cargo_home: Option<PathBuf>,
    /// The cargo to download with, and a folder that it may use as its working directory.
    /// `None` looks up nothing.
    pub fetch: Option<(OsString, PathBuf)>,
}

impl Places {
    /// The places of the running process; `scratch` is where cargo is run from.
    ///
    /// Cargo finds its configuration from its working directory, so `scratch` should lie where
    /// the user's configuration applies (`OUT_DIR`, or the target folder).
    pub fn of_environment(scratch: &Path) -> Self {
        let offline = outer_cargo_is_offline();
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Self {
            override_dir: env::var_os("MYCELIUM_UPSTREAM_DIR")
                .filter(|folder| !folder.is_empty())
                .map(PathBuf::from),
            cargo_home: cargo_home(),
            fetch: (!offline).then(|| (cargo, scratch.join("fetch"))),
        }
    }

    /// The archive of the package `name` at `version`, verified when `expected` names its
    /// SHA-256.
    ///
    /// # Errors
    /// [`Error::Checksum`] when only archives with another sum are found, [`Error::NotFound`]
    /// with all places tried when it is in none, [`Error::Io`] when one cannot be read.
    pub fn find(&self, name: &str, version: &str, expected: Option<&str>) -> Result<Vec<u8>> {
        let package = format!("{name}-{version}");
        let mut tried = Vec::new();
        match &self.override_dir {
            Some(folder) => {
                // A build script runs in the package's folder, not in the user's.
                if !folder.is_absolute() || !folder.is_dir() {
                    return Err(Error::Override(folder.clone()));
                }
                let path = folder.join(format!("{package}.crate"));
                if path.is_file() {
                    // The user named this folder: a wrong archive there is never passed over.
                    return verified(path, expected);
                }
                tried.push(format!("{} (MYCELIUM_UPSTREAM_DIR)", path.display()));
            }
            None => tried.push("MYCELIUM_UPSTREAM_DIR (not set)".to_owned()),
        }
        // The wrong package in a cache may be a namesake of another registry: only when a
        // download does not bring the right one either is it told.
        let mut wrong = match self.cached(&package, expected, &mut tried)? {
            Cached::Right(found) => return Ok(found),
            Cached::Wrong(error) => Some(error),
            Cached::Nothing => None,
        };
        match &self.fetch {
            None => tried.push("a download (cargo is offline)".to_owned()),
            Some((cargo, scratch)) => {
                let outcome = fetch(cargo, scratch, name, version)?;
                match self.cached(&package, expected, &mut Vec::new())? {
                    Cached::Right(found) => return Ok(found),
                    Cached::Wrong(error) => wrong = Some(error),
                    Cached::Nothing => {}
                }
                tried.push(format!("`cargo info {name}@{version}`: {outcome}"));
            }
        }
        Err(wrong.unwrap_or(Error::NotFound { package, tried }))
    }

    /// Looks through the caches of all registries that cargo knows. With a sum to check, a
    /// mirror's archive is as good as any; without one, all have to agree.
    fn cached(
        &self,
        package: &str,
        expected: Option<&str>,
        tried: &mut Vec<String>,
    ) -> Result<Cached> {
        let Some(home) = &self.cargo_home else {
            tried.push("cargo's cache (no CARGO_HOME and no home folder)".to_owned());
            return Ok(Cached::Nothing);
        };
        let caches = home.join("registry").join("cache");
        let mut found = Cached::Nothing;
        for registry in fs::read_dir(&caches).into_iter().flatten().flatten() {
            let path = registry.path().join(format!("{package}.crate"));
            if !path.is_file() {
                continue;
            }
            found = match (verified(path, expected), found) {
                (Ok(bytes), _) if expected.is_some() => return Ok(Cached::Right(bytes)),
                (Ok(bytes), Cached::Right(other)) if bytes != other => {
                    return Err(Error::Archive {
                        package: package.to_owned(),
                        why: "several registries have one of this name, and they differ; put the \
                              right one into MYCELIUM_UPSTREAM_DIR"
                            .to_owned(),
                    });
                }
                (Ok(bytes), _) => Cached::Right(bytes),
                (Err(error), _) => Cached::Wrong(error),
            };
        }
        tried.push(format!("{}", caches.join("*").join(format!("{package}.crate")).display()));
        Ok(found)
    }
}

/// What the caches hold.
enum Cached {
    Right(Vec<u8>),
    /// Only archives with another sum; the last of them.
    Wrong(Error),
    Nothing,
}

fn verified(path: PathBuf, expected: Option<&str>) -> Result<Vec<u8>> {
    let bytes = fs::read(&path).map_err(Error::io(format_args!("reading {}", path.display())))?;
    if let Some(expected) = expected {
        let found = sha256(&bytes);
        if found != expected {
            return Err(Error::Checksum { archive: path, expected: expected.to_owned(), found });
        }
    }
    Ok(bytes)
}

/// The newest release of `name` that the registry knows; `None` when it cannot be asked.
pub fn newest(places: &Places, name: &str) -> Option<String> {
    let (cargo, scratch) = places.fetch.as_ref()?;
    let output = cargo_info(cargo, scratch, name).ok()?;
    let words = String::from_utf8(output.stdout).ok()?;
    // `version: 1.2.3`, with `(latest 1.2.4)` behind it where cargo chose an older one.
    let line = words.lines().find_map(|line| line.strip_prefix("version: "))?;
    let newest = line.split_once("(latest ").map_or(line, |(_, latest)| latest);
    newest.split([' ', ')']).next().map(str::to_owned)
}

/// Asks cargo to download one package, and returns what it had to say.
fn fetch(cargo: &OsString, scratch: &Path, name: &str, version: &str) -> Result<String> {
    let output = cargo_info(cargo, scratch, &format!("{name}@{version}"))?;
    if output.status.success() {
        return Ok("it reported success".to_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Ok(words.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// `cargo info`, which downloads the package it tells of.
fn cargo_info(cargo: &OsString, scratch: &Path, package: &str) -> Result<Output> {
    // A manifest of its own, so that cargo neither resolves the workspace around the target
    // folder nor finds this package patched there. Source replacement and proxies are
    // configuration, and still apply.
    crate::tree::write_if_changed(&scratch.join("Cargo.toml"), b"[workspace]\n")?;
    Command::new(cargo)
        .current_dir(scratch)
        .args(["info", "--quiet", "--color=never", package])
        // What the outer cargo set for this build is not meant for another one.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .output()
        .map_err(Error::io(format_args!("running {} info", Path::new(cargo).display())))
}

/// As cargo itself finds it.
fn cargo_home() -> Option<PathBuf> {
    let named = env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    named.or_else(|| Some(PathBuf::from(env::var_os(home)?).join(".cargo")))
}

/// Whether the cargo that runs this build was told to stay off the network.
///
/// `net.offline` reaches the cargo that we start, by configuration or environment. The flags
/// `--offline` and `--frozen` do not, so look at our parent's command line where that is easy: on
/// Linux. Elsewhere a build with the flag may start a download, which only a missing package
/// causes.
fn outer_cargo_is_offline() -> bool {
    #[cfg(target_os = "linux")]
    {
        let parent = std::os::unix::process::parent_id();
        let line = fs::read(format!("/proc/{parent}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0)
            .take_while(|word| word != b"--")
            .any(|word| word == b"--offline" || word == b"--frozen")
    }
    #[cfg(not(target_os = "linux"))]
    false
}
