//! What the fork has to reach, and whether it does.

use super::case::{
    BARE_RING, BARE_TCP, BARE_UNIX, BLOCKING_TCP, BLOCKING_UNIX, Case, Contender, FORK_SHM,
    FORK_SPINNING, FORK_TCP, FORK_THREAD, FORK_UNIX, KIB, STOCK_TCP, STOCK_UNIX, Work,
};
use super::run::Results;
use super::sample::Figure;
use super::wire::WireRow;
use crate::markdown::{aligned, number};
use crate::middle::Middle;

/// What is asked of a figure.
#[derive(Debug, Clone, Copy)]
enum Bound {
    /// So many times as good as another contender, with messages of its case.
    Better(f64, Contender, Case),
    /// Not so many times as bad as another contender.
    Within(f64, Contender),
    /// Below this.
    Below(f64),
}

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is a floor.
    Must,
    /// It is an aim.
    Aim,
    /// No demand is made of it, and it belongs beside a floor.
    Also,
}

/// A line of the table.
struct Demand {
    kind: Kind,
    /// Where it is asked for; elsewhere it is not.
    cores: &'static [&'static str],
    case: Case,
    figure: Figure,
    contender: Contender,
    bound: Bound,
}

const ONE: &[&str] = &["1 core"];
const TWO: &[&str] = &["2 cores"];
const ALL: &[&str] = &["1 core", "2 cores", "any"];

const fn call(payload: usize) -> Case {
    Case::of(Work::Call, payload)
}

const fn cast(payload: usize) -> Case {
    Case::of(Work::Cast, payload)
}

fn demands() -> Vec<Demand> {
    use Figure::{Core, Cpu, Each, Megabytes, P50, PerSecond};

    let small = 64;
    let fan_out = Case::of(Work::FanOut(64), 64 * KIB);
    let raw = Case::of(Work::Raw, 64 * KIB);
    let better = |cores, case, figure, contender, times, than| {
        let bound = Bound::Better(times, than, case);
        Demand { kind: Kind::Must, cores, case, figure, contender, bound }
    };
    let also = |contender, times| {
        let case = cast(64 * KIB).grown();
        let bound = Bound::Better(times, STOCK_TCP, case);
        Demand { kind: Kind::Also, cores: ALL, case, figure: Megabytes, contender, bound }
    };
    // What is left of it where there is nothing but the system.
    let of_system = |contender, than| {
        let (case, bound) = (call(small), Bound::Better(2.5, than, call(small)));
        Demand { kind: Kind::Also, cores: ONE, case, figure: P50, contender, bound }
    };
    let aim = |cores, case, figure, contender, bound| Demand {
        kind: Kind::Aim,
        cores,
        case,
        figure,
        contender,
        bound,
    };
    let raw_call = Case::of(Work::RawCall, 1024 * KIB);
    let of_raw_call = Bound::Better(10.0, STOCK_TCP, call(1024 * KIB));
    let of_raw = Bound::Better(10.0, STOCK_TCP, cast(64 * KIB));
    let idle = |contender| {
        let bound = Bound::Below(IDLE);
        Demand { kind: Kind::Must, cores: ALL, case: Case::IDLE, figure: Core, contender, bound }
    };
    vec![
        better(ONE, call(small), P50, FORK_TCP, 2.5, STOCK_TCP),
        better(ONE, call(small), P50, FORK_UNIX, 2.5, STOCK_UNIX),
        of_system(BLOCKING_TCP, STOCK_TCP),
        of_system(BLOCKING_UNIX, STOCK_UNIX),
        aim(ONE, call(small), P50, FORK_TCP, Bound::Within(1.4, BARE_TCP)),
        aim(ONE, call(small), P50, FORK_UNIX, Bound::Within(1.4, BARE_UNIX)),
        better(ONE, call(small), P50, FORK_SHM, 6.0, STOCK_TCP),
        aim(ONE, call(small), P50, FORK_SHM, Bound::Below(3.0)),
        better(TWO, call(small), P50, FORK_SPINNING, 15.0, STOCK_TCP),
        Demand {
            kind: Kind::Must,
            cores: TWO,
            case: call(small),
            figure: P50,
            contender: FORK_THREAD,
            bound: Bound::Within(1.4, BARE_RING),
        },
        better(ALL, cast(small), PerSecond, FORK_TCP, 5.0, STOCK_TCP),
        better(ALL, cast(small), PerSecond, FORK_SHM, 8.0, STOCK_TCP),
        better(ALL, cast(4 * KIB), Megabytes, FORK_TCP, 1.7, STOCK_TCP),
        better(ALL, cast(4 * KIB), Megabytes, FORK_SHM, 6.0, STOCK_TCP),
        better(ALL, cast(64 * KIB), Megabytes, FORK_TCP, 1.6, STOCK_TCP),
        better(ALL, cast(64 * KIB), Megabytes, FORK_SHM, 6.0, STOCK_TCP),
        also(FORK_TCP, 1.6),
        also(FORK_SHM, 6.0),
        Demand {
            kind: Kind::Must,
            cores: ALL,
            case: raw,
            figure: Megabytes,
            contender: FORK_SHM,
            bound: of_raw,
        },
        Demand {
            kind: Kind::Must,
            cores: ALL,
            case: raw_call,
            figure: P50,
            contender: FORK_SHM,
            bound: of_raw_call,
        },
        better(ALL, cast(small), Cpu, FORK_TCP, 5.0, STOCK_TCP),
        better(ALL, fan_out, Each, FORK_TCP, 30.0, STOCK_TCP),
        idle(FORK_UNIX),
        idle(FORK_SHM),
    ]
}

/// What an idle link may take of a core, in percent: what is told as 0 %.
const IDLE: f64 = 0.5;

/// More bytes than this for a message to several, in payloads, are more than one payload.
const ONE_PAYLOAD: f64 = 1.5;

/// The table of all demands, and how many of them are met.
pub(super) fn table(results: &[Results], wire: &[WireRow]) -> String {
    let head =
        ["case", "pinned to", "figure", "contender", "it", "against", "ratio", "asked", "met"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    let (mut asked, mut met) = (0, 0);
    for demand in demands() {
        for at in results.iter().filter(|it| it.case == demand.case) {
            if !demand.cores.contains(&at.cores) {
                continue;
            }
            let mut line = vec![
                demand.case.to_string(),
                at.cores.to_owned(),
                demand.figure.label().to_owned(),
                demand.contender.name.to_owned(),
            ];
            let judged = demand.judge(at, results);
            if demand.kind == Kind::Must {
                asked += 1;
                met += usize::from(judged.as_ref().is_some_and(|(_, met)| *met));
            }
            match judged {
                Some((cells, is_met)) => {
                    line.extend(cells);
                    line.push(demand.asked());
                    line.push(if is_met { "yes" } else { "no" }.to_owned());
                }
                None => {
                    line.extend(["–".to_owned(), "–".to_owned(), "–".to_owned()]);
                    line.extend([demand.asked(), "not measured".to_owned()]);
                }
            }
            lines.push(line);
        }
    }
    for row in wire.iter().filter(|it| it.case == Case::of(Work::FanOut(64), 64 * KIB)) {
        asked += 1;
        let payloads =
            |contender| row.bytes(contender).unwrap_or(f64::NAN) / row.case.payload as f64;
        let (ours, stock) = (payloads(&FORK_TCP), payloads(&STOCK_TCP));
        let is_met = ours < ONE_PAYLOAD;
        met += usize::from(is_met);
        let line = [
            row.case.to_string(),
            "–".to_owned(),
            "payloads on the wire".to_owned(),
            FORK_TCP.name.to_owned(),
            number(ours),
            format!("{} {}", STOCK_TCP.name, number(stock)),
            number(stock / ours),
            "must: 1".to_owned(),
            if is_met { "yes" } else { "no" }.to_owned(),
        ];
        lines.push(line.to_vec());
    }
    format!("{}\n{met} of {asked} floors are met.\n", aligned(lines))
}

impl Demand {
    fn asked(&self) -> String {
        let kind = match self.kind {
            Kind::Must => "must",
            Kind::Aim => "aim",
            Kind::Also => "also",
        };
        match self.bound {
            Bound::Better(times, ..) => format!("{kind}: {times} times better"),
            Bound::Within(times, _) => format!("{kind}: {times} times at most"),
            Bound::Below(value) => format!("{kind}: below {value}"),
        }
    }

    /// What it has, what it is compared with and their ratio; and whether that is enough. `None`
    /// when one of them was not measured.
    fn judge(&self, at: &Results, all: &[Results]) -> Option<([String; 3], bool)> {
        let own = at.values(&self.contender, self.figure)?;
        let (against, ratio, is_met) = match self.bound {
            Bound::Better(times, than, case) => {
                let its = all.iter().find(|it| it.case == case && it.cores == at.cores)?;
                let ratio = its.ratio(self.figure, &than, (at, &self.contender))?;
                (named(&than, its.values(&than, self.figure)?), Some(ratio), ratio.median >= times)
            }
            Bound::Within(times, of) => {
                // What it needs, by what the other needs.
                let ratio = at.ratio(self.figure, &self.contender, (at, &of))?;
                (named(&of, at.values(&of, self.figure)?), Some(ratio), ratio.median <= times)
            }
            Bound::Below(value) => ("–".to_owned(), None, own.median < value),
        };
        let ratio = ratio.map_or("–".to_owned(), Middle::two_digits);
        Some(([own.to_string(), against, ratio], is_met))
    }
}

fn named(contender: &Contender, values: Middle) -> String {
    format!("{} {values}", contender.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance::case::RAW;

    /// What came of one round with these samples.
    fn results(case: Case, samples: &[(Contender, &str)]) -> Results {
        let parse = |(_, line): &(_, &str)| Some(line.parse().unwrap());
        Results {
            case,
            cores: "1 core",
            contenders: samples.iter().map(|(contender, _)| *contender).collect(),
            rounds: vec![samples.iter().map(parse).collect()],
        }
    }

    /// The lines of a table that hold this.
    fn lines(table: &str, part: &str) -> Vec<String> {
        table.lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }

    #[test]
    fn a_round_trip_is_compared_with_stock_and_with_the_limit() {
        let of = |fork: &str| {
            let stock = "1 1 1 1 10000 1 1";
            let samples = [(STOCK_TCP, stock), (FORK_TCP, fork), (BARE_TCP, "1 1 1 1 3000 1 1")];
            table(&[results(call(64), &samples)], &[])
        };
        let good = of("1 1 1 1 4000 1 1");
        assert!(lines(&good, "2.5 times better")[0].ends_with("| yes          |"), "{good}");
        assert!(lines(&good, "| fork TCP ")[1].contains("1.33 (1.33..1.33)"), "{good}");
        assert!(lines(&good, "1.4 times at most")[0].contains("| yes "), "{good}");
        let bad = of("1 1 1 1 4300 1 1");
        assert!(lines(&bad, "2.5 times better")[0].contains("| no "), "{bad}");
        assert!(lines(&bad, "1.4 times at most")[0].contains("| no "), "{bad}");
        // Who did not take part is told of, and not met.
        assert!(lines(&good, "| fork shm ")[0].contains("not measured"), "{good}");
        assert!(good.contains("1 of 3 floors are met"), "{good}");
    }

    #[test]
    fn an_idle_link_takes_no_core_and_a_shared_message_goes_once() {
        let idle = |cpu: &str| {
            let line = format!("1 1000000 {cpu} {cpu}");
            let samples = [(FORK_UNIX, line.as_str())];
            table(&[results(Case::IDLE, &samples)], &[])
        };
        assert!(lines(&idle("2000"), "| fork Unix ")[0].contains("| yes "));
        assert!(lines(&idle("2600"), "| fork Unix ")[0].contains("| no "));
        let wire =
            |bytes| table(&[], &[WireRow::with(Case::of(Work::FanOut(64), 64 * KIB), bytes)]);
        assert!(wire(70_000.0).contains("1 of 1 floors are met"));
        assert!(wire(140_000.0).contains("0 of 1 floors are met"));
    }

    #[test]
    fn every_demand_is_of_a_case_that_is_measured() {
        let measured = Case::all();
        let is_measured = |it: &&Demand| !matches!(it.case.work, Work::Raw | Work::RawCall) || RAW;
        for demand in demands().iter().filter(is_measured) {
            assert!(measured.contains(&demand.case), "{}", demand.case);
            assert!(Figure::of(demand.case).contains(&demand.figure), "{}", demand.case);
        }
    }
}
