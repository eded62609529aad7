use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    budgets: Budgets,
}

/// The defaults, as the command has them.
pub(crate) fn defaults() -> Budgets {
    Options::parse_from(["soak"]).budgets
}

const MIB: u64 = 1 << 20;

fn sample(resident: u64) -> Sample {
    Sample { resident, peak: resident, open_files: 10 }
}

fn excesses(cost: &Cost) -> Vec<String> {
    cost.excesses("near-0", &defaults(), (false, Duration::from_secs(61)))
}

#[test]
fn who_is_attacked_may_grow_more_unless_the_budget_is_given() {
    let grown = |late| Some(Trend([1, 100, 1, late].map(|it| sample(it * MIB))));
    let attacked = |cost: &Cost, budgets| cost.excesses("near-0", &budgets, (true, Duration::ZERO));
    let cost = Cost { trend: grown(238), ..Cost::default() };
    assert_eq!(attacked(&cost, defaults()), Vec::<String>::new());
    assert_eq!(attacked(&cost, Budgets { max_growth: Some(127), ..defaults() }).len(), 1);
    assert_eq!(attacked(&Cost { trend: grown(239), ..cost }, defaults()).len(), 1);
}

#[test]
fn what_is_within_its_budget_is_no_excess() {
    let mut cost = Cost { before: Some(sample(100 * MIB)), peak: 612 * MIB, ..Cost::default() };
    cost.trend = Some(Trend([100, 100, 150, 126].map(|it| sample(it * MIB))));
    let (stall, computing) = (2_000_999, 100_999);
    cost.note(Record::Health(Health { stall, computing, calls: 1, slowest: 9_000_000, tasks: 20 }));
    cost.note(Record::Lines { count: 2_000, place: "INFO:module:1".to_owned() });
    assert_eq!(excesses(&cost), Vec::<String>::new());
}

#[test]
fn each_excess_is_told_with_its_measure_its_budget_and_its_option() {
    let health = |stall, computing| Health { stall, computing, ..Health::default() };
    let call = || Record::CallFailed { to: "far-0".to_owned(), reason: "Timeout".to_owned() };
    let lines = |count| Record::Lines { count, place: "WARN:module:7".to_owned() };
    type Case = (fn(&mut Cost), Vec<Record>, [&'static str; 4]);
    let cases: [Case; 6] = [
        (
            |it| it.trend = Some(Trend([1, 100, 1, 127].map(|it| sample(it * MIB)))),
            vec![],
            ["more and more", "17 MiB", "is 16", "--max-growth"],
        ),
        (|it| it.peak = 613 * MIB, vec![], ["rose", "513 MiB", "is 512", "--max-peak"]),
        (
            |_| {},
            vec![Record::Health(health(2_001_000, 0))],
            ["stall", "2001", "2000", "--max-stall"],
        ),
        (
            |_| {},
            vec![Record::Health(health(0, 101_000)), Record::Health(health(0, 1))],
            ["computed", "101 ms", "is 100", "--max-computing"],
        ),
        (
            |_| {},
            vec![call(), call()],
            ["far-0: Timeout (2)", "2 calls", "is 0", "--max-failed-calls"],
        ),
        (
            |_| {},
            vec![lines(1_500), lines(501)],
            ["WARN:module:7 (2001)", "2001 lines", "is 2000", "--max-lines"],
        ),
    ];
    for (spoil, records, words) in cases {
        let mut cost = Cost { before: Some(sample(100 * MIB)), ..Cost::default() };
        spoil(&mut cost);
        records.into_iter().for_each(|record| cost.note(record));
        let excesses = excesses(&cost);
        let [excess] = excesses.as_slice() else { panic!("{words:?}: {excesses:?}") };
        assert!(excess.starts_with("near-0 "), "{excess}");
        assert!(words.iter().all(|word| excess.contains(word)), "{words:?}: {excess}");
    }
}

#[test]
fn what_is_not_given_back_is_told() {
    let mut cost = Cost::default();
    let health = |tasks| Record::Health(Health { tasks, ..Health::default() });
    let files = |open_files| Some(Sample { open_files, ..sample(MIB) });
    cost.note(health(20));
    cost.rests_before(files(10));
    cost.note(health(52));
    assert!(cost.is_at_rest(files(18)) && !cost.is_at_rest(files(19)));
    cost.rests_after(files(18));
    assert_eq!(cost.kept("far-0"), Vec::<String>::new());
    cost.note(health(53));
    assert!(!cost.is_at_rest(files(18)));
    cost.rests_after(files(19));
    let kept = cost.kept("far-0").join("; ");
    assert!(kept.contains("far-0 has 19 open files"), "{kept}");
    assert!(kept.contains("far-0 has 53 tasks after all faults, and 20 before"), "{kept}");
}
