//! Payloads that other processes read where they lie.

use std::process::Stdio;
use std::sync::Arc;

use bytes::Bytes;
use libtest_mimic::Failed;
use mycelium_ext::arena::{Arena, Usage};
use mycelium_ext::node::Node;
use mycelium_ext::placed::Placed;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::RactorClusterMessage;
use ractor_cluster::transport::TransportKind::SharedMemory;

use crate::nodes::builder;
use crate::process::{Belongings, Process, run, soon};

const VIEWERS: &str = "viewers";
const SIZE: usize = 3 << 20;

#[derive(RactorClusterMessage)]
#[shared]
enum View {
    /// A payload to be held.
    Look { number: u64, payload: Bytes },
    /// The same, of plain-old-data.
    Book { number: u64, book: Placed<[u64]> },
    /// To let go of all.
    Forget,
    /// How many payloads are held, how many of them lie in another process's arena, and the sum of
    /// the first and last bytes and of the numbers.
    #[rpc]
    Held(RpcReplyPort<Vec<u64>>),
}

struct Viewer;

/// Whether it lies in memory that another process writes.
pub(crate) fn is_lent(payload: &Bytes) -> bool {
    let at = payload.as_ptr().addr();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().any(|line| {
        let (from, rest) = line.split_once('-').unwrap();
        let (to, rest) = rest.split_once(' ').unwrap();
        let [from, to] = [from, to].map(|it| usize::from_str_radix(it, 16).unwrap());
        (from..to).contains(&at) && rest.starts_with("r--s") && line.contains("mycelium arena")
    })
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Viewer {
    type Msg = View;
    type State = Vec<(u64, Bytes)>;
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<View>,
        (): (),
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: ActorRef<View>,
        message: View,
        held: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            View::Look { number, payload } => held.push((number, payload)),
            View::Book { number, book } => held.push((number, book.into_bytes())),
            View::Forget => held.clear(),
            View::Held(reply) => {
                let lent = held.iter().filter(|(_, payload)| is_lent(payload)).count();
                let ends = |it: &Bytes| u64::from(it[0]) + u64::from(it[it.len() - 1]);
                let sum: u64 = held.iter().map(|(number, it)| number + ends(it)).sum();
                reply.send(vec![held.len() as u64, lent as u64, sum])?;
            }
        }
        Ok(())
    }
}

/// The other process's actor.
pub(crate) async fn spawn() {
    let viewer = Actor::spawn(None, Viewer, ()).await.unwrap().0;
    pg::join(VIEWERS.to_owned(), vec![viewer.get_cell()]);
}

/// The viewers of so many processes, all reached by shared memory.
async fn viewers(node: &Node, processes: usize) -> Vec<ActorRef<View>> {
    soon(async {
        loop {
            let members: Vec<ActorCell> = pg::get_members(&VIEWERS.to_owned());
            let by = node.peers().iter().filter(|it| it.active() == Some(SharedMemory)).count();
            if members.len() == processes && by == processes {
                return members.into_iter().map(ActorRef::from).collect();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

async fn held(viewer: &ActorRef<View>) -> Vec<u64> {
    soon(viewer.call(View::Held, None)).await.unwrap().unwrap()
}

/// Waits for a condition on what is lent.
async fn until(what: impl Fn(Usage) -> bool) {
    soon(async {
        while !what(Arena::get().unwrap().usage()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn look(number: u64, payload: &Bytes) -> View {
    View::Look { number, payload: payload.clone() }
}

fn all_look(number: u64, payload: &Bytes) {
    let sent = pg::broadcast_arc(&VIEWERS.to_owned(), Arc::new(look(number, payload)));
    assert_eq!(sent.delivered(), 2);
}

pub(crate) fn processes_read_a_payload_where_it_lies() -> Result<(), Failed> {
    run(async {
        let node = builder("this").start().await?;
        let address = node.addresses()[0].to_string();
        let mut processes: Vec<Process> = ["one", "two"]
            .iter()
            .map(|name| Process::start(&["node", &address, "shm", name], Stdio::null()))
            .collect();
        let viewers = viewers(&node, 2).await;
        let arena = Arena::get().expect("a link by shared memory makes it");
        assert_eq!(arena.usage().used, 0);

        // One that is built there, one that is copied once for both, and one for one of them.
        let mut built = arena.alloc(SIZE)?;
        built.fill(1);
        let built = built.freeze();
        all_look(10, &built);
        let other = Bytes::from(vec![2; SIZE]);
        all_look(100, &other);
        viewers[0].cast(look(1000, &other))?;
        let book = vec![u64::from_ne_bytes([5; 8]); SIZE / 8];
        viewers[0].cast(View::Book { number: 10_000, book: Placed::new(&book[..]) })?;
        let sum = (10 + 2) + (100 + 4) + (1000 + 4) + (10_000 + 10);
        assert_eq!(held(&viewers[0]).await, [4, 4, sum]);
        assert_eq!(held(&viewers[1]).await, [2, 2, 10 + 2 + 100 + 4]);
        let usage = arena.usage();
        assert_eq!((usage.payloads, usage.lent), (6, 6 * SIZE));
        drop(built);
        until(|usage| usage.used == 4 * SIZE).await;

        // A reader keeps what it holds beyond the end of a link, whatever is written later.
        for peer in node.peers() {
            ractor_cluster::link::close(peer.node_id, SharedMemory)?;
        }
        let mut written = Vec::new();
        while let Ok(mut memory) = arena.alloc(SIZE) {
            memory.fill(9);
            written.push(memory);
        }
        drop(written);
        assert_eq!(held(&viewers[0]).await, [4, 4, sum]);

        viewers[0].cast(View::Forget)?;
        assert_eq!(held(&viewers[0]).await, [0, 0, 0]);
        until(|usage| (usage.payloads, usage.used) == (2, 2 * SIZE)).await;
        // One that is killed holds nothing more.
        processes.drain(..).for_each(Process::kill);
        until(|usage| (usage.payloads, usage.lent, usage.links) == (0, 0, 0)).await;
        node.stop().await;
        until(|usage| usage.used == 0).await;
        Ok(())
    })
}

/// Also the first message to several processes is copied into the arena once for all, and also
/// where it is one that a single link copies.
pub(crate) fn the_first_payload_is_copied_once_for_all() -> Result<(), Failed> {
    run(async {
        let node = builder("this").start().await?;
        let address = node.addresses()[0].to_string();
        let processes: Vec<Process> = ["one", "two"]
            .iter()
            .map(|name| Process::start(&["node", &address, "shm", name], Stdio::null()))
            .collect();
        let viewers = viewers(&node, 2).await;
        let arena = Arena::get().expect("a link by shared memory makes it");
        all_look(1, &Bytes::from(vec![1; 4096]));
        for viewer in &viewers {
            assert_eq!(held(viewer).await, [1, 1, 1 + 2]);
        }
        let usage = arena.usage();
        assert_eq!((usage.links, usage.payloads, usage.lent, usage.used), (2, 2, 2 * 4096, 4096));
        processes.into_iter().for_each(Process::kill);
        until(|usage| (usage.payloads, usage.links) == (0, 0)).await;
        node.stop().await;
        Ok(())
    })
}

/// A reader keeps what it holds when its sender is killed.
pub(crate) fn a_payload_outlives_its_sender() -> Result<(), Failed> {
    run(async {
        let node = builder("this").start().await?;
        let viewer = Actor::spawn(None, Viewer, ()).await?.0;
        pg::join("here".to_owned(), vec![viewer.get_cell()]);
        let address = node.addresses()[0].to_string();
        let process = Process::start(&["node", &address, "shm", "feed"], Stdio::null());
        soon(async { while held(&viewer).await[0] == 0 {} }).await;
        assert_eq!(held(&viewer).await, [1, 1, 7 + 3 + 3]);
        process.kill();
        soon(async {
            while !node.peers().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(held(&viewer).await, [1, 1, 7 + 3 + 3]);
        viewer.stop_and_wait(None, None).await?;
        node.stop().await;
        Ok(())
    })
}

/// Readers are killed while they hold payloads and more are sent: what they held comes back, and in
/// the end there is nothing left of them.
pub(crate) fn killed_readers_leave_nothing() -> Result<(), Failed> {
    const READERS: usize = 3;
    let before = Belongings::before();
    run(async {
        let node = builder("this").start().await?;
        let address = node.addresses()[0].to_string();
        let start = |number: usize| {
            let name = format!("reader-{number}");
            Process::start(&["node", &address, "shm", &name], Stdio::null())
        };
        let mut processes: Vec<Process> = (0..READERS).map(start).collect();
        let arena = Arena::of_process(1)?;
        let (group, payload) = (VIEWERS.to_owned(), Bytes::from(vec![6; 1 << 18]));
        for killed in 0..9 {
            let all = viewers(&node, READERS).await;
            for number in 0..40 {
                // One that is in the middle of its end does not get it.
                _ = pg::broadcast_arc(&group, Arc::new(look(number, &payload))).delivered();
                tokio::task::yield_now().await;
            }
            assert!(held(&all[killed % READERS]).await[1] > 0, "nothing is read in place");
            processes.remove(killed % READERS).kill();
            until(|usage| usage.links == READERS - 1).await;
            let left = arena.usage().payloads;
            pg::broadcast_arc(&group, Arc::new(View::Forget)).delivered();
            until(|usage| usage.payloads == 0).await;
            assert!(left > 0, "the others held nothing");
            // Another start of the same node takes the place of that.
            processes.insert(killed % READERS, start(killed % READERS));
        }
        viewers(&node, READERS).await;
        processes.drain(..).for_each(Process::kill);
        until(|usage| (usage.payloads, usage.lent, usage.links) == (0, 0, 0)).await;
        node.stop().await;
        until(|usage| usage.used == 0).await;
        Ok::<_, Failed>(())
    })?;
    Belongings::are_again(&before);
    Ok(())
}

/// A process that sends a payload to the actor of the other one, once it is there.
pub(crate) async fn feed(node: &Node) {
    soon(async {
        while node.peers().iter().all(|it| it.active() != Some(SharedMemory)) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let viewer: ActorRef<View> = soon(async {
        loop {
            if let Some(viewer) = pg::get_members(&"here".to_owned()).pop() {
                return viewer.into();
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    viewer.cast(look(7, &Bytes::from(vec![3; SIZE]))).unwrap();
}
