//! What the compiler says of exported sources, by file.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::Failure;

/// What came of compiling a workspace.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Compiled {
    /// Why the compiler was not run, if it was not.
    pub(crate) not_run: Option<String>,
    /// All errors, by file and line.
    pub(crate) errors: Vec<CompilerError>,
    /// The packages that the compiler did not get to, since one that they need has errors.
    pub(crate) not_reached: Vec<String>,
}

/// An error of the compiler.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct CompilerError {
    /// Relative to the repository where it is ours, else to the workspace that was compiled; the
    /// package's name for an error that is in no file.
    pub(crate) file: String,
    pub(crate) line: Option<usize>,
    /// As `E0277`, where it has one.
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    /// Whether the file is one that the fork adds or replaces.
    pub(crate) ours: bool,
}

impl Compiled {
    /// Whether every package compiles.
    pub(crate) fn is_sound(&self) -> bool {
        self.not_run.is_none() && self.errors.is_empty() && self.not_reached.is_empty()
    }
}

/// One line that cargo prints as JSON, as far as it is of use here.
#[derive(Debug, Deserialize)]
struct Line {
    reason: String,
    target: Option<Target>,
    message: Option<Message>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Message {
    level: String,
    message: String,
    code: Option<Code>,
    spans: Vec<Span>,
}

#[derive(Debug, Deserialize)]
struct Code {
    code: String,
}

#[derive(Debug, Deserialize)]
struct Span {
    file_name: String,
    line_start: usize,
    is_primary: bool,
}

/// Type-checks the `packages` of the workspace in `folder`, with `target` as cargo's target
/// folder. `home` gives the path in the repository of a file of ours, by its path in the workspace,
/// and nothing for a file of upstream's.
///
/// # Errors
/// Cargo does not start, or fails before it compiles one of the packages.
pub(crate) fn run(
    folder: &Path,
    target: &Path,
    packages: &[String],
    home: impl Fn(&str) -> Option<String>,
) -> Result<Compiled, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["check", "--lib", "--keep-going", "--quiet", "--message-format=json"]);
    command.args(packages.iter().map(|package| format!("--package={package}")));
    let output = command
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    let compiled = read(&String::from_utf8_lossy(&output.stdout), packages, home);
    // Without an error in a source file cargo's own words are all that there is.
    if !output.status.success() && compiled.errors.is_empty() {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(format!("the sources cannot be compiled: {words}").into());
    }
    Ok(compiled)
}

/// Reads what cargo prints while it compiles `packages`.
fn read(printed: &str, packages: &[String], home: impl Fn(&str) -> Option<String>) -> Compiled {
    let mut errors = BTreeSet::new();
    let mut reached = BTreeSet::new();
    // A line that is no JSON comes from a build script or a macro.
    for line in printed.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
        let target = line.target.map(|target| target.name).unwrap_or_default();
        if matches!(line.reason.as_str(), "compiler-artifact" | "compiler-message") {
            reached.insert(target.clone());
        }
        // A crash of the compiler has words of its own behind the level.
        let Some(message) = line.message.filter(|message| message.level.starts_with("error"))
        else {
            continue;
        };
        let place = message.spans.into_iter().find(|span| span.is_primary);
        // The closing line counts the others.
        if place.is_none() && message.message.starts_with("aborting due to") {
            continue;
        }
        let (file, line) = match place {
            Some(span) => (span.file_name, Some(span.line_start)),
            None => (target, None),
        };
        let home = home(&file);
        errors.insert(CompilerError {
            ours: home.is_some(),
            file: home.unwrap_or(file),
            line,
            code: message.code.map(|code| code.code),
            message: message.message,
        });
    }
    let not_reached = packages.iter().filter(|package| !reached.contains(*package)).cloned();
    Compiled {
        not_run: None,
        errors: errors.into_iter().collect(),
        not_reached: not_reached.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace of a crate with an error in two files, one that needs it, and one that does not.
    #[test]
    fn errors_are_told_by_file_and_what_was_not_reached_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut tree = upstream::Tree::default();
        tree.insert(
            "Cargo.toml",
            "[workspace]\nresolver = \"3\"\nmembers = [\"a\", \"b\", \"c\"]\n",
        );
        let package = |name: &str, more: &str| {
            format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2021\"\n{more}")
        };
        tree.insert("a/Cargo.toml", package("a", ""));
        tree.insert("a/src/lib.rs", "mod added;\n\npub fn f() -> u8 { \"\" }\n");
        tree.insert("a/src/added.rs", "pub fn g() {\n    let _: u8 = ();\n}\n");
        tree.insert("b/Cargo.toml", package("b", "[dependencies]\na = { path = \"../a\" }\n"));
        tree.insert("b/src/lib.rs", "");
        tree.insert("c/Cargo.toml", package("c", ""));
        tree.insert("c/src/lib.rs", "");
        tree.write(folder.path()).unwrap();
        let packages = ["a", "b", "c"].map(str::to_owned);
        let target = folder.path().join("target");
        let ours = |file: &str| (file == "a/src/added.rs").then(|| "home/added.rs".to_owned());

        let compiled = run(folder.path(), &target, &packages, ours).unwrap();

        let places: Vec<(&str, Option<usize>, Option<&str>, bool)> = compiled
            .errors
            .iter()
            .map(|e| (e.file.as_str(), e.line, e.code.as_deref(), e.ours))
            .collect();
        let expected = [
            ("a/src/lib.rs", Some(3), Some("E0308"), false),
            ("home/added.rs", Some(2), Some("E0308"), true),
        ];
        assert_eq!(places, expected);
        assert_eq!(compiled.not_reached, ["b"]);
        assert!(!compiled.is_sound());

        tree.insert("a/src/lib.rs", "mod added;\n");
        tree.insert("a/src/added.rs", "");
        tree.insert("b/src/lib.rs", "pub fn h() {}\n");
        tree.write(folder.path()).unwrap();
        assert!(run(folder.path(), &target, &packages, ours).unwrap().is_sound());

        tree.insert("c/Cargo.toml", "[package]\n");
        tree.write(folder.path()).unwrap();
        let error = run(folder.path(), &target, &packages, ours).unwrap_err().to_string();
        assert!(error.contains("c/Cargo.toml"), "{error}");
    }

    #[test]
    fn an_error_in_no_file_is_kept_and_the_closing_line_is_not() {
        let line = |level: &str, message: &str| {
            serde_json::json!({
                "reason": "compiler-message",
                "target": { "name": "a" },
                "message": { "level": level, "message": message, "code": null, "spans": [] },
            })
            .to_string()
        };
        let printed = [
            line("error", "the type is too deep"),
            line("error: internal compiler error", "it broke"),
            line("warning", "unused"),
            line("error", "aborting due to 2 previous errors"),
        ];
        let compiled = read(&printed.join("\n"), &["a".to_owned()], |_| None);
        let found: Vec<(&str, Option<usize>, &str)> =
            compiled.errors.iter().map(|e| (e.file.as_str(), e.line, e.message.as_str())).collect();
        assert_eq!(found, [("a", None, "it broke"), ("a", None, "the type is too deep")]);
    }
}
