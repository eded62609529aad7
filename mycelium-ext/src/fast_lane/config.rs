//! How a lane is made.

use std::fmt;
use std::num::NonZeroUsize;

use ractor::actor::actor_config::Overflow;

/// The bound of a lane. By default 1024 messages, and the rest goes back to the sender.
///
/// ```
/// use mycelium_ext::fast_lane::LaneConfig;
/// use ractor::actor::actor_config::Overflow;
///
/// let newest_only = LaneConfig::bounded(1, Overflow::DropOldest);
/// assert_ne!(newest_only, LaneConfig::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LaneConfig {
    /// Messages that may wait. The batch that is being handled, at most as many, waits no more.
    pub capacity: NonZeroUsize,
    /// What becomes of a message that finds no room.
    pub overflow: Overflow,
}

impl LaneConfig {
    /// A lane of so many messages.
    ///
    /// # Panics
    /// When `capacity` is 0, since nothing could ever be sent.
    #[must_use]
    pub const fn bounded(capacity: usize, overflow: Overflow) -> Self {
        match NonZeroUsize::new(capacity) {
            Some(capacity) => Self { capacity, overflow },
            None => panic!("a lane has room for one message at least"),
        }
    }
}

impl Default for LaneConfig {
    fn default() -> Self {
        Self::bounded(1024, Overflow::Reject)
    }
}

/// What a full lane does: a policy of [`Overflow`] that lanes know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenFull {
    Reject,
    DropNewest,
    DropOldest,
}

/// The policies that lanes know.
pub(super) const POLICIES: [(Overflow, WhenFull); 3] = [
    (Overflow::Reject, WhenFull::Reject),
    (Overflow::DropNewest, WhenFull::DropNewest),
    (Overflow::DropOldest, WhenFull::DropOldest),
];

impl WhenFull {
    /// Finds a policy among `known`.
    pub(super) fn of(
        policy: Overflow,
        known: &[(Overflow, Self)],
    ) -> Result<Self, UnknownOverflow> {
        let found = known.iter().find(|(it, _)| *it == policy);
        found.map(|(_, when_full)| *when_full).ok_or(UnknownOverflow(policy))
    }
}

/// A lane was to have a policy that no lane has. Spawning fails with
/// [`SpawnErr::StartupFailed`](ractor::SpawnErr::StartupFailed), which holds this error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownOverflow(Overflow);

impl UnknownOverflow {
    /// The policy that the lane was to have.
    #[must_use]
    pub const fn policy(&self) -> Overflow {
        self.0
    }
}

impl fmt::Display for UnknownOverflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a fast lane has no overflow policy {:?}: choose one of", self.0)?;
        POLICIES.iter().try_for_each(|(policy, _)| write!(f, " {policy:?}"))?;
        f.write_str(", or give an ordinary actor a mailbox with it")
    }
}

impl std::error::Error for UnknownOverflow {}
