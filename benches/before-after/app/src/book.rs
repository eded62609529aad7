//! The actor of the far process.

use std::collections::HashMap;

use ractor::{pg, Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::RactorClusterMessage;

/// Where it is found.
pub const BOOKS: &str = "books";

#[derive(RactorClusterMessage)]
pub enum BookMessage {
    /// A symbol was traded at a price, so many of it.
    Trade(String, u64, u64),
    /// How many trades there were.
    #[rpc]
    Count(RpcReplyPort<u64>),
    /// The last price of a symbol; 0 when there was no trade.
    #[rpc]
    Price(String, RpcReplyPort<u64>),
}

/// Keeps the last price of each symbol.
pub struct Book;

#[derive(Default)]
pub struct Prices {
    trades: u64,
    last: HashMap<String, u64>,
}

impl Actor for Book {
    type Msg = BookMessage;
    type State = Prices;
    type Arguments = ();

    async fn pre_start(
        &self,
        myself: ActorRef<BookMessage>,
        (): (),
    ) -> Result<Prices, ActorProcessingErr> {
        pg::join(BOOKS.to_owned(), vec![myself.get_cell()]);
        Ok(Prices::default())
    }

    async fn handle(
        &self,
        _: ActorRef<BookMessage>,
        message: BookMessage,
        prices: &mut Prices,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            BookMessage::Trade(symbol, price, _) => {
                prices.trades += 1;
                prices.last.insert(symbol, price);
            }
            BookMessage::Count(reply) => reply.send(prices.trades)?,
            BookMessage::Price(symbol, reply) => {
                reply.send(prices.last.get(&symbol).copied().unwrap_or_default())?;
            }
        }
        Ok(())
    }
}
