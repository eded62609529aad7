//! An actor that runs once in three processes. It writes into a book that has a fence: when the
//! process that runs it is killed, another one runs it with a higher number, and the book refuses
//! the lower one.
//!
//! Run it with `cargo run -p mycelium-examples --features membership --bin singleton`.

use std::error::Error;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mycelium_ext::config::ClusterSettings;
use mycelium_ext::names::Names;
use mycelium_ext::node::{Listen, Node};
use mycelium_ext::singleton::{self, Fence, FencingNumber};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::RactorClusterMessage;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// What the book is asked.
#[derive(RactorClusterMessage)]
enum Write {
    /// Writes a line for the holder of this number; whether it was written.
    #[rpc]
    Line(FencingNumber, String, RpcReplyPort<bool>),
}

/// The resource: it has a name, and a fence.
struct Book;

impl Actor for Book {
    type Msg = Write;
    type State = Fence;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Write>, (): ()) -> Result<Fence, ActorProcessingErr> {
        Ok(Fence::new())
    }

    async fn handle(
        &self,
        _: ActorRef<Write>,
        Write::Line(number, line, reply): Write,
        fence: &mut Fence,
    ) -> Result<(), ActorProcessingErr> {
        match fence.admit(number) {
            Ok(()) => println!("  book: {line}"),
            Err(outdated) => println!("  book refuses {line:?}: {outdated}"),
        }
        Ok(reply.send(fence.newest() == Some(number))?)
    }
}

/// What the clerk is asked.
#[derive(RactorClusterMessage)]
enum Order {
    /// Has a line written; whether it was.
    #[rpc]
    Enter(String, RpcReplyPort<bool>),
}

/// The singleton. It sends its number with all that it writes.
struct Clerk {
    names: Names,
    number: FencingNumber,
}

impl Actor for Clerk {
    type Msg = Order;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Order>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Order>,
        Order::Enter(line, reply): Order,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let book = self.names.wait_for::<Write>("book").await?;
        let write = |reply| Write::Line(self.number, line, reply);
        let written = book.call(write, Some(LONG)).await.map_err(|error| error.to_string())?;
        Ok(reply.send(written.is_success() && written.unwrap())?)
    }
}

async fn start(name: &str, seed: Option<&str>) -> Result<Node, Box<dyn Error>> {
    let mut cluster = ClusterSettings::default();
    if let Some(seed) = seed {
        cluster = cluster.with_seed(seed)?;
    }
    // In earnest the cookie comes from a file or a variable.
    let node = Node::builder(name).cookie("a cookie of three nodes").cluster(cluster);
    Ok(node.listen(Listen::tcp("127.0.0.1:0")).start().await?)
}

fn names(node: &Node) -> Result<&Names, Box<dyn Error>> {
    Ok(node.names().ok_or("the node has a cluster")?)
}

/// The process of another node, which ends with this one.
struct Other(Child);

impl Other {
    fn start(name: &str, seed: &str) -> Result<Self, Box<dyn Error>> {
        let this = std::env::current_exe()?;
        Ok(Self(Command::new(this).args([name, seed]).stdin(Stdio::piped()).spawn()?))
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // As `kill -9` would.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn home() -> Result<(), Box<dyn Error>> {
    let node = start("home", None).await?;
    let seed = node.membership().ok_or("the node has a cluster")?.address().to_string();
    let mut others =
        vec![("first", Other::start("first", &seed)?), ("second", Other::start("second", &seed)?)];
    let (book, _) = Actor::spawn(None, Book, ()).await?;
    let registration = names(&node)?.register("book", &book).await?;
    println!("the book has its name, with the number {}", registration.number());

    let clerk = singleton::find::<Order>(names(&node)?, "clerk");
    let before = tokio::time::timeout(LONG, clerk.running()).await??;
    println!("{} runs the clerk, with the number {}", before.node, before.number);
    let enter = |reply| Order::Enter("from the first clerk".to_owned(), reply);
    let written = before.actor.call(enter, Some(LONG)).await?;
    assert!(written.is_success() && written.unwrap());

    let runs = |other: &(&str, Other)| before.node.starts_with(other.0);
    let at = others.iter().position(runs).ok_or("one of the two runs it")?;
    drop(others.remove(at));
    println!("{} is killed", before.node);
    let after = loop {
        let place = tokio::time::timeout(LONG, clerk.running()).await??;
        if place.number > before.number {
            break place;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    println!("{} runs the clerk, with the number {}", after.node, after.number);
    let enter = |reply| Order::Enter("from the second clerk".to_owned(), reply);
    let written = after.actor.call(enter, Some(LONG)).await?;
    assert!(written.is_success() && written.unwrap());

    // The first clerk, if it were only suspended and went on:
    let write = |reply| Write::Line(before.number, "from the first clerk, late".into(), reply);
    let written = book.call(write, Some(LONG)).await?;
    assert!(written.is_success() && !written.unwrap());
    drop(others);
    node.stop().await;
    Ok(())
}

async fn other(name: &str, seed: &str) -> Result<(), Box<dyn Error>> {
    let node = start(name, Some(seed)).await?;
    let names = names(&node)?.clone();
    let of = names.clone();
    let offer = singleton::offer(&names, "clerk", move |number| {
        let clerk = Clerk { names: of.clone(), number };
        async move { Actor::spawn(None, clerk, ()).await.map(|(clerk, _)| clerk) }
    })?;
    // Until the first process ends.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    offer.withdraw().await;
    node.stop().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(name), Some(seed)) => other(&name, &seed).await,
        _ => home().await,
    }
}
