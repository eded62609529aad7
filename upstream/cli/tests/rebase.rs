//! A whole rebase in small: a repository of two crates, and a release of their upstream whose
//! hooks have other names and parameters, and whose error is no longer `Sync`.

#[path = "../../tests/common/mod.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::pack_as;
use tempfile::TempDir;
use upstream::Tree;
use upstream::archive::sha256;
use upstream::fork::shadow_fingerprint;

const OLD: &str = "1.0.0";
const NEW: &str = "2.0.0";

/// The shadow, by its crate.
const SHADOW: &str = "pump/src/codec.rs";

/// Upstream's root, which calls the first hook by its name.
fn lib(pack: &str) -> String {
    format!(
        "//! Pumps.\n\npub mod codec;\npub mod errors;\npub mod jobs;\n\n/// Out.\n\
         pub fn out(value: impl codec::Codec) -> Vec<u8> {{\n    value.{pack}()\n}}\n"
    )
}

/// The three hooks of a trait, in the pinned release.
const HOOKS: &str = "
    /// Out.
    fn pack(self) -> Vec<u8>;
    /// In.
    fn unpack(bytes: Vec<u8>) -> Self;
    /// How long.
    fn size(&self) -> usize;
";

/// The same in the other release: two have other names, and one has another parameter.
const NEW_HOOKS: &str = "
    /// Out.
    fn to_wire(self) -> Vec<u8>;
    /// In.
    fn from_wire(bytes: Vec<u8>) -> Self;
    /// How long.
    fn size(&self, most: usize) -> usize;
";

/// An implementation of the hooks for the type that `head` names, of which `calls` are two names
/// and the parameters of the third.
fn implementation(head: &str, calls: [&str; 3]) -> String {
    let [pack, unpack, size] = calls;
    format!(
        "{head} {{
    fn {pack}(self) -> Vec<u8> {{
        vec![1]
    }}
    fn {unpack}(_bytes: Vec<u8>) -> Self {{
        Self::default()
    }}
    fn size({size}) -> usize {{
        1
    }}
}}
"
    )
}

/// A crate of ours beside the fork, which is built on one of the forked crates.
fn meter(most: &str) -> String {
    format!(
        "//! Meters.\n\n/// Measures.\npub fn measure(value: impl pump::codec::Codec) -> usize {{\n    \
         value.size({most})\n}}\n"
    )
}

const METER: &str = "beside/meter/src/lib.rs";

const CALLS: [&str; 3] = ["pack", "unpack", "&self"];
const NEW_CALLS: [&str; 3] = ["to_wire", "from_wire", "&self, _most: usize"];

/// Upstream's implementation, in a file that the fork leaves as it is.
const JOBS: &str = "//! Jobs.\n\nimpl crate::codec::Codec for u8";

/// Ours, in a file that the fork adds.
const FLAGS: &str = "//! Flags.\n\nimpl super::Codec for bool";

const ERRORS: &str = "//! Errors.
use std::fmt;

/// What came back.
pub struct Refused<T>(pub T);

impl<T> fmt::Debug for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(\"refused\")
    }
}

impl<T> fmt::Display for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(\"refused\")
    }
}

impl<T> std::error::Error for Refused<T> {}
";

/// What the other release no longer has.
const SYNC: &str =
    "\n// SAFETY: the value is never looked at.\nunsafe impl<T> Sync for Refused<T> {}\n";

/// What a file of ours has of upstream's error: it needs `Sync` for `?`.
const RELAY: &str = "//! Relays.
use std::error::Error;

use crate::errors::Refused;

/// Sends on.
pub fn relay<T: Send + 'static>(value: T) -> Result<(), Box<dyn Error + Send + Sync>> {
    Err(Refused(value))?
}
";

/// The same that needs it no longer.
const MENDED_RELAY: &str = "//! Relays.
use crate::errors::Refused;

/// Sends on.
pub fn relay<T: Send + 'static>(value: T) -> Result<(), Refused<T>> {
    Err(Refused(value))
}
";

/// Our trait in place of upstream's, with `hooks`.
fn shadow(hooks: &str) -> String {
    format!("//! Our codec.\n\npub mod flags;\n\n/// The hooks.\npub trait Codec {{{hooks}}}\n")
}

/// Upstream's crates: one that is forked and pinned, and one that needs it.
fn release(version: &str) -> Vec<(&'static str, Tree)> {
    let (hooks, calls, sync) =
        if version == OLD { (HOOKS, CALLS, SYNC) } else { (NEW_HOOKS, NEW_CALLS, "") };
    let manifest = |name: &str, more: &str| {
        format!(
            "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\n\n\
             [dependencies]\n{more}"
        )
    };
    let mut pump = Tree::default();
    // A crate that has the version of the old release, and none of the new one.
    pump.insert("Cargo.toml", manifest("pump", &format!("cfg-if = \"{OLD}\"\n")));
    pump.insert("src/lib.rs", lib(calls[0]));
    pump.insert("src/codec.rs", format!("//! Codec.\n\n/// Hooks.\npub trait Codec {{{hooks}}}\n"));
    pump.insert("src/errors.rs", format!("{ERRORS}{sync}"));
    pump.insert("src/jobs.rs", implementation(JOBS, calls));
    let mut plant = Tree::default();
    plant.insert("Cargo.toml", manifest("plant", &format!("pump = \"{version}\"\n")));
    plant.insert("src/lib.rs", "//! Plants.\n\npub use pump::codec::Codec;\n");
    vec![("pump", pump), ("plant", plant)]
}

/// The repository, and the archives of both releases.
struct Fork {
    folder: TempDir,
}

impl Fork {
    fn new() -> Self {
        let fork = Self { folder: TempDir::new().unwrap() };
        let mut pins = String::new();
        for version in [OLD, NEW] {
            for (name, tree) in release(version) {
                let package = format!("{name}-{version}");
                let bytes = pack_as(&package, &tree);
                fork.write(&format!("archives/{package}.crate"), &bytes);
                if version == NEW {
                    continue;
                }
                let sum = sha256(&bytes);
                pins += &format!("[crates.{name}]\nversion = \"{OLD}\"\nsha256 = \"{sum}\"\n");
                if name == "pump" {
                    let pinned = shadow_fingerprint(&tree, "src/codec.rs").unwrap();
                    pins += &format!("[crates.pump.shadows]\n\"src/codec.rs\" = \"{pinned}\"\n");
                }
                if name == "plant" {
                    pins += "[crates.plant.manifest]\n\"dependencies.meter\" = \"ours\"\n";
                }
            }
        }
        fork.write("repository/patches/upstream.toml", pins.as_bytes());
        let seam = "title = \"Relays\"\nwhy = \"A seam\"\n[[edit]]\nfile = \"src/lib.rs\"\n\
                    item = \"mod errors\"\nop = \"insert-after\"\ncode = \"pub mod relay;\"\n";
        fork.write("repository/patches/pump/0001-relay.toml", seam.as_bytes());
        let siblings = "pump.workspace = true\nmeter.workspace = true\n".to_owned();
        for (name, needs) in [("pump", format!("cfg-if = \"{OLD}\"\n")), ("plant", siblings)] {
            let manifest = format!(
                "[package]\nname = \"{name}\"\nversion = \"{OLD}+mycelium.1\"\nedition = \"2021\"\n\n\
                 [dependencies]\n{needs}"
            );
            fork.write(&format!("repository/{name}/Cargo.toml"), manifest.as_bytes());
            let root = "include!(concat!(env!(\"OUT_DIR\"), \"/upstream/src/lib.rs\"));\n";
            fork.write(&format!("repository/{name}/src/lib.rs"), root.as_bytes());
        }
        let manifest = "[package]\nname = \"meter\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n\
                        [dependencies]\npump.workspace = true\n";
        fork.ours("beside/meter/Cargo.toml", manifest);
        fork.ours(METER, &meter(""));
        fork.ours(SHADOW, &shadow(HOOKS));
        fork.ours("pump/src/codec/flags.rs", &implementation(FLAGS, CALLS));
        fork.ours("pump/src/relay.rs", RELAY);
        // The workspace around them is this one, with its lock file: nothing has to be fetched.
        let this = root();
        for file in ["Cargo.lock", "LICENSE", "upstream/Cargo.toml"] {
            fork.write(&format!("repository/{file}"), &fs::read(this.join(file)).unwrap());
        }
        let workspace = fs::read_to_string(this.join("Cargo.toml")).unwrap();
        let siblings = format!(
            "[workspace.dependencies]\npump = \"={OLD}\"\nmeter = {{ path = \"beside/meter\" }}\n"
        );
        let workspace = workspace.replacen("[workspace.dependencies]\n", &siblings, 1);
        fork.write("repository/Cargo.toml", workspace.as_bytes());
        fork
    }

    fn write(&self, file: &str, content: &[u8]) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Writes a file of ours.
    fn ours(&self, file: &str, text: &str) {
        self.write(&format!("repository/{file}"), text.as_bytes());
    }

    /// Tries the other release.
    fn rebase(&self, more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_upstream"))
            .current_dir(self.folder.path().join("repository"))
            .args(["rebase", NEW, "--dry-run"])
            .args(more)
            .env("MYCELIUM_UPSTREAM_DIR", self.folder.path().join("archives"))
            .env("CARGO_NET_OFFLINE", "true")
            .output()
            .unwrap()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// The report, which has to say these lines in this order; of one that ends in `…` the beginning,
/// since words and counts are the compiler's.
fn assert_says(output: &Output, status: i32, lines: &[&str]) {
    let report = String::from_utf8_lossy(&output.stdout);
    let all = format!("{report}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{all}");
    let mut rest = report.lines();
    for line in lines {
        let says = |said: &str| match line.strip_suffix('…') {
            Some(start) => said.starts_with(start),
            None => said == *line,
        };
        assert!(rest.any(says), "{line:?} is not there, or too early:\n{all}");
    }
}

#[test]
fn a_rebase_goes_from_conflicts_over_the_compilers_errors_to_a_fit() {
    let fork = Fork::new();

    // Our trait is the old one, and upstream's types have the new hooks.
    let report = fork.folder.path().join("report.json");
    let output = fork.rebase(&["--report", report.to_str().unwrap()]);
    let lines = [
        "conflicts",
        "  pump/src/codec.rs",
        "      -    fn pack(self) -> Vec<u8>;",
        "      +    fn to_wire(self) -> Vec<u8>;",
        "      +    fn size(&self, most: usize) -> usize;",
        "applies",
        "  pump/0001-relay.toml, edit 1: src/lib.rs, mod errors",
        "compiler",
        "  pump/src/relay.rs (ours): …",
        "  pump/src/jobs.rs (upstream's, patched): …",
        "      line 4: E0407: …",
        "  pump/src/lib.rs (upstream's, patched): …",
        "  plant was not compiled: what it needs has errors",
        "summary",
        "  conflicts  pump/src/codec.rs: upstream changed the file that ours replaces",
        "  compiler   pump/src/relay.rs (ours): …",
        "  compiler   pump/src/jobs.rs (upstream's, patched): …",
        "  compiler   plant was not compiled",
        "2.0.0: 1 apply, 0 apply in a changed context, 0 moved, 1 conflict",
    ];
    assert_says(&output, 1, &lines);
    let json: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert_eq!(json["result"], "conflicts");
    assert_eq!(json["compiler"]["not_reached"], serde_json::json!(["plant"]));
    let errors = json["compiler"]["errors"].as_array().unwrap();
    let ours: Vec<&serde_json::Value> =
        errors.iter().filter(|error| error["ours"] == true).map(|error| &error["code"]).collect();
    assert_eq!(ours, ["E0277"], "the lost bound: {errors:#?}");

    // The shadow is merged; what implements its hooks is not.
    fork.ours(SHADOW, &shadow(NEW_HOOKS));
    let output = fork.rebase(&["--accept", SHADOW]);
    let lines = [
        "applies",
        "  pump/src/codec.rs",
        "compiler",
        "  pump/src/codec/flags.rs (ours): …",
        "      line 4: E0407: …",
        "  pump/src/relay.rs (ours): …",
        "summary",
        "  compiler   pump/src/codec/flags.rs (ours): …",
        "  compiler   pump/src/relay.rs (ours): …",
        "  compiler   plant was not compiled",
        "2.0.0: 2 apply, 0 apply in a changed context, 0 moved, 0 conflict",
    ];
    assert_says(&output, 1, &lines);

    fork.ours("pump/src/codec/flags.rs", &implementation(FLAGS, NEW_CALLS));
    fork.ours("pump/src/relay.rs", MENDED_RELAY);
    let output = fork.rebase(&["--accept", SHADOW]);
    let lines = [
        "compiler",
        "  beside/meter/src/lib.rs (ours): …",
        "  plant was not compiled: what it needs has errors",
        "summary",
        "  compiler   beside/meter/src/lib.rs (ours): …",
    ];
    assert_says(&output, 1, &lines);

    fork.ours(METER, &meter("1"));
    let output = fork.rebase(&["--accept", SHADOW]);
    let last = "2.0.0: 2 apply, 0 apply in a changed context, 0 moved, 0 conflict";
    assert_says(&output, 0, &["compiler: no errors", "summary", last]);
}

#[test]
fn a_shadow_to_accept_that_there_is_not_is_refused() {
    let fork = Fork::new();
    let output = fork.rebase(&["--no-compile", "--accept", "pump/src/codes.rs"]);
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("--accept pump/src/codes.rs: no shadow") && words.contains(SHADOW));
}
