//! Which start of a node this is: what tells a process from the one that had its name before.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use mycelium_link::chance;

use super::locked::locked;

/// One start of a node server. Of two incarnations of one name, the one that started later is
/// greater.
///
/// The order is that of the wall clocks of the machines they started on, and random where these
/// agree. It says which of two is newer only as far as the clocks do: see
/// [`link`](crate::link#several-processes-of-one-name) for what a node makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation {
    /// Nanoseconds since 1970.
    started: u64,
    /// Random: two machines may start a node in the same nanosecond.
    tie: u64,
}

impl Incarnation {
    /// The bytes of one.
    pub(crate) const BYTES: usize = 16;

    /// A new one, which is greater than all others of this process.
    pub(crate) fn begin() -> Self {
        static LAST: Mutex<u64> = Mutex::new(0);
        let now = chance::wall_clock().duration_since(SystemTime::UNIX_EPOCH);
        let now = u64::try_from(now.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX);
        if chance::is_simulated() {
            // The process has hosts whose starts do not depend on each other.
            return Self { started: now, tie: chance::random() };
        }
        let mut last = locked(&LAST);
        *last = now.max(last.saturating_add(1));
        Self { started: *last, tie: chance::random() }
    }

    /// When it started, by the clock of its machine.
    #[must_use]
    pub fn started(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_nanos(self.started)
    }

    /// Its bytes, which are in the same order as incarnations are.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.started) << 64 | u128::from(self.tie)).to_be_bytes()
    }

    /// `None` when `bytes` are not those of one.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (started, tie) = bytes.split_at_checked(Self::BYTES / 2)?;
        let number = |bytes: &[u8]| Some(u64::from_be_bytes(bytes.try_into().ok()?));
        Some(Self { started: number(started)?, tie: number(tie)? })
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.started, self.tie)
    }
}

#[cfg(test)]
mod tests {
    use super::Incarnation;

    #[test]
    fn a_later_start_is_greater_and_its_bytes_are_its_own() {
        let (first, second) = (Incarnation::begin(), Incarnation::begin());
        assert!(first < second);
        assert_eq!(Incarnation::from_bytes(&first.to_bytes()), Some(first));
        assert_ne!(first.to_bytes(), second.to_bytes());
        for length in [0, 8, 15, 17] {
            assert_eq!(Incarnation::from_bytes(&vec![1; length]), None);
        }
        let greatest = Incarnation::from_bytes(&[0xff; 16]).expect("it is one");
        assert!(greatest > second);
        // Whatever a peer claims can be shown.
        _ = (greatest.started(), greatest.to_string());
    }
}
