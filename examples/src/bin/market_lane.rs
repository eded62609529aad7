//! Market data on the fast lane, its risk limits on the control plane.
//!
//! A feed publishes prices, each as one `Arc`, to the lanes of several traders. Each trader builds
//! up a position with every tick, and reports it once per batch. A risk officer, an ordinary actor,
//! supervises them: who comes too near to the limit is told to trade no more. That order overtakes
//! whatever waits in the lane.
//!
//!     cargo run --release -p mycelium-examples --bin market_lane

use std::sync::Arc;

use mycelium_ext::fast_lane::{Batch, FastActor, FastActorRef, LaneConfig};
use ractor::actor::actor_config::Overflow;
use ractor::concurrency::JoinHandle;
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};

const TRADERS: u64 = 4;
const TICKS: u64 = 1_000_000;
/// The most that a trader may hold, and where the officer begins to be afraid.
const LIMIT: u64 = 500_000;
const ALARM: u64 = LIMIT / 2;

/// A price, and when it was one.
struct Tick {
    number: u64,
    price: f64,
}

/// What the officer tells a trader.
enum Order {
    Halt,
}

/// What a trader tells the officer.
struct Position {
    trader: FastActorRef<Tick, Order>,
    held: u64,
}

ractor::local_message!(Position);

/// Buys one with each tick.
struct Trader {
    officer: ActorRef<Position>,
}

#[derive(Default)]
struct Book {
    held: u64,
    seen: u64,
    last: f64,
    halted: bool,
}

impl FastActor for Trader {
    type Msg = Tick;
    type Control = Order;
    type State = Book;
    type Arguments = ();

    async fn pre_start(
        &self,
        _: FastActorRef<Tick, Order>,
        (): (),
    ) -> Result<Book, ActorProcessingErr> {
        Ok(Book::default())
    }

    async fn handle(
        &self,
        myself: FastActorRef<Tick, Order>,
        batch: Batch<'_, Tick>,
        book: &mut Book,
    ) -> Result<(), ActorProcessingErr> {
        for tick in batch {
            book.seen += 1;
            assert_eq!(tick.number, book.seen, "nothing is lost or reordered");
            book.last = tick.price;
            book.held += u64::from(!book.halted);
        }
        if !book.halted {
            let position = Position { trader: myself, held: book.held };
            self.officer.cast(position).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    async fn handle_control(
        &self,
        _: FastActorRef<Tick, Order>,
        Order::Halt: Order,
        book: &mut Book,
    ) -> Result<(), ActorProcessingErr> {
        book.halted = true;
        Ok(())
    }
}

/// Watches the positions, and takes the books of the actors that are done.
struct Officer;

#[derive(Default)]
struct Watch {
    halted: Vec<ActorId>,
    done: u64,
}

impl Actor for Officer {
    type Msg = Position;
    type State = Watch;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Position>, (): ()) -> Result<Watch, ActorProcessingErr> {
        Ok(Watch::default())
    }

    async fn handle(
        &self,
        _: ActorRef<Position>,
        Position { trader, held }: Position,
        watch: &mut Watch,
    ) -> Result<(), ActorProcessingErr> {
        if held >= ALARM && !watch.halted.contains(&trader.get_id()) {
            watch.halted.push(trader.get_id());
            trader.control(Order::Halt).map_err(|failure| failure.to_string())?;
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Position>,
        event: SupervisionEvent,
        watch: &mut Watch,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(trader, Some(mut book), _) => {
                let Book { held, seen, last, halted } =
                    book.take().map_err(|_| "a trader has a book")?;
                println!(
                    "trader {}: {seen} ticks, last price {last:.2}, holds {held}{}, {} its limit",
                    trader.get_id(),
                    if halted { ", halted" } else { "" },
                    if held <= LIMIT { "within" } else { "over" },
                );
                watch.done += 1;
            }
            SupervisionEvent::ActorFailed(_, error) => return Err(error),
            _ => {}
        }
        if watch.done == TRADERS {
            myself.stop(None);
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (officer, closed) = Actor::spawn(Some("risk".into()), Officer, ()).await?;
    let lane = LaneConfig::bounded(4096, Overflow::Reject);
    let mut traders: Vec<(FastActorRef<Tick, Order>, JoinHandle<()>)> = Vec::new();
    for number in 1..=TRADERS {
        let trader = Trader { officer: officer.clone() };
        let name = Some(format!("trader-{number}"));
        traders.push(trader.spawn_linked(name, (), lane, officer.get_cell()).await?);
    }
    for number in 1..=TICKS {
        let price = 100.0 + (number as f64 / 1000.0).sin();
        let tick = Arc::new(Tick { number, price });
        for (trader, _) in &traders {
            // Waits for the slowest: no tick is dropped.
            trader.send_arc(tick.clone()).await?;
        }
    }
    for (trader, stopped) in traders {
        trader.drain()?;
        stopped.await?;
        println!("the most that waited for it: {}", trader.lane_high_water());
    }
    closed.await?;
    Ok(())
}
