//! Rate limits for what a peer that is not authenticated can have a node log: a burst of lines at
//! once, then one line per interval, which says how many were left out.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[doc(hidden)]
pub use tracing;

#[doc(hidden)]
pub use crate::{limited_error, limited_info, limited_warn};

/// How long a burst lasts, and how far apart the lines behind it are.
const INTERVAL: Duration = Duration::from_secs(10);

/// Lines at once for one place in the code.
const BURST: u32 = 8;

/// The limit of one kind of line: eight at once, and then one every ten seconds.
#[derive(Debug)]
pub struct LineLimit(Mutex<Window>);

#[derive(Debug)]
struct Window {
    began: Option<Instant>,
    left: u32,
    suppressed: u64,
}

impl Default for LineLimit {
    fn default() -> Self {
        Self::new()
    }
}

impl LineLimit {
    /// With nothing logged so far.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Window { began: None, left: 0, suppressed: 0 }))
    }

    /// Whether a line may be logged now: how many were left out since the last one.
    #[must_use]
    pub fn permit(&self) -> Option<u64> {
        self.permit_at(Instant::now(), BURST)
    }

    /// The same, at this time, and with so many lines at once.
    #[must_use]
    pub fn permit_at(&self, now: Instant, burst: u32) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over =
            window.began.is_none_or(|began| now.saturating_duration_since(began) >= INTERVAL);
        if is_over {
            // While the flood goes on there is one line per interval.
            window.left = if window.suppressed > 0 { 1 } else { burst.max(1) };
            window.began = Some(now);
        }
        if window.left == 0 {
            window.suppressed += 1;
            return None;
        }
        window.left -= 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

/// As `tracing::info!`, with a limit of its own for each place in the code.
#[macro_export]
#[doc(hidden)]
macro_rules! limited_info {
    ($($line:tt)*) => {{
        static LIMIT: $crate::log_limit::LineLimit = $crate::log_limit::LineLimit::new();
        if let Some(suppressed) = LIMIT.permit() {
            $crate::log_limit::tracing::info!(suppressed, $($line)*);
        }
    }};
}

/// As `tracing::warn!`, with a limit of its own for each place in the code.
#[macro_export]
#[doc(hidden)]
macro_rules! limited_warn {
    ($($line:tt)*) => {{
        static LIMIT: $crate::log_limit::LineLimit = $crate::log_limit::LineLimit::new();
        if let Some(suppressed) = LIMIT.permit() {
            $crate::log_limit::tracing::warn!(suppressed, $($line)*);
        }
    }};
}

/// As `tracing::error!`, with a limit of its own for each place in the code.
#[macro_export]
#[doc(hidden)]
macro_rules! limited_error {
    ($($line:tt)*) => {{
        static LIMIT: $crate::log_limit::LineLimit = $crate::log_limit::LineLimit::new();
        if let Some(suppressed) = LIMIT.permit() {
            $crate::log_limit::tracing::error!(suppressed, $($line)*);
        }
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_burst_and_then_a_line_an_interval_with_the_count() {
        let limit = LineLimit::new();
        let start = Instant::now();
        let lines = (0..1000).filter_map(|_| limit.permit_at(start, 3)).count();
        assert_eq!(lines, 3);
        assert_eq!(limit.permit_at(start + INTERVAL, 3), Some(997));
        assert_eq!(limit.permit_at(start + INTERVAL, 3), None);
        assert_eq!(limit.permit_at(start + 2 * INTERVAL, 3), Some(1));
        // After a quiet interval there is a burst again.
        for _ in 0..3 {
            assert_eq!(limit.permit_at(start + 4 * INTERVAL, 3), Some(0));
        }
        assert_eq!(limit.permit_at(start + 4 * INTERVAL, 3), None);
    }
}
