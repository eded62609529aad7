//! Timing in turns.

use std::env;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};

use crate::report::{self, BY_REPORT, QUICK};
use crate::{Case, heap};

/// Times the cases, and prints the results, unless the report does that later.
///
/// The contenders of a case take turns, so that a change of the machine's speed meets them all.
/// The middle of each contender's medians counts.
pub fn bench(cases: &[Case]) {
    heap::keep_steady();
    let mut criterion = Criterion::default().configure_from_args();
    // As criterion tells it; `cargo test` only wants to know that all of it works.
    let timed = env::args().any(|argument| argument == "--bench");
    let by_report = env::var(BY_REPORT).ok();
    let quick = by_report.as_deref() == Some(QUICK);
    for &case in cases {
        time(&mut criterion, case, timed, quick);
    }
    criterion.final_summary();
    if timed && by_report.is_none() {
        println!("\n{}", report::times(cases));
    }
}

fn time(criterion: &mut Criterion, case: Case, timed: bool, quick: bool) {
    let turns = match case {
        _ if !timed => 1,
        // So long a round needs no turns to be steady, and takes minutes with them.
        Case::Flood(_) => 1,
        _ => 3,
    };
    let (warm_up, measurement) = if quick { (20, 60) } else { (300, 600) };
    let mut group = criterion.benchmark_group(case.to_string());
    group
        .throughput(Throughput::Elements(case.deliveries()))
        // Each sample waits once until all is read, and so they have to be of one length.
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        // The usual 100,000 take longer to draw than it takes to measure.
        .nresamples(2_000)
        .warm_up_time(Duration::from_millis(warm_up))
        .measurement_time(Duration::from_millis(measurement));
    let mut contenders = case.contenders(None);
    for turn in 1..=turns {
        for contender in &mut contenders {
            group.bench_function(BenchmarkId::new(contender.name(), turn), |bencher| {
                bencher.iter_custom(|rounds| contender.run(rounds))
            });
        }
    }
    group.finish();
}
