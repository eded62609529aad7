//! A reader that sleeps, and one that spins: how old a tick is when each sees it.
//!
//! A thread of its own sends a tick each millisecond to both. The spinning one burns a core for
//! what it wins, so it needs a machine with cores to spare.
//!
//!     cargo run --release -p mycelium-examples --features spinning --bin spinning_reader

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mycelium_ext::fast_lane::{Batch, FastActor, FastActorRef, LaneConfig, SpinningThread};
use ractor::ActorProcessingErr;

const TICKS: usize = 1_000;

/// When it was sent.
struct Tick(Instant);

struct Reader(&'static str);

impl FastActor for Reader {
    type Msg = Tick;
    type Control = ();
    type State = Vec<Duration>;
    type Arguments = ();

    async fn pre_start(
        &self,
        _: FastActorRef<Tick>,
        (): (),
    ) -> Result<Vec<Duration>, ActorProcessingErr> {
        Ok(Vec::with_capacity(TICKS))
    }

    async fn handle(
        &self,
        _: FastActorRef<Tick>,
        batch: Batch<'_, Tick>,
        ages: &mut Vec<Duration>,
    ) -> Result<(), ActorProcessingErr> {
        ages.extend(batch.map(|tick| tick.0.elapsed()));
        Ok(())
    }

    async fn post_stop(
        &self,
        _: FastActorRef<Tick>,
        ages: &mut Vec<Duration>,
    ) -> Result<(), ActorProcessingErr> {
        ages.sort_unstable();
        let (median, high) = (ages[ages.len() / 2], ages[ages.len() * 99 / 100]);
        println!("the one that {}: {median:.1?}, 99th of a hundred {high:.1?}", self.0);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lane = LaneConfig::default();
    let (sleeping, first) = Reader("sleeps").spawn(None, (), lane).await?;
    let thread = SpinningThread::new();
    let (spinning, second) = thread.spawn(Reader("spins"), None, (), lane).await?;
    let readers = [sleeping.clone(), spinning.clone()];
    let feed = thread::spawn(move || {
        for _ in 0..TICKS {
            thread::sleep(Duration::from_millis(1));
            for reader in &readers {
                // Each gets a tick of its own, so that none is younger for having come second.
                reader.cast_arc(Arc::new(Tick(Instant::now()))).expect("there is room");
            }
        }
    });
    feed.join().expect("it has not panicked");
    for (reader, stopped) in [(sleeping, first), (spinning, second)] {
        reader.drain()?;
        stopped.await?;
    }
    Ok(())
}
