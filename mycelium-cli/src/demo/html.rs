//! The outcome as one page of HTML that needs nothing else.

use std::fmt::Write as _;

use super::figures::{self, Section};
use super::histogram::Latencies;
use super::histogram_svg::{self, Axis};
use super::outcome::{Fault, Outcome};
use super::plan::Kind;
use super::text;

const STYLE: &str = "\
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
caption, h2 { text-align: left; font-weight: 600; font-size: 1.1rem; margin: 1.5rem 0 .3rem }
th, td { text-align: right; padding: .15rem .5rem; border-bottom: 1px solid #8886; font-weight: 400 }
th:first-child { text-align: left; padding-left: 0 }
thead th { font-weight: 600 }
figure { margin: 1rem 0 }
svg { width: 100%; font-size: 10px }
svg text { fill: currentColor; text-anchor: middle }
.bar { fill: currentColor; opacity: .7 }
.axis, .mark { stroke: currentColor; fill: none }
.mark { stroke-dasharray: 3 2 }
.verdict { border: 1px solid; padding: .6rem .8rem }
";

/// The page.
pub(crate) fn render(outcome: &Outcome, faults: &[Fault]) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>mycelium demo</title>\n<style>\n{STYLE}</style>\n\
         <h1>Same code, three distances</h1>\n<p>{}.</p>\n<p class=\"verdict\">{}</p>\n",
        escaped(&text::headline(outcome)),
        escaped(&text::verdict(outcome, faults)),
    );
    if !faults.is_empty() {
        page.push_str("<ul>\n");
        for fault in faults {
            writeln!(page, "<li>{}</li>", escaped(&fault.to_string())).expect("a string grows");
        }
        page.push_str("</ul>\n");
    }
    for section in figures::sections(outcome) {
        table(&mut page, outcome, &section);
    }
    page.push_str(
        "<p>Latency is the time from sending a tick to its handling by a reader. Flat out it \
                   is mostly the time that a tick waits for those before it.</p>\n",
    );
    for line in text::shared_work(outcome) {
        writeln!(page, "<p>{}.</p>", escaped(&line)).expect("a string grows");
    }
    histograms(&mut page, outcome);
    page.push_str("</html>\n");
    page
}

fn table(page: &mut String, outcome: &Outcome, section: &Section) {
    let title = escaped(&section.title);
    write!(page, "<table>\n<caption>{title}</caption>\n<thead><tr><th>").expect("a string grows");
    for place in outcome.plan.places() {
        write!(page, "<th scope=\"col\">{}", escaped(&place.name)).expect("a string grows");
    }
    page.push_str("\n<tbody>\n");
    for (label, cells) in &section.rows {
        write!(page, "<tr><th scope=\"row\">{}", escaped(label)).expect("a string grows");
        for cell in cells {
            write!(page, "<td>{}", escaped(cell)).expect("a string grows");
        }
        page.push('\n');
    }
    page.push_str("</table>\n");
}

/// What histograms stand together, on one axis.
const SORTS: [&str; 3] =
    ["Latency flat out, each alone", "Latency flat out, all at once", "Latency at recorded pace"];

/// The sort that what a place saw of a replay belongs to; none, if it was not meant.
fn sort(kind: Kind, place: usize) -> Option<usize> {
    match kind {
        Kind::Alone(only) => (only == place).then_some(0),
        Kind::Together => Some(1),
        Kind::Paced => Some(2),
    }
}

/// A histogram for each place and replay.
fn histograms(page: &mut String, outcome: &Outcome) {
    for (index_of_sort, title) in SORTS.into_iter().enumerate() {
        let mut pictures: Vec<(usize, Latencies)> = Vec::new();
        for (index, replay) in outcome.replays.iter().enumerate() {
            for (number, place) in outcome.plan.places().iter().enumerate() {
                if sort(replay.round.kind, number) == Some(index_of_sort) {
                    let seen = outcome.seen(place, index);
                    pictures.extend(seen.map(|seen| (number, seen.latencies)));
                }
            }
        }
        if pictures.is_empty() {
            continue;
        }
        writeln!(page, "<h2>{title}</h2>").expect("a string grows");
        let axis = Axis::of(pictures.iter().map(|(_, latencies)| latencies));
        for (number, latencies) in &pictures {
            let place = &outcome.plan.places()[*number].name;
            let messages = figures::count(latencies.len());
            let name = format!("{title}: {place}");
            let picture = histogram_svg::render(&escaped(&name), latencies, axis);
            let (place, link) = (escaped(place), escaped(&outcome.links[*number].kind));
            writeln!(
                page,
                "<figure>\n<figcaption>{place}, {link}: {messages} messages</figcaption>\n\
                 {picture}</figure>"
            )
            .expect("a string grows");
        }
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::outcome::tests::{finished, spoil};

    #[test]
    fn the_page_holds_figures_pictures_and_the_verdict() {
        let outcome = finished();
        let page = render(&outcome, &outcome.faults());
        assert_eq!(page.matches("<svg").count(), 9);
        assert_eq!(page.matches("</svg>").count(), 9);
        assert!(page.contains("PASS") && !page.contains("<li>"), "{page}");
        assert!(page.contains("&lt;recording&gt;"), "{page}");
    }

    #[test]
    fn faults_stand_on_the_page() {
        let mut outcome = finished();
        spoil(&mut outcome, 9, |round| round.received -= 1);
        let page = render(&outcome, &outcome.faults());
        assert!(page.contains("FAIL") && page.contains("<li>reader 9"), "{page}");
    }
}
