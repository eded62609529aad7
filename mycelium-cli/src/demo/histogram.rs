//! Latencies.

use hdrhistogram::Histogram;

/// Latencies in nanoseconds, to three digits.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new(3).expect("three digits are possible"))
    }
}

impl Latencies {
    pub(crate) fn record(&mut self, nanoseconds: u64) {
        self.record_many(nanoseconds, 1);
    }

    fn record_many(&mut self, nanoseconds: u64, count: u64) {
        // A latency of hours has no place in a histogram; it is the largest that has.
        let within = nanoseconds.clamp(1, HIGHEST);
        self.0.record_n(within, count).expect("it grows as far as the highest");
    }

    /// What was recorded, as value and count.
    pub(crate) fn counts(&self) -> Vec<(u64, u64)> {
        self.0.iter_recorded().map(|it| (it.value_iterated_to(), it.count_at_value())).collect()
    }

    /// Adds what another process recorded.
    pub(crate) fn add(&mut self, counts: &[(u64, u64)]) {
        for (nanoseconds, count) in counts {
            self.record_many(*nanoseconds, *count);
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    /// The latency that this share of all does not exceed, in nanoseconds; `None` without any.
    pub(crate) fn percentile(&self, percent: f64) -> Option<u64> {
        (self.len() > 0).then(|| self.0.value_at_percentile(percent))
    }
}

/// An hour.
const HIGHEST: u64 = 3_600_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_carry_percentiles_to_another_process() {
        let mut here = Latencies::default();
        for latency in 1..=1000 {
            here.record(latency * 1000);
        }
        let mut there = Latencies::default();
        there.add(&here.counts());
        assert_eq!(there.len(), 1000);
        for percent in [50.0, 99.0, 99.9] {
            let (one, other) = (here.percentile(percent), there.percentile(percent));
            assert_eq!(one, other);
            let exact = percent * 10_000.0;
            let found = one.expect("there are some") as f64;
            assert!((found - exact).abs() / exact < 0.002, "{percent}: {found}");
        }
    }

    #[test]
    fn nothing_recorded_has_no_percentile_and_nothing_is_too_large() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(50.0), None);
        latencies.record(u64::MAX);
        latencies.record(0);
        assert_eq!(latencies.len(), 2);
    }
}
