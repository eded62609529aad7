//! A reader of ticks. It is the same actor at every distance.

use ractor::message::Shared;
use ractor::{Actor, ActorProcessingErr, ActorRef, SpawnErr, pg};
use serde::{Deserialize, Serialize};

use super::checksum::{self, Checksum};
use super::clock;
use super::counters::Counters;
use super::feed;
use super::histogram::Latencies;
use super::message::{Acknowledged, FeedMessage, ReaderMessage};
use super::plan::{GROUP, group_at, parse_reader_name, reader_name};
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

/// How a reader tells the feed how far it is.
pub(crate) type Acknowledge = Box<dyn Fn(Acknowledged) + Send + Sync>;

/// What a reader does with ticks, whatever they came by.
pub(crate) struct ReaderState {
    name: String,
    /// Among those of its place.
    index: usize,
    acknowledge: Acknowledge,
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
    ticks: Checksum,
    payloads: Checksum,
    last_ns: u64,
    latencies: Latencies,
}

impl ReaderState {
    /// A reader of this name that has read nothing.
    pub(crate) fn new(name: String, acknowledge: Acknowledge) -> Self {
        let index = parse_reader_name(&name).map_or(0, |(_, index)| index);
        Self { name, index, acknowledge, rounds: Vec::new(), asked: 0 }
    }

    /// Notes when a tick came, and reads it.
    pub(crate) fn read(&mut self, tick: &Tick, payload: &[u8]) {
        if self.rounds.last().is_none_or(|progress| progress.round != tick.round) {
            // The feed reckons with the same, and a replay's ticks are all of one size.
            let acknowledge_every = feed::acknowledge_every(feed::window(payload.len()));
            let progress = Progress { round: tick.round, acknowledge_every, ..Progress::default() };
            self.rounds.push(progress);
        }
        let progress = self.rounds.last_mut().expect("there is one now");
        progress.last_ns = clock::now_ns();
        progress.latencies.record(progress.last_ns.saturating_sub(tick.sent_ns));
        progress.received += 1;
        progress.sequence.see(tick.number);
        tick.fold_into(&mut progress.ticks);
        if !payload.is_empty() {
            progress.payloads.fold(checksum::word(payload, self.index));
        }
        if tick.last || progress.received % progress.acknowledge_every == 0 {
            let acknowledged = Acknowledged {
                reader: self.name.clone(),
                round: tick.round,
                ticks: progress.received,
                sent_ns: tick.sent_ns,
            };
            (self.acknowledge)(acknowledged);
        }
    }

    /// What it found so far.
    pub(crate) fn report(&mut self) -> ReaderReport {
        let rounds = self.rounds.iter().map(|progress| RoundReport {
            round: progress.round,
            received: progress.received,
            skipped: progress.sequence.skipped(),
            doubled: progress.sequence.doubled(),
            late: progress.sequence.late(),
            checksum: checksum::value(&progress.ticks, &progress.payloads),
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
    type Arguments = ReaderState;

    async fn pre_start(
        &self,
        _: ActorRef<ReaderMessage>,
        state: ReaderState,
    ) -> Result<ReaderState, ActorProcessingErr> {
        Ok(state)
    }

    async fn handle_arc(
        &self,
        _: ActorRef<ReaderMessage>,
        message: Shared<ReaderMessage>,
        state: &mut ReaderState,
    ) -> Result<(), ActorProcessingErr> {
        if let ReaderMessage::Tick(tick, payload) = &*message {
            state.read(tick, payload);
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
            ReaderMessage::Tick(tick, payload) => state.read(&tick, &payload),
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
    feed: &ActorRef<FeedMessage>,
) -> Result<Vec<ActorRef<ReaderMessage>>, SpawnErr> {
    let mut readers = Vec::new();
    for index in 0..count {
        let name = reader_name(place, index);
        let feed = feed.clone();
        let acknowledge = Box::new(move |acknowledged| {
            // When the feed is gone the answer is not waited for.
            let _ = feed.cast(FeedMessage::Acknowledged(acknowledged));
        });
        let state = ReaderState::new(name.clone(), acknowledge);
        let (reader, _) = Actor::spawn(Some(name), Reader, state).await?;
        readers.push(reader);
    }
    let cells = || readers.iter().map(ActorRef::get_cell).collect();
    pg::join(GROUP.to_owned(), cells());
    pg::join(group_at(place), cells());
    Ok(readers)
}
