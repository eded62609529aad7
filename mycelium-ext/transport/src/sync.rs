//! What `expectation` and `loan` stand on; their model has that of loom in its place.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard};
