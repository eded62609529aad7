//! What happened in a simulation, and when in virtual time.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
        let mut hash = Hash::new();
        for Event { at, host, what } in self.locked().iter() {
            hash.add(&at.as_nanos().to_be_bytes());
            for text in [host, what] {
                hash.add(&text.len().to_be_bytes());
                hash.add(text.as_bytes());
            }
        }
        Digest(hash.0)
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
pub struct Digest(u64);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A hash of a frame's bytes.
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hash = Hash::new();
    hash.add(bytes);
    hash.0
}

/// FNV-1a: nobody has a reason to make two runs look the same, and builds for tests are slow.
struct Hash(u64);

impl Hash {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Trace, fingerprint};

    #[test]
    fn each_part_of_an_event_counts() {
        let digest = |millis, host, what: &str| {
            let trace = Trace::default();
            trace.note_at(Duration::from_millis(millis), host, format_args!("{what}"));
            trace.digest()
        };
        let one = digest(1, "a", "bend");
        assert_eq!(one, digest(1, "a", "bend"));
        let others = [digest(2, "a", "bend"), digest(1, "ab", "end"), digest(1, "a", "bends")];
        assert!(!others.contains(&one));
        // As the authors of the hash have it.
        assert_eq!(fingerprint(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
