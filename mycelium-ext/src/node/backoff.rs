//! How long to wait before the next attempt.

use std::time::Duration;

/// Pauses that double up to a bound. Each is drawn between a half and the whole of its step, so
/// that the nodes that lost the same peer do not come back all at once.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    step: Duration,
}

impl Backoff {
    pub(super) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max: max.max(min), step: min }
    }

    /// The next pause; `chance` is from 0 to 1.
    pub(super) fn pause(&mut self, chance: f64) -> Duration {
        let step = self.step;
        self.step = step.saturating_mul(2).min(self.max);
        step.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
    }

    /// Starts from the shortest again.
    pub(super) fn reset(&mut self) {
        self.step = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_millis(100);
    const MAX: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_up_to_the_bound() {
        let mut backoff = Backoff::new(MIN, MAX);
        let whole: Vec<u128> = (0..6).map(|_| backoff.pause(1.0).as_millis()).collect();
        assert_eq!(whole, [100, 200, 400, 800, 1000, 1000]);
    }

    #[test]
    fn a_pause_is_at_least_half_its_step() {
        let mut backoff = Backoff::new(MIN, MAX);
        assert_eq!(backoff.pause(0.0), MIN / 2);
        assert_eq!(backoff.pause(0.5), MIN * 3 / 2);
    }

    #[test]
    fn a_reset_starts_from_the_shortest() {
        let mut backoff = Backoff::new(MIN, MAX);
        for _ in 0..5 {
            let _ = backoff.pause(1.0);
        }
        backoff.reset();
        assert_eq!(backoff.pause(1.0), MIN);
    }
}
