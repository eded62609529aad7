//! What `positions` stands on; its model has loom's in their place.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};
