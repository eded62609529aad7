//! A small upstream, made up for the tests.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use upstream::Tree;
use upstream::archive::sha256;
use upstream::fork::Fork;

/// The sources of `demo` 1.0.0.
pub(crate) fn stock() -> Tree {
    let mut tree = Tree::default();
    tree.insert("Cargo.toml", "[package]\nname = \"demo\"\nversion = \"1.0.0\"\n");
    tree.insert("src/lib.rs", LIB);
    tree.insert("src/engine.rs", ENGINE);
    tree.insert("src/engine/valve.rs", VALVE);
    tree.insert("src/engine/pump.rs", "//! Pumps.\n\n/// Pumps.\npub fn pump() -> u8 { 3 }\n");
    tree.insert(
        "src/wire.proto",
        "syntax = \"proto3\";\nmessage Frame { oneof kind { A a = 1; } }\n",
    );
    tree
}

const LIB: &str = r#"//! A demonstration.
//!
//! With two lines of words.
#![warn(missing_docs)]

pub mod engine;

pub use engine::Engine;
"#;

const ENGINE: &str = r#"//! Engines.

pub mod pump;
pub mod valve;

/// An engine.
#[derive(Debug)]
pub struct Engine {
    speed: u32,
    running: bool
}

/// What it does.
pub enum Mode {
    /// Nothing.
    Idle,
    /// Something.
    Busy { load: u8 },
}

impl Engine {
    /// Starts.
    pub fn start(&mut self, speed: u32) -> bool {
        if self.running {
            return false;
        }
        self.speed = speed;
        self.running = true;
        log!(start => speed, stop => 0, again => speed);
        true
    }

    #[cfg(feature = "fast")]
    fn limit(&self) -> u32 {
        1000
    }

    #[cfg(not(feature = "fast"))]
    fn limit(&self) -> u32 {
        10
    }
}

fn helper() -> u32 {
    41 + 1
}
"#;

const VALVE: &str = r#"//! Valves.

/// Opens.
pub(crate) fn open() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::open;

    #[test]
    fn opens() {
        assert!(open());
    }
}
"#;

/// A `.crate` archive of `tree`, as `demo` at `version`.
pub(crate) fn pack(tree: &Tree, version: &str) -> Vec<u8> {
    pack_as(&format!("demo-{version}"), tree)
}

/// A `.crate` archive of `tree`, as `package` (`name-version`).
pub(crate) fn pack_as(package: &str, tree: &Tree) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (file, content) in tree.iter() {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, format!("{package}/{file}"), content).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// An archive with one entry whose path is written as it is, however wrong.
pub(crate) fn pack_raw(path: &str, kind: tar::EntryType) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_cksum();
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(header.as_bytes()).unwrap();
    gz.write_all(&[0; 1024]).unwrap();
    gz.finish().unwrap()
}

/// Pins of `demo` 1.0.0 with these `shadows` lines.
pub(crate) fn pins(shadows: &str) -> String {
    let sum = sha256(&pack(&stock(), "1.0.0"));
    format!(
        "[crates.demo]\nversion = \"1.0.0\"\nsha256 = \"{sum}\"\n[crates.demo.shadows]\n{shadows}"
    )
}

/// The fork of `demo` with one patch of these edits.
pub(crate) fn fork(edits: &str) -> upstream::Result<Fork> {
    let patch = format!("title = \"T\"\nwhy = \"W\"\n{edits}");
    Fork::load(&pins(""), &[("demo", "0001-test.toml", &patch)])
}
