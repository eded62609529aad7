//! A process that does with names what another one asks for.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mycelium_ext::config::{ClusterSettings, Limits};
use mycelium_ext::names::{Names, Registration};
use mycelium_ext::node::{Listen, Node};
use mycelium_ext::singleton::{self, FencingNumber, Offer};
use parking_lot::Mutex;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::RactorClusterMessage;

use crate::forged;
use crate::process::{end_with_parent, runtime, soon};

/// How long a session may be silent.
const SILENCE: Duration = Duration::from_secs(2);

#[derive(RactorClusterMessage)]
pub(crate) enum Ask {
    /// Has this actor registered; `Ok`, or the error as a text.
    #[rpc]
    Register(String, RpcReplyPort<String>),
    /// Waits until this actor does not have the name any more; why, as a text.
    #[rpc]
    Released(String, RpcReplyPort<String>),
    /// Offers a singleton.
    #[rpc]
    Offer(String, RpcReplyPort<()>),
    /// How many actors of singletons run in the process.
    #[rpc]
    Running(RpcReplyPort<u64>),
    /// The node of the actor that this process finds under a name, as that actor says.
    #[rpc]
    Find(String, RpcReplyPort<String>),
    /// Tells the first node that the second one holds the name, with this number of the message;
    /// as another start of the second one, if so.
    #[rpc]
    Forge(String, String, bool, u64, String, RpcReplyPort<()>),
    /// The actor's own node.
    #[rpc]
    Node(RpcReplyPort<String>),
}

#[derive(RactorClusterMessage)]
pub(crate) enum ClockAsk {
    /// Its node and its number.
    #[rpc]
    Who(RpcReplyPort<(String, FencingNumber)>),
}

/// Actors of singletons in this process.
static RUNNING: AtomicU64 = AtomicU64::new(0);

/// A singleton.
struct Clock(String);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Clock {
    type Msg = ClockAsk;
    type State = FencingNumber;
    type Arguments = FencingNumber;

    async fn pre_start(
        &self,
        _: ActorRef<ClockAsk>,
        number: FencingNumber,
    ) -> Result<FencingNumber, ActorProcessingErr> {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        Ok(number)
    }

    async fn handle(
        &self,
        _: ActorRef<ClockAsk>,
        ClockAsk::Who(reply): ClockAsk,
        number: &mut FencingNumber,
    ) -> Result<(), ActorProcessingErr> {
        Ok(reply.send((self.0.clone(), *number))?)
    }

    async fn post_stop(
        &self,
        _: ActorRef<ClockAsk>,
        _: &mut FencingNumber,
    ) -> Result<(), ActorProcessingErr> {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

pub(crate) fn offer(names: &Names, node: &str, name: &str) -> Offer<ClockAsk> {
    let node = node.to_owned();
    let offered = singleton::offer(names, name, move |number| {
        let clock = Clock(node.clone());
        async move { Actor::spawn(None, clock, number).await.map(|(clock, _)| clock) }
    });
    offered.expect("it may be offered")
}

#[derive(Default)]
pub(crate) struct Kept {
    registrations: HashMap<String, Registration>,
    offers: Vec<Offer<ClockAsk>>,
}

/// What it needs of its node.
pub(crate) struct Worker {
    node: String,
    names: Names,
    kept: Arc<Mutex<Kept>>,
}

impl Worker {
    pub(crate) async fn spawn(node: &Node) -> ActorRef<Ask> {
        let names = node.names().expect("it has a cluster").clone();
        let worker = Self { node: node.name().to_owned(), names, kept: Arc::default() };
        Actor::spawn(None, worker, ()).await.expect("it starts").0
    }
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Worker {
    type Msg = Ask;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Ask>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Ask>,
        message: Ask,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let (names, kept) = (self.names.clone(), self.kept.clone());
        match message {
            Ask::Register(name, reply) => drop(tokio::spawn(async move {
                let answer = match names.register(&name, &myself).await {
                    Ok(registration) => {
                        kept.lock().registrations.insert(name, registration);
                        "ok".to_owned()
                    }
                    Err(error) => error.to_string(),
                };
                reply.send(answer)
            })),
            Ask::Released(name, reply) => {
                let registration = kept.lock().registrations.remove(&name);
                let mut registration = registration.ok_or("it has no such name")?;
                tokio::spawn(async move { reply.send(registration.released().await.to_string()) });
            }
            Ask::Offer(name, reply) => {
                let offer = offer(&names, &self.node, &name);
                kept.lock().offers.push(offer);
                reply.send(())?;
            }
            Ask::Running(reply) => reply.send(RUNNING.load(Ordering::SeqCst))?,
            Ask::Find(name, reply) => drop(tokio::spawn(async move {
                let found = soon(names.wait_for::<Ask>(&name)).await.expect("its type");
                let node = soon(found.call(Ask::Node, None)).await.expect("it is sent");
                reply.send(node.expect("an answer"))
            })),
            Ask::Forge(to, from, other_start, sequence, name, reply) => {
                forged::tell(&to, &from, other_start, sequence, &name);
                reply.send(())?;
            }
            Ask::Node(reply) => reply.send(self.node.clone())?,
        }
        Ok(())
    }
}

/// A node of the cluster of this seed, or the seed.
pub(crate) async fn start(name: &str, seed: Option<&str>) -> Node {
    start_in(name, seed, None).await
}

/// The same, of a cluster with a full mesh of so many members.
pub(crate) async fn start_in(name: &str, seed: Option<&str>, full_mesh: Option<u64>) -> Node {
    let mut cluster = ClusterSettings::default();
    cluster.pace.interval = Duration::from_millis(100).into();
    if let Some(seed) = seed {
        cluster = cluster.with_seed(seed).expect("an address");
    }
    if let Some(members) = full_mesh {
        cluster = cluster.with_full_mesh_up_to(members);
    }
    let mut limits = Limits::default();
    limits.silence_timeout = SILENCE.into();
    limits.backoff_min = Duration::from_millis(10).into();
    limits.backoff_max = Duration::from_millis(100).into();
    let node = Node::builder(name).host("test").cookie("sesame");
    let node = node.listen(Listen::tcp("127.0.0.1:0")).limits(limits).cluster(cluster);
    soon(node.start()).await.expect("it starts")
}

/// The name of the worker of a node.
pub(crate) fn worker_of(node: &str) -> String {
    format!("the worker of {node}")
}

/// Another process: a node with a worker, which has a name. With a third word it is one of a
/// cluster without a full mesh, and `quiet` has no name.
pub(crate) fn run(words: &[String]) -> ExitCode {
    end_with_parent();
    runtime().block_on(async {
        let node = start_in(&words[0], Some(&words[1]), words.get(2).map(|_| 1)).await;
        if words.get(2).is_some_and(|word| word == "quiet") {
            return std::future::pending().await;
        }
        let worker = Worker::spawn(&node).await;
        let names = node.names().expect("it has a cluster");
        names.register(&worker_of(&words[0]), &worker).await.expect("it is free");
        std::future::pending().await
    })
}
