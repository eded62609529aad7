//! Stock `ractor`, for comparisons.
//!
//! The workspace patches the name `ractor` to the fork, so that cargo cannot give a member the
//! registry's crate as well. This one is built from the same verified package by the same
//! build step, with no patch and no file of ours.
//!
//! Its tests are upstream's affair, and need what only upstream's repository has: as a test this
//! crate is empty.
#![cfg(not(test))]
#![allow(macro_expanded_macro_exports_accessed_by_absolute_paths)]

include!(concat!(env!("OUT_DIR"), "/upstream/src/lib.rs"));
