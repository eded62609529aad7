//! One of two processes of a bench: `far` has a book of orders, `near ADDRESS` sends to it.
//!
//! The far one prints its address, the near one that it is connected. Then the near one does what
//! it reads, `casts COUNT` or `calls COUNT`, and answers each with nanoseconds. Both end with their
//! standard input. Nothing in here knows what ractor it is built with.

mod book;

use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use ractor::{call, pg, Actor, ActorRef};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{client_connect, IncomingEncryptionMode, NodeServer, NodeServerMessage};
use tokio::sync::mpsc;

use book::{Book, BookMessage, BOOKS};

/// Whatever goes wrong ends the process.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long two processes may take to find each other.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    // In a task, as actors are.
    tokio::spawn(run()).await?
}

async fn run() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let orders = lines();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["far"] => serve(orders).await,
        ["near", address] => send(address, orders).await,
        _ => Err("usage: far | near ADDRESS".into()),
    }
}

/// Serves until there are no more orders. It expects none of its own.
async fn serve(mut orders: mpsc::UnboundedReceiver<String>) -> Result<(), Failure> {
    Actor::spawn(None, Book, ()).await?;
    let (node, port) = start("far").await?;
    say(&format!("127.0.0.1:{port}"))?;
    while orders.recv().await.is_some() {}
    Ok(node.stop_and_wait(None, None).await?)
}

async fn send(address: &str, mut orders: mpsc::UnboundedReceiver<String>) -> Result<(), Failure> {
    let (node, _) = start("near").await?;
    client_connect(&node, address).await?;
    let book = tokio::time::timeout(PATIENCE, far_book()).await?;
    say("connected")?;
    while let Some(order) = orders.recv().await {
        let took = match order.split_once(' ') {
            Some(("casts", count)) => casts(&book, count.parse()?).await?,
            Some(("calls", count)) => calls(&book, count.parse()?).await?,
            _ => return Err(format!("no order: {order}").into()),
        };
        say(&took.as_nanos().to_string())?;
    }
    // What is left of it goes with the process.
    _ = node.stop_and_wait(None, None).await;
    Ok(())
}

/// Casts, and one call behind them, whose answer says that all have been handled.
async fn casts(book: &ActorRef<BookMessage>, count: u64) -> Result<Duration, Failure> {
    let before = call!(book, BookMessage::Count)?;
    let start = Instant::now();
    for number in 0..count {
        book.cast(BookMessage::Trade("EURUSD".to_owned(), 100 + number % 7, 1))?;
    }
    let handled = call!(book, BookMessage::Count)? - before;
    let took = start.elapsed();
    if handled != count {
        return Err(format!("{handled} of {count} trades were handled").into());
    }
    Ok(took)
}

/// Calls, one after the other.
async fn calls(book: &ActorRef<BookMessage>, count: u64) -> Result<Duration, Failure> {
    let start = Instant::now();
    for _ in 0..count {
        call!(book, BookMessage::Price, "EURUSD".to_owned())?;
    }
    Ok(start.elapsed())
}

/// Starts a node, and gives its port.
async fn start(name: &str) -> Result<(ActorRef<NodeServerMessage>, u16), Failure> {
    let mut last = None;
    // The port may be taken in between.
    for _ in 0..10 {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let node = NodeServer::new(
            port,
            "a cookie".to_owned(),
            name.to_owned(),
            "localhost".to_owned(),
            Some(IncomingEncryptionMode::Raw),
            Some(NodeConnectionMode::Isolated),
        );
        match Actor::spawn(None, node, ()).await {
            Ok((node, _)) => return Ok((node, port)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or("there was no port".into(), Failure::from))
}

/// The book of the other process, once its group has it.
async fn far_book() -> ActorRef<BookMessage> {
    loop {
        if let Some(book) = pg::get_members(&BOOKS.to_owned()).into_iter().next() {
            return book.into();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The lines of standard input. The channel ends with it.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
        drop(sender);
        // Who gave the orders is gone; what is under way shall not outlive it for long.
        std::thread::sleep(Duration::from_secs(5));
        std::process::exit(1);
    });
    receiver
}

/// Prints a line at once.
fn say(line: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}
