//! What tests share that watch a process from outside: waiting for what it shows, two nodes of it
//! that are far from each other, and an actor that one sends to at the other.
#![allow(unreachable_pub, reason = "the test is a crate, whose modules share what they need")]

use std::future::Future;
use std::time::{Duration, Instant};

use mycelium_ext::node::{Listen, Node, NodeBuilder, Peer, PeerPolicy};
use mycelium_ext::ractor_cluster::link::options::Location;
use ractor::{Actor, ActorProcessingErr, ActorRef};

/// Longer than anything here takes.
pub const LONG: Duration = Duration::from_secs(60);

pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it takes too long")
}

/// Looks until `found` returns something. What is watched has no event that could be waited for.
pub fn until<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "it takes too long");
        std::thread::yield_now();
    }
}

/// The node `test-end` of the host `test-test`, where `end` is `a` or `b`. Each takes the other for
/// one on another machine.
pub fn node(test: &str, end: &str) -> NodeBuilder {
    let far = PeerPolicy::default().with_location(Location::Remote);
    let name = |end: &str| format!("{test}-{end}");
    Node::builder(name(end))
        .host(name("test"))
        .cookie("never-to-be-seen")
        .listen(Listen::tcp("127.0.0.1:0"))
        .known(Peer::named(name("a")), far)
        .known(Peer::named(name("b")), far)
}

/// A message that goes to other nodes.
#[derive(ractor_cluster::RactorClusterMessage)]
pub enum Far {
    /// To be handled.
    One(String),
}

/// Handles messages, and does nothing with them.
pub struct Handles;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Handles {
    type Msg = Far;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Far>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Far>,
        Far::One(_): Far,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}
