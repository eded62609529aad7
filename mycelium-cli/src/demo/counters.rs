//! What this process did to ticks that an `Arc` would have spared it.

use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

static COPIES: AtomicU64 = AtomicU64::new(0);
static SERIALISED: AtomicU64 = AtomicU64::new(0);
static SERIALISED_BYTES: AtomicU64 = AtomicU64::new(0);
static DECODED: AtomicU64 = AtomicU64::new(0);
static DECODED_BYTES: AtomicU64 = AtomicU64::new(0);

/// The counts of this process since it started, or the difference of two such.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counters {
    /// Ticks cloned.
    pub(crate) copies: u64,
    /// Ticks made into bytes, and how many bytes.
    pub(crate) serialised: u64,
    pub(crate) serialised_bytes: u64,
    /// Ticks made out of bytes, and how many bytes.
    pub(crate) decoded: u64,
    pub(crate) decoded_bytes: u64,
}

impl Counters {
    /// The counts now. Taken while ticks are under way they need not fit each other.
    pub(crate) fn now() -> Self {
        Self {
            copies: COPIES.load(Relaxed),
            serialised: SERIALISED.load(Relaxed),
            serialised_bytes: SERIALISED_BYTES.load(Relaxed),
            decoded: DECODED.load(Relaxed),
            decoded_bytes: DECODED_BYTES.load(Relaxed),
        }
    }
}

impl Sub for Counters {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            copies: self.copies - earlier.copies,
            serialised: self.serialised - earlier.serialised,
            serialised_bytes: self.serialised_bytes - earlier.serialised_bytes,
            decoded: self.decoded - earlier.decoded,
            decoded_bytes: self.decoded_bytes - earlier.decoded_bytes,
        }
    }
}

pub(crate) fn count_copy() {
    COPIES.fetch_add(1, Relaxed);
}

pub(crate) fn count_serialised(bytes: usize) {
    SERIALISED.fetch_add(1, Relaxed);
    SERIALISED_BYTES.fetch_add(bytes as u64, Relaxed);
}

pub(crate) fn count_decoded(bytes: usize) {
    DECODED.fetch_add(1, Relaxed);
    DECODED_BYTES.fetch_add(bytes as u64, Relaxed);
}
