//! All cases, by all contenders, in turns.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::Failure;
use super::apps::Apps;
use super::case::{Case, Contender, SHM, contenders};
use super::cores::Cores;
use super::pair::Pair;
use super::sample::{Figure, Sample};
use super::table::table;
use super::{demands, wire};
use crate::middle::Middle;
use crate::report::target;

/// How much is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Rounds. In each, every contender does every case once.
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
    pub(super) contenders: Vec<Contender>,
    /// A round has a sample of each contender that takes part, in their order.
    pub(super) rounds: Vec<Vec<Option<Sample>>>,
}

impl Results {
    /// The samples of a contender; `None` when it did not take part.
    fn samples(&self, contender: &Contender) -> Option<Vec<&Sample>> {
        let index = self.contenders.iter().position(|it| it == contender)?;
        self.rounds.iter().map(|round| round[index].as_ref()).collect()
    }

    /// The middle of a contender's rounds; `None` when it did not take part.
    pub(super) fn values(&self, contender: &Contender, figure: Figure) -> Option<Middle> {
        let samples = self.samples(contender)?;
        let values = samples.into_iter().map(|sample| figure.value(self.case, sample)).collect();
        Some(Middle::of(values))
    }

    /// What `one` needs here, divided by what the other needs there: of two turns of each round, so
    /// that what slowed both down does not count. `None` when one of them did not take part.
    pub(super) fn ratio(
        &self,
        figure: Figure,
        one: &Contender,
        (there, other): (&Self, &Contender),
    ) -> Option<Middle> {
        let rounds = self.samples(one)?.into_iter().zip(there.samples(other)?);
        let of = |(one, other)| figure.ratio((self.case, one), (there.case, other));
        Some(Middle::of(rounds.map(of).collect()))
    }
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
        .map(|(cores, case)| Results { case, cores, contenders: contenders(), rounds: Vec::new() })
        .collect();
    for round in 0..rounds {
        for (cores, results) in all_cores.iter().zip(results.chunks_mut(cases.len())) {
            eprintln!("round {} of {rounds}, {}", round + 1, cores.label);
            measure(&apps, cores, results, round as usize, milliseconds)?;
        }
    }
    eprintln!("bytes on the wire");
    let last = all_cores.last().ok_or("there are no cores")?;
    let wire = wire::count(&apps, last, &cases, options.quick)?;
    let mut text = format!(
        "# Two processes on one machine\n\n{rounds} rounds of {milliseconds} ms.\n{}\n{}\n## What is asked for\n\n{}\n## All of it\n\n{}\n{}",
        include_str!("../../distance/intro.md"),
        if SHM { "" } else { "Nothing was measured by shared memory.\n" },
        demands::table(&results, &wire),
        table(&results),
        wire::table(&wire),
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

/// One round.
fn measure(
    apps: &Apps,
    cores: &Cores,
    results: &mut [Results],
    round: usize,
    milliseconds: u64,
) -> Result<(), Failure> {
    let mut begun: Vec<Case> = Vec::new();
    for number in 0..results.len() {
        let case = results[number].case;
        if begun.iter().any(|other| other.shares_processes(case)) {
            continue;
        }
        begun.push(case);
        let results: Vec<_> =
            results.iter_mut().filter(|it| it.case.shares_processes(case)).collect();
        measure_together(apps, cores, results, round, milliseconds)?;
    }
    Ok(())
}

/// Cases that share processes: each contender has its own, which wait while others have their turn.
fn measure_together(
    apps: &Apps,
    cores: &Cores,
    all: Vec<&mut Results>,
    round: usize,
    milliseconds: u64,
) -> Result<(), Failure> {
    let contenders = contenders();
    let start = |contender: &Contender| -> Result<Option<Pair>, Failure> {
        let takes_part = all.iter().any(|results| results.case.is_for(contender, cores));
        if contender.burns() || !takes_part {
            return Ok(None);
        }
        Ok(Some(start_pair(apps, contender, cores)?))
    };
    let mut pairs = contenders.iter().map(start).collect::<Result<Vec<_>, _>>()?;
    for (number, results) in all.into_iter().enumerate() {
        let milliseconds = results.case.milliseconds(milliseconds);
        let (preparation, order) =
            (results.case.preparation(milliseconds), results.case.order(milliseconds));
        let mut samples = vec![None; pairs.len()];
        // Another contender begins each time.
        for turn in 0..pairs.len() {
            let index = (turn + number + round) % pairs.len();
            if !results.case.is_for(&contenders[index], cores) {
                continue;
            }
            // It would take the cores from all others.
            let mut own = match contenders[index].burns() {
                true => Some(start_pair(apps, &contenders[index], cores)?),
                false => None,
            };
            let Some(pair) = own.as_mut().or(pairs[index].as_mut()) else { continue };
            let failed = |error| format!("{}, {}: {error}", contenders[index].name, results.case);
            let time = Duration::from_millis(milliseconds);
            if let Some(preparation) = &preparation {
                pair.order(preparation, time).map_err(failed)?;
            }
            let said = pair.order(&order, time).and_then(|line| line.parse());
            samples[index] = Some(said.map_err(failed)?);
        }
        results.rounds.push(samples);
    }
    Ok(())
}

fn start_pair(apps: &Apps, contender: &Contender, cores: &Cores) -> Result<Pair, Failure> {
    Pair::start(apps, contender, cores)
        .map_err(|error| format!("{} did not start: {error}", contender.name).into())
}
