//! The pins: which upstream release of each crate, and which of its files we replace.

use std::collections::BTreeMap;

use crate::section::Section;
use crate::{Error, Result};

/// `patches/upstream.toml`.
#[derive(Debug, Clone)]
pub struct Pins {
    /// By crate name.
    pub crates: BTreeMap<String, Pin>,
}

/// One pinned upstream package.
#[derive(Debug, Clone)]
pub struct Pin {
    /// The release, exactly.
    pub version: String,
    /// SHA-256 of its `.crate` archive, in lower-case hexadecimal.
    pub sha256: String,
    /// Fingerprint of each upstream file that a file of ours replaces, by path.
    pub shadows: BTreeMap<String, String>,
    /// Where our manifest differs from upstream's on purpose, and why, by the path that
    /// `cargo upstream check` prints.
    pub manifest: BTreeMap<String, String>,
    /// Upstream's tests that do not run on the fork, as `file :: item`, and the test of ours that
    /// covers what each of them pinned.
    pub retired: BTreeMap<String, String>,
}

impl Pins {
    /// Reads the pins.
    ///
    /// # Errors
    /// Text that is not TOML, unknown or missing keys, or an invalid checksum.
    pub fn parse(text: &str) -> Result<Self> {
        let pins = Self::read(text).map_err(Error::Pins)?;
        for (name, pin) in &pins.crates {
            let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            if pin.sha256.len() != 64 || !pin.sha256.chars().all(hex) {
                return Err(Error::Pins(format!(
                    "crates.{name}.sha256 must be 64 lower-case hexadecimal digits, and is {:?}",
                    pin.sha256
                )));
            }
        }
        Ok(pins)
    }

    fn read(text: &str) -> Result<Self, String> {
        let mut file = Section::parse(text, &["crates"])?;
        let crates = file.required_section("crates")?.tables()?;
        let read = |(name, table)| Ok((name, Pin::read(table)?));
        Ok(Self { crates: crates.into_iter().map(read).collect::<Result<_, String>>()? })
    }

    /// The pin of the crate `name`.
    ///
    /// # Errors
    /// [`Error::UnknownCrate`], saying that `wanted_by` asked for it.
    pub fn get(&self, name: &str, wanted_by: &str) -> Result<&Pin> {
        self.crates.get(name).ok_or_else(|| Error::UnknownCrate {
            name: name.to_owned(),
            wanted_by: wanted_by.to_owned(),
            known: self.crates.keys().cloned().collect(),
        })
    }
}

impl Pin {
    fn read(table: Section<'_>) -> Result<Self, String> {
        let mut table = table.only(&["version", "sha256", "shadows", "manifest", "retired"])?;
        Ok(Self {
            version: table.required("version")?,
            sha256: table.required("sha256")?,
            shadows: table.section("shadows")?.texts()?,
            manifest: table.section("manifest")?.texts()?,
            retired: table.section("retired")?.texts()?,
        })
    }
}
