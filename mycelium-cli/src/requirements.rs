//! What the packages of a project ask for, as cargo reads their manifests.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

/// What one package asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// The package that asks.
    pub(crate) by: String,
    /// The crate that it asks for.
    pub(crate) name: String,
    /// The versions that it takes, as cargo writes them: `^0.16.5`.
    pub(crate) versions: String,
}

impl Requirement {
    /// Whether one version alone fits.
    pub(crate) fn is_exact(&self) -> bool {
        let exact = self.versions.strip_prefix('=').map(str::trim);
        exact.is_some_and(|version| {
            let (numbers, _) = version.split_once('-').unwrap_or((version, ""));
            numbers.split('.').count() == 3 && !version.contains([',', '*'])
        })
    }
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Member>,
}

#[derive(Debug, Deserialize)]
struct Member {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    req: String,
    /// `None` for a folder on disk.
    source: Option<String>,
}

/// What the packages of the workspace in `folder` ask a registry for. Runs `cargo metadata`, which
/// needs no network for this.
///
/// # Errors
/// A sentence with what cargo says.
pub(crate) fn read(folder: &Path) -> Result<Vec<Requirement>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Not in that folder: its toolchain file would have one installed.
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .output()
        .map_err(|error| format!("cargo does not run: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(said.trim().lines().next().unwrap_or("cargo metadata failed").to_owned());
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("what cargo metadata prints cannot be read: {error}"))?;
    let asked = metadata.packages.into_iter().flat_map(|member| {
        let from_registry = |it: &Dependency| {
            it.source.as_deref().is_some_and(|source| source.starts_with("registry+"))
        };
        let by = member.name;
        member.dependencies.into_iter().filter(from_registry).map(move |it| Requirement {
            by: by.clone(),
            name: it.name,
            versions: it.req,
        })
    });
    Ok(asked.collect())
}

#[cfg(test)]
mod tests {
    use super::Requirement;

    #[test]
    fn an_exact_requirement_has_three_numbers() {
        let exact = |versions: &str| {
            let (by, name) = Default::default();
            Requirement { by, name, versions: versions.to_owned() }.is_exact()
        };
        assert!(exact("=0.16.5") && exact("= 0.16.5") && exact("=0.16.5-rc.1"));
        for loose in ["^0.16.5", "~0.16.5", "=0.16", ">=0.16.5, <0.17", "*", "=0.16.*"] {
            assert!(!exact(loose), "{loose}");
        }
    }
}
