//! What Mycelium changes in upstream, as data.
//!
//! `cargo vendor` copies a package's own folder and nothing beside it, so the patches cannot be
//! read from a neighbouring folder at build time: this crate embeds them, and the forked crates
//! take it as a build-dependency.
//!
//! The format is read by the `upstream` crate; UPSTREAM.md explains it.

/// The pins: which release of which upstream crate, its checksum, and the shadowed files
/// (`upstream.toml`).
pub const PINS: &str = include_str!("../upstream.toml");

/// Every patch, as `(crate, file name, TOML text)`, ordered by crate and then by file name.
pub const FILES: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/patches.rs"));
