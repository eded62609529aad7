//! Whether what a user's build compiles with a forked crate gets by with the Rust version that
//! the crate promises.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use semver::Version;
use serde::Deserialize;

use crate::Failure;

/// What `cargo metadata` prints, as far as it is of use here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    rust_version: Option<String>,
    /// `None` for a package of the workspace.
    source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
struct Kind {
    kind: Option<String>,
}

/// The packages of the lock file in `root` that a build of `krate` may compile, with all that
/// the workspace turns on, and that ask for a newer Rust than `krate` does.
pub(crate) fn complaints(root: &Path, krate: &str) -> Result<Vec<String>, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root)
        .args(["metadata", "--format-version=1", "--locked"])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    too_new(&serde_json::from_slice(&output.stdout)?, krate)
}

fn too_new(metadata: &Metadata, krate: &str) -> Result<Vec<String>, Failure> {
    let packages: BTreeMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let nodes: BTreeMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let ours = metadata
        .packages
        .iter()
        .find(|package| package.name == krate && package.source.is_none())
        .ok_or_else(|| format!("{krate} is no package of the workspace"))?;
    let promised = ours.rust_version.as_deref().ok_or("it has no `rust-version`")?;
    let limit = version(promised)?;
    let mut seen = BTreeSet::new();
    let mut waiting = vec![ours.id.as_str()];
    let mut complaints = Vec::new();
    while let Some(id) = waiting.pop() {
        let (true, Some(package), Some(node)) = (seen.insert(id), packages.get(id), nodes.get(id))
        else {
            continue;
        };
        if let Some(asked) = &package.rust_version {
            if version(asked)? > limit {
                complaints.push(format!(
                    "{} {} asks for Rust {asked}, and {krate} promises {promised}",
                    package.name, package.version
                ));
            }
        }
        // Crates that only tests need are compiled for tests alone.
        let compiled = node.deps.iter().filter(|dependency| {
            dependency.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev"))
        });
        waiting.extend(compiled.map(|dependency| dependency.pkg.as_str()));
    }
    Ok(complaints)
}

/// A `rust-version`, which may leave its last number out.
fn version(text: &str) -> Result<Version, Failure> {
    let full = if text.matches('.').count() < 2 { format!("{text}.0") } else { text.to_owned() };
    Ok(Version::parse(&full)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `fork` 1.85 builds with `old`, which needs `build` (of this Rust version) for its build
    /// script, and is tested with `test`, which is newer.
    fn metadata(build: &str) -> Metadata {
        let package = |name: &str, rust: &str, source: Option<&str>| {
            serde_json::json!({
                "id": name, "name": name, "version": "1.0.0", "rust_version": rust, "source": source,
            })
        };
        let node = |name: &str, needs: &[(&str, Option<&str>)]| {
            let deps: Vec<_> = needs
                .iter()
                .map(|(pkg, kind)| serde_json::json!({"pkg": pkg, "dep_kinds": [{"kind": kind}]}))
                .collect();
            serde_json::json!({"id": name, "deps": deps})
        };
        let registry = Some("registry");
        serde_json::from_value(serde_json::json!({
            "packages": [
                package("fork", "1.85", None),
                package("old", "1.60.0", registry),
                package("build", build, registry),
                package("test", "1.99", registry),
            ],
            "resolve": {"nodes": [
                node("fork", &[("old", None), ("test", Some("dev"))]),
                node("old", &[("build", Some("build"))]),
                node("build", &[]),
                node("test", &[]),
            ]},
        }))
        .expect("as cargo prints it")
    }

    #[test]
    fn what_a_build_compiles_is_compared_and_what_tests_need_is_not() {
        assert_eq!(too_new(&metadata("1.85.0"), "fork").unwrap(), Vec::<String>::new());
        assert_eq!(
            too_new(&metadata("1.85.1"), "fork").unwrap(),
            ["build 1.0.0 asks for Rust 1.85.1, and fork promises 1.85"]
        );
    }

    #[test]
    fn a_crate_that_is_not_in_the_workspace_is_told() {
        assert!(too_new(&metadata("1.85"), "old").is_err());
    }
}
