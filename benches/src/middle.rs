//! The middle of several measurements.

use std::fmt;

use crate::markdown::number;

/// The middle of several values, and the middle half of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Middle {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Middle {
    /// Of at least one value.
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let last = values.len() - 1;
        let at = |quarter: usize| {
            let place = quarter as f64 / 4.0 * last as f64;
            let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        Self { low: at(1), median: at(2), high: at(3) }
    }
}

impl Middle {
    /// As ratios are shown.
    pub(crate) fn two_digits(self) -> String {
        let Self { low, median, high } = self;
        format!("{median:.2} ({low:.2}..{high:.2})")
    }
}

impl fmt::Display for Middle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { low, median, high } = *self;
        write!(f, "{} ({}..{})", number(median), number(low), number(high))
    }
}

#[cfg(test)]
mod tests {
    use super::Middle;

    #[test]
    fn the_middle_is_between_the_quarters() {
        let middle = Middle::of(vec![5.0, 1.0, 2.0, 4.0, 3.0]);
        assert_eq!(middle, Middle { low: 2.0, median: 3.0, high: 4.0 });
        assert_eq!(Middle::of(vec![1.0, 2.0]).median, 1.5);
    }
}
