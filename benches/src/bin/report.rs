//! Measures everything and writes it into one report: a table, and criterion's plots.

use std::error::Error;
use std::process::Command;
use std::{env, fs, path, thread};

use clap::Parser;
use mycelium_benches::report::{self, BY_REPORT, FULL, QUICK};
use mycelium_benches::{Case, Scheduler};

/// Runs the benches, counts allocations and instructions, and writes `report/REPORT.md` into the
/// folder in which cargo builds.
#[derive(Parser)]
struct Arguments {
    /// Only shows that all of it works; the times are noise.
    #[arg(long)]
    quick: bool,

    /// Does rounds of a case as one contender does them, to be counted.
    #[arg(long, hide = true, num_args = 3, value_names = ["CASE", "CONTENDER", "ROUNDS"])]
    deliver: Option<Vec<String>>,

    /// Prints the resident bytes that each of a case's actors or messages needs, as one contender
    /// has it.
    #[arg(long, num_args = 2, value_names = ["CASE", "CONTENDER"])]
    resident: Option<Vec<String>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if let Some([case, contender, rounds]) = arguments.deliver.as_deref() {
        return deliver(case, contender, rounds.parse()?);
    }
    if let Some([case, contender]) = arguments.resident.as_deref() {
        let bytes = mycelium_benches::resident_bytes(find(case)?, contender);
        println!("{:.0}", bytes.ok_or("it does not take part")?);
        return Ok(());
    }
    let folder = report::forget_last_run()?;
    // Before the benches are built: that may put a new file, of the same code, into its place.
    let program = env::current_exe()?;
    run_benches(arguments.quick)?;
    let instructions = report::instructions(&program, "--deliver");
    report::copy_plots()?;

    let mut more = report::resident(&program, "--resident")?;
    more.extend_from_slice(instructions.as_deref().unwrap_or_default());
    let table = report::whole_table(&more);
    let mut text = format!(
        "# The fork and stock ractor\n\n{}, {} processors.\n{}\n{table}",
        compiler(),
        thread::available_parallelism()?,
        include_str!("../report/intro.md"),
    );
    if arguments.quick {
        text += "\nA quick run: the times are noise.\n";
    }
    if let Err(why) = &instructions {
        text += &format!("\nNo instructions were counted: {why}.\n");
    }
    let file = folder.join("REPORT.md");
    fs::write(&file, &text)?;
    println!("\n{text}\nWritten to {}, with the plots beside it.", file.display());
    Ok(())
}

fn run_benches(quick: bool) -> Result<(), Box<dyn Error>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = path::absolute(report::target())?;
    let status = Command::new(cargo)
        .args(["bench", "--package", env!("CARGO_PKG_NAME"), "--benches"])
        .args(if cfg!(feature = "peers") { &["--features", "peers"][..] } else { &[] })
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env(BY_REPORT, if quick { QUICK } else { FULL })
        // Where it is read afterwards, whatever else is configured.
        .env("CRITERION_HOME", target.join("criterion"))
        .env("CARGO_TARGET_DIR", target)
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("cargo bench: {status}").into()) }
}

fn deliver(case: &str, contender: &str, rounds: u64) -> Result<(), Box<dyn Error>> {
    let mut contenders = find(case)?.contenders(Some(Scheduler::Current));
    let contender = contenders.iter_mut().find(|it| it.name() == contender);
    contender.ok_or("no such contender")?.run(rounds);
    Ok(())
}

fn find(case: &str) -> Result<Case, &'static str> {
    Case::all().into_iter().find(|it| it.to_string() == case).ok_or("no such case")
}

/// The compiler's version, in its own words.
fn compiler() -> String {
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .arg("--version")
        .output();
    let version = output.ok().and_then(|it| String::from_utf8(it.stdout).ok());
    version.map_or("an unknown compiler".to_owned(), |it| it.trim().to_owned())
}
