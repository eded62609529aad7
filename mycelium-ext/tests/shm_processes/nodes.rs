//! Nodes in two processes.

use std::process::{ExitCode, Stdio};

use libtest_mimic::Failed;
use mycelium_ext::address::Address;
use mycelium_ext::config::{Config, Environment};
use mycelium_ext::node::{Listen, Locality, Node, NodeBuilder, PeerInfo};
use mycelium_ext::shm::ShmOptions;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::RactorClusterMessage;
use ractor_cluster::transport::TransportKind::{self, SharedMemory, Tcp, UnixSocket};

use crate::process::{Belongings, Process, end_with_parent, run, soon};

const GROUP: &str = "echo";

/// Sends back what it is sent.
struct Echo;

#[derive(RactorClusterMessage)]
enum Ask {
    #[rpc]
    Echo(Vec<u8>, RpcReplyPort<Vec<u8>>),
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
        Ask::Echo(bytes, reply): Ask,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        reply.send(bytes)?;
        Ok(())
    }
}

fn builder(name: &str) -> NodeBuilder {
    Node::builder(name).host("test").cookie("sesame").listen(Listen::tcp("127.0.0.1:0"))
}

/// The other process: a node that connects to an address, with an actor.
pub(crate) fn node(words: &[String]) -> ExitCode {
    end_with_parent();
    run(async {
        let shm = (words[1] == "shm").then(ShmOptions::default);
        let node = builder("other").shm(shm).start().await.unwrap();
        let (echo, _) = Actor::spawn(None, Echo, ()).await.unwrap();
        pg::join(GROUP.to_owned(), vec![echo.get_cell()]);
        let address: Address = words[0].parse().unwrap();
        node.connect(address).await.unwrap();
        std::future::pending().await
    })
}

/// A node in another process that connects to this one.
fn other(node: &Node, shm: bool) -> Process {
    let address = node.addresses()[0].to_string();
    let shm = if shm { "shm" } else { "none" };
    Process::start(&["node", &address, shm], Stdio::null())
}

/// What is known of the peer, once it has these links.
async fn linked(node: &Node, kinds: &[TransportKind]) -> PeerInfo {
    soon(async {
        let mut events = ractor_cluster::peers::events();
        loop {
            if let Some(peer) = node.peers().into_iter().find(|peer| {
                let mut links: Vec<_> = peer.links.iter().map(|link| link.kind).collect();
                links.sort_unstable();
                links == kinds && peer.active() == kinds.first().copied()
            }) {
                return peer;
            }
            events.recv().await.expect("events go on");
        }
    })
    .await
}

/// Has the other node's actor send something back.
async fn asks() -> Result<(), Failed> {
    let echo: ActorRef<Ask> = soon(async {
        loop {
            if let Some(echo) = pg::get_members(&GROUP.to_owned()).pop() {
                return echo.into();
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    for size in [0, 64, 4096, 5_000_000] {
        let bytes = vec![size as u8; size];
        let sent = bytes.clone();
        let answer = soon(echo.call(|reply| Ask::Echo(sent, reply), None)).await?;
        assert!(answer.unwrap() == bytes, "{size} bytes");
    }
    Ok(())
}

pub(crate) fn nodes_choose_shared_memory() -> Result<(), Failed> {
    // What the first node of a process makes once.
    run(async { builder("before").start().await.unwrap().stop().await });
    let before = Belongings::now();
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
    assert_eq!(Belongings::now(), before);
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
