//! A node whose figures Prometheus reads, and what it reads.
//!
//! ```text
//! cargo run -p mycelium-examples --features metrics --bin metrics
//! ```
//!
//! With an address it goes on until Ctrl-C, for a Prometheus of your own:
//!
//! ```text
//! cargo run -p mycelium-examples --features metrics --bin metrics 127.0.0.1:9464
//! ```

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use mycelium_ext::node::{Listen, Node};
use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
use ractor::{Actor, ActorProcessingErr, ActorRef};

struct Tick;
ractor::local_message!(Tick);

/// Is slower than its feed, and keeps the newest ticks.
struct Slow;

impl Actor for Slow {
    type Msg = Tick;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Tick>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Tick>,
        _: Tick,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let asked = std::env::args().nth(1);
    let node = Node::builder("feed")
        .cookie("16 random bytes or more")
        .listen(Listen::tcp("127.0.0.1:0"))
        .metrics(asked.as_deref().unwrap_or("127.0.0.1:0").parse()?)
        .start()
        .await?;
    let address = node.metrics_address().ok_or("it serves them")?;
    println!("http://{address}/metrics");

    let newest = ActorConfig::default().with_mailbox(Mailbox::bounded(64, Overflow::DropOldest));
    let (slow, ended) = Actor::spawn_with_config(None, Slow, (), newest).await?;
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    let mut left = 500;
    while asked.is_some() || left > 0 {
        ticks.tick().await;
        slow.cast(Tick)?;
        left -= left.min(1);
    }

    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: feed\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    for line in page.lines().filter(|line| line.contains("Slow\"}")) {
        println!("{line}");
    }
    slow.stop(None);
    ended.await?;
    node.stop().await;
    Ok(())
}
