//! The application against stock, which is built outside of this workspace: here its name is
//! patched to the fork.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What both applications are made of.
const SHARED: [(&str, &str); 3] = [
    ("actors.rs", include_str!("actors.rs")),
    ("child.rs", include_str!("child.rs")),
    ("message.rs", include_str!("message.rs")),
];
/// What is stock's own.
const OWN: [(&str, &str); 2] = [
    ("main.rs", include_str!("stock/src/main.rs")),
    ("flavour.rs", include_str!("stock/src/flavour.rs")),
];
const MANIFEST: &str = include_str!("stock/Cargo.toml");

/// Builds it below the folder in which cargo builds, and returns the program. Cargo tells its
/// progress on standard error.
///
/// # Errors
/// What does not work.
pub(crate) fn build() -> Result<PathBuf, String> {
    let told = |error: std::io::Error| format!("the application for stock: {error}");
    let program = std::env::current_exe().map_err(told)?;
    // The bench is `target/PROFILE/deps/fan-…`.
    let target = program.ancestors().nth(3).ok_or("the bench has no folder")?;
    let folder = target.join("fan/stock");
    fs::create_dir_all(folder.join("src")).map_err(told)?;
    for (name, content) in SHARED.iter().chain(&OWN) {
        write(&folder.join("src").join(name), content).map_err(told)?;
    }
    write(&folder.join("Cargo.toml"), MANIFEST).map_err(told)?;
    // Both take the same releases of everything else.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    if let (false, Ok(lock)) = (folder.join("Cargo.lock").exists(), fs::read(workspace)) {
        fs::write(folder.join("Cargo.lock"), lock).map_err(told)?;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(told)?;
    if !status.success() {
        return Err(format!("the application for stock does not build: {status}"));
    }
    let lock = fs::read_to_string(folder.join("Cargo.lock")).map_err(told)?;
    if lock.contains("+mycelium") {
        return Err("the application for stock took the fork".to_owned());
    }
    Ok(folder.join("target/release/fan-stock"))
}

/// Writes a file that differs, so that cargo does not build again for nothing.
fn write(path: &Path, content: &str) -> std::io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|it| it == content) {
        return Ok(());
    }
    fs::write(path, content)
}
