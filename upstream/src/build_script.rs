//! What the `build.rs` of a forked crate does.

use std::env;
use std::path::{Path, PathBuf};
use std::process::exit;

use crate::fork::Fork;
use crate::locate::Places;
use crate::weave::Layout;
use crate::{Result, Tree};

/// Makes the forked sources of the package that is being built, in `OUT_DIR/upstream`, and
/// returns that folder.
///
/// `pins` and `patches` are those of the `patches` crate. When something does not fit, the
/// build stops here, with the error as cargo's own.
pub fn run(pins: &str, patches: &[(&str, &str, &str)]) -> PathBuf {
    println!("cargo::rerun-if-changed=src");
    let package = folder("CARGO_MANIFEST_DIR");
    let krate = env::var("CARGO_PKG_NAME").expect("cargo sets it");
    or_stop(|| make(&Fork::load(pins, patches)?, &krate, &our_sources(&package)?, &package))
}

/// Makes the stock sources of `krate` in `OUT_DIR/upstream`, with no patch and no file of ours:
/// to compare with.
pub fn run_stock(krate: &str, pins: &str) -> PathBuf {
    or_stop(|| {
        let mut fork = Fork::load(pins, &[])?;
        fork.pins.crates.values_mut().for_each(|pin| pin.shadows.clear());
        make(&fork, krate, &Tree::default(), Path::new(""))
    })
}

fn make(fork: &Fork, krate: &str, ours: &Tree, package: &Path) -> Result<PathBuf> {
    // Nothing in cargo's caches is watched: a file that went away there would rebuild for ever,
    // and what it held is pinned by its checksum.
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=MYCELIUM_UPSTREAM_DIR");
    let out = folder("OUT_DIR");
    let woven = out.join("upstream");
    let stock = fork.stock(krate, &Places::of_environment(&out))?;
    let layout = Layout::Apart { package, woven: &woven };
    fork.make(krate, &stock, ours, layout)?.write(&woven)?;
    Ok(woven)
}

/// The files below `src/` of the package in the folder `package`, by their path in it.
///
/// # Errors
/// A file that cannot be read.
pub fn our_sources(package: &Path) -> Result<Tree> {
    let mut ours = Tree::default();
    for (file, content) in Tree::read(&package.join("src"))?.iter() {
        ours.insert(format!("src/{file}"), content);
    }
    Ok(ours)
}

fn folder(variable: &str) -> PathBuf {
    env::var_os(variable).map(PathBuf::from).expect("cargo sets it for build scripts")
}

fn or_stop(make: impl FnOnce() -> Result<PathBuf>) -> PathBuf {
    make().unwrap_or_else(|error| {
        for line in error.to_string().lines() {
            println!("cargo::error={line}");
        }
        // Cargo fails the build for the lines above. Another status would make it print
        // everything that this script ever said, and bury them.
        exit(0)
    })
}
