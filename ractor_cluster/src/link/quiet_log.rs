//! Rate limits for what a peer that is not authenticated can have a node log: per cause of a
//! refusal, and per place in the code.

use std::time::Instant;

use mycelium_transport::log_limit::LineLimit;
pub(crate) use mycelium_transport::log_limit::{limited_error, limited_info, limited_warn};

use super::refusal::{self, Refusal};

/// The limits of the lines about refusals: one limit per cause.
#[derive(Debug)]
pub(crate) struct RefusalLog {
    burst: u32,
    causes: [LineLimit; refusal::CAUSES],
    channels: LineLimit,
}

impl RefusalLog {
    /// With so many lines at once for one cause.
    pub(crate) const fn new(burst: u32) -> Self {
        let causes = [const { LineLimit::new() }; refusal::CAUSES];
        Self { burst, causes, channels: LineLimit::new() }
    }

    /// Whether a line may be logged of a peer that sees another kind of channel: how many were left
    /// out before it.
    pub(crate) fn another_channel(&self) -> Option<u64> {
        self.channels.permit_at(Instant::now(), self.burst)
    }

    /// Whether a line may be logged of a refusal for this: how many were left out before it.
    pub(crate) fn permits(&self, cause: Refusal) -> Option<u64> {
        let burst = if cause == Refusal::Displaced { 1 } else { self.burst };
        self.causes[refusal::index(cause)].permit_at(Instant::now(), burst)
    }
}

/// Stands in for `tracing` where an unauthenticated peer can cause each line.
pub(crate) mod limited {
    pub(crate) use super::{limited_error as error, limited_info as info, limited_warn as warn};
    pub(crate) use ::tracing::debug;
}
