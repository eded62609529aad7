//! An order book that another process reads where it lies. Two processes run on one machine. The
//! feed writes each book into its arena and sends it. The reader sums it up in place.
//!
//! Run it with `cargo run --release -p mycelium-examples --features cluster --bin order_book`.

use std::error::Error;
use std::process::{Child, Command};
use std::time::Instant;

use mycelium_ext::node::{Listen, Node};
use mycelium_ext::placed::Placed;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::RactorClusterMessage;
use ractor_cluster::transport::TransportKind;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

const GROUP: &str = "readers";
const BOOKS: u64 = 1_000;
/// Of a book of 1 MiB.
const LEVELS: usize = 65_536;

#[derive(Debug, Clone, Copy, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
struct Level {
    price: u64,
    size: u64,
}

#[derive(RactorClusterMessage)]
enum Read {
    /// A book. What is large stands last.
    Book(u64, Placed<[Level]>),
    /// The sum of all sizes so far.
    #[rpc]
    Sum(RpcReplyPort<u64>),
}

struct Reader;

impl Actor for Reader {
    type Msg = Read;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Read>, (): ()) -> Result<u64, ActorProcessingErr> {
        pg::join(GROUP.to_owned(), vec![myself.get_cell()]);
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Read>,
        message: Read,
        sum: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Read::Book(_, book) => *sum += book.iter().map(|level| level.size).sum::<u64>(),
            Read::Sum(reply) => reply.send(*sum)?,
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

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let node = |name: &str| Node::builder(name).cookie("books").listen(Listen::tcp("127.0.0.1:0"));
    if let Some(address) = std::env::args().nth(1) {
        Actor::spawn(None, Reader, ()).await?;
        let other = node("reader").start().await?;
        let mut events = other.events();
        other.connect(address.parse()?).await?;
        // Until the other process is gone.
        while !matches!(events.recv().await?, mycelium_ext::node::NodeEvent::Disconnected { .. }) {}
        return Ok(());
    }
    let feed = node("feed").start().await?;
    let mut child = Command::new(std::env::current_exe()?);
    let _other = OtherProcess(child.arg(feed.addresses()[0].to_string()).spawn()?);

    let mut events = ractor_cluster::peers::events();
    feed.connected("reader").await;
    let nearest = || feed.peers().first().and_then(|peer| peer.active());
    while cfg!(target_os = "linux") && nearest() != Some(TransportKind::SharedMemory) {
        events.recv().await?;
    }
    let reader: ActorRef<Read> = loop {
        match pg::get_members(&GROUP.to_owned()).pop() {
            Some(reader) => break reader.into(),
            None => tokio::task::yield_now().await,
        }
    };

    let mut levels = vec![Level { price: 100, size: 1 }; LEVELS];
    let start = Instant::now();
    for number in 1..=BOOKS {
        levels[0].size = number;
        // Written once, wherever it is read.
        reader.send(Read::Book(number, Placed::new(&levels[..]))).await?;
    }
    // A call does not wait for room behind all this, and would be refused. This is one that waits.
    let (reply, sum) = ractor::concurrency::oneshot();
    reader.send(Read::Sum(reply.into())).await?;
    let sum = sum.await?;
    assert_eq!(sum, BOOKS * (LEVELS as u64 - 1) + BOOKS * (BOOKS + 1) / 2);
    let took = start.elapsed();
    println!("{BOOKS} books of 1 MiB, each read in place: {:?} for one", took / BOOKS as u32);
    feed.stop().await;
    Ok(())
}
