//! One tick, many readers: each tick is cast as one `Arc` to readers of the forked core.
//!
//! Run it with `cargo run --release -p mycelium-examples --bin ticks`.

use std::sync::Arc;

use ractor::concurrency::JoinHandle;
use ractor::{Actor, ActorProcessingErr, ActorRef};

const READERS: usize = 8;
const TICKS: u64 = 10_000;

/// A tick: the prices of an order book. A type that converts to bytes is a message whether or
/// not the build has the `cluster` feature on.
type Tick = Vec<u64>;

/// Levels of the book.
const DEPTH: u64 = 20;

/// Adds up the prices of the ticks it gets, and says the sum when it stops.
struct Reader {
    number: usize,
}

impl Actor for Reader {
    type Msg = Tick;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Tick>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Tick>,
        tick: Tick,
        sum: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        *sum += tick.iter().sum::<u64>();
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Tick>, sum: &mut u64) -> Result<(), ActorProcessingErr> {
        println!("reader {}: the prices add up to {sum}", self.number);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut readers: Vec<(ActorRef<Tick>, JoinHandle<()>)> = Vec::new();
    for number in 1..=READERS {
        readers.push(Actor::spawn(None, Reader { number }, ()).await?);
    }
    for number in 1..=TICKS {
        let tick: Arc<Tick> = Arc::new((number..number + DEPTH).collect());
        for (reader, _) in &readers {
            reader.cast_arc(tick.clone())?;
        }
    }
    // Draining lets each reader finish what it was sent before it stops.
    for (reader, stopped) in readers {
        reader.drain()?;
        stopped.await?;
    }
    println!("{READERS} readers got {TICKS} ticks each, every tick allocated once");
    Ok(())
}
