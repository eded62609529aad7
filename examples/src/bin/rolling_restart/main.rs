//! Some processes from one seed, which are restarted one after the other while orders are placed:
//! no order is lost or doubled, and neither a name nor the singleton is there twice.
//!
//! Run it with `cargo run -p mycelium-examples --features membership --bin rolling_restart`, and
//! with a number behind `--` for more nodes than three.
//!
//! An order goes to the teller of any node, from there to the clerk, which is a singleton, and from
//! there into the book of this process. Its sender places it again until it is acknowledged.

mod book;
mod worker;

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mycelium_ext::names::Names;
use ractor::{Actor, ActorRef};

use book::{Account, Book, Held, Write};
use worker::{Order, PAUSE, sees, start, teller_of};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// Those who place orders, one after the other each.
const CLIENTS: usize = 4;

/// The process of a node, which ends with this one.
struct Process {
    name: String,
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(name: &str, listen: &str, seed: &str, members: usize) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([name, listen, seed, &members.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or("it is piped")?);
        Ok(Self { name: name.to_owned(), child, output })
    }

    /// Waits until it takes part.
    fn ready(&mut self) -> Result<(), Box<dyn Error>> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line == "ready\n" { Ok(()) } else { Err(format!("{} has ended", self.name).into()) }
    }

    /// Has it stop in order.
    fn stop(mut self) -> Result<(), Box<dyn Error>> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{} failed: {status}", self.name).into())
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Does what blocks elsewhere than on a thread of the runtime.
async fn blocking<T: Send + 'static>(
    what: impl FnOnce() -> Result<T, Box<dyn Error>> + Send + 'static,
) -> Result<T, Box<dyn Error>> {
    tokio::task::spawn_blocking(|| what().map_err(|error| error.to_string()))
        .await?
        .map_err(Into::into)
}

/// The orders that are placed.
#[derive(Default)]
struct Load {
    last: AtomicU64,
    again: AtomicU64,
    ends: AtomicBool,
}

/// Places orders, each until it is acknowledged.
async fn client(names: Names, nodes: Vec<String>, load: Arc<Load>) -> Result<(), String> {
    while !load.ends.load(Ordering::SeqCst) {
        let order = load.last.fetch_add(1, Ordering::SeqCst) + 1;
        let placed = async {
            for node in (order as usize..).map(|turn| &nodes[turn % nodes.len()]) {
                let teller = names.where_is::<Order>(&teller_of(node)).ok().flatten();
                if let Some(teller) = teller {
                    let placed = teller.call(|reply| Order::Place(order, reply), Some(LONG)).await;
                    if placed.is_ok_and(|placed| placed.is_success() && placed.unwrap()) {
                        return;
                    }
                }
                load.again.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(PAUSE).await;
            }
        };
        let placed = tokio::time::timeout(2 * LONG, placed).await;
        placed.map_err(|_| format!("order {order} is never written"))?;
    }
    Ok(())
}

async fn account(book: &ActorRef<Write>) -> Result<Account, Box<dyn Error>> {
    Ok(book.call(Write::Account, Some(LONG)).await?.success_or("the book has closed")?)
}

/// Waits until there are a clerk and a holder of the desk.
async fn held(book: &ActorRef<Write>) -> Result<(), Box<dyn Error>> {
    let held = async {
        loop {
            let account = account(book).await?;
            if account.clerk.now && account.desk.now {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(LONG, held).await?
}

async fn rolling(count: usize) -> Result<(), Box<dyn Error>> {
    let names_of_nodes: Vec<String> = (1..=count).map(|number| format!("node-{number}")).collect();
    // The seed comes back at the same address.
    let seed = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let listen = |place: usize| if place == 0 { seed.clone() } else { "127.0.0.1:0".to_owned() };
    let home = start("home", "127.0.0.1:0", &seed).await?;
    let names = home.names().ok_or("it has a cluster")?.clone();
    let (book, _) = Actor::spawn(None, Book, ()).await?;

    let all = count + 1;
    let mut processes = Vec::new();
    for (place, name) in names_of_nodes.iter().enumerate() {
        processes.push(Process::start(name, &listen(place), &seed, all)?);
    }
    sees(&home, all).await?;
    let _book = tokio::time::timeout(LONG, names.register("book", &book)).await??;
    let processes = blocking(move || {
        processes.iter_mut().try_for_each(Process::ready)?;
        Ok(processes)
    })
    .await?;
    println!("{count} nodes from the seed {seed}, and this process has the book");

    held(&book).await?;
    let load = Arc::new(Load::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(client(names.clone(), names_of_nodes.clone(), load.clone())))
        .collect();
    let mut restarted = Vec::new();
    for (place, process) in processes.into_iter().enumerate() {
        let (name, listen, of) = (names_of_nodes[place].clone(), listen(place), seed.clone());
        let (began, before) = (Instant::now(), account(&book).await?.written);
        let process = blocking(move || {
            process.stop()?;
            let mut again = Process::start(&name, &listen, &of, all)?;
            again.ready()?;
            Ok(again)
        })
        .await?;
        restarted.push(process);
        let (name, took) = (&names_of_nodes[place], began.elapsed().as_secs_f64());
        let written = account(&book).await?.written - before;
        println!(
            "  {name} was restarted in {took:.1} s, and {written} orders were written meanwhile"
        );
    }
    held(&book).await?;
    load.ends.store(true, Ordering::SeqCst);
    for client in clients {
        client.await??;
    }
    let account = account(&book).await?;
    let (placed, again) = (load.last.load(Ordering::SeqCst), load.again.load(Ordering::SeqCst));
    print(placed, again, &account);
    blocking(move || restarted.into_iter().try_for_each(Process::stop)).await?;
    home.stop().await;
    is_exact(placed, &account)
}

fn print(placed: u64, again: u64, account: &Account) {
    let Account { written, again: known, refused, clerk, desk, .. } = account;
    println!("orders placed: {placed}, written: {written}");
    println!(
        "  placed again: {again}, in the book already: {known}, refused by the fence: {refused}"
    );
    for (what, Held { holders, twice, lower, .. }) in [("clerk", clerk), ("desk", desk)] {
        println!(
            "{what}: {holders} holders, {twice} times two at once, {lower} times a lower number"
        );
    }
}

fn is_exact(placed: u64, account: &Account) -> Result<(), Box<dyn Error>> {
    // They have the numbers from 1 on.
    if account.written != placed || account.sum != placed * (placed + 1) / 2 {
        return Err("the account is wrong".into());
    }
    for (what, held) in [("clerk", &account.clerk), ("desk", &account.desk)] {
        if held.twice > 0 || held.lower > 0 {
            return Err(format!("the {what} was there twice").into());
        }
        if held.holders < 2 {
            return Err(format!("the {what} has not moved").into());
        }
    }
    println!("each order is written once, and nothing was there twice");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [name, listen, seed, members] => worker::run(name, listen, seed, members.parse()?).await,
        [count] => rolling(count.parse()?).await,
        _ => rolling(3).await,
    }
}
