//! How a lane is made.

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
