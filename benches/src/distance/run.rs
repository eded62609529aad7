//! All cases, by all contenders, in turns.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::Failure;
use super::apps::Apps;
use super::case::{CONTENDERS, Case};
use super::cores::Cores;
use super::pair::Pair;
use super::sample::Sample;
use super::table::table;
use crate::report::target;

/// How much is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Rounds, in each of which every contender does every case once.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Milliseconds that a contender takes for a case in each round.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    milliseconds: u64,

    /// Only shows that all of it works: two short rounds, and the figures are noise.
    #[arg(long)]
    quick: bool,

    /// Only the cases whose name contains this, such as `casts 64 B`.
    #[arg(long, default_value = "")]
    case: String,
}

/// What the contenders of a case did in every round, pinned to these cores.
#[derive(Debug)]
pub(super) struct Results {
    pub(super) case: Case,
    pub(super) cores: &'static str,
    /// A round has a sample of each contender, in their order.
    pub(super) rounds: Vec<Vec<Sample>>,
}

/// Builds, measures and writes the table; returns it, and where it was written.
///
/// # Errors
/// The application does not build, or a process does not do as it is told. No process is left.
pub fn run(options: &Options) -> Result<(String, PathBuf), Failure> {
    let apps = Apps::build()?;
    let (rounds, milliseconds) = match options.quick {
        true => (2, 20),
        false => (options.rounds, options.milliseconds),
    };
    let cases: Vec<_> =
        Case::all().into_iter().filter(|it| it.to_string().contains(&options.case)).collect();
    if cases.is_empty() {
        return Err(format!("no case's name contains {:?}", options.case).into());
    }
    let (all_cores, missing) = Cores::all();
    if let Some(why) = &missing {
        eprintln!("{why}");
    }
    let mut results: Vec<_> = all_cores
        .iter()
        .flat_map(|it| cases.iter().map(|case| (it.label, *case)))
        .map(|(cores, case)| Results { case, cores, rounds: Vec::new() })
        .collect();
    for round in 0..rounds {
        for (cores, results) in all_cores.iter().zip(results.chunks_mut(cases.len())) {
            eprintln!("round {} of {rounds}, {}", round + 1, cores.label);
            measure(&apps, cores, results, round as usize, milliseconds)?;
        }
    }
    let mut text = format!(
        "# Two processes on one machine\n\n{rounds} rounds of {milliseconds} ms.\n{}\n{}",
        include_str!("../../distance/intro.md"),
        table(&results),
    );
    if let Some(why) = missing {
        text += &format!("\nNot all was measured: {why}.\n");
    }
    if options.quick {
        text += "\nA quick run: the figures are noise.\n";
    }
    let folder = target().join("report");
    fs::create_dir_all(&folder)?;
    let file = folder.join("DISTANCE.md");
    fs::write(&file, &text)?;
    Ok((text, file))
}

/// One round: every contender has processes of its own, which wait while others have their turn.
fn measure(
    apps: &Apps,
    cores: &Cores,
    results: &mut [Results],
    round: usize,
    milliseconds: u64,
) -> Result<(), Failure> {
    let start = |contender| {
        Pair::start(apps, contender, cores)
            .map_err(|error| format!("{} did not start: {error}", contender.name))
    };
    let mut pairs = CONTENDERS.iter().map(start).collect::<Result<Vec<_>, _>>()?;
    let time = Duration::from_millis(milliseconds);
    for (number, results) in results.iter_mut().enumerate() {
        let mut samples = vec![None; pairs.len()];
        // Somebody else begins each time.
        for turn in 0..pairs.len() {
            let index = (turn + number + round) % pairs.len();
            let order = results.case.order(milliseconds);
            let said = pairs[index].order(&order, time).and_then(|line| line.parse());
            let failed = |error| format!("{}, {}: {error}", CONTENDERS[index].name, results.case);
            samples[index] = Some(said.map_err(failed)?);
        }
        results.rounds.push(samples.into_iter().flatten().collect());
    }
    Ok(())
}
