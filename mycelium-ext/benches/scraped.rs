//! What a scrape of the metrics each second costs the actors:
//! `cargo bench -p mycelium-ext --features metrics --bench scraped -- ROUNDS ACTORS`, 15 rounds and
//! 1,000 idle actors by default.
//!
//! Two tasks, one for each worker of the runtime, do the same work with actors of their own. A round
//! has a second of each work without a scrape and a second with one, which begins with the second
//! and is read to its end. Printed are the medians of the rates, and of the ratios of the two
//! seconds of a round, with the middle half of these.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use mycelium_ext::node::{Listen, Node};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

/// How long each work is done.
const SECOND: Duration = Duration::from_secs(1);
/// Casts that wait at most.
const BURST: u64 = 256;
/// The actors of a ring.
const RING: u64 = 8;

enum Ask {
    Take,
    Count(RpcReplyPort<u64>),
    /// To the next one, so many times.
    Hop(u64, RpcReplyPort<u64>),
    Next(ActorRef<Ask>),
}
ractor::local_message!(Ask);

struct Busy;

#[derive(Default)]
struct State {
    taken: u64,
    next: Option<ActorRef<Ask>>,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Busy {
    type Msg = Ask;
    type State = State;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Ask>, (): ()) -> Result<State, ActorProcessingErr> {
        Ok(State::default())
    }

    async fn handle(
        &self,
        _: ActorRef<Ask>,
        message: Ask,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Ask::Take => state.taken += 1,
            Ask::Count(reply) => reply.send(state.taken)?,
            Ask::Hop(0, reply) => reply.send(0)?,
            Ask::Hop(left, reply) => {
                let next = state.next.as_ref().ok_or("a ring is closed")?;
                next.cast(Ask::Hop(left - 1, reply)).map_err(|it| it.to_string())?;
            }
            Ask::Next(next) => state.next = Some(next),
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Work {
    Cast,
    Call,
    Hop,
}

impl Work {
    const ALL: [(&'static str, Self); 3] =
        [("cast", Self::Cast), ("call", Self::Call), ("hop", Self::Hop)];

    /// Does it once, and returns how much that was.
    async fn once(self, actor: &ActorRef<Ask>) -> Result<u64, String> {
        let said = |it: ractor::MessagingErr<Ask>| it.to_string();
        match self {
            Self::Cast => {
                for _ in 0..BURST {
                    actor.cast(Ask::Take).map_err(said)?;
                }
                actor.call(Ask::Count, None).await.map_err(said)?;
                Ok(BURST)
            }
            Self::Call => {
                actor.call(Ask::Count, None).await.map_err(said)?;
                Ok(1)
            }
            Self::Hop => {
                actor.call(|reply| Ask::Hop(BURST, reply), None).await.map_err(said)?;
                Ok(BURST)
            }
        }
    }
}

/// Two tasks of it for a second: how much they did in each.
async fn rate(work: Work, actors: &[ActorRef<Ask>; 2]) -> Result<f64, Box<dyn Error>> {
    let tasks = actors.clone().map(|actor| {
        tokio::spawn(async move {
            let (begun, mut done) = (Instant::now(), 0);
            while begun.elapsed() < SECOND {
                done += work.once(&actor).await?;
            }
            Ok::<_, String>(done as f64 / begun.elapsed().as_secs_f64())
        })
    });
    let mut sum = 0.0;
    for task in tasks {
        sum += task.await??;
    }
    Ok(sum)
}

/// Reads all metrics, and returns how many bytes they were.
fn scrape(address: &str) -> std::io::Result<usize> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)
}

async fn ring() -> Result<ActorRef<Ask>, Box<dyn Error>> {
    let (first, _) = Actor::spawn(None, Busy, ()).await?;
    let mut next = first.clone();
    for _ in 1..RING {
        let (actor, _) = Actor::spawn(None, Busy, ()).await?;
        actor.cast(Ask::Next(next))?;
        next = actor;
    }
    first.cast(Ask::Next(next))?;
    Ok(first)
}

fn quartiles(values: &mut [f64]) -> [f64; 3] {
    values.sort_unstable_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = |at: usize, default| words.get(at).map_or(Ok(default), |it| it.parse());
    let (rounds, idle): (usize, usize) = (number(0, 15)?, number(1, 1_000)?);
    let node = Node::builder("scraped")
        .cookie("measured in turns")
        .listen(Listen::tcp("127.0.0.1:0"))
        .metrics("127.0.0.1:0".parse()?)
        .start()
        .await?;
    let address = node.metrics_address().ok_or("it serves them")?.to_string();
    for _ in 0..idle {
        Actor::spawn(None, Busy, ()).await?;
    }
    let actors = [ring().await?, ring().await?];
    let mut rates = Work::ALL.map(|_| [Vec::new(), Vec::new()]);
    let mut bytes = 0;
    for round in 0..rounds {
        for ((_, work), rates) in Work::ALL.iter().zip(&mut rates) {
            // Each is the first one in every other round.
            for with in [round % 2 == 0, round % 2 == 1] {
                let address = address.clone();
                let scraper = with.then(|| std::thread::spawn(move || scrape(&address)));
                rates[usize::from(with)].push(rate(*work, &actors).await?);
                if let Some(scraper) = scraper {
                    bytes = scraper.join().map_err(|_| "the scrape panicked")??;
                }
            }
        }
    }
    println!("{rounds} rounds, {idle} idle actors, {bytes} bytes a scrape; millions a second");
    for ((name, _), [without, with]) in Work::ALL.iter().zip(&mut rates) {
        let mut ratios: Vec<f64> = with.iter().zip(&*without).map(|(a, b)| a / b).collect();
        let [low, middle, high] = quartiles(&mut ratios);
        println!(
            "{name}: {:.3} without a scrape, {:.3} with one; ratio {middle:.3} ({low:.3}..{high:.3})",
            quartiles(without)[1] / 1e6,
            quartiles(with)[1] / 1e6,
        );
    }
    node.stop().await;
    Ok(())
}
