//! The feed: makes ticks of trades, and sends each as one `Arc` to all who read.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
#[cfg(target_os = "linux")]
use mycelium_ext::arena::{Arena, PLACED_THRESHOLD};
use ractor::{ActorCell, pg};
use tokio::time::Instant;

use super::book::Book;
use super::checksum::{self, Expected, PARTS};
use super::clock;
use super::counters::Counters;
use super::ledger::{LEFT, Ledger};
use super::message::ReaderMessage;
use super::plan::{Kind, Plan, Round};
use super::progress::Progress;
use super::rivals::{Audience, Rival};
use super::tick::{FIXED_BYTES, Tick};
use super::trades::Trade;

/// Who acknowledges nothing for so long is no longer waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// What may be under way to one reader, in bytes and in ticks.
const WINDOW_BYTES: usize = 4 << 20;
const WINDOW_TICKS: u64 = 256;

/// How many ticks may be under way to a reader, for ticks with so many bytes of payload.
pub(crate) fn window(payload: usize) -> u64 {
    let fitting = WINDOW_BYTES / (FIXED_BYTES + payload);
    (fitting as u64).clamp(4, WINDOW_TICKS)
}

/// Readers acknowledge four times a window, so that the feed need not stop for them.
pub(crate) fn acknowledge_every(window: u64) -> u64 {
    (window / 4).max(1)
}

/// A replay as the feed saw it.
#[derive(Debug, Clone)]
pub(crate) struct Replay {
    pub(crate) round: Round,
    /// Ticks sent.
    pub(crate) ticks: u64,
    /// Of them, those sent to each reader.
    pub(crate) sent: Vec<u64>,
    /// What readers that get all of them fold them into.
    pub(crate) expected: Expected,
    /// When the first was sent, on the clock that all processes share.
    pub(crate) first_ns: u64,
    /// What this process counted during the replay, once it is over; until then, before it.
    counters: Counters,
    /// Whether all ticks were sent, and everybody had time to read them.
    pub(crate) complete: bool,
    closed: bool,
}

impl Replay {
    /// One that has not begun, in a run with so many readers.
    pub(crate) fn new(round: Round, readers: usize) -> Self {
        Self {
            round,
            ticks: 0,
            sent: vec![0; readers],
            expected: Expected::default(),
            first_ns: clock::now_ns(),
            counters: Counters::now(),
            complete: false,
            closed: false,
        }
    }

    /// Ends it, complete or not.
    pub(crate) fn close(&mut self) {
        if !self.closed {
            self.counters = Counters::now() - self.counters;
            self.closed = true;
        }
    }

    /// What this process counted during the replay.
    pub(crate) fn counters(&self) -> Counters {
        if self.closed { self.counters } else { Counters::now() - self.counters }
    }

    /// How many ticks it was to send.
    pub(crate) fn planned(&self) -> u64 {
        self.round.trades.len() as u64
    }
}

/// Makes ticks of trades.
struct Maker<'a> {
    trades: &'a [Trade],
    round: u16,
    book: Book,
    bought: i64,
    sold: i64,
}

/// The payload of all ticks of a replay, and what readers fold their parts of it into. Each tick
/// gets it written anew, as a feed would whose payloads differ.
struct Opaque {
    bytes: Vec<u8>,
    words: Option<[u64; PARTS]>,
}

impl Opaque {
    /// Bytes without a pattern, the same in every run.
    fn of(length: usize) -> Self {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let bytes = (0..length).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        });
        let bytes: Vec<u8> = bytes.collect();
        let words = std::array::from_fn(|index| checksum::word(&bytes, index));
        Self { words: (length > 0).then_some(words), bytes }
    }

    fn write(&self) -> Bytes {
        written(&self.bytes)
    }
}

/// Where the feed writes a payload: memory that readers on this machine read too, where there are
/// such, and else memory of this process.
fn written(payload: &[u8]) -> Bytes {
    #[cfg(target_os = "linux")]
    if payload.len() >= PLACED_THRESHOLD {
        if let Some(written) = Arena::get().and_then(|arena| arena.copy(payload).ok()) {
            return written;
        }
    }
    Bytes::copy_from_slice(payload)
}

impl<'a> Maker<'a> {
    fn new(trades: &'a [Trade], step: i64, round: u16) -> Option<Self> {
        let book = Book::before(trades.first()?, step);
        Some(Self { trades, round, book, bought: 0, sold: 0 })
    }

    fn tick(&mut self, index: usize) -> Tick {
        let trade = &self.trades[index];
        self.book.apply(trade);
        let side = if trade.size > 0 { &mut self.bought } else { &mut self.sold };
        *side = side.saturating_add(trade.size.saturating_abs());
        Tick {
            round: self.round,
            last: index + 1 == self.trades.len(),
            number: index as u64,
            sent_ns: 0,
            time_ms: trade.time_ms,
            price: trade.price,
            size: trade.size,
            bought: self.bought,
            sold: self.sold,
            bids: self.book.bids,
            asks: self.book.asks,
        }
    }
}

/// What the feed works with.
pub(crate) struct Feed<'a> {
    pub(crate) trades: &'a [Trade],
    /// The recording's price step.
    pub(crate) step: i64,
    pub(crate) plan: &'a Plan,
    pub(crate) ledger: &'a Ledger,
    /// The readers of the plan's rivals, in its order.
    pub(crate) rivals: &'a [(Rival, Audience)],
}

impl Feed<'_> {
    /// Replays `rounds`, one after the other, and shows how far it is. What was sent stands in
    /// `replays` at any moment, after what was replayed before, so that it is known when the future
    /// is dropped.
    pub(crate) async fn run(
        &self,
        rounds: &[Round],
        replays: &mut Vec<Replay>,
        progress: &Progress,
    ) {
        for round in rounds {
            let index = replays.len();
            let before = replays.iter().map(Replay::planned).sum();
            replays.push(Replay::new(round.clone(), self.plan.readers().len()));
            let replay = replays.last_mut().expect("one was just added");
            progress.begin(replay);
            self.replay(index, replay, |replay| progress.show(before, replay)).await;
            replay.close();
        }
    }

    async fn replay(&self, index: usize, replay: &mut Replay, told: impl Fn(&Replay) + Send) {
        let trades = &self.trades[replay.round.trades.clone()];
        let number = u16::try_from(index).expect("a few replays");
        let Some(mut maker) = Maker::new(trades, self.step, number) else { return };
        let payload = Opaque::of(replay.round.payload);
        let window = window(replay.round.payload);
        let stride = (window / 8).max(1);
        let kind = replay.round.kind;
        let group = self.plan.group(kind);
        let rival = self.plan.rival(kind);
        let rival = self.rivals.iter().find(|(it, _)| Some(*it) == rival).map(|(_, it)| it);
        let mut live = self.live(kind);
        self.part_with_others(kind, &live);
        let start = Instant::now();
        replay.first_ns = clock::now_ns();
        for tick_index in 0..trades.len() {
            if kind.is_paced() {
                let passed = trades[tick_index].time_ms - trades[0].time_ms;
                let due = start + Duration::from_millis(passed.unsigned_abs());
                if due > Instant::now() {
                    // Readers of this process wait for the thread that just sent to them.
                    tokio::task::yield_now().await;
                    tokio::time::sleep_until(due).await;
                    told(replay);
                }
            }
            let sent = tick_index as u64;
            if sent % stride == 0 {
                let least = (sent + stride).saturating_sub(window);
                self.ledger.wait_for(&live, index, least, PATIENCE).await;
                live = self.live(kind);
                if live.is_empty() {
                    return;
                }
                told(replay);
                // The feed shares its thread with readers.
                tokio::task::yield_now().await;
            }
            let mut tick = maker.tick(tick_index);
            let bytes = payload.write();
            replay.expected.fold(|checksum| tick.fold_into(checksum), payload.words.as_ref());
            replay.ticks += 1;
            tick.sent_ns = clock::now_ns();
            if let Some(rival) = rival {
                if rival.send(tick, bytes) != live.len() {
                    self.plan.part(kind).for_each(|it| self.ledger.lose(it, "it has ended"));
                    return;
                }
            } else {
                let report = pg::broadcast_arc(&group, Arc::new(ReaderMessage::Tick(tick, bytes)));
                if report.delivered() != live.len() {
                    self.find_missing(kind, &report);
                    live = self.live(kind);
                }
            }
            for reader in &live {
                replay.sent[*reader] += 1;
            }
        }
        self.ledger.wait_for(&live, index, replay.ticks, PATIENCE).await;
        replay.complete = true;
    }

    /// The readers that take part and can be reached. A reader that cannot be reached is sent
    /// nothing more.
    fn live(&self, kind: Kind) -> Vec<usize> {
        let entries = self.ledger.entries();
        let part = self.plan.part(kind);
        let is_live = |reader: &usize| entries[*reader].gone.is_none();
        let live: Vec<usize> = part.clone().filter(is_live).collect();
        if live.len() != part.len() {
            self.part_with_others(kind, &live);
        }
        live
    }

    fn number_of(&self, member: &ActorCell) -> Option<usize> {
        self.plan.number_of(&member.get_name()?)
    }

    /// Lets those leave the group who are lost, or came when all were counted, so that nothing
    /// piles up on the way to them.
    fn part_with_others(&self, kind: Kind, live: &[usize]) {
        let group = self.plan.group(kind);
        let is_live =
            |member: &ActorCell| self.number_of(member).is_some_and(|it| live.contains(&it));
        let members = pg::get_members(&group).into_iter();
        let others: Vec<_> = members.filter(|member| !is_live(member)).collect();
        if !others.is_empty() {
            pg::leave(group, others);
        }
    }

    /// Notes who did not get a tick that others got, and parts with who got one and should not.
    fn find_missing(&self, kind: Kind, report: &pg::Broadcast) {
        for (member, reason) in report.failed() {
            if let Some(reader) = self.number_of(member) {
                self.ledger.lose(reader, &format!("a tick could not be sent to it: {reason}"));
            }
        }
        let members = pg::get_members(&self.plan.group(kind));
        let there: HashSet<usize> =
            members.iter().filter_map(|member| self.number_of(member)).collect();
        for reader in self.plan.part(kind).filter(|reader| !there.contains(reader)) {
            self.ledger.lose(reader, LEFT);
        }
        self.part_with_others(kind, &self.live(kind));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRADES: [Trade; 3] = [
        Trade { time_ms: 1, price: 100, size: 5 },
        Trade { time_ms: 2, price: 102, size: -7 },
        Trade { time_ms: 2, price: 102, size: 9 },
    ];

    #[test]
    fn trades_become_ticks() {
        let mut maker = Maker::new(&TRADES, 2, 3).expect("there are trades");
        let ticks: Vec<Tick> = (0..3).map(|index| maker.tick(index)).collect();
        assert_eq!(ticks.iter().map(|tick| tick.number).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(ticks.iter().map(|tick| tick.last).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!((ticks[2].bought, ticks[2].sold), (14, 7));
        assert_eq!(ticks[2].round, 3);
        assert_eq!(ticks[2].asks[0].price, 102);
    }

    #[test]
    fn two_replays_make_the_same_ticks() {
        let ticks = || {
            let mut maker = Maker::new(&TRADES, 2, 0).expect("there are trades");
            (0..3).map(|index| maker.tick(index)).collect::<Vec<_>>()
        };
        assert_eq!(ticks(), ticks());
        assert!(Maker::new(&[], 1, 0).is_none());
        assert_eq!(Opaque::of(1000).bytes, Opaque::of(1000).bytes);
        assert_ne!(Opaque::of(1000).bytes, vec![Opaque::of(1).bytes[0]; 1000]);
    }

    #[test]
    fn the_window_is_bounded_in_bytes() {
        assert_eq!(window(0), WINDOW_TICKS);
        assert_eq!(window(64 << 10), 63);
        assert_eq!(window(16 << 20), 4);
        for payload in [0, 1000, 1 << 20, 16 << 20] {
            let window = window(payload);
            assert!(acknowledge_every(window) + (window / 8).max(1) <= window);
        }
    }
}
