//! A node with the feed.

use std::sync::Arc;

use mycelium_ext::node::Node;
use ractor::Actor;

use super::NodeArgs;
use super::event::Event;
use super::roll;
use super::screen::Screen;
use crate::demo::cluster::Link;
use crate::demo::data::Recording;
use crate::demo::feed::{Feed, Replay};
use crate::demo::ledger::{Clerk, Ledger};
use crate::demo::outcome::Outcome;
use crate::demo::plan::Plan;
use crate::demo::signals::{INTERRUPTED, Signals};
use crate::demo::{book, reader, reports};

/// Waits for readers, replays to them, and prints the outcome.
///
/// # Errors
/// A sentence that names what does not start.
pub(super) async fn replay(
    args: &NodeArgs,
    recording: &Recording,
    node: &Node,
    screen: &Screen,
    mut signals: Signals,
) -> Result<u8, String> {
    let ledger = Arc::new(Ledger::default());
    let (clerk, _) = Actor::spawn(None, Clerk, ledger.clone())
        .await
        .map_err(|error| format!("the feed does not start: {error}"))?;
    let here = reader::start(node.name(), args.readers.into(), &clerk)
        .await
        .map_err(|error| format!("a reader does not start: {error}"))?;
    let plan = tokio::select! {
        biased;
        () = signals.wait() => {
            screen.tell(&Event::Interrupted);
            return Ok(INTERRUPTED);
        }
        plan = gather(args.wait as usize, node, &ledger, screen) => Arc::new(plan),
    };
    ledger.open(plan.clone());

    let rounds = args.replay.rounds(&plan, recording);
    let progress = screen.progress(&rounds);
    let before: Vec<Option<Link>> = plan.places().iter().map(Link::to).collect();
    let mut replays: Vec<Replay> = Vec::new();
    let feed = Feed {
        trades: &recording.trades,
        step: book::price_step(&recording.trades),
        plan: &plan,
        ledger: &ledger,
        rivals: &[],
    };
    let interrupted = tokio::select! {
        biased;
        () = signals.wait() => true,
        () = feed.run(&rounds, &mut replays, progress) => false,
    };
    signals.end_at_the_next();
    progress.end();
    if let Some(replay) = replays.last_mut() {
        replay.close();
    }
    let links = plan.places().iter().zip(before);
    let links = links.map(|(place, before)| Link::changed(before, Link::to(place))).collect();
    let reports = reports::collect(&plan, &ledger).await;
    let outcome = Outcome {
        recording: recording.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        trades: recording.trades.len(),
        plan,
        links,
        replays,
        entries: ledger.entries(),
        round_trips: ledger.round_trips(),
        reports,
        floor: None,
        interrupted,
    };
    for reader in &here {
        reader.stop(None);
    }
    // Readers elsewhere take its end for that of the run.
    clerk.stop(None);
    let faults = outcome.faults();
    screen.outcome(&outcome, &faults);
    Ok(match (interrupted, faults.is_empty()) {
        (true, _) => INTERRUPTED,
        (false, true) => 0,
        (false, false) => 1,
    })
}

/// Waits until `least` readers are there, and numbers all that are. Cancel safe.
async fn gather(least: usize, node: &Node, ledger: &Ledger, screen: &Screen) -> Plan {
    let mut told = None;
    ledger
        .look_until(|| {
            let seats = roll::call(node.name());
            let there: usize = seats.iter().map(|seats| seats.readers).sum();
            if told.replace(there) != Some(there) {
                screen.tell(&Event::ReadersGathered { readers: there, wanted: least });
            }
            (there >= least).then(|| Plan::new(seats))
        })
        .await
}
