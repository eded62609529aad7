//! One application, as it was written against stock: before the patch and after it, in turns.
//!
//! The application is `benches/before-after/app`. It uses the plain API of `ractor_cluster`, and
//! connects two processes by TCP. It is built twice, from the same files; the second manifest has
//! `[patch.crates-io]` at its end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::Failure;
use crate::application::{Application, patch};
use crate::markdown::aligned;
use crate::middle::Middle;
use crate::process::Process;
use crate::report::target;

const APPLICATION: Application = Application { bench: "before-after", program: "before-after-app" };

/// How long a process may take to say something.
const PATIENCE: Duration = Duration::from_secs(120);

/// How much is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Rounds. In each, every contender has one turn.
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Casts of a turn, which are timed together with the answer that they are handled.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    casts: u64,
    /// Calls of a turn, one after the other.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    calls: u64,
}

/// A build of the application, and what its processes find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    Stock,
    /// As it comes: the processes find out that they share a machine.
    Fork,
    /// Without a folder for sockets, so that TCP is all there is.
    ForkTcp,
}

impl Contender {
    const ALL: [Self; 3] = [Self::Stock, Self::Fork, Self::ForkTcp];

    fn name(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Fork => "fork",
            Self::ForkTcp => "fork, TCP alone",
        }
    }
}

/// The times of one turn, in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Turn {
    /// Of all casts.
    casts: f64,
    /// Of one call.
    call: f64,
}

/// Both processes of a contender.
#[derive(Debug)]
struct Pair {
    near: Process,
    _far: Process,
    _folder: TempDir,
}

impl Pair {
    fn start(program: &Path, contender: Contender) -> Result<Self, Failure> {
        // Not below cargo's folder: the path of a socket has to be short.
        let folder = tempfile::Builder::new().prefix("before-after-").tempdir()?;
        let sockets = match contender {
            Contender::ForkTcp => folder.path().join("missing"),
            Contender::Stock | Contender::Fork => folder.path().to_owned(),
        };
        let start = |words: &[&str]| {
            let mut command = Command::new(program);
            command.args(words).env("XDG_RUNTIME_DIR", &sockets).env("TMPDIR", &sockets);
            Process::start(command)
        };
        let mut far = start(&["far"])?;
        let address = far.line(PATIENCE)?;
        let mut near = start(&["near", &address])?;
        match near.line(PATIENCE)?.as_str() {
            "connected" => Ok(Self { near, _far: far, _folder: folder }),
            said => Err(format!("the near process said {said:?}").into()),
        }
    }

    fn turn(&mut self, options: &Options) -> Result<Turn, Failure> {
        let mut order = |words: String| -> Result<f64, Failure> {
            Ok(self.near.order(&words, PATIENCE)?.parse()?)
        };
        let casts = order(format!("casts {}", options.casts))?;
        let calls = order(format!("calls {}", options.calls))?;
        Ok(Turn { casts, call: calls / options.calls as f64 })
    }
}

/// Builds, measures and writes the table; returns it, and where it was written.
///
/// # Errors
/// The application does not build, or a process does not do as it is told. No process is left.
pub fn run(options: &Options) -> Result<(String, PathBuf), Failure> {
    let stock = APPLICATION.build("stock", "", &[])?;
    let fork = APPLICATION.build("fork", &patch()?, &[])?;
    let before = load();
    let start = |contender: Contender| -> Result<Pair, Failure> {
        let program = if contender == Contender::Stock { &stock } else { &fork };
        let pair = Pair::start(program, contender);
        Ok(pair.map_err(|error| format!("{} does not start: {error}", contender.name()))?)
    };
    let mut pairs = Contender::ALL.map(start).into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut turns = vec![Vec::new(); pairs.len()];
    // The first round warms up, and does not count.
    for round in 0..=options.rounds as usize {
        eprintln!("round {round} of {}", options.rounds);
        // Another contender begins each time.
        for place in 0..pairs.len() {
            let index = (place + round) % pairs.len();
            let failed = |error| format!("{}: {error}", Contender::ALL[index].name());
            let turn = pairs[index].turn(options).map_err(failed)?;
            if round > 0 {
                turns[index].push(turn);
            }
        }
    }
    drop(pairs);
    let text = format!(
        "# Before and after\n\n{}\n{}\n{}\n",
        table(&turns, options.casts),
        include_str!("../before-after/intro.md"),
        format_args!(
            "{} rounds of {} casts and {} calls. Load average before the run {before}, after it {}.",
            options.rounds,
            options.casts,
            options.calls,
            load()
        ),
    );
    let folder = target().join("report");
    fs::create_dir_all(&folder)?;
    let file = folder.join("BEFORE-AFTER.md");
    fs::write(&file, &text)?;
    Ok((text, file))
}

/// The turns of each contender, in rows for people.
fn table(turns: &[Vec<Turn>], casts: u64) -> String {
    let mut head = vec!["the same application".to_owned()];
    head.extend(Contender::ALL.map(|it| it.name().to_owned()));
    head.push("stock / fork".to_owned());
    let row = |label: String, of: &dyn Fn(&Turn) -> f64| {
        let mut row = vec![label];
        row.extend(
            turns.iter().map(|turns| Middle::of(turns.iter().map(of).collect()).to_string()),
        );
        // Of two turns of one round, so that what slowed both down does not count.
        let rounds = turns[0].iter().zip(&turns[1]);
        let ratios = rounds.map(|(stock, fork)| of(stock) / of(fork));
        row.push(Middle::of(ratios.collect()).two_digits());
        row
    };
    let all = row(format!("{casts} casts until all are handled, ms"), &|it| it.casts / 1e6);
    aligned(vec![head, all, row("a call there and back, µs".to_owned(), &|it| it.call / 1e3)])
}

/// How many processes were runnable in the last minute, where the system tells.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Turn, table};

    #[test]
    fn rows_have_medians_with_their_spread_and_the_ratio_of_stock_to_fork() {
        let turns = |casts: [f64; 3], call: f64| {
            casts.map(|casts| Turn { casts: casts * 1e6, call: call * 1e3 }).to_vec()
        };
        // The third round was disturbed, for all of them.
        let turns = [
            turns([40.0, 42.0, 80.0], 160.0),
            turns([4.0, 4.2, 8.0], 80.0),
            turns([5.0, 5.0, 9.0], 90.0),
        ];
        let table = table(&turns, 10_000);
        let cells = |row: usize| -> Vec<&str> {
            table.lines().nth(row).expect("a row").split('|').map(str::trim).collect()
        };
        assert_eq!(cells(0)[2..5], ["stock", "fork", "fork, TCP alone"]);
        assert_eq!(cells(2)[1], "10000 casts until all are handled, ms");
        assert_eq!(cells(2)[2..4], ["42.0 (41.0..61.0)", "4.20 (4.10..6.10)"]);
        assert_eq!(cells(2)[5], "10.00 (10.00..10.00)");
        assert_eq!(cells(3)[5], "2.00 (2.00..2.00)");
    }
}
