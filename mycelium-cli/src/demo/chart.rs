//! Charts as inline SVG: latencies of several places on one axis, and bars.

use std::fmt::Write as _;

use super::figures;
use super::histogram::Latencies;

const WIDTH: f64 = 720.0;
/// Of what is drawn, without legend and axis.
const PLOT: f64 = 150.0;
/// Left for the axis.
const BELOW: f64 = 22.0;
/// Left for half a name at either end of the axis.
const BESIDE: f64 = 24.0;
/// Of a legend, and of bars.
const LINE: f64 = 13.0;
const BAR: f64 = 20.0;
/// Left of bars and right of them.
const NAMES: f64 = 130.0;
const VALUES: f64 = 150.0;
const STEPS_A_DECADE: f64 = 15.0;

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

    /// One on which this has room, too.
    fn with(self, nanoseconds: u64) -> Self {
        let exponent = exponent(nanoseconds);
        Self {
            from: self.from.min(exponent.floor() as i32),
            to: self.to.max((exponent + 1e-9).ceil() as i32),
        }
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

/// Something that is drawn in its own colour and dashes, and named in the legend.
#[derive(Debug, Clone)]
pub(crate) struct Series<T> {
    pub(crate) name: String,
    pub(crate) data: T,
}

/// Lines differ by dashes too, for those who see no colours or print without.
const DASHES: [&str; 5] = ["", "6 3", "2 2", "9 3 2 3", "1 4"];

/// The class of the series with this number, which the page has a colour for.
fn class(number: usize) -> String {
    format!("s{}", number % DASHES.len())
}

fn begin(title: &str, height: f64) -> String {
    format!(
        "<svg viewBox=\"-{BESIDE} 0 {} {height}\" role=\"img\" aria-label=\"{title}\">\n\
         <title>{title}</title>\n",
        WIDTH + 2.0 * BESIDE
    )
}

/// Latencies over each other on one axis, as the share of each series that falls there, with the
/// medians; and `marks`, lines that all are compared with. Names may hold no markup.
pub(crate) fn overlay(title: &str, series: &[Series<Latencies>], marks: &[Series<u64>]) -> String {
    let legend = LINE * series.len() as f64 + 6.0;
    let (floor, height) = (legend + PLOT, legend + PLOT + BELOW);
    let mut svg = begin(title, height);
    let mut axis = Axis::of(series.iter().map(|it| &it.data));
    for mark in marks {
        axis = axis.with(mark.data);
    }
    let shares: Vec<Vec<f64>> = series.iter().map(|it| shares(&it.data, axis)).collect();
    let most = shares.iter().flatten().copied().fold(f64::MIN_POSITIVE, f64::max);
    for (number, (series, shares)) in series.iter().zip(&shares).enumerate() {
        let (class, dashes) = (class(number), DASHES[number % DASHES.len()]);
        let width = WIDTH / shares.len() as f64;
        let mut path = format!("M0 {floor:.1}");
        for (index, share) in shares.iter().enumerate() {
            let top = floor - PLOT * share / most;
            write!(path, "V{top:.1}H{:.1}", (index + 1) as f64 * width).expect("a string grows");
        }
        let top = LINE * (number as f64 + 1.0);
        let p50 = series
            .data
            .percentile(50.0)
            .map_or(String::new(), |p50| format!(", p50 {}", figures::time(p50)));
        writeln!(
            svg,
            "<path class=\"line {class}\" stroke-dasharray=\"{dashes}\" d=\"{path}V{floor:.1}\"/>\n\
             <path class=\"line {class}\" stroke-dasharray=\"{dashes}\" d=\"M0 {:.1}h30\"/>\
             <text class=\"name\" x=\"36\" y=\"{top:.1}\">{}{p50}: {} messages</text>",
            top - 3.5,
            series.name,
            figures::count(series.data.len()),
        )
        .expect("a string grows");
    }
    for (row, mark) in marks.iter().enumerate() {
        let left = axis.place(mark.data);
        let (anchor, shift) = if left > WIDTH * 0.6 { ("end", -3.0) } else { ("start", 3.0) };
        writeln!(
            svg,
            "<path class=\"mark\" d=\"M{left:.1} {legend:.1}V{floor:.1}\"/><text x=\"{:.1}\" \
             y=\"{:.1}\" style=\"text-anchor:{anchor}\">{} {}</text>",
            left + shift,
            legend + LINE * (row as f64 + 1.0),
            mark.name,
            figures::time(mark.data),
        )
        .expect("a string grows");
    }
    writeln!(svg, "<path class=\"axis\" d=\"M0 {floor:.1}H{WIDTH}\"/>").expect("a string grows");
    for exponent in axis.from..=axis.to {
        let left = axis.place_of(f64::from(exponent));
        let label = figures::time(10_u64.saturating_pow(exponent.max(0).unsigned_abs()));
        writeln!(
            svg,
            "<path class=\"axis\" d=\"M{left:.1} {floor:.1}v4\"/><text x=\"{left:.1}\" \
             y=\"{:.1}\">{label}</text>",
            height - 6.0
        )
        .expect("a string grows");
    }
    svg.push_str("</svg>\n");
    svg
}

/// A bar for each value, on one axis from 0, longer is more; `label` says how much. Names may hold
/// no markup.
pub(crate) fn bars(title: &str, series: &[Series<f64>], label: impl Fn(f64) -> String) -> String {
    let height = BAR * series.len() as f64 + 4.0;
    let mut svg = begin(title, height);
    let most = series.iter().map(|it| it.data).fold(f64::MIN_POSITIVE, f64::max);
    for (number, Series { name, data }) in series.iter().enumerate() {
        let top = BAR * number as f64;
        let length = (WIDTH - NAMES - VALUES) * data / most;
        writeln!(
            svg,
            "<text class=\"name\" x=\"0\" y=\"{:.1}\">{name}</text><rect class=\"bar {}\" \
             x=\"{NAMES}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/><text class=\"name\" \
             x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            top + 14.0,
            class(number),
            top + 2.0,
            length.max(1.0),
            BAR - 4.0,
            NAMES + length + 6.0,
            top + 14.0,
            label(*data),
        )
        .expect("a string grows");
    }
    svg.push_str("</svg>\n");
    svg
}

/// The share of latencies that falls into each step of an axis.
fn shares(latencies: &Latencies, axis: Axis) -> Vec<f64> {
    let all = latencies.len().max(1) as f64;
    steps(latencies, axis).into_iter().map(|count| count as f64 / all).collect()
}

/// How many latencies fall into each step.
fn steps(latencies: &Latencies, axis: Axis) -> Vec<u64> {
    let count = (f64::from(axis.to - axis.from) * STEPS_A_DECADE) as usize;
    let mut steps = vec![0; count.max(1)];
    let last = steps.len() - 1;
    for (value, amount) in latencies.counts() {
        let place = axis.place(value) / WIDTH * steps.len() as f64;
        steps[(place as usize).min(last)] += amount;
    }
    steps
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
    fn every_latency_is_in_a_step() {
        for latencies in [of(&[1]), of(&[999, 1000, 1001]), of(&[1, 10, 100, 3_000_000_000])] {
            let axis = Axis::of([&latencies]);
            assert_eq!(steps(&latencies, axis).iter().sum::<u64>(), latencies.len());
            assert!((shares(&latencies, axis).iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn the_axis_has_room_for_all() {
        let (fast, slow) = (of(&[250]), of(&[40_000_000]));
        assert_eq!(Axis::of([&fast, &slow]), Axis { from: 2, to: 8 });
        assert_eq!(Axis::of([&of(&[])]), Axis { from: 0, to: 1 });
        assert_eq!(Axis::of([&of(&[1])]), Axis { from: 0, to: 1 });
        assert_eq!(Axis::of([&fast]).with(2_000_000), Axis { from: 2, to: 7 });
    }

    fn series<T>(name: &str, data: T) -> Series<T> {
        Series { name: name.to_owned(), data }
    }

    #[test]
    fn series_lie_over_each_other_on_one_axis() {
        let fast = series("fast", of(&vec![1_000; 100]));
        let slow = series("slow", of(&[vec![1_000_000; 99], vec![1_000]].concat()));
        let svg = overlay("both", &[fast, slow], &[series("a wake-up", 20_000)]);
        assert_eq!(svg.matches("class=\"axis\" d=\"M0 ").count(), 1, "{svg}");
        assert!(svg.contains(">fast, p50 1 µs: 100 messages<"), "{svg}");
        assert!(svg.contains(">slow, p50 1.00 ms: 100 messages<"), "{svg}");
        assert!(svg.contains(">a wake-up 20 µs<"), "{svg}");
        // It reaches from the fastest to the slowest of them.
        assert!(svg.contains(">1 µs</text>") && svg.contains(">1 ms</text>"), "{svg}");
        // Where a line is highest: all of the one, and nearly all of the other.
        let highest = |class: &str| {
            let start = format!("<path class=\"line {class}\"");
            let path = svg.lines().find(|line| line.starts_with(&start)).expect("a line");
            let heights = path.split('V').skip(1);
            let heights = heights.map(|it| it.split(['H', '"']).next().expect("a number"));
            heights.map(|it| it.parse::<f64>().expect("a number")).fold(f64::MAX, f64::min)
        };
        assert!(highest("s0") < highest("s1"), "{svg}");
        assert!(svg.ends_with("</svg>\n"));
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        let of = [series("one", 50.0), series("other", 100.0)];
        let svg = bars("speed", &of, |value| format!("{value} a second"));
        let lengths: Vec<f64> = svg
            .split("width=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().expect("one").parse().expect("a number"))
            .collect();
        assert!((lengths[1] / lengths[0] - 2.0).abs() < 0.01, "{lengths:?}");
        assert!(svg.contains(">100 a second<"), "{svg}");
    }

    #[test]
    fn nothing_measured_is_an_empty_picture() {
        let svg = overlay("nothing", &[series("none", of(&[]))], &[]);
        assert!(svg.contains(">none: 0 messages<") && svg.ends_with("</svg>\n"), "{svg}");
    }
}
