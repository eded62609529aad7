//! How long a call to one actor of another process takes while much goes to another actor there:
//! `cargo bench -p mycelium-ext --features cluster --bench flow`.
//!
//! `-- ROUNDS` says how often each is measured. Both processes run two worker threads. In each
//! round and for each transport: the first call of a session, right behind 300,000 casts of 64
//! bytes; calls with nothing else on the link; a call behind as many casts again; and calls while
//! 256 messages of 1 MiB go by.
//!
//! `-- slow ROUNDS MESSAGES ROOM WORD` measures something else: large messages to several readers,
//! one of them slow.

#[path = "flow/slow.rs"]
mod slow;

use std::error::Error;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mycelium_ext::config::{Config, Environment};
use mycelium_ext::node::{Node, NodeEvent};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::RactorClusterMessage;

const FLOOD: u64 = 300_000;
const LARGE: u64 = 256;
const LARGE_BYTES: usize = 1 << 20;
const IDLE_CALLS: usize = 1_000;

/// Answers, and counts what needs no answer.
struct Far;

#[derive(RactorClusterMessage)]
enum Ask {
    #[rpc]
    Handled(RpcReplyPort<u64>),
    Take(Vec<u8>),
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Far {
    type Msg = Ask;
    type State = u64;
    type Arguments = String;

    async fn pre_start(
        &self,
        myself: ActorRef<Ask>,
        group: String,
    ) -> Result<u64, ActorProcessingErr> {
        pg::join(group, vec![myself.get_cell()]);
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Ask>,
        message: Ask,
        handled: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Ask::Handled(reply) => reply.send(*handled)?,
            Ask::Take(_) => *handled += 1,
        }
        Ok(())
    }
}

/// The other process, which ends with this one.
struct OtherProcess(Child);

impl Drop for OtherProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn node(name: &str, transport: &str, more: &str) -> Result<Node, Box<dyn Error>> {
    let text = format!(
        "[node]\nname = {name:?}\ncookie = \"measured in turns\"\ntransport = {transport:?}\n\
         [node.limits]\nreplay_window = \"64 MiB\"\n{more}"
    );
    let config = Config::parse(&text, "mycelium.toml", &Environment::of_process())?;
    Ok(Node::from_config(&config)?.start().await?)
}

async fn member(group: &str) -> ActorRef<Ask> {
    loop {
        match pg::get_members(&group.to_owned()).pop() {
            Some(found) => return found.into(),
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

async fn call(actor: &ActorRef<Ask>) -> Result<(Duration, u64), Box<dyn Error>> {
    let start = Instant::now();
    let called = actor.call(Ask::Handled, None).await;
    let handled = called.map_err(|error| format!("call: {error:?} {error}"))?.expect("an answer");
    Ok((start.elapsed(), handled))
}

/// The median and the 99th of a hundred.
fn quantiles(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[(times.len() * 99 / 100).min(times.len() - 1)])
}

/// What one transport took.
#[derive(Default)]
struct Times {
    idle: Vec<Duration>,
    first_behind_flood: Vec<Duration>,
    behind_flood: Vec<Duration>,
    flood: Vec<Duration>,
    beside_large: Vec<Duration>,
    large: Vec<Duration>,
}

async fn all_handled(actor: &ActorRef<Ask>, all: u64) -> Result<(), Box<dyn Error>> {
    // A call may be refused as long as the way to the actor is full.
    while call(actor).await.map_or(0, |(_, handled)| handled) < all {
        tokio::task::yield_now().await;
    }
    Ok(())
}

fn cast_all(sink: &ActorRef<Ask>) -> Result<(), String> {
    for _ in 0..FLOOD {
        sink.cast(Ask::Take(vec![7; 64])).map_err(|it| format!("{it:?}: {it}"))?;
    }
    Ok(())
}

async fn round(transport: &str, times: &mut Times) -> Result<(), Box<dyn Error>> {
    let here = node("here", transport, "").await?;
    let address = here.addresses()[0].to_string();
    let mut child = Command::new(std::env::current_exe()?);
    let _other = OtherProcess(child.args([transport, &address]).spawn()?);
    here.connected("there").await;
    let (sink, echo) = (member("sink").await, member("echo").await);

    cast_all(&sink)?;
    times.first_behind_flood.push(call(&echo).await?.0);
    all_handled(&sink, FLOOD).await?;

    for _ in 0..IDLE_CALLS {
        times.idle.push(call(&echo).await?.0);
    }

    let start = Instant::now();
    cast_all(&sink)?;
    times.behind_flood.push(call(&echo).await?.0);
    all_handled(&sink, 2 * FLOOD).await?;
    times.flood.push(start.elapsed());

    let start = Instant::now();
    let sent = Arc::new(AtomicU64::new(0));
    let feed = tokio::spawn({
        let (sink, sent) = (sink.clone(), sent.clone());
        async move {
            for _ in 0..LARGE {
                // It waits for room.
                if sink.send(Ask::Take(vec![7; LARGE_BYTES])).await.is_err() {
                    break;
                }
                sent.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    while !feed.is_finished() {
        times.beside_large.push(call(&echo).await?.0);
    }
    assert_eq!(sent.load(Ordering::Relaxed), LARGE);
    all_handled(&sink, 2 * FLOOD + LARGE).await?;
    times.large.push(start.elapsed());
    here.stop().await;
    Ok(())
}

/// Waits until the peer has gone.
async fn until_alone(node: &Node) -> Result<(), Box<dyn Error>> {
    let mut events = node.events();
    while !matches!(events.recv().await?, NodeEvent::Disconnected { .. }) {}
    Ok(())
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.split_first() {
        Some((word, words)) if word == "slow-reader" => return slow::reader(words).await,
        Some((word, words)) if word == "slow" => {
            let number = |at: usize, default| words.get(at).map_or(Ok(default), |it| it.parse());
            return slow::bench(
                number(0, 3)? as usize,
                number(1, 10_000)?,
                number(2, 16)? as usize,
                words.get(3..).unwrap_or_default(),
            )
            .await;
        }
        _ => {}
    }
    if let [transport, address] = &words[..] {
        for group in ["sink", "echo"] {
            Actor::spawn(None, Far, group.to_owned()).await?;
        }
        let peer = format!("[nodes.here]\naddress = {address:?}\n");
        let other = node("there", transport, &peer).await?;
        return until_alone(&other).await;
    }
    let rounds = words.first().map_or(Ok(10), |rounds| rounds.parse())?;
    let kinds = ["tcp", "unix", "shm"];
    let mut all: Vec<Times> = kinds.iter().map(|_| Times::default()).collect();
    for _ in 0..rounds {
        for (kind, times) in kinds.iter().zip(&mut all) {
            round(kind, times).await?;
        }
    }
    println!("median / 99th percentile of {rounds} rounds");
    for (kind, times) in kinds.iter().zip(&mut all) {
        println!("{kind}:");
        for (what, times) in [
            ("call, nothing else", &mut times.idle),
            ("first call, behind 300,000 casts", &mut times.first_behind_flood),
            ("call behind 300,000 casts of 64 B", &mut times.behind_flood),
            ("the casts, until handled", &mut times.flood),
            ("call beside 256 x 1 MiB", &mut times.beside_large),
            ("the 256 MiB, until handled", &mut times.large),
        ] {
            let count = times.len();
            let (median, high) = quantiles(times);
            println!("  {what:36} {median:>12.1?} / {high:>12.1?}   ({count})");
        }
    }
    Ok(())
}
