//! A node with an actor that answers, or has the next node answer.

use std::process::ExitCode;

use mycelium_ext::config::ConnectionMode;
use mycelium_ext::node::{Listen, Node};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, call_t, pg};
use ractor_cluster::RactorClusterMessage;
use tracing::Instrument;

use super::export;
use super::process::{LONG, end_with_parent};

pub(crate) const COOKIE: &str = "a cookie of the tests of traces";
/// How long a call may take, in milliseconds.
pub(crate) const PATIENCE: u64 = 60_000;

#[derive(RactorClusterMessage)]
#[shared]
pub(crate) enum Work {
    /// Answers how many nodes have had a part in it.
    #[rpc]
    Ask(RpcReplyPort<u64>),
    Tell(u64),
}

/// Works in the group of its node.
struct Worker {
    /// The group of the node that is asked too.
    next: Option<String>,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Worker {
    type Msg = Work;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Work>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Work>,
        message: Work,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let work = async {
            let Work::Ask(reply) = message else { return Ok(()) };
            let others = match &self.next {
                Some(next) => call_t!(member(next).await, Work::Ask, PATIENCE)?,
                None => 0,
            };
            reply.send(others + 1)?;
            Ok(())
        };
        work.instrument(tracing::info_span!("work")).await
    }
}

/// The first actor of a node.
pub(crate) async fn member(group: &String) -> ActorRef<Work> {
    loop {
        if let Some(member) = pg::get_members(group).into_iter().next() {
            return member.into();
        }
        tokio::task::yield_now().await;
    }
}

/// Starts a node that exports to the collector and connects to the `next` one, if there is one.
pub(crate) async fn start(name: &str, propagates: bool, next: Option<&str>) -> Node {
    let node = Node::builder(name)
        .host("test")
        .cookie(COOKIE)
        .mode(ConnectionMode::Isolated)
        .listen(Listen::tcp("127.0.0.1:0"))
        .traces(propagates)
        .start()
        .await
        .expect("it starts");
    if let Some(address) = next {
        let connected = node.connect(address.parse().expect("an address")).await;
        connected.expect("it is reached");
    }
    node
}

/// `NAME COLLECTOR ACTORS PROPAGATES [NEXT ADDRESS]`: prints the address of the node, and runs until
/// its parent ends.
pub(crate) fn run(words: &[String]) -> ExitCode {
    end_with_parent();
    let [name, collector, actors, propagates, next @ ..] = words else {
        return ExitCode::from(2);
    };
    let subscriber = export::subscriber(collector, name, true);
    tracing::subscriber::set_global_default(subscriber).expect("there is no other one");
    let next = next.first_chunk::<2>();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts");
    runtime.block_on(async {
        let address = next.map(|[_, address]| address.as_str());
        let node = start(name, propagates == "true", address).await;
        for _ in 0..actors.parse().expect("a number") {
            let worker = Worker { next: next.map(|[group, _]| group.clone()) };
            let (actor, _) = Actor::spawn(None, worker, ()).await.expect("it starts");
            pg::join(name.clone(), vec![actor.get_cell()]);
        }
        println!("{}", node.addresses()[0]);
        tokio::time::sleep(LONG * 10).await;
    });
    ExitCode::SUCCESS
}
