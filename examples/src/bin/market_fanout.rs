//! One publisher, 64 actors that read each tick, and 4 that keep it.
//!
//! Every tick is one allocation. Readers never copy it; actors that keep it get a copy of
//! their own, but for the last of all, who gets the tick itself.
//!
//!     cargo run -p mycelium-examples --bin market_fanout

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ractor::message::Shared;
use ractor::{Actor, ActorProcessingErr, ActorRef, pg};

const READERS: usize = 64;
const KEEPERS: usize = 4;
const TICKS: u64 = 1000;
/// Price levels of a tick: 4 KiB.
const DEPTH: usize = 512;

/// An order book at one moment.
#[derive(Clone)]
struct Tick {
    number: u64,
    prices: Vec<u64>,
    /// Where the prices lay when the tick was published.
    origin: usize,
}

impl Tick {
    fn new(number: u64) -> Self {
        let prices = vec![number; DEPTH];
        Self { number, origin: prices.as_ptr() as usize, prices }
    }

    /// Whether this is not the one that was published.
    fn is_copy(&self) -> bool {
        self.prices.as_ptr() as usize != self.origin
    }
}

/// What those of one kind got.
struct Tally {
    delivered: AtomicUsize,
    copies: AtomicUsize,
}

impl Tally {
    const fn new() -> Self {
        Self { delivered: AtomicUsize::new(0), copies: AtomicUsize::new(0) }
    }

    fn count(&self, tick: &Tick) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
        self.copies.fetch_add(usize::from(tick.is_copy()), Ordering::Relaxed);
    }

    fn print(&self, kind: &str, actors: usize) {
        let delivered = self.delivered.load(Ordering::Relaxed);
        let copies = self.copies.load(Ordering::Relaxed);
        println!("{actors} {kind}: {delivered} deliveries, {copies} copies");
    }
}

static READ: Tally = Tally::new();
static KEPT: Tally = Tally::new();

// It stays in this process.
ractor::local_message!(Tick);

/// Looks at the best price: `handle_arc` reads the very tick that was published.
struct Reader;

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
        best: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        READ.count(&tick);
        *best = tick.prices.iter().copied().max().unwrap_or(*best);
        Ok(())
    }
}

/// Keeps the last ticks: `handle` gets a tick of its own.
struct Keeper;

impl Actor for Keeper {
    type Msg = Tick;
    type State = Vec<Tick>;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Tick>, (): ()) -> Result<Vec<Tick>, ActorProcessingErr> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: ActorRef<Tick>,
        tick: Tick,
        kept: &mut Vec<Tick>,
    ) -> Result<(), ActorProcessingErr> {
        KEPT.count(&tick);
        if kept.len() == 8 {
            kept.remove(0);
        }
        kept.push(tick);
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<Tick>,
        kept: &mut Vec<Tick>,
    ) -> Result<(), ActorProcessingErr> {
        assert_eq!(kept.last().map(|tick| tick.number), Some(TICKS - 1));
        Ok(())
    }
}

#[tokio::main]
async fn main() {
    let group = "market".to_owned();
    let mut tasks = Vec::new();
    for number in 0..READERS + KEEPERS {
        let (actor, task) = if number < READERS {
            Actor::spawn(None, Reader, ()).await.expect("it starts")
        } else {
            Actor::spawn(None, Keeper, ()).await.expect("it starts")
        };
        pg::join(group.clone(), vec![actor.get_cell()]);
        tasks.push((actor, task));
    }

    for number in 0..TICKS {
        let report = pg::broadcast_arc(&group, Arc::new(Tick::new(number)));
        assert!(report.failed().is_empty(), "{report:?}");
    }
    for (actor, task) in tasks {
        // Handles what it was sent, and stops.
        actor.drain().expect("it runs");
        task.await.expect("it does not panic");
    }

    READ.print("readers", READERS);
    KEPT.print("keepers", KEEPERS);
    assert_eq!(READ.copies.load(Ordering::Relaxed), 0);
}
