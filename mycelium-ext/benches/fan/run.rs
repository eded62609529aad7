//! The rounds, and what a child process does.

use std::process::ExitCode;

use crate::arguments::{Arguments, Contender};
use crate::crew::Crew;
use crate::flavour::Failure;
use crate::report::{self, Case, Row};
use crate::{actors, memory, stock};

const HAS_ICEORYX: bool = cfg!(feature = "iceoryx");

/// What may be under way to all processes, in bytes, and in messages.
const WINDOW_BYTES: usize = 16 << 20;
const MOST_UNDER_WAY: u64 = 256;

/// Stock holds a copy for each reader: beyond this it takes no part.
const MOST_BYTES_OF_STOCK: usize = 256 << 20;

fn window(case: Case) -> u64 {
    let fitting = WINDOW_BYTES / (case.size * case.processes);
    (fitting as u64).clamp(2, MOST_UNDER_WAY)
}

/// Whether a contender can do a case.
fn takes_part(contender: Contender, case: Case) -> bool {
    let held = case.size * case.processes * case.readers * 2;
    contender != Contender::Stock || held <= MOST_BYTES_OF_STOCK
}

pub(crate) fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["feed", way, processes, readers] => feed(way, processes, readers),
        ["readers", way, number, address, readers] => read(way, number, address, readers),
        _ => measure(words.iter().map(|word| (*word).to_owned())).map_err(Failure::from),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fan: {error}");
            ExitCode::FAILURE
        }
    }
}

fn feed(way: &str, processes: &str, readers: &str) -> Result<(), Failure> {
    let (processes, readers) = (processes.parse()?, readers.parse()?);
    match way {
        "memory" => memory::feed(processes, memory::Written::Whole),
        "placed-memory" => memory::feed(processes, memory::Written::Checked),
        #[cfg(feature = "iceoryx")]
        "iceoryx" => crate::iceoryx::feed(processes),
        way => {
            let way = way.to_owned();
            in_task(async move { actors::feed(&way, processes, readers).await })
        }
    }
}

fn read(way: &str, number: &str, address: &str, readers: &str) -> Result<(), Failure> {
    let readers = readers.parse()?;
    match way {
        "memory" | "placed-memory" => memory::read(number.parse()?, address, readers),
        #[cfg(feature = "iceoryx")]
        "iceoryx" => crate::iceoryx::read(address, readers),
        way => {
            let [way, number, address] = [way, number, address].map(str::to_owned);
            in_task(async move { actors::read(&way, &number, &address, readers).await })
        }
    }
}

/// In a task, as actors are: the thread that waits for the runtime is none of its workers.
fn in_task(run: impl Future<Output = Result<(), Failure>> + Send + 'static) -> Result<(), Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build()?;
    runtime.block_on(runtime.spawn(run))?
}

fn measure(words: impl Iterator<Item = String>) -> Result<(), String> {
    let arguments = Arguments::parse(words, HAS_ICEORYX)?;
    let contenders = &arguments.contenders;
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let stock = if contenders.contains(&Contender::Stock) { Some(stock::build()?) } else { None };
    let mut rows = Vec::new();
    for processes in &arguments.processes {
        for readers in &arguments.readers {
            let case =
                |size: &usize| Case { processes: *processes, readers: *readers, size: *size };
            let cases: Vec<Case> = arguments.sizes.iter().map(case).collect();
            let mut of_crew: Vec<Row> = cases
                .iter()
                .map(|case| Row { case: *case, samples: vec![Vec::new(); contenders.len()] })
                .collect();
            for round in 1..=arguments.rounds {
                eprintln!("{processes} processes, {readers} readers each: round {round}");
                for (number, contender) in contenders.iter().enumerate() {
                    let program = match contender {
                        Contender::Stock => stock.as_ref().ok_or("stock was not built")?,
                        _ => &own,
                    };
                    let failed = |error| format!("{}: {error}", contender.name());
                    let mut crew = Crew::start(program, contender.way(), *processes, *readers)
                        .map_err(failed)?;
                    for row in of_crew.iter_mut().filter(|row| takes_part(*contender, row.case)) {
                        let window = arguments.window.unwrap_or_else(|| window(row.case));
                        // The first messages of a size pay for memory that the next ones find.
                        let warm_up = arguments.milliseconds / 8;
                        crew.run(row.case.size, window, warm_up).map_err(failed)?;
                        let sample = crew.run(row.case.size, window, arguments.milliseconds);
                        row.samples[number].push(sample.map_err(failed)?);
                    }
                }
            }
            rows.extend(of_crew);
        }
    }
    let names: Vec<&str> = contenders.iter().map(|it| it.name()).collect();
    println!("{}", report::table(&names, &rows));
    println!(
        "Medians (least..most) of {} rounds, per message and reader: time until all were handled, \
         processor time of all processes. – : stock would hold more than {} at once.",
        arguments.rounds,
        report::size(MOST_BYTES_OF_STOCK)
    );
    if let Some(plot) = &arguments.plot {
        std::fs::write(plot, report::plot(&names, &rows))
            .map_err(|error| format!("writing {}: {error}", plot.display()))?;
        println!("Plot: {}", plot.display());
    }
    Ok(())
}
