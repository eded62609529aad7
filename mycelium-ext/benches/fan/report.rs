//! What came of it: the table and the plot.

use std::fmt::Write as _;

/// Processes, readers in each, and bytes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) processes: usize,
    pub(crate) readers: usize,
    pub(crate) size: usize,
}

/// What one round of a case says of a contender, per delivery and in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) time: f64,
    pub(crate) cpu: f64,
}

/// A case with the samples of each contender.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) case: Case,
    /// In the order of the columns, each round's; empty where a contender takes no part.
    pub(crate) samples: Vec<Vec<Sample>>,
}

/// The least, the middle and the most of some values; `None` without any.
pub(crate) fn middle(values: impl Iterator<Item = f64>) -> Option<[f64; 3]> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    Some([*values.first()?, values[values.len() / 2], *values.last()?])
}

/// Bytes as people say them.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        it if it >= 1 << 20 && it % (1 << 20) == 0 => format!("{} MiB", it >> 20),
        it if it >= 1 << 10 && it % (1 << 10) == 0 => format!("{} KiB", it >> 10),
        it => format!("{it} B"),
    }
}

fn micros(nanoseconds: f64) -> String {
    match nanoseconds / 1e3 {
        it if it >= 100.0 => format!("{it:.0}"),
        it if it >= 10.0 => format!("{it:.1}"),
        it => format!("{it:.2}"),
    }
}

/// The table in Markdown, which can be read as it is.
pub(crate) fn table(contenders: &[&str], rows: &[Row]) -> String {
    let mut lines = vec![vec!["µs per delivery".to_owned(), String::new()]];
    lines[0].extend(contenders.iter().map(|name| (*name).to_owned()));
    for Row { case, samples } in rows {
        let Case { processes, readers, size: bytes } = case;
        let to = format!("{} to {processes} x {readers}", size(*bytes));
        let of = |what: fn(&Sample) -> f64| {
            samples.iter().map(move |samples| match middle(samples.iter().map(what)) {
                Some([least, median, most]) => {
                    format!("{} ({}..{})", micros(median), micros(least), micros(most))
                }
                None => "–".to_owned(),
            })
        };
        lines.push([to, "time".to_owned()].into_iter().chain(of(|it| it.time)).collect());
        lines.push([String::new(), "CPU".to_owned()].into_iter().chain(of(|it| it.cpu)).collect());
    }
    aligned(lines)
}

fn aligned(mut lines: Vec<Vec<String>>) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    lines.insert(1, widths.iter().map(|width| "-".repeat(*width)).collect());
    let mut table = String::new();
    for line in &lines {
        for (cell, width) in line.iter().zip(&widths) {
            write!(table, "| {cell:width$} ").expect("a string grows");
        }
        table += "|\n";
    }
    table
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
/// Around the plot, for names.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 130.0;
const EDGE: f64 = 40.0;
const COLOURS: [&str; 9] = [
    "#d55e00", "#0072b2", "#56b4e9", "#009e73", "#cc79a7", "#882255", "#e69f00", "#555555",
    "#999999",
];

/// Processor time per delivery against the size of messages, both on logarithmic axes: a line for
/// each contender, of the largest crew. A whole SVG document.
pub(crate) fn plot(contenders: &[&str], rows: &[Row]) -> String {
    let crew = |row: &Row| (row.case.processes, row.case.readers);
    let largest = rows.iter().map(|row| row.case.processes).max().unwrap_or(0);
    let of_it = rows.iter().filter(|row| row.case.processes == largest);
    let crew_shown = of_it.map(crew).min().unwrap_or((0, 0));
    let rows: Vec<&Row> = rows.iter().filter(|row| crew(row) == crew_shown).collect();
    // A line for each contender, of sizes and processor times.
    let lines: Vec<Vec<(f64, f64)>> = (0..contenders.len())
        .map(|number| {
            let point = |row: &&Row| {
                let median = middle(row.samples[number].iter().map(|it| it.cpu))?[1];
                Some((row.case.size as f64, median.max(1.0)))
            };
            rows.iter().filter_map(point).collect()
        })
        .collect();
    let times = || lines.iter().flatten().map(|(_, time)| time.log10());
    let (low, high) =
        (times().fold(f64::MAX, f64::min).min(9.0).floor(), times().fold(0.0, f64::max).ceil());
    let sizes = || rows.iter().map(|row| (row.case.size as f64).log2());
    let (first, last) = (sizes().fold(f64::MAX, f64::min), sizes().fold(0.0, f64::max));
    let x =
        |size: f64| LEFT + (size.log2() - first) / (last - first).max(1.0) * (WIDTH - LEFT - RIGHT);
    let y = |exponent: f64| {
        HEIGHT - EDGE - (exponent - low) / (high - low).max(1.0) * (HEIGHT - 2.0 * EDGE)
    };
    let title = format!(
        "Processor time per delivery, one feed to {} processes with {} readers each",
        crew_shown.0, crew_shown.1
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<title>{title}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\">{title}</text>\n"
    );
    let mut exponent = low;
    while exponent <= high {
        let (at, end) = (y(exponent), WIDTH - RIGHT);
        writeln!(
            svg,
            "<path stroke=\"#ccc\" d=\"M{LEFT} {at:.1}H{end}\"/><text x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"end\">{} µs</text>",
            LEFT - 6.0,
            at + 4.0,
            10_f64.powf(exponent) / 1e3,
        )
        .expect("a string grows");
        exponent += 1.0;
    }
    for row in &rows {
        let at = x(row.case.size as f64);
        let (name, below) = (size(row.case.size), HEIGHT - EDGE + 16.0);
        writeln!(svg, "<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{name}</text>")
            .expect("a string grows");
    }
    for (number, (name, line)) in contenders.iter().zip(&lines).enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let points: Vec<String> = line
            .iter()
            .map(|(size, time)| format!("{:.1},{:.1}", x(*size), y(time.log10())))
            .collect();
        let top = EDGE + 16.0 * number as f64;
        writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>\n\
             <path stroke=\"{colour}\" stroke-width=\"2\" d=\"M{:.1} {:.1}h16\"/><text x=\"{:.1}\" \
             y=\"{top:.1}\">{name}</text>",
            points.join(" "),
            WIDTH - RIGHT + 10.0,
            top - 4.0,
            WIDTH - RIGHT + 32.0,
        )
        .expect("a string grows");
    }
    svg.push_str("</svg>\n");
    svg
}
