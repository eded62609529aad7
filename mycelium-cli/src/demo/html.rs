//! The outcome as one page of HTML that needs nothing else.

use std::fmt::Write as _;

use super::chart::{self, Series};
use super::conclusion;
use super::figures::{self, Section};
use super::histogram::Latencies;
use super::machine::Machine;
use super::outcome::{Fault, Outcome};
use super::plan::Kind;
use super::text;
use super::tick::FIXED_BYTES;

const STYLE: &str = "\
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
caption, h2 { text-align: left; font-weight: 600; font-size: 1.1rem; margin: 1.5rem 0 .3rem }
th, td { text-align: right; padding: .15rem .5rem; border-bottom: 1px solid #8886; font-weight: 400 }
th:first-child { text-align: left; padding-left: 0 }
thead th { font-weight: 600 }
figure { margin: 1rem 0 }
figure, .wide { overflow-x: auto }
code { overflow-wrap: anywhere }
svg { width: 100%; min-width: 40rem; font-size: 10px }
svg text { fill: currentColor; text-anchor: middle; paint-order: stroke; stroke: Canvas; stroke-width: 3px }
svg .name { text-anchor: start }
.line { fill: none; stroke-width: 1.6 }
.s0 { stroke: #d55e00; --c: #d55e00 } .s1 { stroke: #0072b2; --c: #0072b2 }
.s2 { stroke: #009e73; --c: #009e73 } .s3 { stroke: #cc79a7; --c: #cc79a7 }
.s4 { stroke: #999; --c: #999 }
.bar { fill: var(--c); stroke: none }
.axis, .mark { stroke: currentColor; fill: none }
.mark { stroke-dasharray: 3 2 }
.verdict { border: 1px solid; padding: .6rem .8rem }
@media (max-width: 40rem) { table { font-size: .85rem } th, td { padding: .15rem .3rem } }
";

/// The page.
pub(crate) fn render(outcome: &Outcome, faults: &[Fault], machine: &Machine) -> String {
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
    for sentence in conclusion::sentences(outcome) {
        writeln!(page, "<p>{}</p>", escaped(&sentence)).expect("a string grows");
    }
    charts(&mut page, outcome);
    for section in figures::sections(outcome) {
        table(&mut page, outcome, &section);
    }
    page.push_str(
        "<p>Latency is the time from sending a tick to its handling by a reader. Flat out it \
         is mostly the time that a tick waits for those before it. A wake-up is what the system takes \
         to run a thread, or another process, that slept for 20 ms: no tick to a sleeping reader is \
         faster. As many wake-ups are those of as many threads as a place has readers, at the instants \
         of the replay and without actors. Readers are tasks, which share the threads of a runtime, so \
         a tick may wake fewer. But it needs more memory: each page of code and data that was not used \
         since the tick before takes what touching a page takes. The \
         bare queue is tokio's, with a task for each reader; stock ractor clones each tick for each \
         reader.</p>\n",
    );
    for line in text::shared_work(outcome) {
        writeln!(page, "<p>{}.</p>", escaped(&line)).expect("a string grows");
    }
    writeln!(
        page,
        "<p>{}. Command: <code>{}</code></p>",
        escaped(&machine.words()),
        escaped(&machine.command)
    )
    .expect("a string grows");
    page.push_str("</html>\n");
    page
}

fn table(page: &mut String, outcome: &Outcome, section: &Section) {
    let title = escaped(&section.title);
    write!(page, "<div class=\"wide\"><table>\n<caption>{title}</caption>\n<thead><tr><th>")
        .expect("a string grows");
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
    page.push_str("</table></div>\n");
}

/// The kind of replay in which a question is answered for a place.
type KindOf = fn(usize) -> Kind;

/// A chart for each question, with all places on one axis.
fn charts(page: &mut String, outcome: &Outcome) {
    for payload in outcome.payloads() {
        let size = figures::count((FIXED_BYTES + payload) as u64);
        speeds(page, outcome, payload, &size);
        let questions: [(&str, KindOf); 2] = [
            ("How long does a tick take, at recorded pace and alone?", Kind::PacedAlone),
            ("How long does it take when one tick goes to all at once?", |_| Kind::Paced),
        ];
        for (question, kind) in questions {
            let places = outcome.plan.places().iter().enumerate();
            let series = places.filter_map(|(number, place)| {
                let (_, seen) = outcome.seen_of(number, kind(number), payload)?;
                let has_part = place.readers.start < outcome.plan.part(kind(number)).end;
                has_part.then(|| Series { name: name(outcome, number), data: seen.latencies })
            });
            let series: Vec<Series<Latencies>> = series.collect();
            if series.is_empty() {
                continue;
            }
            let marks = outcome.floor.map_or(Vec::new(), |floor| {
                let mark = |name: &str, data| Series { name: name.to_owned(), data };
                vec![
                    mark("waking a thread", floor.one.thread_ns),
                    mark("waking a process", floor.one.process_ns),
                ]
            });
            let title = format!("{question} Ticks of {size} bytes");
            figure(page, &title, &chart::overlay(&escaped(&title), &series, &marks));
        }
    }
}

fn speeds(page: &mut String, outcome: &Outcome, payload: usize, size: &str) {
    let places = 0..outcome.plan.places().len();
    let series = places.filter_map(|number| {
        let (_, seen) = outcome.seen_of(number, Kind::Alone(number), payload)?;
        let data = seen.messages as f64 / seen.seconds.max(1e-9);
        Some(Series { name: name(outcome, number), data })
    });
    let series: Vec<Series<f64>> = series.collect();
    if !series.is_empty() {
        let title =
            format!("How many messages a second, flat out and alone? Ticks of {size} bytes");
        let label = |rate| figures::count(rate as u64);
        figure(page, &title, &chart::bars(&escaped(&title), &series, label));
    }
}

/// A place with what carries ticks there.
fn name(outcome: &Outcome, number: usize) -> String {
    let place = &outcome.plan.places()[number];
    match place.rival {
        Some(_) => escaped(&place.name),
        None => escaped(&format!("{} ({})", place.name, outcome.links[number].kind)),
    }
}

fn figure(page: &mut String, title: &str, picture: &str) {
    writeln!(page, "<h2>{}</h2>\n<figure>\n{picture}</figure>", escaped(title))
        .expect("a string grows");
}

/// The text as it stands in HTML. A number does not break between its groups of digits.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut after_digit = false;
    while let Some(letter) = letters.next() {
        let in_number = after_digit && letters.peek().is_some_and(char::is_ascii_digit);
        after_digit = letter.is_ascii_digit();
        match letter {
            ' ' if in_number => escaped.push('\u{a0}'),
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

    fn machine() -> Machine {
        Machine {
            cores: 2,
            processor: Some("A <processor>".to_owned()),
            system: "linux 6 x86_64".to_owned(),
            load: Some("0.10".to_owned()),
            command: "mycelium demo".to_owned(),
        }
    }

    #[test]
    fn the_page_has_a_chart_for_each_question_and_size_with_all_places_on_one_axis() {
        let outcome = finished();
        let page = render(&outcome, &outcome.faults(), &machine());
        assert_eq!(page.matches("<svg").count(), 6);
        assert_eq!(page.matches("</svg>").count(), 6);
        assert_eq!(page.matches("How long does a tick take, at recorded pace").count(), 2 * 3);
        let start = page.find("How long does a tick take, at recorded pace").expect("a chart");
        let chart = &page[start..start + page[start..].find("</svg>").expect("its end")];
        for place in ["same process (arc)", "same machine (unix)", "remote (tcp)", "stock ractor"] {
            assert!(chart.contains(&format!(">{place}, p50")), "{place} in {chart}");
        }
        assert!(page.contains("PASS") && !page.contains("<li>"), "{page}");
        assert!(page.contains("&lt;recording&gt;"), "{page}");
    }

    #[test]
    fn the_page_says_what_to_conclude_and_where_it_was_made() {
        let outcome = finished();
        let page = render(&outcome, &[], &machine());
        for sentence in conclusion::sentences(&outcome) {
            assert!(page.contains(&escaped(&sentence)), "{sentence} in {page}");
        }
        for part in ["2 cores, A &lt;processor&gt;", "<code>mycelium demo</code>", "ractor 0."] {
            assert!(page.contains(part), "{part} in {page}");
        }
        // What is the same for everybody is said, and not shown.
        let checksum = format!("{:016x}", outcome.replays[0].expected.of(0));
        assert!(!page.contains(&checksum), "{page}");
    }

    #[test]
    fn a_number_stays_on_one_line() {
        assert_eq!(escaped("1 049 276 bytes, 2 000"), "1\u{a0}049\u{a0}276 bytes, 2\u{a0}000");
    }

    #[test]
    fn what_is_wider_than_a_telephone_scrolls_in_a_box() {
        let page = render(&finished(), &[], &machine());
        let tables = page.matches("<table>").count();
        assert!(tables > 0);
        assert_eq!(page.matches("<div class=\"wide\"><table>").count(), tables);
        assert_eq!(page.matches("</table></div>").count(), tables);
    }

    #[test]
    fn faults_stand_on_the_page() {
        let mut outcome = finished();
        spoil(&mut outcome, 9, |round| round.received -= 1);
        let page = render(&outcome, &outcome.faults(), &machine());
        assert!(page.contains("FAIL") && page.contains("<li>reader 9"), "{page}");
    }
}
