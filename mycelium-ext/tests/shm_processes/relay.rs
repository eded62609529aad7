//! Payloads that one process sends to a second one, and that one on to a third: all of them read
//! them where the first one wrote them.

use std::process::ExitCode;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use libtest_mimic::Failed;
use mycelium_ext::address::Address;
use mycelium_ext::arena::{Arena, Usage};
use mycelium_ext::node::Node;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::RactorClusterMessage;
use ractor_cluster::transport::TransportKind::SharedMemory;

use crate::address_space;
use crate::arena::is_lent;
use crate::nodes::builder;
use crate::process::{Belongings, Process, end_with_parent, run, soon};

pub(crate) const SIZE: usize = 3 << 20;
/// The process that passes on, the one that reads last, and the one that writes.
const MIDDLE: &str = "middle";
const LAST: &str = "last";
const FIRST: &str = "first";

#[derive(RactorClusterMessage)]
#[shared]
pub(crate) enum Passed {
    /// To be held.
    Hold { number: u64, payload: Bytes },
    /// To be sent on to all actors of a group.
    PassOn { to: String, number: u64, payload: Bytes },
    /// To write a payload, and send it to all actors of a group.
    Write { to: String, number: u64 },
    /// To let go of all.
    Forget,
    /// How many payloads are held, how many of them lie in another process's arena, and how many
    /// are as they were sent.
    #[rpc]
    Held(RpcReplyPort<Vec<u64>>),
    /// How many bytes of the process's own arena are used, how many payloads it has lent, and how
    /// many of those it has passed on.
    #[rpc]
    Lent(RpcReplyPort<Vec<u64>>),
    /// How many actors of a group the process knows, and how many peers it reaches by shared memory.
    #[rpc]
    Known(String, RpcReplyPort<Vec<u64>>),
    /// How often the process had no room to map an arena.
    #[rpc]
    Unmapped(RpcReplyPort<u64>),
}

struct Holder(Weak<Node>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Holder {
    type Msg = Passed;
    type State = Vec<(u64, Bytes)>;
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<Passed>,
        (): (),
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: ActorRef<Passed>,
        message: Passed,
        held: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Passed::Hold { number, payload } => held.push((number, payload)),
            Passed::PassOn { to, number, payload } => {
                let message = Arc::new(Passed::Hold { number, payload });
                _ = pg::broadcast_arc(&to, message).delivered();
            }
            Passed::Write { to, number } => {
                let payload = Bytes::from(vec![number as u8; SIZE]);
                _ = pg::broadcast_arc(&to, Arc::new(Passed::Hold { number, payload })).delivered();
            }
            Passed::Forget => held.clear(),
            Passed::Held(reply) => {
                let lent = held.iter().filter(|(_, payload)| is_lent(payload)).count();
                let whole =
                    |(number, it): &&(u64, Bytes)| it.iter().all(|byte| *byte == *number as u8);
                let whole = held.iter().filter(whole).count();
                reply.send([held.len(), lent, whole].map(|it| it as u64).into())?;
            }
            Passed::Known(group, reply) => {
                let node = self.0.upgrade().ok_or("the node has stopped")?;
                let known = [pg::get_members(&group).len(), by_shared_memory(&node)];
                reply.send(known.map(|it| it as u64).into())?;
            }
            Passed::Unmapped(reply) => {
                let arena = Arena::get().ok_or("there is no arena")?;
                reply.send(arena.usage().unmapped as u64)?;
            }
            Passed::Lent(reply) => {
                let usage = Arena::get().map(|arena| arena.usage()).ok_or("there is no arena")?;
                let figures = [usage.used, usage.payloads, usage.relayed];
                reply.send(figures.map(|it| it as u64).into())?;
            }
        }
        Ok(())
    }
}

async fn spawn(name: &str, node: &Arc<Node>) -> ActorRef<Passed> {
    let holder = Actor::spawn(None, Holder(Arc::downgrade(node)), ()).await.unwrap().0;
    pg::join(name.to_owned(), vec![holder.get_cell()]);
    holder
}

async fn members(group: &str, count: usize) -> Vec<ActorRef<Passed>> {
    soon(async {
        loop {
            let members = pg::get_members(&group.to_owned());
            if members.len() == count {
                return members.into_iter().map(ActorRef::from).collect();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

pub(crate) async fn member(group: &str) -> ActorRef<Passed> {
    members(group, 1).await.remove(0)
}

fn by_shared_memory(node: &Node) -> usize {
    node.peers().iter().filter(|it| it.active() == Some(SharedMemory)).count()
}

/// Waits until so many peers are reached by shared memory.
pub(crate) async fn reached(node: &Node, peers: usize) {
    soon(async {
        while by_shared_memory(node) < peers {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

pub(crate) async fn held(holder: &ActorRef<Passed>) -> Vec<u64> {
    soon(holder.call(Passed::Held, None)).await.unwrap().unwrap()
}

async fn holds(holder: &ActorRef<Passed>, payloads: u64) {
    soon(async { while held(holder).await[0] < payloads {} }).await;
    assert_eq!(held(holder).await, [payloads; 3]);
}

pub(crate) async fn lent(holder: &ActorRef<Passed>) -> Vec<u64> {
    soon(holder.call(Passed::Lent, None)).await.unwrap().unwrap()
}

/// Waits until the process of an actor reaches so many actors of a group, and so many peers by
/// shared memory.
pub(crate) async fn knows(holder: &ActorRef<Passed>, group: &str, actors: usize, peers: usize) {
    let known = || holder.call(|reply| Passed::Known(group.to_owned(), reply), None);
    let wanted = [actors as u64, peers as u64];
    soon(async { while known().await.unwrap().unwrap() != wanted {} }).await;
}

async fn until(what: impl Fn(Usage) -> bool) {
    soon(async {
        while !what(Arena::get().unwrap().usage()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn pass_on(number: u64, payload: &Bytes) -> Passed {
    Passed::PassOn { to: LAST.to_owned(), number, payload: payload.clone() }
}

/// Another process: a node of this name, which is `GROUP` or `GROUP-NUMBER`, that connects to these
/// addresses, and writes its own.
pub(crate) fn node(words: &[String]) -> ExitCode {
    end_with_parent();
    run(async {
        let [name, addresses @ ..] = words else { panic!("it has no name") };
        let builder = builder(name).shm(Some(address_space::options(name)));
        let node = Arc::new(builder.start().await.unwrap());
        spawn(name.split('-').next().unwrap(), &node).await;
        for address in addresses {
            node.connect(address.parse::<Address>().unwrap()).await.unwrap();
        }
        reached(&node, addresses.len()).await;
        println!("{}", node.addresses()[0]);
        if name == FIRST {
            let middle = member(MIDDLE).await;
            knows(&middle, LAST, 1, 2).await;
            let payload = Bytes::from(vec![5; SIZE]);
            middle.cast(pass_on(5, &payload)).unwrap();
        }
        std::future::pending().await
    })
}

/// The process, once it has its links, and the address of its node.
pub(crate) async fn start(name: &str, addresses: &[&str]) -> Result<(Process, String), Failed> {
    let words = [&["passes", name], addresses].concat();
    let mut process = Process::start_in(&std::env::temp_dir(), &words);
    let mut lines = process.lines();
    // This process's node is among those that it connects to.
    let line = soon(tokio::task::spawn_blocking(move || lines.next())).await?;
    Ok((process, line.ok_or("the process has failed")??))
}

/// The one between does not use its own arena at all, for however many readers, and everything
/// comes back.
pub(crate) fn a_payload_is_passed_on_without_a_copy() -> Result<(), Failed> {
    const READERS: usize = 2;
    let before = Belongings::before();
    run(async {
        let node = builder("this").start().await?;
        let own = node.addresses()[0].to_string();
        let (_second, address) = start(MIDDLE, &[&own]).await?;
        let _third = start("last-1", &[&own, &address]).await?;
        let _fourth = start("last-2", &[&own, &address]).await?;
        reached(&node, 1 + READERS).await;
        let (middle, readers) = (member(MIDDLE).await, members(LAST, READERS).await);
        knows(&middle, LAST, READERS, 1 + READERS).await;
        let arena = Arena::get().expect("a link by shared memory makes it");
        assert_eq!(arena.usage().used, 0);

        for number in 1..=4 {
            middle.cast(pass_on(number, &Bytes::from(vec![number as u8; SIZE])))?;
        }
        for reader in &readers {
            holds(reader, 4).await;
        }
        assert_eq!(lent(&middle).await, [0, 8, 8]);
        // They are lent to the process between alone, and each is there once.
        let usage = arena.usage();
        assert_eq!((usage.payloads, usage.relayed, usage.used), (4, 0, 4 * SIZE));

        for reader in &readers {
            reader.cast(Passed::Forget)?;
            assert_eq!(held(reader).await, [0, 0, 0]);
        }
        // The process between hears of it when it is lent the next.
        middle.cast(Passed::Hold { number: 6, payload: Bytes::from(vec![6; SIZE]) })?;
        until(|usage| (usage.payloads, usage.used) == (1, SIZE)).await;
        holds(&middle, 1).await;
        middle.cast(Passed::Forget)?;
        until(|usage| (usage.payloads, usage.used) == (0, 0)).await;
        node.stop().await;
        Ok::<_, Failed>(())
    })?;
    Belongings::are_again(&before);
    Ok(())
}

/// The process between is killed: what the last one holds stays as it is, whatever the first one
/// writes, and comes back when the last one has let go.
pub(crate) fn a_payload_outlives_the_process_between() -> Result<(), Failed> {
    run(async {
        let node = builder("this").start().await?;
        let own = node.addresses()[0].to_string();
        let (second, address) = start(MIDDLE, &[&own]).await?;
        let (_third, _) = start(LAST, &[&own, &address]).await?;
        reached(&node, 2).await;
        let (middle, last) = (member(MIDDLE).await, member(LAST).await);
        knows(&middle, LAST, 1, 2).await;
        let arena = Arena::get().expect("a link by shared memory makes it");
        middle.cast(pass_on(1, &Bytes::from(vec![1; SIZE])))?;
        middle.cast(pass_on(2, &Bytes::from(vec![2; SIZE])))?;
        holds(&last, 2).await;
        assert_eq!(lent(&middle).await, [0, 2, 2]);

        second.kill();
        until(|usage| usage.links == 1).await;
        for number in 3..9 {
            // All that is free is written to, and more is lent.
            let mut written = Vec::new();
            while let Ok(mut memory) = arena.alloc(SIZE) {
                memory.fill(0xff);
                written.push(memory);
            }
            assert!(!written.is_empty());
            drop(written);
            last.cast(Passed::Hold { number, payload: Bytes::from(vec![number as u8; SIZE]) })?;
            holds(&last, number).await;
        }
        let usage = arena.usage();
        assert_eq!((usage.payloads, usage.used), (8, 8 * SIZE));
        last.cast(Passed::Forget)?;
        until(|usage| (usage.payloads, usage.used) == (0, 0)).await;
        node.stop().await;
        Ok(())
    })
}

/// The process that wrote it is killed: the last one reads on.
pub(crate) fn a_payload_that_was_passed_on_outlives_its_sender() -> Result<(), Failed> {
    run(async {
        let node = Arc::new(builder("this").start().await?);
        let last = spawn(LAST, &node).await;
        let (_second, address) = start(MIDDLE, &[&node.addresses()[0].to_string()]).await?;
        let (first, _) = start(FIRST, &[&address]).await?;
        holds(&last, 1).await;
        let middle = member(MIDDLE).await;
        assert_eq!(lent(&middle).await, [0, 1, 1]);
        first.kill();
        soon(async {
            while !pg::get_members(&FIRST.to_owned()).is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        holds(&last, 1).await;
        last.cast(Passed::Forget)?;
        soon(async { while lent(&middle).await != [0, 0, 0] {} }).await;
        last.stop_and_wait(None, None).await?;
        Arc::into_inner(node).ok_or("it is used still")?.stop().await;
        Ok(())
    })
}
