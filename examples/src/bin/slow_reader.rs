//! One feed, and a slow reader under each of four policies: what is full goes back, the feed waits,
//! the oldest is dropped, or the latest of each symbol is kept. Each account has to add up.
//!
//!     cargo run -p mycelium-examples --bin slow_reader

use ractor::actor::actor_config::{ActorConfig, Conflate, Mailbox, Overflow};
use ractor::concurrency::{Duration, sleep};
use ractor::{Actor, ActorProcessingErr, ActorRef};

const TICKS: u64 = 2_000;
const SYMBOLS: u64 = 20;
const ROOM: usize = 64;

#[derive(Clone, Copy)]
struct Tick {
    symbol: u64,
    price: u64,
}

// It stays in this process.
ractor::local_message!(Tick);

impl Conflate for Tick {
    type Message = Self;
    type Key = u64;

    fn key(tick: &Self) -> Option<u64> {
        Some(tick.symbol)
    }
}

/// Takes a moment for every few ticks, and keeps the latest price of each symbol.
struct Reader;

struct Seen {
    handled: u64,
    latest: Vec<u64>,
    tell: Option<tokio::sync::oneshot::Sender<(u64, Vec<u64>)>>,
}

impl Actor for Reader {
    type Msg = Tick;
    type State = Seen;
    type Arguments = tokio::sync::oneshot::Sender<(u64, Vec<u64>)>;

    async fn pre_start(
        &self,
        _: ActorRef<Tick>,
        tell: Self::Arguments,
    ) -> Result<Seen, ActorProcessingErr> {
        let latest = vec![0; SYMBOLS as usize];
        Ok(Seen { handled: 0, latest, tell: Some(tell) })
    }

    async fn handle(
        &self,
        _: ActorRef<Tick>,
        tick: Tick,
        seen: &mut Seen,
    ) -> Result<(), ActorProcessingErr> {
        seen.handled += 1;
        seen.latest[tick.symbol as usize] = tick.price;
        if seen.handled % 16 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<Tick>,
        seen: &mut Seen,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(tell) = seen.tell.take() {
            // The feed may be gone.
            _ = tell.send((seen.handled, std::mem::take(&mut seen.latest)));
        }
        Ok(())
    }
}

async fn run(policy: &str, mailbox: Mailbox, waits: bool) {
    let (tell, told) = tokio::sync::oneshot::channel();
    let config = ActorConfig::default().with_mailbox(mailbox);
    let (reader, handle) =
        Actor::spawn_with_config(None, Reader, tell, config).await.expect("the reader starts");
    let mut returned = 0;
    for number in 0..TICKS {
        let tick = Tick { symbol: number % SYMBOLS, price: 1000 + number };
        let sent = if waits { reader.send(tick).await } else { reader.cast(tick) };
        // It is in the error. This feed has newer ones, and lets it go.
        returned += u64::from(sent.is_err());
        tokio::task::yield_now().await;
    }
    reader.drain().expect("the reader lives");
    handle.await.expect("the reader does not panic");
    let (handled, latest) = told.await.expect("the reader tells what it saw");
    let (dropped, replaced) = (reader.lost_messages(), reader.replaced_messages());
    let current = (0..SYMBOLS)
        .filter(|symbol| latest[*symbol as usize] == 1000 + TICKS - SYMBOLS + symbol)
        .count();
    println!(
        "{policy:<12}{TICKS:>7}{handled:>9}{returned:>10}{dropped:>9}{replaced:>10}{current:>12}"
    );
    assert_eq!(TICKS, handled + returned + dropped + replaced, "the account adds up");
}

#[tokio::main]
async fn main() {
    println!(
        "{:<12}{:>7}{:>9}{:>10}{:>9}{:>10}{:>12}",
        "policy", "sent", "handled", "returned", "dropped", "replaced", "up to date"
    );
    run("reject", Mailbox::bounded(ROOM, Overflow::Reject), false).await;
    run("block", Mailbox::bounded(ROOM, Overflow::Reject), true).await;
    run("drop oldest", Mailbox::bounded(ROOM, Overflow::DropOldest), false).await;
    run("conflate", Mailbox::conflating::<Tick>(ROOM, Overflow::Reject), false).await;
    println!("of {SYMBOLS} symbols, whose latest price the reader has in the end");
}
