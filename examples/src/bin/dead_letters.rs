//! An orderly end for what is not delivered: one actor gets the dead letters of the process, and
//! sends the orders among them to the desk that took over.
//!
//! ```text
//! cargo run -p mycelium-examples --bin dead_letters
//! ```

use std::error::Error;
use std::sync::Arc;

use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
use ractor::dead_letters::{self, Event};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{mpsc, oneshot};

#[derive(Debug, Clone)]
struct Order {
    symbol: &'static str,
    lots: u32,
}
ractor::local_message!(Order);

/// Reports each order that it gets, and begins when it is told to.
struct Desk {
    began: mpsc::UnboundedSender<Order>,
}

impl Actor for Desk {
    type Msg = Order;
    type State = Option<oneshot::Receiver<()>>;
    type Arguments = Option<oneshot::Receiver<()>>;

    async fn pre_start(
        &self,
        _: ActorRef<Order>,
        begin: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(begin)
    }

    async fn handle(
        &self,
        _: ActorRef<Order>,
        order: Order,
        begin: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        self.began.send(order)?;
        if let Some(begin) = begin.take() {
            begin.await?;
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (began, mut orders) = mpsc::unbounded_channel();
    let (begin, waits) = oneshot::channel();
    // Two orders wait at most, and the oldest makes room.
    let two = ActorConfig::default().with_mailbox(Mailbox::bounded(2, Overflow::DropOldest));
    let busy = Desk { began: began.clone() };
    let (busy, ended) =
        Actor::spawn_with_config(Some("desk".to_owned()), busy, Some(waits), two).await?;
    let (substitute, _) = Actor::spawn(Some("substitute".to_owned()), Desk { began }, None).await?;

    let mut letters = dead_letters::subscribe();
    busy.cast(Order { symbol: "EURUSD", lots: 1 })?;
    // It handles the first from here on.
    orders.recv().await.ok_or("the desk is gone")?;
    for lots in 2..=4 {
        busy.cast(Order { symbol: "EURUSD", lots })?;
    }
    begin.send(()).map_err(|()| "the desk is gone")?;
    busy.drain()?;
    ended.await?;
    let late = Arc::new(Order { symbol: "USDJPY", lots: 7 });
    // The error is dropped, as many applications do.
    _ = busy.cast_arc(late);

    let mut saved = 0;
    while let Some(event) = letters.try_recv() {
        match event {
            Event::Letter(letter) => {
                println!("{letter}");
                if let Some(order) = letter.take::<Order>() {
                    substitute.cast(order)?;
                    saved += 1;
                }
            }
            Event::Missed(count) => println!("{count} letters were missed"),
        }
    }
    substitute.drain_and_wait(None).await?;
    drop(busy);
    while let Ok(order) = orders.try_recv() {
        println!("handled: {} lots of {}", order.lots, order.symbol);
    }
    println!("{saved} orders reached the other desk");
    Ok(())
}
