//! Makes the forked crates out of upstream's packages and our difference.
//!
//! The repository holds no upstream text. A forked crate's `build.rs` calls
//! [`build_script::run`], which takes these steps:
//!
//! 1. [`locate`] finds the package of the pinned release, and checks its SHA-256;
//! 2. [`archive`] unpacks it into memory, as a [`Tree`];
//! 3. [`patch`] and [`edit`] change what the patches say, matched by tokens, or stop;
//! 4. [`weave`] puts our files in the place of those that they shadow, and makes the crate
//!    roots includable;
//! 5. the tree goes to `OUT_DIR`, where only files that differ are written.
//!
//! The `upstream` command, a crate of its own in `upstream/cli`, takes the same steps: it shows the
//! difference, exports it, and reports what a new release would break. This library has no
//! dependency that a build does not need.

pub mod address;
pub mod archive;
pub mod build_script;
pub mod edit;
mod error;
pub mod fork;
pub mod items;
pub mod locate;
pub mod patch;
pub mod pins;
mod proto;
mod section;
mod splice;
pub mod tokens;
mod tree;
pub mod weave;

pub use error::{Error, Result};
pub use tree::Tree;
