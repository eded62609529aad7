//! Three nodes in three processes that know one address: that of the seed, which is one of them.
//! Each finds the others, and one that goes is missed by the rest.
//!
//! Run it with `cargo run -p mycelium-examples --features membership --bin three_nodes`.

use std::error::Error;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mycelium_ext::config::{Config, Environment};
use mycelium_ext::membership::{MemberEvent, Membership};
use mycelium_ext::node::Node;

/// The configuration of each, but for its name and the seed.
const CONFIGURATION: &str = r#"
[node]
name = "{NAME}"

[cluster]
name = "three nodes"
seeds = [{SEED}]
"#;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

async fn start(name: &str, seed: &str) -> Result<Node, Box<dyn Error>> {
    // In earnest the cookie comes from a file or a variable, and the configuration by Config::load.
    let environment = Environment::of([("MYCELIUM_NODE_COOKIE", "a cookie of three nodes")]);
    let text = CONFIGURATION.replace("{NAME}", name).replace("{SEED}", seed);
    let config = Config::parse(&text, "mycelium.toml", &environment)?;
    Ok(Node::from_config(&config)?.start().await?)
}

/// Waits until so many members are alive, and prints them.
async fn alive(membership: &Membership, count: usize) -> Result<(), Box<dyn Error>> {
    let waiting = membership.wait_for(|members| {
        members.iter().filter(|member| member.state.is_alive()).count() == count
    });
    let members = tokio::time::timeout(LONG, waiting).await?;
    for member in members.iter() {
        let this = if member.is_this_node { ", which is this one" } else { "" };
        println!("  {} is {}{this}", member.name, member.state);
    }
    Ok(())
}

/// The process of another node, which ends with this one.
struct Other(Child);

impl Other {
    fn start(name: &str, seed: &str) -> Result<Self, Box<dyn Error>> {
        let this = std::env::current_exe()?;
        let arguments = [name, seed];
        Ok(Self(Command::new(this).args(arguments).stdin(Stdio::piped()).spawn()?))
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // As `kill -9` would.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn seed() -> Result<(), Box<dyn Error>> {
    let node = start("seed", "").await?;
    let membership = node.membership().ok_or("the node has a cluster")?;
    let mut events = membership.events();
    let seed = format!("\"{}\"", membership.address());
    let first = Other::start("first", &seed)?;
    let second = Other::start("second", &seed)?;
    println!("three nodes from the seed {seed}:");
    alive(membership, 3).await?;
    tokio::time::timeout(LONG, async {
        node.connected("first").await;
        node.connected("second").await;
    })
    .await?;
    println!("and this one has sessions with {} of them", node.peers().len());

    drop(second);
    let gone = async {
        loop {
            if let MemberEvent::Down(member) = events.recv().await? {
                return Ok::<_, Box<dyn Error>>(member);
            }
        }
    };
    let gone = tokio::time::timeout(LONG, gone).await??;
    println!("{} was killed:", gone.name);
    alive(membership, 2).await?;
    drop(first);
    node.stop().await;
    Ok(())
}

async fn other(name: &str, seed: &str) -> Result<(), Box<dyn Error>> {
    let node = start(name, seed).await?;
    // Until the first process ends.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    node.stop().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(name), Some(seed)) => other(&name, &seed).await,
        _ => seed().await,
    }
}
