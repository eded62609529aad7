//! Activity of a peer, noted as soon as bytes arrive: neither a session that is behind with its
//! messages, nor a frame that takes long, looks like silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Whether bytes came from the peer since it was asked last. Clones are one and the same.
#[derive(Debug, Clone, Default)]
pub struct Activity(Arc<AtomicU8>);

/// The two observers. Each finds the activity since it asked last: the rounds of silence,
/// and a probe in between.
const ROUND: u8 = 1;
const PROBE: u8 = 2;

impl Activity {
    /// Notes activity: bytes came from the peer.
    pub fn note(&self) {
        self.0.store(ROUND | PROBE, Ordering::Relaxed);
    }

    /// Whether there was activity since the last round, and begins the next.
    #[must_use]
    pub fn take(&self) -> bool {
        self.0.fetch_and(!ROUND, Ordering::Relaxed) & ROUND != 0
    }

    /// Begins a probe, beside the rounds.
    pub fn begin_probe(&self) {
        self.0.fetch_and(!PROBE, Ordering::Relaxed);
    }

    /// Whether there was activity since the probe began.
    #[must_use]
    pub fn since_probe(&self) -> bool {
        self.0.load(Ordering::Relaxed) & PROBE != 0
    }
}
