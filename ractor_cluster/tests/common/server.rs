//! How the tests, and the fuzzer, begin a node.

use ractor::concurrency::JoinHandle;
use ractor::{pg, Actor, ActorRef};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::NodeServer;

/// A node server at a port of loopback that the system chooses; it is not started.
pub fn node_server(name: &str, cookie: &str, mode: NodeConnectionMode) -> NodeServer {
    let (cookie, host) = (cookie.to_owned(), "localhost".to_owned());
    NodeServer::new(0, cookie, name.to_owned(), host, None, Some(mode))
        .with_listen_addr([127, 0, 0, 1].into())
}

/// Starts an actor that a node's peers are told of, as a member of this group.
pub async fn member<A>(actor: A, group: &str) -> (ActorRef<A::Msg>, JoinHandle<()>)
where
    A: Actor<Arguments = ()>,
{
    let (actor, ended) = Actor::spawn(None, actor, ()).await.expect("it starts");
    pg::join(group.to_owned(), vec![actor.get_cell()]);
    (actor, ended)
}
