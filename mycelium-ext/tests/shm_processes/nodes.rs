//! Nodes in two processes.

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;
use mycelium_ext::address::Address;
use mycelium_ext::config::{Config, Environment};
#[cfg(feature = "spinning")]
use mycelium_ext::fast_lane::SpinningThread;
#[cfg(feature = "spinning")]
use mycelium_ext::node::StartError;
use mycelium_ext::node::{Listen, Locality, Node, NodeBuilder, PeerInfo};
use mycelium_ext::shm::ShmOptions;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::transport::TransportKind::{self, SharedMemory, Tcp, UnixSocket};
use ractor_cluster::{RactorClusterMessage, RactorMessage};

use crate::process::{Belongings, Process, end_with_parent, run, soon};

const GROUP: &str = "echo";
/// A long time, so that not every look ends in vain.
const SPIN: Duration = Duration::from_micros(200);

/// Sends back what it is sent.
struct Echo;

#[derive(RactorClusterMessage)]
enum Ask {
    #[rpc]
    Echo(Vec<u8>, RpcReplyPort<Vec<u8>>),
    /// The same, by another task than the actor's.
    #[rpc]
    Later(Vec<u8>, RpcReplyPort<Vec<u8>>),
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Echo {
    type Msg = Ask;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Ask>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Ask>,
        message: Ask,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Ask::Echo(bytes, reply) => reply.send(bytes)?,
            Ask::Later(bytes, reply) => drop(tokio::spawn(async { reply.send(bytes) })),
        }
        Ok(())
    }
}

pub(crate) fn builder(name: &str) -> NodeBuilder {
    Node::builder(name).host("test").cookie("sesame").listen(Listen::tcp("127.0.0.1:0"))
}

/// The other process: a node that connects to an address, with an actor.
pub(crate) fn node(words: &[String]) -> ExitCode {
    end_with_parent();
    run(async {
        let shm = match words[1].as_str() {
            "shm" => Some(ShmOptions::default()),
            "spins" => Some(ShmOptions::default().with_spin(SPIN)),
            "thread" => Some(ShmOptions::default()),
            _ => None,
        };
        let name = words.get(2).map_or("other", String::as_str);
        let node = builder(name).shm(shm);
        #[cfg(feature = "spinning")]
        let node = if words[1] == "thread" { node.spinning(SpinningThread::new()) } else { node };
        let node = node.start().await.unwrap();
        let (echo, _) = Actor::spawn(None, Echo, ()).await.unwrap();
        pg::join(GROUP.to_owned(), vec![echo.get_cell()]);
        crate::credits::spawn().await;
        crate::references::spawn().await;
        crate::calls::spawn().await;
        let address: Address = words[0].parse().unwrap();
        crate::arena::spawn().await;
        node.connect(address).await.unwrap();
        if name == "feed" {
            crate::arena::feed(&node).await;
        }
        std::future::pending().await
    })
}

/// A node in another process that connects to this one.
pub(crate) fn other(node: &Node, shm: bool) -> Process {
    start(node, if shm { "shm" } else { "none" })
}

/// As [`other`], of a name.
pub(crate) fn other_named(node: &Node, name: &str) -> Process {
    let address = node.addresses()[0].to_string();
    Process::start(&["node", &address, "shm", name], Stdio::null())
}

fn start(node: &Node, shm: &str) -> Process {
    let address = node.addresses()[0].to_string();
    Process::start(&["node", &address, shm], Stdio::null())
}

/// What is known of the peer, once it has these links.
pub(crate) async fn linked(node: &Node, kinds: &[TransportKind]) -> PeerInfo {
    soon(async {
        loop {
            if let Some(peer) = node.peers().into_iter().find(|peer| {
                let mut links: Vec<_> = peer.links.iter().map(|link| link.kind).collect();
                links.sort_unstable();
                links == kinds && peer.active() == kinds.first().copied()
            }) {
                return peer;
            }
            // The node hears of a session later than subscribers of link events.
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// The other node's actor.
async fn echo() -> ActorRef<Ask> {
    soon(async {
        loop {
            if let Some(echo) = pg::get_members(&GROUP.to_owned()).pop() {
                return echo.into();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// Has it send something back.
async fn asks() -> Result<(), Failed> {
    let echo = echo().await;
    for size in [0, 64, 4096, 5_000_000] {
        let bytes = vec![size as u8; size];
        let sent = bytes.clone();
        let answer = soon(echo.call(|reply| Ask::Echo(sent, reply), None)).await?;
        assert!(answer.unwrap() == bytes, "{size} bytes");
    }
    Ok(())
}

pub(crate) fn nodes_choose_shared_memory() -> Result<(), Failed> {
    let before = Belongings::before();
    run(async {
        let node = builder("this").start().await?;
        let process = other(&node, true);
        // All that can be made are kept.
        let peer = linked(&node, &[SharedMemory, UnixSocket, Tcp]).await;
        assert_eq!((peer.name.as_str(), peer.locality), ("other@test", Locality::SameMachine));
        let link = peer.links.iter().find(|link| link.kind == SharedMemory).unwrap();
        assert_eq!(link.peer, format!("process {}", process.id()));
        assert!(Belongings::now().has_mapped());
        asks().await?;
        process.kill();
        soon(async {
            while !node.peers().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        node.stop().await;
        Ok::<_, Failed>(())
    })?;
    Belongings::are_again(&before);
    Ok(())
}

pub(crate) fn a_node_without_it_is_reached_otherwise() -> Result<(), Failed> {
    for (here, there) in [(false, true), (true, false)] {
        run(async {
            let node = builder("this").shm(here.then(ShmOptions::default)).start().await?;
            let _process = other(&node, there);
            let peer = linked(&node, &[UnixSocket, Tcp]).await;
            assert_eq!(peer.locality, Locality::SameMachine);
            asks().await?;
            node.stop().await;
            Ok::<_, Failed>(())
        })?;
    }
    Ok(())
}

pub(crate) fn a_link_that_breaks_is_made_again() -> Result<(), Failed> {
    run(async {
        let node = builder("this").start().await?;
        let _process = other(&node, true);
        for _ in 0..3 {
            let peer = linked(&node, &[SharedMemory, UnixSocket, Tcp]).await;
            asks().await?;
            let mut events = ractor_cluster::peers::events();
            ractor_cluster::link::close(peer.node_id, SharedMemory).unwrap();
            soon(async {
                use ractor_cluster::peers::PeerEvent::LinkDown;
                while !matches!(events.recv().await, Ok(LinkDown { kind: SharedMemory, .. })) {}
            })
            .await;
            asks().await?;
        }
        node.stop().await;
        Ok(())
    })
}

pub(crate) fn a_node_may_want_nothing_else() -> Result<(), Failed> {
    run(async {
        let text = "[node]\nname = \"this\"\nhost = \"test\"\ncookie = \"sesame\"\n\
                    transport = \"shm\"\n[node.shm]\nring = \"64 KiB\"\nspin = \"5us\"\n";
        let nothing = Environment::of(Vec::<(&str, &str)>::new());
        let config = Config::parse(text, "mycelium.toml", &nothing)?;
        let node = Node::from_config(&config)?.start().await?;
        let _process = other(&node, true);
        linked(&node, &[SharedMemory, UnixSocket, Tcp]).await;
        asks().await?;
        node.stop().await;
        Ok(())
    })
}

/// Calls one after the other, which whoever calls and answers looks for, and many at a time, which
/// the link's task reads.
async fn asks_often(echo: &ActorRef<Ask>, callers: u16, calls: u16) -> Result<(), Failed> {
    let mut asking = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let echo = echo.clone();
        asking.spawn(async move {
            for call in 0..calls {
                let bytes = [caller.to_be_bytes(), call.to_be_bytes()].concat();
                let sent = bytes.clone();
                let ask = if call % 3 == 0 { Ask::Later } else { Ask::Echo };
                let answer = echo.call(|reply| ask(sent, reply), None).await;
                assert!(answer.unwrap().unwrap() == bytes, "call {call} of caller {caller}");
            }
        });
    }
    soon(async {
        while let Some(asked) = asking.join_next().await {
            asked?;
        }
        Ok(())
    })
    .await
}

pub(crate) fn each_call_is_answered_whoever_looks() -> Result<(), Failed> {
    let alone = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let many = tokio::runtime::Runtime::new;
    for (runtime, here, there) in
        [(many()?, Duration::ZERO, "shm"), (many()?, SPIN, "spins"), (alone()?, SPIN, "shm")]
    {
        runtime.block_on(async {
            let shm = ShmOptions::default().with_spin(here);
            let node = builder("this").shm(Some(shm)).start().await?;
            let _process = start(&node, there);
            linked(&node, &[SharedMemory, UnixSocket, Tcp]).await;
            let echo = echo().await;
            for (callers, calls) in [(1, 500), (8, 60), (2, 100), (1, 60)] {
                asks_often(&echo, callers, calls).await?;
            }
            node.stop().await;
            Ok::<_, Failed>(())
        })?;
    }
    Ok(())
}

/// Asks, and blocks its thread until it is answered.
struct Blocking;

#[derive(RactorMessage)]
struct Block(RpcReplyPort<Vec<u8>>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Blocking {
    type Msg = Block;
    type State = ActorRef<Ask>;
    type Arguments = ActorRef<Ask>;

    async fn pre_start(
        &self,
        _: ActorRef<Block>,
        echo: ActorRef<Ask>,
    ) -> Result<ActorRef<Ask>, ActorProcessingErr> {
        Ok(echo)
    }

    async fn handle(
        &self,
        _: ActorRef<Block>,
        Block(reply): Block,
        echo: &mut ActorRef<Ask>,
    ) -> Result<(), ActorProcessingErr> {
        let (port, answer) = ractor::concurrency::oneshot();
        echo.cast(Ask::Echo(b"blocks".to_vec(), port.into()))?;
        reply.send(tokio::task::block_in_place(|| answer.blocking_recv())?)?;
        Ok(())
    }
}

pub(crate) fn who_blocks_instead_of_looking_is_answered() -> Result<(), Failed> {
    for (here, there) in [(Duration::ZERO, "shm"), (SPIN, "spins")] {
        tokio::runtime::Runtime::new()?.block_on(async {
            let shm = ShmOptions::default().with_spin(here);
            let node = builder("this").shm(Some(shm)).start().await?;
            let _process = start(&node, there);
            linked(&node, &[SharedMemory, UnixSocket, Tcp]).await;
            let (blocking, _) = Actor::spawn(None, Blocking, echo().await).await?;
            for _ in 0..50 {
                let answer = soon(blocking.call(Block, None)).await?;
                assert_eq!(answer.unwrap(), b"blocks");
            }
            node.stop().await;
            Ok::<_, Failed>(())
        })?;
    }
    Ok(())
}

/// The threads of this process that are nodes: whether each sleeps at the moment.
#[cfg(feature = "spinning")]
fn node_threads() -> Vec<bool> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux has it");
    // One that has ended meanwhile has no state.
    let stats =
        tasks.flatten().filter_map(|it| std::fs::read_to_string(it.path().join("stat")).ok());
    stats
        .filter_map(|stat| Some(stat.split_once(" (spinning node) ")?.1.starts_with('S')))
        .collect()
}

/// Until the thread of a node is gone.
#[cfg(feature = "spinning")]
async fn no_node_thread() {
    soon(async {
        while !node_threads().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Tells which thread it is on.
#[cfg(feature = "spinning")]
struct Where;

#[cfg(feature = "spinning")]
#[derive(RactorMessage)]
struct Tell(RpcReplyPort<Option<String>>);

#[cfg(feature = "spinning")]
#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Where {
    type Msg = Tell;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Tell>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Tell>,
        Tell(reply): Tell,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(reply.send(std::thread::current().name().map(str::to_owned))?)
    }
}

#[cfg(feature = "spinning")]
pub(crate) fn a_node_has_a_thread_that_never_sleeps() -> Result<(), Failed> {
    for there in ["thread", "shm"] {
        run(async {
            let node = builder("this").spinning(SpinningThread::new()).start().await?;
            assert_eq!(node_threads().len(), 1);
            let process = start(&node, there);
            linked(&node, &[SharedMemory, UnixSocket, Tcp]).await;
            // From another thread, and from its own.
            asks().await?;
            let echo = echo().await;
            asks_often(&echo, 4, 5).await?;
            let thread = node.thread().expect("it has one");
            let spawned = thread.spawn(Actor::spawn(None, Where, ()));
            let (actor, stopped) = soon(spawned).await??;
            let name = soon(actor.call(Tell, None)).await?.unwrap();
            assert_eq!(name.as_deref(), Some("spinning node"));
            let asked = echo.clone();
            soon(thread.spawn(async move { asks_often(&asked, 2, 60).await })).await??;
            // The link is idle, and its reader does not sleep. It may wait for a lock now and then.
            let asleep = (0..500).filter(|_| node_threads() == [true]).count();
            assert!(asleep < 100, "it slept in {asleep} of 500 moments");
            asks_often(&echo, 1, 10).await?;
            // It learns of the peer's end.
            process.kill();
            soon(async {
                while node.peers().iter().any(|peer| peer.active().is_some()) {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            actor.stop(None);
            soon(stopped).await?;
            soon(node.stop()).await;
            no_node_thread().await;
            Ok::<_, Failed>(())
        })?;
    }
    Ok(())
}

#[cfg(feature = "spinning")]
pub(crate) fn the_thread_of_a_node_ends_with_it() -> Result<(), Failed> {
    run(async {
        let node = builder("this").spinning(SpinningThread::new()).start().await?;
        let _process = start(&node, "shm");
        linked(&node, &[SharedMemory, UnixSocket, Tcp]).await;
        drop(node);
        no_node_thread().await;
        let nowhere = SpinningThread::new().on_core(usize::MAX);
        let refused = builder("this").spinning(nowhere).start().await;
        assert!(matches!(refused, Err(StartError::Thread(_))), "{refused:?}");
        no_node_thread().await;
        let unnamed = Node::builder("th@is").cookie("sesame").spinning(SpinningThread::new());
        assert!(unnamed.start().await.is_err());
        no_node_thread().await;

        let text = "[node]\nname = \"this\"\nhost = \"test\"\ncookie = \"sesame\"\n\
                    [node.shm]\nspin_thread = \"any\"\n";
        let nothing = Environment::of(Vec::<(&str, &str)>::new());
        let config = Config::parse(text, "mycelium.toml", &nothing)?;
        let node = Node::from_config(&config)?.start().await?;
        assert!(node.thread().is_some());
        assert_eq!(node_threads().len(), 1);
        soon(node.stop()).await;
        no_node_thread().await;
        Ok(())
    })
}
