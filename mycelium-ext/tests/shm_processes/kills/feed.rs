//! The process that sends, and that kills its readers.

use std::future::Future;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mycelium_ext::arena::{Arena, Usage};
use mycelium_ext::node::Node;
use ractor::{ActorRef, pg};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use super::Plan;
use super::figures::Figures;
use super::reader::{READERS, Shown, group_of, write};
use crate::nodes::builder;
use crate::process::{Belongings, LONG, Process, run, soon};

const ARENA: usize = 64 << 20;
/// A broadcast is sent so often, where the arena has room.
const TURN: Duration = Duration::from_millis(2);
/// Of payloads, in bytes.
const LEAST: usize = 64 << 10;
const MOST: usize = 1 << 20;
/// A run goes on until so many were killed that held something.
const KILLS: usize = 8;

/// Numbers that a seed decides: splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

/// What a feed broadcasts.
struct Stream {
    arena: Arena,
    dice: Dice,
    number: u64,
}

impl Stream {
    /// False when the arena has no room.
    fn broadcast(&mut self) -> bool {
        let length = LEAST + self.dice.below(MOST - LEAST + 1);
        let Ok(mut memory) = self.arena.alloc(length) else { return false };
        self.number += 1;
        write(&mut memory, self.number);
        let tick = Shown::Tick { number: self.number, payload: memory.freeze() };
        // One that is in the middle of its end does not get it.
        _ = pg::broadcast_arc(&READERS.to_owned(), Arc::new(tick)).delivered();
        true
    }
}

/// A reader that runs.
struct Reader {
    process: Process,
    /// Whether it holds the payload that it holds for good.
    holds: Arc<AtomicBool>,
    pinning: Option<JoinHandle<()>>,
}

impl Reader {
    fn start(address: &str, number: usize) -> Self {
        let name = format!("reader-{number}");
        let process = Process::start(&["reader", address, &name], Stdio::null());
        Self { process, holds: Arc::default(), pinning: None }
    }

    fn holds(&self) -> bool {
        self.holds.load(Ordering::Relaxed)
    }

    /// Has it hold a payload for good, as soon as it is linked by shared memory.
    fn pin(&mut self, arena: &Arena) {
        if self.holds() || self.pinning.as_ref().is_some_and(|it| !it.is_finished()) {
            return;
        }
        let Some(reader) = pg::get_members(&group_of(self.process.id())).pop() else { return };
        let Ok(payload) = arena.alloc(LEAST) else { return };
        let (payload, reader) = (payload.freeze(), ActorRef::<Shown>::from(reader));
        let holds = self.holds.clone();
        self.pinning = Some(tokio::spawn(async move {
            let answer = reader.call(|reply| Shown::Pin(payload, reply), None).await;
            // One that is killed meanwhile does not answer.
            if answer.is_ok_and(|it| it.is_success() && it.unwrap()) {
                holds.store(true, Ordering::Relaxed);
            }
        }));
    }

    fn give_up_pinning(&self) {
        if let Some(pinning) = &self.pinning {
            pinning.abort();
        }
    }

    fn end(self) {
        self.give_up_pinning();
        self.process.kill();
    }

    /// Kills it at once. The future returns how long it takes from here until it holds nothing.
    fn kill(mut self, arena: Arena) -> impl Future<Output = Duration> {
        let (since, process) = (Instant::now(), self.process.id());
        self.give_up_pinning();
        self.process.begin_to_kill();
        soon(async move {
            while arena.lent_to(process) > 0 {
                tokio::task::yield_now().await;
            }
            let took = since.elapsed();
            // Only now another process may get its number.
            self.process.kill();
            took
        })
    }
}

/// Waits for a condition on what is lent.
async fn until(arena: &Arena, what: impl Fn(Usage) -> bool) {
    soon(async {
        while !what(arena.usage()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn kills(plan: Plan, arena: &Arena, node: &Node, figures: &mut Figures) {
    let address = node.addresses()[0].to_string();
    let mut readers: Vec<_> = (0..plan.readers).map(|it| Reader::start(&address, it)).collect();
    let mut stream = Stream { arena: arena.clone(), dice: Dice(!plan.seed), number: 0 };
    let (mut dice, mut killed) = (Dice(plan.seed), JoinSet::new());
    let mut turns = tokio::time::interval(TURN);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let begun = Instant::now();
    let every = (plan.time / 10).min(Duration::from_secs(10));
    let (mut next_kill, mut next_sample, mut last_kill) = (begun, every, begun);
    while begun.elapsed() < plan.time || figures.leased.len() < KILLS {
        turns.tick().await;
        readers.iter_mut().for_each(|reader| reader.pin(arena));
        match stream.broadcast() {
            true => figures.broadcasts += 1,
            false => figures.full += 1,
        }
        if begun.elapsed() >= next_sample {
            next_sample += every;
            figures.sample(begun.elapsed());
        }
        assert!(last_kill.elapsed() < LONG, "no reader holds anything");
        if Instant::now() < next_kill {
            continue;
        }
        let mut choice: Vec<_> = (0..plan.readers).filter(|it| readers[*it].holds()).collect();
        if choice.is_empty() {
            continue;
        }
        // Most hold payloads. Some may be starting, or have no link yet.
        if dice.below(8) == 0 {
            choice = (0..plan.readers).collect();
        }
        let number = choice[dice.below(choice.len())];
        assert!(!readers[number].process.has_ended(), "reader {number} has ended by itself");
        let holds = readers[number].holds();
        let old = std::mem::replace(&mut readers[number], Reader::start(&address, number));
        if holds {
            let leased = arena.lent_to(old.process.id());
            assert!(leased > 0, "reader {number} holds a payload that is not lent");
            figures.leased.push(leased);
            killed.spawn(old.kill(arena.clone()));
        } else {
            figures.early += 1;
            // The end of the run shows whether it was lent anything at this moment.
            old.end();
        }
        last_kill = Instant::now();
        next_kill = last_kill + Duration::from_millis(50 + dice.below(101) as u64);
        while let Some(took) = killed.try_join_next() {
            figures.back.push(took.expect("it comes back"));
        }
    }
    let ended = readers.iter_mut().filter_map(|it| it.process.has_ended().then_some(()));
    assert_eq!(ended.count(), 0, "readers have ended by themselves");
    figures.back.extend(killed.join_all().await);
    readers.into_iter().for_each(Reader::end);
    until(arena, |usage| (usage.payloads, usage.lent, usage.links) == (0, 0, 0)).await;
}

/// The arena of this process, all of whose memory is there already; and what the first runtime and
/// the first node of a process leave open.
fn prepare() -> Arena {
    run(async {});
    let arena = Arena::of_process(ARENA).expect("there is memory");
    arena.alloc(ARENA).expect("nothing is held").fill(1);
    starts_and_stops();
    arena
}

/// A node that does nothing.
pub(super) fn starts_and_stops() {
    run(async { builder("before").start().await.expect("it starts").stop().await });
}

/// Broadcasts and kills as the plan says, and holds that nothing is left.
pub(super) fn runs(plan: Plan) {
    let arena = prepare();
    let before = Belongings::before();
    println!("{plan:?}");
    let mut figures = Figures::default();
    run(async {
        let node = builder("feed").start().await.expect("it starts");
        kills(plan, &arena, &node, &mut figures).await;
        node.stop().await;
        until(&arena, |usage| usage.used == 0).await;
    });
    figures.hold(plan);
    Belongings::are_again(&before);
}

/// Broadcasts until it is killed. Its address is the first line that it writes.
pub(super) fn broadcasts() {
    let arena = prepare();
    run(async {
        let node = builder("feed").start().await.expect("it starts");
        println!("{}", node.addresses()[0]);
        let mut stream = Stream { arena, dice: Dice(1), number: 0 };
        let mut turns = tokio::time::interval(TURN);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            // Without room there are others soon.
            _ = stream.broadcast();
        }
    })
}
