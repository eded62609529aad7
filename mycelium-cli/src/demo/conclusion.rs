//! What a run says, in sentences made of its figures.

use super::distance::Distance;
use super::figures::{count, time, times};
use super::outcome::{Outcome, Seen};
use super::plan::Kind;
use super::tick::FIXED_BYTES;

/// From here on a ratio is one, and below it is noise.
const NOTICEABLE: f64 = 1.1;

/// Of fewer messages a median says nothing.
const ENOUGH: u64 = 40;

/// A sentence or two for each size of ticks. Nothing of a run whose places were not all measured.
pub(crate) fn sentences(outcome: &Outcome) -> Vec<String> {
    outcome.payloads().into_iter().filter_map(|payload| of_payload(outcome, payload)).collect()
}

fn of_payload(outcome: &Outcome, payload: usize) -> Option<String> {
    let places = outcome.plan.places();
    // Those of the demo: nodes of several machines are not compared with each other.
    let number = |name: &str| places.iter().position(|place| place.name == name);
    let [same_process, near, far] = Distance::ALL.map(|distance| number(&distance.to_string()));
    let (same_process, near, far) = (same_process?, near?, far?);
    let flat_out = |place| Some(outcome.seen_of(place, Kind::Alone(place), payload)?.1);
    let paced = |place| Some(outcome.seen_of(place, Kind::PacedAlone(place), payload)?.1);

    let mut sentences = vec![format!("Ticks of {} bytes:", count((FIXED_BYTES + payload) as u64))];
    let own = flat_out(same_process)?;
    let rivals = places.iter().enumerate().filter(|(_, place)| place.rival.is_some());
    let rivals = rivals.filter_map(|(place, of)| {
        let seen = flat_out(place)?;
        Some(format!("{} of {}", times(rate(&own), rate(&seen)), of.name))
    });
    let rivals: Vec<String> = rivals.collect();
    if !rivals.is_empty() {
        sentences.push(format!(
            "in one process the fork handles {} messages a second, {}.",
            count(rate(&own) as u64),
            rivals.join(" and ")
        ));
    }
    let (fast, slow) = (flat_out(near)?, flat_out(far)?);
    let link = &outcome.links[near].kind;
    sentences.push(compared(
        &format!("flat out, {link} handles"),
        "as many messages a second as remote",
        rate(&fast) / rate(&slow).max(1e-9),
        &format!(
            "in the feed's process, without any link, it is {} a second",
            count(rate(&own) as u64)
        ),
    ));
    let p50 = |seen: Option<Seen>| {
        let latencies = seen?.latencies;
        (latencies.len() >= ENOUGH).then(|| latencies.percentile(50.0))?
    };
    if let (Some(near_p50), Some(far_p50)) = (p50(paced(near)), p50(paced(far))) {
        sentences.push(compared(
            &format!("at recorded pace, a tick by {link} gets there"),
            &format!("as fast as to remote ({} and {})", time(near_p50), time(far_p50)),
            far_p50 as f64 / near_p50.max(1) as f64,
            &outcome.floor.map_or_else(
                || "what waking costs was not measured".to_owned(),
                |floor| {
                    format!(
                        "both wake a sleeping process, which alone takes {}",
                        time(floor.one.process_ns)
                    )
                },
            ),
        ));
    }
    if let (Some(floor), Some(here)) = (outcome.floor, p50(paced(same_process))) {
        let takes = |taken: u64, least: u64, what: &str| {
            format!("{} of what {what} costs ({})", times(taken as f64, least as f64), time(least))
        };
        sentences.push(format!(
            "In the feed's process a tick takes {}, and {}.",
            takes(here, floor.one.thread_ns, "waking a thread"),
            takes(here, floor.many.thread_ns, "waking as many threads at the same instants"),
        ));
        if let Some(near) = p50(paced(near)) {
            sentences.push(format!(
                "By {link} it takes {}, and {}.",
                takes(near, floor.one.process_ns, "waking a process"),
                takes(near, floor.many.process_ns, "waking a process and as many threads in it"),
            ));
        }
        sentences.push(format!(
            "That is without touching memory: after such pauses each page that a tick needs takes {}.",
            time(floor.page_ns)
        ));
    }
    Some(sentences.join(" "))
}

/// What a ratio says: above 1 the first is better. Where it is not, `why` goes with it.
fn compared(what: &str, with: &str, ratio: f64, why: &str) -> String {
    let shown = times(ratio, 1.0);
    let capital = what[..1].to_uppercase() + &what[1..];
    if ratio >= NOTICEABLE {
        format!("{capital} {shown} {with}.")
    } else if ratio > 1.0 / NOTICEABLE {
        format!("{capital} about {with} ({shown}): {why}.")
    } else {
        format!("{capital} only {shown} {with}: {why}.")
    }
}

fn rate(seen: &Seen) -> f64 {
    seen.messages as f64 / seen.seconds.max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::outcome::tests::{finished, set_duration, set_latency};

    fn first(near_ns: u64) -> String {
        let mut outcome = finished();
        let places = outcome.plan.places().len();
        for place in 0..places {
            set_duration(&mut outcome, place, 1_000_000);
            set_latency(&mut outcome, place, 40_000);
        }
        set_duration(&mut outcome, Distance::SameProcess.index(), 100_000);
        set_duration(&mut outcome, Distance::SameMachine.index(), near_ns);
        set_latency(&mut outcome, Distance::SameMachine.index(), near_ns / 50);
        let sentences = sentences(&outcome);
        assert_eq!(sentences.len(), 2);
        assert!(sentences[1].starts_with("Ticks of 1 049 276 bytes:"), "{sentences:?}");
        sentences[0].clone()
    }

    #[test]
    fn what_is_better_is_said_with_how_much() {
        let words = first(500_000);
        for part in [
            "Ticks of 700 bytes: in one process the fork handles 800 000 messages a second, 10 x of \
             stock ractor and 10 x of bare queue.",
            "Flat out, unix handles 2.0 x as many messages a second as remote.",
            "At recorded pace, a tick by unix gets there 4.0 x as fast as to remote (10.0 µs and 40.0 µs).",
            "a tick takes 10 x of what waking a thread costs (4 µs), and 5.0 x of what waking as many \
             threads at the same instants costs (8 µs).",
            "By unix it takes 1.00 x of what waking a process costs (10 µs), and 0.50 x of what waking a \
             process and as many threads in it costs (20 µs).",
            "each page that a tick needs takes 1.50 µs.",
        ] {
            assert!(words.contains(part), "{part} in {words}");
        }
    }

    #[test]
    fn what_is_not_better_is_said_with_the_reason() {
        let words = first(2_000_000);
        assert!(words.contains("Flat out, unix handles only 0.50 x"), "{words}");
        let why = "in the feed's process, without any link, it is 800 000 a second.";
        assert!(words.contains(why), "{words}");
        assert!(
            words.contains("both wake a sleeping process, which alone takes 10 µs."),
            "{words}"
        );
        let words = first(1_000_000);
        assert!(words.contains("handles about as many messages"), "{words}");
    }

    #[test]
    fn a_partial_run_concludes_nothing() {
        let mut outcome = finished();
        outcome.replays.truncate(2);
        assert_eq!(sentences(&outcome), Vec::<String>::new());
    }
}
