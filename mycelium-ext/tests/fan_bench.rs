//! What the bench `fan` is asked for, how its readers check messages, and what it prints.

#[path = "../benches/fan/arguments.rs"]
mod arguments;
#[path = "../benches/fan/message.rs"]
mod message;
#[path = "../benches/fan/report.rs"]
mod report;

use arguments::{Arguments, Contender};
use message::{Checks, LEAST, place, write};
use report::{Case, Row, Sample, middle, plot, size, table};

fn parse(words: &str) -> Result<Arguments, String> {
    Arguments::parse(words.split_whitespace().map(str::to_owned), false)
}

#[test]
fn arguments_have_defaults_units_and_bounds() {
    let all = parse("--bench").expect("nothing is asked for");
    assert_eq!(all.sizes, [64, 4096, 65_536, 1 << 20, 4 << 20]);
    assert_eq!((all.rounds, all.processes, all.readers), (3, vec![1, 4, 16], vec![1, 8]));
    assert_eq!(all.contenders.len(), 8, "without iceoryx2");
    assert_eq!(all.window, None);
    let some = parse("--sizes 64k,1M --rounds 5 --contenders ring,arena --window 16 --plot a.svg");
    let some = some.expect("all of it is known");
    assert_eq!((some.sizes, some.rounds), (vec![65_536, 1 << 20], 5));
    assert_eq!(some.contenders, [Contender::Ring, Contender::Arena]);
    assert_eq!(some.contenders[1].name(), "fork arena");
    assert_eq!((some.plot, some.window), (Some("a.svg".into()), Some(16)));
    for (words, part) in [
        ("--rounds 0", "0 is no number above 0"),
        ("--rounds", "--rounds needs a value"),
        ("--window 0", "0 is no number above 0"),
        ("--sizes 63", "63 is no multiple of 8"),
        ("--sizes 9M", "9M is no multiple of 8 between 32 and 8M"),
        ("--processes 65", "65 processes are more than 64"),
        ("--contenders iceoryx", "no contender iceoryx, but stock, tcp"),
        ("--speed 3", "--speed is no option"),
    ] {
        let error = parse(words).expect_err(words);
        assert!(error.contains(part), "{words}: {error}");
    }
}

#[test]
fn a_message_that_is_placed_is_one_by_what_is_checked() {
    for length in [64, 4096] {
        let (mut payload, mut memory) = (vec![7; length], vec![9; length]);
        let mut checks = Checks::default();
        for sequence in 0..3 {
            write(&mut payload, sequence, 1);
            place(&payload, &mut memory);
            assert_eq!(checks.see(&memory), Ok(true));
        }
        assert_eq!(memory.iter().filter(|byte| **byte == 9).count() > length / 2, length > 64);
    }
}

#[test]
fn a_reader_notices_what_is_not_as_it_was_sent() {
    for length in [64, 4096] {
        let mut payload = vec![7; length];
        let mut checks = Checks::default();
        for sequence in 0..4 {
            write(&mut payload, sequence, 2);
            assert_eq!(checks.see(&payload), Ok(sequence % 2 == 1));
        }
        assert!(checks.see(&payload).is_err_and(|it| it.contains("message 3")), "doubled");
        write(&mut payload, 5, 2);
        assert!(checks.see(&payload).is_err(), "one is lost");
        write(&mut payload, 4, 2);
        assert!(checks.see(&payload[..length - 8]).is_err(), "too short");
        let mut other = payload.clone();
        other[LEAST] ^= 1;
        assert!(checks.see(&other).is_err_and(|it| it.contains("not as it was sent")));
        // That of the message before.
        let mut before = payload.clone();
        write(&mut before, 3, 2);
        before[..8].copy_from_slice(&4_u64.to_le_bytes());
        assert!(checks.see(&before).is_err_and(|it| it.contains("not as it was sent")));
        assert_eq!(checks.see(&payload), Ok(false));
        write(&mut payload, 0, 1);
        assert_eq!(checks.see(&payload), Ok(true), "a run begins anew");
    }
}

fn row(size: usize, cpu: &[f64]) -> Row {
    let sample = |cpu: &f64| Sample { time: cpu / 2.0, cpu: *cpu };
    let case = Case { processes: 16, readers: 1, size };
    Row { case, samples: vec![cpu.iter().map(sample).collect(), Vec::new()] }
}

#[test]
fn the_table_has_medians_and_what_is_not_there() {
    let table = table(&["one", "other"], &[row(65_536, &[3_000.0, 1_000.0, 20_000.0])]);
    let cells = |line: usize| -> Vec<String> {
        let line = table.lines().nth(line).expect("a line");
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    assert_eq!(cells(0)[3..5], ["one", "other"]);
    assert_eq!(cells(2)[1..5], ["64 KiB to 16 x 1", "time", "1.50 (0.50..10.0)", "–"]);
    assert_eq!(cells(3)[2..5], ["CPU", "3.00 (1.00..20.0)", "–"]);
    let widths: Vec<usize> = table.lines().map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
}

#[test]
fn the_plot_has_a_line_for_each_contender_and_more_is_higher() {
    let rows = [row(64, &[1_000.0]), row(65_536, &[100_000.0])];
    let plot = plot(&["one", "other"], &rows);
    assert!(plot.contains("16 processes with 1 readers each"), "{plot}");
    assert_eq!(plot.matches("<polyline").count(), 2);
    let points = plot.split("points=\"").nth(1).expect("points");
    let points: Vec<(f64, f64)> = points[..points.find('"').expect("an end")]
        .split(' ')
        .map(|point| point.split_once(',').expect("two numbers"))
        .map(|(x, y)| (x.parse().expect("a number"), y.parse().expect("a number")))
        .collect();
    assert_eq!(points.len(), 2);
    assert!(points[0].0 < points[1].0 && points[0].1 > points[1].1, "{points:?}");
    for name in ["64 B", "64 KiB", "one", "other"] {
        assert!(plot.contains(&format!(">{name}<")), "{name} in {plot}");
    }
    assert!(plot.ends_with("</svg>\n"));
}

#[test]
fn the_middle_is_one_of_the_values() {
    assert_eq!(middle([3.0, 1.0, 2.0].into_iter()), Some([1.0, 2.0, 3.0]));
    assert_eq!(middle(std::iter::empty()), None);
    assert_eq!(
        [size(64), size(4096), size(1 << 20), size(1500)],
        ["64 B", "4 KiB", "1 MiB", "1500 B"]
    );
}
