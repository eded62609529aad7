//! What one contender did once, and the middle of several.

use std::str::FromStr;

use super::Failure;
use super::case::{Case, Work};

/// What the near process answers; times in nanoseconds.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) messages: f64,
    elapsed: f64,
    near_cpu: f64,
    far_cpu: f64,
    /// The median, 99 % and 99.9 % of the calls.
    quantiles: Vec<f64>,
}

impl FromStr for Sample {
    type Err = Failure;

    fn from_str(line: &str) -> Result<Self, Failure> {
        let numbers = line.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        let [messages, elapsed, near_cpu, far_cpu, quantiles @ ..] = numbers.as_slice() else {
            return Err(format!("no figures: {line}").into());
        };
        if *messages < 1.0 {
            return Err("no message was delivered".into());
        }
        Ok(Self {
            messages: *messages,
            elapsed: *elapsed,
            near_cpu: *near_cpu,
            far_cpu: *far_cpu,
            quantiles: quantiles.to_vec(),
        })
    }
}

/// What is told of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    P50,
    P99,
    P999,
    Each,
    PerSecond,
    Megabytes,
    NearCpu,
    FarCpu,
    /// Of both processes.
    Cpu,
    /// How much of a core both processes take.
    Core,
}

impl Figure {
    /// Those of a case.
    pub(super) fn of(case: Case) -> &'static [Self] {
        match case.work {
            Work::Call | Work::RawCall => {
                &[Self::P50, Self::P99, Self::P999, Self::NearCpu, Self::FarCpu, Self::Cpu]
            }
            Work::Cast | Work::Raw => {
                &[Self::PerSecond, Self::Megabytes, Self::NearCpu, Self::FarCpu, Self::Cpu]
            }
            Work::FanOut(_) => &[Self::Each, Self::NearCpu, Self::FarCpu, Self::Cpu],
            Work::Idle => &[Self::Core],
        }
    }

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::P50 => "p50, µs",
            Self::P99 => "p99, µs",
            Self::P999 => "p99.9, µs",
            Self::Each => "each, µs",
            Self::PerSecond => "k messages/s",
            Self::Megabytes => "MB/s",
            Self::NearCpu => "CPU near, µs",
            Self::FarCpu => "CPU far, µs",
            Self::Cpu => "CPU both, µs",
            Self::Core => "of a core, %",
        }
    }

    /// Whether the claim is about it: tails are for reading, and processor time is no time.
    pub(super) fn is_claimed(self) -> bool {
        matches!(self, Self::P50 | Self::Each | Self::PerSecond)
    }

    /// Whether more is better.
    fn is_rate(self) -> bool {
        matches!(self, Self::PerSecond | Self::Megabytes)
    }

    pub(super) fn value(self, case: Case, sample: &Sample) -> f64 {
        let quantile = |index: usize| sample.quantiles.get(index).map_or(f64::NAN, |it| it / 1e3);
        let second = sample.messages / sample.elapsed * 1e9;
        match self {
            Self::P50 => quantile(0),
            Self::P99 => quantile(1),
            Self::P999 => quantile(2),
            Self::Each => sample.elapsed / sample.messages / 1e3,
            Self::PerSecond => second / 1e3,
            Self::Megabytes => second * case.payload as f64 / 1e6,
            Self::NearCpu => sample.near_cpu / sample.messages / 1e3,
            Self::FarCpu => sample.far_cpu / sample.messages / 1e3,
            Self::Cpu => (sample.near_cpu + sample.far_cpu) / sample.messages / 1e3,
            Self::Core => (sample.near_cpu + sample.far_cpu) / sample.elapsed * 100.0,
        }
    }

    /// What `one` needs, divided by what `other` needs, of its case: above 1 the other is better.
    pub(super) fn ratio(self, one: (Case, &Sample), other: (Case, &Sample)) -> f64 {
        let ratio = self.value(one.0, one.1) / self.value(other.0, other.1);
        if self.is_rate() { 1.0 / ratio } else { ratio }
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Sample};
    use crate::distance::case::{Case, Work};

    #[test]
    fn figures_are_per_message() {
        let sample: Sample = "1000 2000000 500000 1500000".parse().unwrap();
        let case = Case::of(Work::Cast, 64);
        let value = |figure: Figure| figure.value(case, &sample);
        assert_eq!(value(Figure::PerSecond), 500.0);
        assert_eq!(value(Figure::Megabytes), 32.0);
        assert_eq!(value(Figure::Each), 2.0);
        assert_eq!(value(Figure::NearCpu), 0.5);
        assert_eq!(value(Figure::FarCpu), 1.5);
        assert_eq!(value(Figure::Cpu), 2.0);
        assert_eq!(value(Figure::Core), 100.0);
    }

    #[test]
    fn a_ratio_above_one_is_in_favour_of_the_second() {
        let case = Case::of(Work::Cast, 64);
        let slow: Sample = "1000 4000 10 10".parse().unwrap();
        let fast: Sample = "1000 2000 10 10".parse().unwrap();
        assert_eq!(Figure::PerSecond.ratio((case, &slow), (case, &fast)), 2.0);
        assert_eq!(Figure::Each.ratio((case, &slow), (case, &fast)), 2.0);
        // Bytes of another case's messages count as such.
        let larger = Case { payload: 128, ..case };
        assert_eq!(Figure::Megabytes.ratio((case, &slow), (larger, &fast)), 4.0);
    }

    #[test]
    fn what_is_no_figure_is_refused() {
        assert!("1 2 3".parse::<Sample>().is_err());
        assert!("0 1 1 1".parse::<Sample>().is_err());
        assert!("connected".parse::<Sample>().is_err());
    }
}
