//! What a snapshot of a process with many actors takes:
//! `cargo bench -p mycelium-ext --features view --bench snapshot -- ACTORS`, 100,000 by default.
//!
//! A process of its own actors, idle under one supervisor. Each row is the median of 21 snapshots,
//! with the shortest and the longest: the time in which it was made, by its own thread, and the time
//! in which a client had all of the answer, by the node's Unix socket. The last row is what a thread
//! that asks twice a second, as `mycelium top` does, has the process compute.

use std::error::Error;
use std::time::{Duration, Instant};

use mycelium_ext::view::{Request, Sort, Target, ViewServer};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use ractor_cluster::RactorMessage;

const ROUNDS: usize = 21;
const ASKED: u32 = 20;

struct Idle;

#[derive(RactorMessage)]
struct Nothing;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Idle {
    type Msg = Nothing;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Nothing>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// The processor time of this process so far.
fn computed() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

fn row(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let (least, most) = (times[0], times[times.len() - 1]);
    println!("{what:34} {:>10.1?} ({least:.1?} .. {most:.1?})", times[times.len() / 2]);
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let word = std::env::args().skip(1).find(|word| word != "--bench");
    let count: usize = word.map_or(Ok(100_000), |word| word.parse())?;
    let view = ViewServer::start("many@localhost", Vec::new())?;
    let (root, _) = Actor::spawn(Some("root".to_owned()), Idle, ()).await?;
    for _ in 1..count {
        Actor::spawn_linked(None, Idle, (), root.get_cell()).await?;
    }
    let target = Target::at(view.path());
    println!("{count} actors, median of {ROUNDS} (shortest .. longest)");
    for (name, request) in [
        ("no actor", Request::all(0)),
        ("500 actors, by handling", Request::all(500)),
        ("500 actors, by messages that wait", Request::all(500).sorted(Sort::Waiting)),
        ("all actors", Request::all(count)),
    ] {
        let (mut made, mut answered) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let snapshot = target.ask(&request)?;
            answered.push(begun.elapsed());
            made.push(Duration::from_micros(snapshot.took_us));
            assert_eq!(snapshot.totals.actors, count, "none is left out");
        }
        row(&format!("{name}: made"), made);
        row(&format!("{name}: answered"), answered);
    }
    let before = (Instant::now(), computed());
    for _ in 0..ASKED {
        target.ask(&Request::all(500))?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let share = (computed() - before.1).as_secs_f64() / before.0.elapsed().as_secs_f64();
    println!("{:34} {:>9.1} % of a core", "asked twice a second", share * 100.0);
    Ok(())
}
