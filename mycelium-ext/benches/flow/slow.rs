//! Messages of 1 MiB to four readers, each in a process of its own, one of them slow:
//! `-- slow ROUNDS MESSAGES ROOM WORD`, where ROOM messages fit into the slow one's mailbox. With a
//! WORD only those rows whose name contains it: `shm`, or `drops`; `-waited` leaves one out.
//!
//! The feed waits for room for each reader (`ActorRef::send_arc`), but not for one whose mailbox
//! drops the oldest: to that one it casts, and what the way has no room for comes back. In each
//! round each of these: no reader is slow; no reader is slow, and the feed itself keeps as many of
//! its last messages as the slow one's mailbox would, and half as many again for those under way;
//! the slow one is waited for; its mailbox drops the oldest; its mailbox conflates.
//!
//! `places` are the pieces of memory that the feed wrote its messages to. It tells how much of the
//! processor's cache the messages take.

use std::collections::{BTreeSet, VecDeque};
use std::error::Error;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mycelium_ext::arena::Arena;
use ractor::actor::actor_config::{ActorConfig, Conflate, Mailbox, Overflow};
use ractor::message::Shared;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::RactorClusterMessage;

use super::{OtherProcess, node, quantiles};

const BYTES: usize = 1 << 20;
const READERS: usize = 4;
/// What the slow reader takes for a message.
const DELAY: Duration = Duration::from_millis(2);
/// How many messages may wait in a mailbox of a reader that is not slow.
const ROOM: usize = 16;

#[derive(Debug, RactorClusterMessage)]
#[shared]
enum Tick {
    Payload(u64, Bytes),
    /// Messages that were handled, and those that were dropped or replaced.
    #[rpc]
    Counts(RpcReplyPort<Vec<u64>>),
}

/// As many keys as the mailbox has room for, in turns.
struct ByKey;

static KEYS: AtomicU64 = AtomicU64::new(1);

impl Conflate for ByKey {
    type Message = Tick;
    type Key = u64;

    fn key(message: &Tick) -> Option<u64> {
        match message {
            Tick::Payload(number, _) => Some(number % KEYS.load(Relaxed)),
            Tick::Counts(_) => None,
        }
    }
}

struct Reader(Duration);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Reader {
    type Msg = Tick;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Tick>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle_arc(
        &self,
        _: ActorRef<Tick>,
        tick: Shared<Tick>,
        handled: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        if let Tick::Payload(number, payload) = &*tick {
            *handled += self.read(*number, payload).await?;
        }
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Tick>,
        tick: Tick,
        handled: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match tick {
            // It came as the only one of its process.
            Tick::Payload(number, payload) => *handled += self.read(number, &payload).await?,
            Tick::Counts(reply) => {
                let gone = myself.lost_messages() + myself.replaced_messages();
                reply.send(vec![*handled, gone])?;
            }
        }
        Ok(())
    }
}

impl Reader {
    async fn read(&self, number: u64, payload: &[u8]) -> Result<u64, ActorProcessingErr> {
        let ends = (payload.first().copied(), payload.last().copied());
        let byte = Some(number as u8);
        if payload.len() != BYTES || ends != (byte, byte) {
            return Err(format!("message {number} is not as it was sent").into());
        }
        if !self.0.is_zero() {
            tokio::time::sleep(self.0).await;
        }
        Ok(1)
    }
}

/// How the slow reader is slow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slow {
    None,
    Held,
    Waited,
    Drops,
    Conflates,
}

impl Slow {
    const ALL: [Self; 5] = [Self::None, Self::Held, Self::Waited, Self::Drops, Self::Conflates];

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Held => "none, feed keeps",
            Self::Waited => "waited",
            Self::Drops => "drops",
            Self::Conflates => "conflates",
        }
    }

    fn is_slow(self) -> bool {
        !matches!(self, Self::None | Self::Held)
    }

    fn mailbox(self, room: usize) -> Mailbox {
        match self {
            Self::None | Self::Held => Mailbox::bounded(ROOM, Overflow::Reject),
            Self::Waited => Mailbox::bounded(room, Overflow::Reject),
            Self::Drops => Mailbox::bounded(room, Overflow::DropOldest),
            Self::Conflates => Mailbox::conflating::<ByKey>(room, Overflow::Reject),
        }
    }
}

/// A process with one reader, which serves until the feed has gone.
pub(crate) async fn reader(words: &[String]) -> Result<(), Box<dyn Error>> {
    let [transport, address, index, slow, room] = words else { return Err("five words".into()) };
    let slow = Slow::ALL.into_iter().find(|it| it.name() == slow).ok_or("how slow?")?;
    let delay = if slow.is_slow() { DELAY } else { Duration::ZERO };
    let room = room.parse()?;
    KEYS.store(room as u64, Relaxed);
    let config = ActorConfig::default().with_mailbox(slow.mailbox(room));
    let (actor, _) = Actor::spawn_with_config(None, Reader(delay), (), config).await?;
    pg::join(index.clone(), vec![actor.get_cell()]);
    let peer = format!("[nodes.here]\naddress = {address:?}\n");
    let name = format!("reader-{index}");
    let other = node(&name, transport, &peer).await?;
    super::until_alone(&other).await
}

/// What a process has held at most, in MiB.
fn peak(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}

/// What came of one run.
struct Run {
    /// Until the fast readers have handled all.
    fast: Duration,
    /// Until the slow one has, too.
    all: Duration,
    /// Of all readers.
    handled: u64,
    /// Dropped or replaced in the slow one's mailbox.
    gone: u64,
    /// Came back to the feed.
    refused: u64,
    /// Of the feed, and of the reader with the most, in MiB.
    peaks: (u64, u64),
    /// Where the second half of the messages lay.
    places: u64,
}

async fn counts(reader: &ActorRef<Tick>) -> Option<(u64, u64)> {
    let counts = reader.call(Tick::Counts, None).await.ok()?.success_or(()).ok()?;
    Some((*counts.first()?, *counts.get(1)?))
}

async fn settled(reader: &ActorRef<Tick>, all: u64) -> (u64, u64) {
    loop {
        match counts(reader).await {
            Some((handled, gone)) if handled + gone >= all => return (handled, gone),
            _ => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

async fn member(group: &str) -> ActorCell {
    loop {
        match pg::get_members(&group.to_owned()).pop() {
            Some(found) => return found,
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

async fn run(
    transport: &str,
    slow: Slow,
    messages: u64,
    room: usize,
) -> Result<Run, Box<dyn Error>> {
    // What was held before does not count.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let here = node("here", transport, "").await?;
    let address = here.addresses()[0].to_string();
    let mut processes = Vec::new();
    let mut readers: Vec<ActorRef<Tick>> = Vec::new();
    for index in 0..READERS {
        let how = if index == 0 { slow } else { Slow::None };
        let mut child = Command::new(std::env::current_exe()?);
        let (index_word, room) = (index.to_string(), room.to_string());
        let words = ["slow-reader", transport, &address, &index_word, how.name(), &room];
        processes.push(OtherProcess(child.args(words).spawn()?));
        readers.push(member(&index.to_string()).await.into());
    }

    let start = Instant::now();
    let mut refused = 0;
    let (mut kept, mut places) = (VecDeque::new(), BTreeSet::new());
    for number in 0..messages {
        let payload = match Arena::get() {
            Some(arena) => arena.alloc(BYTES).map(|mut memory| {
                memory.fill(number as u8);
                memory.freeze()
            }),
            None => Ok(Bytes::from(vec![number as u8; BYTES])),
        };
        // A full arena is no reason not to send.
        let payload = payload.unwrap_or_else(|_| Bytes::from(vec![number as u8; BYTES]));
        if number >= messages / 2 {
            places.insert(payload.as_ptr() as usize);
        }
        if slow == Slow::Held {
            kept.push_back(payload.clone());
            while kept.len() > room + room / 2 {
                kept.pop_front();
            }
        }
        let tick = Arc::new(Tick::Payload(number, payload));
        for (index, reader) in readers.iter().enumerate() {
            if index == 0 && slow == Slow::Drops {
                refused += u64::from(reader.cast_arc(tick.clone()).is_err());
            } else {
                reader.send_arc(tick.clone()).await.map_err(|it| format!("send: {it}"))?;
            }
        }
    }
    let (mut handled, mut gone) = (0, 0);
    let mut fast = Duration::ZERO;
    // The slow one last.
    for (index, reader) in readers.iter().enumerate().rev() {
        let (of_it, gone_of_it) =
            settled(reader, messages - if index == 0 { refused } else { 0 }).await;
        handled += of_it;
        gone += gone_of_it;
        if index == 1 {
            fast = start.elapsed();
        }
    }
    let all = start.elapsed();
    let of_readers = processes.iter().filter_map(|it| peak(it.0.id())).max();
    let peaks = (peak(std::process::id()).unwrap_or(0), of_readers.unwrap_or(0));
    here.stop().await;
    Ok(Run { fast, all, handled, gone, refused, peaks, places: places.len() as u64 })
}

/// Prints a row for each transport and each way of being slow.
pub(crate) async fn bench(
    rounds: usize,
    messages: u64,
    room: usize,
    words: &[String],
) -> Result<(), Box<dyn Error>> {
    let is_asked = |transport: &str, slow: Slow| {
        let name = format!("{transport}: {}", slow.name());
        words.iter().all(|word| match word.strip_prefix('-') {
            Some(word) => !name.contains(word),
            None => name.contains(word),
        })
    };
    println!(
        "{messages} messages of 1 MiB to {READERS} readers in processes of their own, one slow \
         ({DELAY:?} each) with room for {room}; median of {rounds} rounds"
    );
    println!(
        "{:22} {:>12} {:>12} {:>9} {:>7} {:>7} {:>9} {:>9} {:>7}",
        "slow reader",
        "fast done",
        "all done",
        "handled",
        "gone",
        "refused",
        "feed MiB",
        "most MiB",
        "places"
    );
    for transport in ["tcp", "shm"] {
        let mut runs: Vec<Vec<Run>> = Slow::ALL.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            let asked = Slow::ALL.into_iter().zip(&mut runs);
            for (slow, runs) in asked.filter(|(slow, _)| is_asked(transport, *slow)) {
                runs.push(run(transport, slow, messages, room).await?);
            }
        }
        for (slow, runs) in Slow::ALL.into_iter().zip(&runs).filter(|(_, runs)| !runs.is_empty()) {
            let median = |of: fn(&Run) -> Duration| {
                quantiles(&mut runs.iter().map(of).collect::<Vec<_>>()).0
            };
            let most = |of: fn(&Run) -> u64| runs.iter().map(of).max().unwrap_or(0);
            println!(
                "{:22} {:>12.1?} {:>12.1?} {:>9} {:>7} {:>7} {:>9} {:>9} {:>7}",
                format!("{transport}: {}", slow.name()),
                median(|it| it.fast),
                median(|it| it.all),
                most(|it| it.handled),
                most(|it| it.gone),
                most(|it| it.refused),
                most(|it| it.peaks.0),
                most(|it| it.peaks.1),
                most(|it| it.places),
            );
        }
    }
    Ok(())
}
