//! A latency histogram as inline SVG. It needs no colours: bars are dark, percentiles are lines
//! with their names.

use std::fmt::Write as _;

use super::figures;
use super::histogram::Latencies;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 130.0;
/// Left for the axis below and the names above.
const BELOW: f64 = 22.0;
const ABOVE: f64 = 34.0;
/// Left for half a name at either end of the axis.
const BESIDE: f64 = 24.0;
const BARS_A_DECADE: f64 = 15.0;

/// The exponents of ten, of nanoseconds, between which an axis runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Axis {
    from: i32,
    to: i32,
}

impl Axis {
    /// One on which all of `latencies` have room.
    pub(crate) fn of<'a>(latencies: impl IntoIterator<Item = &'a Latencies>) -> Self {
        let mut axis = Self { from: i32::MAX, to: i32::MIN };
        for latencies in latencies {
            let (least, most) = (latencies.percentile(0.0), latencies.percentile(100.0));
            if let (Some(least), Some(most)) = (least, most) {
                axis.from = axis.from.min(exponent(least).floor() as i32);
                axis.to = axis.to.max((exponent(most) + 1e-9).ceil() as i32);
            }
        }
        if axis.from > axis.to { Self { from: 0, to: 1 } } else { axis.with_room() }
    }

    fn with_room(self) -> Self {
        Self { to: self.to.max(self.from + 1), ..self }
    }

    fn place(self, nanoseconds: u64) -> f64 {
        self.place_of(exponent(nanoseconds))
    }

    fn place_of(self, exponent: f64) -> f64 {
        let share = (exponent - f64::from(self.from)) / f64::from(self.to - self.from);
        share.clamp(0.0, 1.0) * WIDTH
    }
}

fn exponent(nanoseconds: u64) -> f64 {
    (nanoseconds.max(1) as f64).log10()
}

/// The picture, as one `svg` element named `title`.
pub(crate) fn render(title: &str, latencies: &Latencies, axis: Axis) -> String {
    let mut svg = format!(
        "<svg viewBox=\"-{BESIDE} 0 {} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n",
        WIDTH + 2.0 * BESIDE
    );
    let floor = HEIGHT - BELOW;
    let bars = bars(latencies, axis);
    let most = bars.iter().copied().max().unwrap_or(0).max(1);
    let width = WIDTH / bars.len() as f64;
    for (index, bar) in bars.iter().enumerate().filter(|(_, bar)| **bar > 0) {
        // A single message among millions has to be seen, too.
        let height = ((floor - ABOVE) * *bar as f64 / most as f64).max(1.5);
        let (left, top) = (index as f64 * width, floor - height);
        let inner = (width - 0.6).max(0.4);
        writeln!(
            svg,
            "<rect class=\"bar\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{inner:.1}\" height=\"{height:.1}\"/>"
        )
        .expect("a string grows");
    }
    writeln!(svg, "<path class=\"axis\" d=\"M0 {floor}H{WIDTH}\"/>").expect("a string grows");
    for exponent in axis.from..=axis.to {
        let left = axis.place_of(f64::from(exponent));
        let label = figures::time(10_u64.saturating_pow(exponent.max(0).unsigned_abs()));
        writeln!(
            svg,
            "<path class=\"axis\" d=\"M{left:.1} {floor}v4\"/><text x=\"{left:.1}\" y=\"{:.1}\">{label}</text>",
            HEIGHT - 6.0
        )
        .expect("a string grows");
    }
    for (row, (label, percent)) in figures::PERCENTILES.into_iter().enumerate() {
        let Some(value) = latencies.percentile(percent) else { continue };
        let left = axis.place(value);
        let top = 10.0 + 10.0 * row as f64;
        let (anchor, shift) = if left > WIDTH * 0.75 { ("end", -3.0) } else { ("start", 3.0) };
        writeln!(
            svg,
            "<path class=\"mark\" d=\"M{left:.1} {:.1}V{floor}\"/><text x=\"{:.1}\" y=\"{top}\" \
             style=\"text-anchor:{anchor}\">{} {}</text>",
            top - 8.0,
            left + shift,
            label.trim_start_matches("latency "),
            figures::time(value),
        )
        .expect("a string grows");
    }
    svg.push_str("</svg>\n");
    svg
}

/// How many latencies fall into each bar.
fn bars(latencies: &Latencies, axis: Axis) -> Vec<u64> {
    let count = (f64::from(axis.to - axis.from) * BARS_A_DECADE) as usize;
    let mut bars = vec![0; count.max(1)];
    let last = bars.len() - 1;
    for (value, amount) in latencies.counts() {
        let place = axis.place(value) / WIDTH * bars.len() as f64;
        bars[(place as usize).min(last)] += amount;
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(latencies: &[u64]) -> Latencies {
        let mut all = Latencies::default();
        for latency in latencies {
            all.record(*latency);
        }
        all
    }

    #[test]
    fn every_latency_is_in_a_bar() {
        for latencies in [of(&[1]), of(&[999, 1000, 1001]), of(&[1, 10, 100, 3_000_000_000])] {
            let axis = Axis::of([&latencies]);
            assert_eq!(bars(&latencies, axis).iter().sum::<u64>(), latencies.len());
        }
    }

    #[test]
    fn the_axis_has_room_for_all() {
        let (fast, slow) = (of(&[250]), of(&[40_000_000]));
        assert_eq!(Axis::of([&fast, &slow]), Axis { from: 2, to: 8 });
        assert_eq!(Axis::of([&of(&[])]), Axis { from: 0, to: 1 });
        assert_eq!(Axis::of([&of(&[1])]), Axis { from: 0, to: 1 });
    }

    #[test]
    fn rarer_latencies_have_lower_bars_and_percentiles_are_named() {
        let latencies = of(&[vec![1_000; 99], vec![1_000_000]].concat());
        let svg = render("a & b", &latencies, Axis::of([&latencies]));
        let heights: Vec<f64> = svg
            .lines()
            .filter(|line| line.starts_with("<rect"))
            .map(|line| {
                let (_, height) = line.rsplit_once("height=\"").expect("it has one");
                height.trim_end_matches("\"/>").parse().expect("a number")
            })
            .collect();
        assert_eq!(heights.len(), 2);
        assert!(heights[0] > heights[1] && heights[1] > 0.0, "{heights:?}");
        assert!(svg.contains(">p50 1 µs<") && svg.contains(">p99.9 1.00 ms<"), "{svg}");
    }

    #[test]
    fn nothing_measured_is_an_empty_picture() {
        let none = of(&[]);
        let svg = render("nothing", &none, Axis::of([&none]));
        assert!(!svg.contains("<rect") && svg.ends_with("</svg>\n"));
    }
}
