//! `cargo upstream bench`: upstream's own benches, on stock and on the fork, in turns.

mod side;
mod table;

use std::time::Duration;

use crate::Failure;
use crate::progress::spinner;
use crate::repository::Repository;
use side::{Program, Side};
use table::{Row, Slower};

/// How to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only the benches whose name contains this.
    only: Option<String>,
    /// How often each side runs each bench.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(2..))]
    rounds: u32,
    /// How long a bench is measured in a round, in milliseconds; long iterations take longer.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    measure: u64,
    /// Features of both sides' `ractor`, beside the default ones.
    #[arg(long, default_value = "")]
    features: String,
}

/// A bench, and the same program on either side.
struct Bench<'a> {
    stock: &'a Program,
    fork: &'a Program,
    row: Row,
}

pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> Result<bool, Failure> {
    let progress = spinner("writing the sources of both sides");
    let sides = [Side::stock(repository)?, Side::fork(repository)?];
    drop(progress);
    let mut programs = Vec::new();
    for side in &sides {
        println!("== building upstream's benches, {}", side.name());
        programs.push(side.build(repository, &arguments.features)?);
    }
    let [stock, fork] = programs.as_slice() else {
        return Err("there are two sides".into());
    };
    let mut benches = pairs(stock, fork, arguments.only.as_deref())?;
    if benches.is_empty() {
        return Err("no bench has that in its name".into());
    }
    let measure = Duration::from_millis(arguments.measure);
    for round in 1..=arguments.rounds {
        println!("== round {round} of {}", arguments.rounds);
        let progress = spinner("");
        let count = benches.len();
        for (number, bench) in benches.iter_mut().enumerate() {
            progress.now(format!("bench {} of {count}: {}", number + 1, bench.row.name));
            // Neither side is always the one that finds the machine as the other left it.
            if round % 2 == 1 {
                let stock = bench.stock.time(&bench.row.name, measure)?;
                bench.row.add(stock, bench.fork.time(&bench.row.name, measure)?);
            } else {
                let fork = bench.fork.time(&bench.row.name, measure)?;
                bench.row.add(bench.stock.time(&bench.row.name, measure)?, fork);
            }
        }
    }
    let rows: Vec<Row> = benches.into_iter().map(|bench| bench.row).collect();
    println!("\n{}", table::markdown(&rows));
    let slower: Vec<&Row> = rows.iter().filter(|row| row.slower() == Slower::Surely).collect();
    for row in &slower {
        println!("The fork is slower, by more than the rounds differ: {}", row.name);
    }
    Ok(slower.is_empty())
}

/// The benches that both sides have, which is all of them.
fn pairs<'a>(
    stock: &'a [Program],
    fork: &'a [Program],
    only: Option<&str>,
) -> Result<Vec<Bench<'a>>, Failure> {
    let mut benches = Vec::new();
    for stock in stock {
        let fork = fork.iter().find(|fork| fork.name == stock.name);
        let fork = fork.ok_or_else(|| format!("the fork lacks the bench {}", stock.name))?;
        let names = stock.benches()?;
        if names != fork.benches()? {
            return Err(format!("the sides have different benches in {}", stock.name).into());
        }
        let wanted = names.into_iter().filter(|name| only.is_none_or(|only| name.contains(only)));
        benches.extend(wanted.map(|name| Bench { stock, fork, row: Row::new(name) }));
    }
    Ok(benches)
}
