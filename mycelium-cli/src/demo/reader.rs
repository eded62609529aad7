//! A reader of ticks. It is the same actor at every distance.

use ractor::message::Shared;
use ractor::{Actor, ActorProcessingErr, ActorRef, SpawnErr, pg};
use serde::{Deserialize, Serialize};

use super::checksum::Checksum;
use super::clock;
use super::counters::Counters;
use super::feed;
use super::histogram::Latencies;
use super::message::{Acknowledged, ReaderMessage};
use super::plan::{GROUP, group_at, reader_name};
use super::sequence::Sequence;
use super::tick::Tick;

/// What a reader found in one replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoundReport {
    pub(crate) round: u16,
    pub(crate) received: u64,
    /// Skipped and never seen; what may be missing at the end shows in `received`.
    pub(crate) skipped: u64,
    pub(crate) doubled: u64,
    pub(crate) late: u64,
    pub(crate) checksum: u64,
    /// When it handled the last tick, on the clock that all processes share.
    pub(crate) last_ns: u64,
    /// From sending to handling, as nanoseconds and count.
    pub(crate) latencies: Vec<(u64, u64)>,
}

/// What a reader found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReaderReport {
    /// The counts of its process, which its neighbours share.
    pub(crate) counters: Counters,
    /// How often it was asked before.
    pub(crate) asked: u32,
    pub(crate) rounds: Vec<RoundReport>,
}

/// Reads without a copy where it is given an `Arc`.
pub(crate) struct Reader;

/// What a reader needs to know.
pub(crate) struct ReaderArguments {
    pub(crate) name: String,
    pub(crate) feed: ActorRef<Acknowledged>,
}

pub(crate) struct ReaderState {
    arguments: ReaderArguments,
    rounds: Vec<Progress>,
    asked: u32,
}

/// What came of one replay.
#[derive(Default)]
struct Progress {
    round: u16,
    /// Every so many ticks are acknowledged, and the last of a replay.
    acknowledge_every: u64,
    received: u64,
    sequence: Sequence,
    checksum: Checksum,
    last_ns: u64,
    latencies: Latencies,
}

impl ReaderState {
    fn read(&mut self, tick: &Tick) {
        if self.rounds.last().is_none_or(|progress| progress.round != tick.round) {
            // The feed reckons with the same, and a replay's ticks are all of one size.
            let acknowledge_every = feed::acknowledge_every(feed::window(tick.payload.len()));
            let progress = Progress { round: tick.round, acknowledge_every, ..Progress::default() };
            self.rounds.push(progress);
        }
        let progress = self.rounds.last_mut().expect("there is one now");
        progress.last_ns = clock::now_ns();
        progress.latencies.record(progress.last_ns.saturating_sub(tick.sent_ns));
        progress.received += 1;
        progress.sequence.see(tick.number);
        tick.fold_into(&mut progress.checksum);
        if tick.last || progress.received % progress.acknowledge_every == 0 {
            let acknowledged = Acknowledged {
                reader: self.arguments.name.clone(),
                round: tick.round,
                ticks: progress.received,
                sent_ns: tick.sent_ns,
            };
            // When the feed is gone the answer is not waited for.
            let _ = self.arguments.feed.cast(acknowledged);
        }
    }

    fn report(&mut self) -> ReaderReport {
        let rounds = self.rounds.iter().map(|progress| RoundReport {
            round: progress.round,
            received: progress.received,
            skipped: progress.sequence.skipped(),
            doubled: progress.sequence.doubled(),
            late: progress.sequence.late(),
            checksum: progress.checksum.value(),
            last_ns: progress.last_ns,
            latencies: progress.latencies.counts(),
        });
        let rounds = rounds.collect();
        self.asked += 1;
        ReaderReport { counters: Counters::now(), asked: self.asked - 1, rounds }
    }
}

impl Actor for Reader {
    type Msg = ReaderMessage;
    type State = ReaderState;
    type Arguments = ReaderArguments;

    async fn pre_start(
        &self,
        _: ActorRef<ReaderMessage>,
        arguments: ReaderArguments,
    ) -> Result<ReaderState, ActorProcessingErr> {
        Ok(ReaderState { arguments, rounds: Vec::new(), asked: 0 })
    }

    async fn handle_arc(
        &self,
        _: ActorRef<ReaderMessage>,
        message: Shared<ReaderMessage>,
        state: &mut ReaderState,
    ) -> Result<(), ActorProcessingErr> {
        if let ReaderMessage::Tick(tick) = &*message {
            state.read(tick);
        }
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<ReaderMessage>,
        message: ReaderMessage,
        state: &mut ReaderState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ReaderMessage::Tick(tick) => state.read(&tick),
            ReaderMessage::Report(reply) => {
                let report = serde_json::to_vec(&state.report())?;
                // The caller may have given up.
                let _ = reply.send(report);
            }
        }
        Ok(())
    }
}

/// Starts `count` readers in this process, and lets them join their groups.
///
/// # Errors
/// A reader's name is taken in this process.
pub(crate) async fn start(
    place: &str,
    count: usize,
    feed: &ActorRef<Acknowledged>,
) -> Result<Vec<ActorRef<ReaderMessage>>, SpawnErr> {
    let mut readers = Vec::new();
    for index in 0..count {
        let name = reader_name(place, index);
        let arguments = ReaderArguments { name: name.clone(), feed: feed.clone() };
        let (reader, _) = Actor::spawn(Some(name), Reader, arguments).await?;
        readers.push(reader);
    }
    let cells = || readers.iter().map(ActorRef::get_cell).collect();
    pg::join(GROUP.to_owned(), cells());
    pg::join(group_at(place), cells());
    Ok(readers)
}
