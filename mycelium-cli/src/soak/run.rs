//! A soak, from the first process to the verdict.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::args::SoakArgs;
use super::chaos::Chaos;
use super::crew::{Order, Role, crew};
use super::document::Document;
use super::health::Surroundings;
use super::report::Outcome;
use super::stage::Stage;
use crate::colour::Colours;
use crate::demo::signals::{INTERRUPTED, Signals};
use crate::json;

/// How long it may take until every feed reaches every reader, at the beginning and after the last
/// fault.
const SETTLING: Duration = Duration::from_secs(60);

/// How long members that are all connected are left alone, until what they hold is what they hold
/// at rest.
const WARM_UP: Duration = Duration::from_secs(2);

/// How long a member may take to close what outsiders have opened.
const CLEARING: Duration = Duration::from_secs(30);

/// How long the feeds may take to have all handled.
const FINISHING: Duration = Duration::from_secs(90);

/// The exit status of a soak that cannot be run.
const REFUSED: u8 = 2;

/// How long processes may take to end when they are told to. Longer than a member gives its node.
const PARTING: Duration = Duration::from_secs(20);

/// Runs a soak. Exit status 0 when all adds up, 1 when not, 2 when it could not be run, 130 when it
/// was interrupted.
pub(crate) fn run(args: &SoakArgs) -> ExitCode {
    let outcome = match soak(args) {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("mycelium: {error}");
            if args.json {
                json::failure("soak", REFUSED, &error);
            }
            return ExitCode::from(REFUSED);
        }
    };
    let status = match (outcome.interrupted, outcome.wrong().is_empty()) {
        (true, _) => INTERRUPTED,
        (false, true) => 0,
        (false, false) => 1,
    };
    match args.json {
        true => json::result("soak", status, Document::from(&outcome)),
        false => print!("{}", Colours::of_output().verdict(&outcome.to_string())),
    }
    ExitCode::from(status)
}

#[tokio::main]
async fn soak(args: &SoakArgs) -> Result<Outcome, String> {
    let signals = Signals::new().map_err(|error| format!("watching for Ctrl-C: {error}"))?;
    let seed = args.seed.unwrap_or_else(rand::random);
    eprintln!("seed {seed}");
    let surroundings = Surroundings::now();
    let folder = tempfile::Builder::new()
        .prefix("mycelium-soak-")
        .tempdir()
        .map_err(|error| format!("a folder for sockets: {error}"))?;
    let mut stage = Stage::open(seed, args.budgets, folder.path(), signals).await?;
    if !stage.run_until(Instant::now() + SETTLING, |stage| stage.unreached().is_empty()).await
        && !stage.interrupted
    {
        return Err(format!("the cluster does not come up: {}", stage.unreached().join(", ")));
    }

    stage.run_until(Instant::now() + WARM_UP, |stage| stage.interrupted).await;
    stage.note_rest_before();

    let begin = Instant::now();
    let end = begin + args.duration();
    for outsider in args.outsiders() {
        stage.let_in(outsider, &args.misdeed)?;
    }
    let mut chaos = Chaos::new(seed, crew());
    while !stage.interrupted && Instant::now() < end {
        if args.without_faults {
            stage.run_until(end, |stage| stage.interrupted).await;
            continue;
        }
        let (pause, fault) = chaos.next();
        let at = (Instant::now() + pause).min(end);
        stage.run_until(at, |stage| stage.interrupted).await;
        if !stage.interrupted && at < end {
            stage.commit(fault);
        }
    }
    let seconds = begin.elapsed().as_secs();

    stage.calm();
    stage.turn_out();
    if !stage.run_until(Instant::now() + SETTLING, |stage| stage.unreached().is_empty()).await {
        for unreached in stage.unreached() {
            stage.complain(format!("{unreached}, {} s after the last fault", SETTLING.as_secs()));
        }
    }
    // What is left open then is in the outcome.
    stage.run_until(Instant::now() + CLEARING, Stage::is_at_rest).await;
    stage.note_rest_after();
    stage.order(|role| role == Role::Feed, &Order::Finish);
    if !stage.run_until(Instant::now() + FINISHING, Stage::finished).await {
        stage.complain(format!("a feed does not finish within {} s", FINISHING.as_secs()));
    }
    stage.dismiss();
    if !stage.run_until(Instant::now() + PARTING, Stage::is_empty).await {
        stage.complain(format!("not all processes end within {} s", PARTING.as_secs()));
        stage.kill_all();
        stage.run_until(Instant::now() + PARTING, Stage::is_empty).await;
    }
    let left = surroundings.left(folder.path());
    Ok(stage.close(seconds, left))
}
