//! What happened in a simulation, and when in virtual time.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// What happened in a simulation, in order.
///
/// Connections, frames, sessions, faults, and what the hosts [record](crate::Host::record) are
/// events. Two runs of one seed have the same events at the same virtual times.
#[derive(Clone, Default)]
pub struct Trace(Arc<Mutex<Vec<Event>>>);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The virtual time since the simulation began.
    pub at: Duration,
    /// The host that it happened on; empty for a fault of the simulation's own.
    pub host: String,
    /// What it was.
    pub what: String,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12.6} {:<8} {}", self.at.as_secs_f64(), self.host, self.what)
    }
}

impl Trace {
    fn locked(&self) -> MutexGuard<'_, Vec<Event>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an event of a host that runs.
    pub(crate) fn note(&self, host: &str, what: fmt::Arguments<'_>) {
        self.note_at(turmoil::sim_elapsed().unwrap_or_default(), host, what);
    }

    pub(crate) fn note_at(&self, at: Duration, host: &str, what: fmt::Arguments<'_>) {
        self.locked().push(Event { at, host: host.to_owned(), what: what.to_string() });
    }

    /// The events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.locked().clone()
    }

    /// A hash of all events, with their virtual times and the bytes of frames.
    ///
    /// Two runs of one seed and one program have the same, in one process or in several.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        for Event { at, host, what } in self.locked().iter() {
            hash.update(at.as_nanos().to_be_bytes());
            for text in [host, what] {
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
        }
        Digest(hash.finalize().into())
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({} events)", self.locked().len())
    }
}

/// All events first to last, one a line.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.locked().iter().try_for_each(|event| writeln!(f, "{event}"))
    }
}

/// What tells one run from another: see [`Trace::digest`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..8].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A short hash of a frame's bytes.
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    u64::from_be_bytes(hash[..8].try_into().expect("eight of them"))
}
