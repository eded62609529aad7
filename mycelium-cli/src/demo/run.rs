//! A run of the demo, from the recording to the verdict.

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ractor::rpc::CallResult;
use ractor::{Actor, ActorRef, pg};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::args::DemoArgs;
use super::child::Start;
use super::children::ReaderProcess;
use super::cluster::{Link, Node};
use super::data::{self, Recording};
use super::feed::{self, Feed, Replay};
use super::ledger::{Clerk, Ledger};
use super::message::{Acknowledged, ReaderMessage};
use super::outcome::{Fault, Outcome};
use super::plan::{self, ALL_READERS, Distance, GROUP, Round, reader_number};
use super::progress::Progress;
use super::reader::{self, ReaderReport};
use super::signals::{INTERRUPTED, Signals};
use super::tick::FIXED_BYTES;
use super::{book, html, text, trades};

/// How long a process may take to start and connect.
const STARTING: Duration = Duration::from_secs(20);

/// How long a reader may take to report.
const REPORTING: Duration = Duration::from_secs(20);

/// How long the node may take to close its connections.
const PARTING: Duration = Duration::from_secs(5);

/// Bytes of ticks that are replayed flat out by default.
const DEFAULT_BYTES: usize = 40_000_000;

/// Runs the demo. Exit status 0 when all is as it should be, 1 when a reader did not get all, 2 when
/// it could not be run, 130 when it was interrupted.
pub(crate) fn run(args: &DemoArgs) -> ExitCode {
    let outcome = check_report(args)
        .and_then(|()| data::load(args.data.as_deref()))
        .and_then(|recording| demonstrate(args, &recording));
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("mycelium: {error}");
            return ExitCode::from(2);
        }
    };
    let faults = outcome.faults();
    print!("{}", text::render(&outcome, &faults));
    let written = write_report(args, &outcome, &faults);
    match &written {
        Ok(()) => println!("Report: {}", args.report.display()),
        Err(error) => eprintln!("mycelium: {error}"),
    }
    match (outcome.interrupted, faults.is_empty() && written.is_ok()) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    }
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

fn write_report(args: &DemoArgs, outcome: &Outcome, faults: &[Fault]) -> Result<(), String> {
    fs::write(&args.report, html::render(outcome, faults))
        .map_err(|error| format!("writing the report {}: {error}", args.report.display()))
}

/// What is replayed, of this recording.
fn rounds(args: &DemoArgs, recording: &Recording) -> Vec<Round> {
    let by_default = || DEFAULT_BYTES / (FIXED_BYTES + args.payload);
    let ticks =
        args.ticks.map_or_else(by_default, |ticks| usize::try_from(ticks).unwrap_or(usize::MAX));
    let flat_out = 0..ticks.clamp(1, recording.trades.len());
    let paced = trades::busiest(&recording.trades, i64::from(args.seconds) * 1000);
    plan::rounds(flat_out, paced)
}

#[tokio::main]
async fn demonstrate(args: &DemoArgs, recording: &Recording) -> Result<Outcome, String> {
    let mut signals = Signals::new().map_err(|error| format!("watching for Ctrl-C: {error}"))?;
    let rounds = rounds(args, recording);
    let progress = Progress::new(&rounds);
    let mut theatre = Theatre::open(feed::window(args.payload)).await?;
    for process in &theatre.processes {
        progress.say(&format!("{}: process {}", process.distance, process.pid));
    }
    let mut replays: Vec<Replay> = Vec::new();
    let mut before: [Option<Link>; 3] = Default::default();
    let feed = Feed {
        trades: &recording.trades,
        step: book::price_step(&recording.trades),
        payload: args.payload,
        ledger: &theatre.ledger,
    };
    let play = async {
        let everybody: Vec<usize> = (0..ALL_READERS).collect();
        theatre.ledger.wait_for_presence(&everybody, STARTING).await;
        Link::settle().await;
        before = Distance::ALL.map(Link::to);
        feed.run(&rounds, &mut replays, &progress).await;
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
    let links = Distance::ALL.map(|distance| {
        let before = before[distance.index()].take();
        changed(before, Link::to(distance))
    });
    let reports = theatre.collect().await;
    let entries = theatre.ledger.entries();
    theatre.close().await;
    Ok(Outcome {
        recording: recording.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        trades: recording.trades.len(),
        tick_bytes: FIXED_BYTES + args.payload,
        links,
        replays,
        entries,
        reports,
        interrupted,
    })
}

/// The link of a distance, or both when another one was taken during the run.
fn changed(before: Option<Link>, after: Option<Link>) -> Link {
    match (before, after) {
        (Some(before), Some(after)) if before != after => {
            Link { kind: format!("{}, then {}", before.kind, after.kind), locality: after.locality }
        }
        (Some(link), _) | (None, Some(link)) => link,
        (None, None) => Link { kind: "none".to_owned(), locality: "not there".to_owned() },
    }
}

/// All that runs: the node, the readers, and the processes.
struct Theatre {
    ledger: Arc<Ledger>,
    clerk: ActorRef<Acknowledged>,
    node: Node,
    here: Vec<ActorRef<ReaderMessage>>,
    processes: Vec<ReaderProcess>,
}

impl Theatre {
    async fn open(window: u64) -> Result<Self, String> {
        let ledger = Arc::new(Ledger::default());
        let acknowledge_every = feed::acknowledge_every(window);
        let (clerk, _) = Actor::spawn(None, Clerk, ledger.clone())
            .await
            .map_err(|error| format!("the feed does not start: {error}"))?;
        let cookie = format!("{:032x}", rand::random::<u128>());
        let (node, coordinator) = Node::listen(&cookie).await?;
        let here = reader::start(Distance::SameProcess, acknowledge_every, &clerk)
            .await
            .map_err(|error| format!("a reader does not start: {error}"))?;
        let mut processes = Vec::new();
        for distance in Distance::APART {
            let cookie = cookie.clone();
            let start = Start { distance, cookie, coordinator, acknowledge_every };
            processes.push(ReaderProcess::start(&start, &ledger).await?);
        }
        Ok(Self { ledger, clerk, node, here, processes })
    }

    /// Asks all readers that can be reached for their reports.
    async fn collect(&mut self) -> Vec<Option<ReaderReport>> {
        let mut reports: Vec<Option<ReaderReport>> = vec![None; ALL_READERS];
        let entries = self.ledger.entries();
        let mut asked = JoinSet::new();
        for member in pg::get_members(&GROUP.to_owned()) {
            let Some(number) = member.get_name().and_then(|name| reader_number(&name)) else {
                continue;
            };
            if entries[number].gone.is_none() {
                asked.spawn(async move { (number, report_of(member.into()).await) });
            }
        }
        while let Some(answer) = asked.join_next().await {
            match answer {
                Ok((number, Ok(report))) => reports[number] = Some(report),
                Ok((number, Err(why))) => self.ledger.lose(number, &why),
                Err(panicked) => eprintln!("mycelium: asking for a report: {panicked}"),
            }
        }
        // A closed link is noticed before the end of the process that closed it.
        for process in &mut self.processes {
            let entries = self.ledger.entries();
            if process.distance.readers().any(|reader| entries[reader].gone.is_some()) {
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

async fn report_of(reader: ActorRef<ReaderMessage>) -> Result<ReaderReport, String> {
    match reader.call(ReaderMessage::Report, Some(REPORTING)).await {
        Ok(CallResult::Success(report)) => serde_json::from_slice(&report)
            .map_err(|error| format!("its report cannot be read: {error}")),
        Ok(CallResult::Timeout) => {
            Err(format!("it gave no report within {} s", REPORTING.as_secs()))
        }
        Ok(CallResult::SenderError) => Err("the link to it closed while it was asked".to_owned()),
        Err(error) => Err(format!("it cannot be asked for its report: {error}")),
    }
}
