//! A run of the demo, from the recording to the verdict.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use ractor::{Actor, ActorRef};
use serde::Serialize;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

use super::args::DemoArgs;
use super::child::Start;
use super::children::ReaderProcess;
use super::cluster::{Link, Node};
use super::data::{self, Recording};
use super::distance::{Distance, READERS};
use super::document::Document;
use super::feed::{Feed, Replay};
use super::floor::{self, Floor};
use super::ledger::{Clerk, Ledger};
use super::machine::Machine;
use super::message::{FeedMessage, ReaderMessage};
use super::outcome::{Fault, Outcome};
use super::plan::{Plan, Round};
use super::progress::Progress;
use super::reader::{self, ReaderReport};
use super::rivals::{Audience, Rival};
use super::signals::{INTERRUPTED, Signals};
use super::{book, html, reports, text, worker};
use crate::colour::Colours;
use crate::json;

/// How long a process may take to start and connect.
const STARTING: Duration = Duration::from_secs(20);

/// How long the node may take to close its connections.
const PARTING: Duration = Duration::from_secs(5);

/// The exit status of a demo that cannot be run.
const REFUSED: u8 = 2;

/// Runs the demo. Exit status 0 when all is as it should be, 1 when a reader did not get all, 2
/// when it could not be run, 130 when it was interrupted.
pub(crate) fn run(args: &DemoArgs) -> ExitCode {
    let machine = Machine::here();
    let outcome = check_report(args)
        .and_then(|()| data::load(args.replay.data.as_deref()))
        .and_then(|recording| worker::run(demonstrate(args.clone(), recording)));
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("mycelium: {error}");
            if args.json {
                json::failure("demo", REFUSED, &error);
            }
            return ExitCode::from(REFUSED);
        }
    };
    let faults = outcome.faults();
    let written = write_report(args, &outcome, &faults, &machine);
    let status = match (outcome.interrupted, faults.is_empty() && written.is_ok()) {
        (true, _) => INTERRUPTED,
        (false, true) => 0,
        (false, false) => 1,
    };
    if args.json {
        let report = written.is_ok().then_some(args.report.as_path());
        let outcome = Document::of(&outcome, &faults);
        json::result("demo", status, Printed { report, outcome });
    } else {
        let words = text::render(&outcome, &faults);
        print!("{}", Colours::of_output().verdict(&words));
        if written.is_ok() {
            println!("Report: {}", args.report.display());
        }
    }
    if let Err(error) = &written {
        eprintln!("mycelium: {error}");
    }
    ExitCode::from(status)
}

/// What `--json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    /// `None` when it could not be written.
    report: Option<&'a Path>,
    #[serde(flatten)]
    outcome: Document<'a>,
}

/// Finds before the run what would spoil its end.
fn check_report(args: &DemoArgs) -> Result<(), String> {
    let path = &args.report;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if path.is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
        let path = path.display();
        return Err(format!(
            "the report {path} cannot be written: name a file in a folder that exists"
        ));
    }
    Ok(())
}

fn write_report(
    args: &DemoArgs,
    outcome: &Outcome,
    faults: &[Fault],
    machine: &Machine,
) -> Result<(), String> {
    fs::write(&args.report, html::render(outcome, faults, machine))
        .map_err(|error| format!("writing the report {}: {error}", args.report.display()))
}

async fn demonstrate(args: DemoArgs, recording: Recording) -> Result<Outcome, String> {
    let mut signals = Signals::new().map_err(|error| format!("watching for Ctrl-C: {error}"))?;
    let plan = Arc::new(Distance::plan());
    let rounds = args.replay.rounds_of_demo(&plan, &recording);
    let progress = Progress::new(&rounds);
    let mut theatre = Theatre::open(plan.clone()).await?;
    for process in &theatre.processes {
        progress.say(&format!("{}: process {}", process.distance, process.pid));
    }
    let mut replays: Vec<Replay> = Vec::new();
    let mut before: Vec<Option<Link>> = Vec::new();
    let feed = Feed {
        trades: &recording.trades,
        step: book::price_step(&recording.trades),
        plan: &plan,
        ledger: &theatre.ledger,
        rivals: &theatre.rivals,
    };
    let mut floor = None;
    let play = async {
        let everybody: Vec<usize> = plan.readers().collect();
        theatre.ledger.wait_for_presence(&everybody, STARTING).await;
        Link::settle(&plan.places()[Distance::SameMachine.index()]).await;
        before = plan.places().iter().map(Link::to).collect();
        // What waking costs depends on what else the machine does, so it is measured beside the
        // replays that it is compared with.
        let is_paced = |round: &Round| round.kind.is_paced();
        let (first, rest) = rounds.split_at(rounds.iter().position(is_paced).unwrap_or(0));
        feed.run(first, &mut replays, &progress).await;
        progress.say("measuring what it costs to wake threads and processes");
        let paced = rest.first().map_or(0..0, |round| round.trades.clone());
        let pauses = floor::pauses(&recording.trades[paced]);
        // Dropped with this future, so that an interrupted run need not wait.
        let (_wanted, end) = mpsc::channel();
        floor = spawn_blocking(move || Floor::measure(READERS, &pauses, end)).await.ok();
        feed.run(rest, &mut replays, &progress).await;
    };
    let interrupted = tokio::select! {
        biased;
        () = signals.wait() => true,
        () = play => false,
    };
    signals.end_at_the_next();
    progress.end();
    if let Some(replay) = replays.last_mut() {
        replay.close();
    }
    before.resize(plan.places().len(), None);
    let floor = floor.transpose()?;
    let links = plan.places().iter().zip(before);
    let links = links.map(|(place, before)| Link::changed(before, Link::to(place))).collect();
    let reports = theatre.collect().await;
    let (entries, round_trips) = (theatre.ledger.entries(), theatre.ledger.round_trips());
    theatre.close().await;
    Ok(Outcome {
        recording: recording.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        trades: recording.trades.len(),
        plan,
        links,
        replays,
        entries,
        round_trips,
        reports,
        floor,
        interrupted,
    })
}

/// All that runs: the node, the readers, and the processes.
struct Theatre {
    plan: Arc<Plan>,
    ledger: Arc<Ledger>,
    clerk: ActorRef<FeedMessage>,
    node: Node,
    here: Vec<ActorRef<ReaderMessage>>,
    rivals: Vec<(Rival, Audience)>,
    processes: Vec<ReaderProcess>,
}

impl Theatre {
    async fn open(plan: Arc<Plan>) -> Result<Self, String> {
        let ledger = Arc::new(Ledger::of(plan.clone()));
        let (clerk, _) = Actor::spawn(None, Clerk, ledger.clone())
            .await
            .map_err(|error| format!("the feed does not start: {error}"))?;
        let cookie = format!("{:032x}", rand::random::<u128>());
        let (node, coordinator) = Node::listen(&cookie).await?;
        let here = reader::start(&Distance::SameProcess.to_string(), READERS, &clerk)
            .await
            .map_err(|error| format!("a reader does not start: {error}"))?;
        let mut rivals = Vec::new();
        for place in plan.places() {
            if let Some(rival) = place.rival {
                rivals.push((rival, Audience::start(rival, place, &ledger).await?));
            }
        }
        let mut processes = Vec::new();
        for distance in Distance::APART {
            let cookie = cookie.clone();
            let start = Start { distance, cookie, coordinator };
            processes.push(ReaderProcess::start(&start, &ledger).await?);
        }
        Ok(Self { plan, ledger, clerk, node, here, rivals, processes })
    }

    /// Asks all readers that can be reached for their reports.
    async fn collect(&mut self) -> Vec<Option<ReaderReport>> {
        let mut reports = reports::collect(&self.plan, &self.ledger).await;
        for place in self.plan.places() {
            let rival = self.rivals.iter().find(|(rival, _)| Some(*rival) == place.rival);
            let Some((_, audience)) = rival else { continue };
            for (reader, report) in place.readers.clone().zip(audience.reports().await) {
                reports[reader] = report;
            }
        }
        // A closed link is noticed before the end of the process that closed it.
        for process in &mut self.processes {
            let entries = self.ledger.entries();
            let place = &self.plan.places()[process.distance.index()];
            if place.readers.clone().any(|reader| entries[reader].gone.is_some()) {
                process.wait_a_moment().await;
            }
        }
        reports
    }

    async fn close(self) {
        let mut parting = JoinSet::new();
        for process in self.processes {
            parting.spawn(process.dismiss());
        }
        while parting.join_next().await.is_some() {}
        for reader in &self.here {
            reader.stop(None);
        }
        self.clerk.stop(None);
        // A node that hangs ends with the process.
        let _ = timeout(PARTING, self.node.stop()).await;
    }
}
