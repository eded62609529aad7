//! The atomics and locks of `answer_hint` and `handoff`. Their model puts loom's in this place.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard};
