//! Calls and answers with payloads that the other process reads where they lie.

use std::time::Duration;

use bytes::Bytes;
use libtest_mimic::Failed;
use mycelium_ext::arena::{Arena, PLACED_THRESHOLD, THRESHOLD, Usage};
use mycelium_ext::node::Node;
use ractor::concurrency::oneshot;
use ractor::rpc::CallResult;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::transport::TransportKind::{SharedMemory, Tcp, UnixSocket};
use ractor_cluster::{BytesConvertable, RactorClusterMessage};

use crate::arena::is_lent;
use crate::nodes::{builder, linked, other};
use crate::process::{run, soon};

const GROUP: &str = "those who answer";
const SIZE: usize = 1 << 20;

#[derive(BytesConvertable, Clone, Debug, PartialEq)]
struct Page {
    number: u64,
    /// Whether the bytes that were sent lay in memory of their sender.
    was_lent: bool,
    bytes: Bytes,
}

#[derive(RactorClusterMessage)]
enum Ask {
    /// The same bytes, of the arena of the process that answers.
    #[rpc]
    Bytes(Bytes, RpcReplyPort<Bytes>),
    /// What came.
    #[rpc]
    Back(Bytes, RpcReplyPort<Bytes>),
    /// As the last field of a last field.
    #[rpc]
    Page(u8, Page, RpcReplyPort<Option<Page>>),
    #[rpc]
    Copied(Vec<u8>, RpcReplyPort<Vec<u8>>),
    /// So many bytes, once all are released.
    #[rpc]
    Later(u64, RpcReplyPort<Bytes>),
    /// How many were answered, and how many callers did not wait any more.
    #[rpc]
    Release(RpcReplyPort<(u64, u64)>),
    /// The payloads that the process has lent, their bytes, and those that it holds.
    #[rpc]
    Usage(RpcReplyPort<(u64, u64, u64)>),
}

struct Answering;

/// A copy in the arena of this process, where it has one.
fn made(bytes: &[u8]) -> Bytes {
    match Arena::get() {
        Some(arena) if !bytes.is_empty() => arena.copy(bytes).expect("there is room"),
        _ => Bytes::copy_from_slice(bytes),
    }
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Answering {
    type Msg = Ask;
    type State = Vec<(u64, RpcReplyPort<Bytes>)>;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Ask>, (): ()) -> Result<Self::State, ActorProcessingErr> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: ActorRef<Ask>,
        message: Ask,
        waiting: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Ask::Bytes(bytes, reply) => reply.send(made(&bytes))?,
            Ask::Back(bytes, reply) => reply.send(bytes)?,
            Ask::Page(more, page, reply) => {
                let (number, was_lent) = (page.number + u64::from(more), is_lent(&page.bytes));
                let answer = Page { number, was_lent, bytes: made(&page.bytes) };
                reply.send(Some(answer)).map_err(|it| it.to_string())?;
            }
            Ask::Copied(bytes, reply) => reply.send(bytes)?,
            Ask::Later(size, reply) => waiting.push((size, reply)),
            Ask::Release(reply) => {
                let (mut answered, mut gone) = (0, 0);
                for (size, reply) in waiting.drain(..) {
                    match reply.send(made(&vec![4; size as usize])) {
                        Ok(()) => answered += 1,
                        Err(_) => gone += 1,
                    }
                }
                reply.send((answered, gone))?;
            }
            Ask::Usage(reply) => {
                let usage = Arena::get().map(|arena| arena.usage());
                let Usage { payloads, lent, used, .. } = usage.ok_or("there is no arena")?;
                reply.send((payloads as u64, lent as u64, used as u64))?;
            }
        }
        Ok(())
    }
}

/// The other process's actor.
pub(crate) async fn spawn() {
    let answering = Actor::spawn(None, Answering, ()).await.unwrap().0;
    pg::join(GROUP.to_owned(), vec![answering.get_cell()]);
}

async fn answering() -> ActorRef<Ask> {
    soon(async {
        loop {
            if let Some(answering) = pg::get_members(&GROUP.to_owned()).pop() {
                return answering.into();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

async fn ask<T: Send + 'static>(
    actor: &ActorRef<Ask>,
    message: impl FnOnce(RpcReplyPort<T>) -> Ask,
) -> T {
    soon(actor.call(message, None)).await.expect("it runs").expect("it answers")
}

/// Waits until the other process has lent so many payloads, and holds as many bytes.
async fn until_lent(actor: &ActorRef<Ask>, payloads: u64, bytes: usize) {
    let bytes = bytes as u64;
    soon(async { while ask(actor, Ask::Usage).await != (payloads, bytes, bytes) {} }).await;
}

/// Waits until this process has nothing more in its arena.
async fn until_free() {
    soon(async {
        while Arena::get().unwrap().usage().used > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn page(bytes: &Bytes) -> Page {
    Page { number: 7, was_lent: false, bytes: bytes.clone() }
}

/// A node, and another process with which it has a link by shared memory.
async fn pair() -> Result<(Node, crate::process::Process, ActorRef<Ask>), Failed> {
    let node = builder("this").start().await?;
    let process = other(&node, true);
    linked(&node, &[SharedMemory, UnixSocket, Tcp]).await;
    Ok((node, process, answering().await))
}

pub(crate) fn calls_and_answers_are_read_where_they_lie() -> Result<(), Failed> {
    run(async {
        let (node, process, actor) = pair().await?;
        let sent = made(&vec![3; SIZE]);

        let answer = ask(&actor, |reply| Ask::Bytes(sent.clone(), reply)).await;
        assert!(is_lent(&answer) && answer == sent);
        let paged = ask(&actor, |reply| Ask::Page(2, page(&sent), reply)).await.unwrap();
        assert!(is_lent(&paged.bytes) && paged.bytes == sent);
        assert_eq!((paged.number, paged.was_lent), (9, true));
        until_lent(&actor, 2, 2 * SIZE).await;
        drop(sent);
        until_free().await;

        // Part of it is all of it.
        let part = answer.slice(5..50);
        drop((answer, paged));
        until_lent(&actor, 1, SIZE).await;
        drop(part);
        until_lent(&actor, 0, 0).await;

        // The answer holds bytes that the peer sent, and belongs to the caller.
        let sent = made(&vec![8; SIZE]);
        let answer = ask(&actor, |reply| Ask::Back(sent.clone(), reply)).await;
        assert!(answer == sent);
        drop((answer, sent));
        until_lent(&actor, 0, 0).await;
        until_free().await;

        // What is no plain bytes is a copy, and a small payload is none of the arena.
        let copied = ask(&actor, |reply| Ask::Copied(vec![5; SIZE], reply)).await;
        assert!(copied == vec![5; SIZE]);
        let small = ask(&actor, |reply| Ask::Bytes(Bytes::from_static(b"small"), reply)).await;
        assert!(!is_lent(&small) && small == "small");
        until_lent(&actor, 0, 0).await;

        // An answer outlives its sender.
        let answer = ask(&actor, |reply| Ask::Bytes(vec![6; SIZE].into(), reply)).await;
        process.kill();
        soon(async {
            while !node.peers().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert!(is_lent(&answer) && answer == vec![6; SIZE]);
        drop(answer);
        node.stop().await;
        until_free().await;
        Ok(())
    })
}

pub(crate) fn an_answer_that_nobody_waits_for_is_given_back() -> Result<(), Failed> {
    run(async {
        let (node, _process, actor) = pair().await?;
        // One caller waits, one waits no more, and one has told for how long it waits.
        let (port, answer) = oneshot();
        actor.cast(Ask::Later(SIZE as u64, port.into()))?;
        let (port, given_up) = oneshot();
        actor.cast(Ask::Later(2 * SIZE as u64, port.into()))?;
        let limit = Some(Duration::from_millis(1));
        let late = soon(actor.call(|reply| Ask::Later(4 * SIZE as u64, reply), limit)).await?;
        assert!(matches!(late, CallResult::Timeout));
        drop(given_up);

        assert_eq!(ask(&actor, Ask::Release).await, (2, 1));

        let answer = soon(answer).await?;
        assert!(is_lent(&answer) && answer == vec![4; SIZE]);
        until_lent(&actor, 1, SIZE).await;
        drop(answer);
        until_lent(&actor, 0, 0).await;
        node.stop().await;
        Ok(())
    })
}

/// By each kind of link, whatever lies where.
pub(crate) fn calls_and_answers_arrive_as_they_were_sent() -> Result<(), Failed> {
    for shm in [true, false] {
        run(async {
            let node = builder("this").start().await?;
            let _process = other(&node, shm);
            let kinds = [SharedMemory, UnixSocket, Tcp];
            linked(&node, if shm { &kinds } else { &kinds[1..] }).await;
            let actor = answering().await;
            for size in [0, 1, 1023, 1024, 2048, 16_383, 16_384, 100_000, 3 << 20] {
                let vector: Vec<u8> = (0..=255).cycle().take(size).collect();
                for (bytes, lent_from) in
                    [(Bytes::from(vector.clone()), THRESHOLD), (made(&vector), PLACED_THRESHOLD)]
                {
                    let answer = ask(&actor, |reply| Ask::Bytes(bytes.clone(), reply)).await;
                    assert!(answer == bytes, "{size} bytes");
                    let answer = ask(&actor, |reply| Ask::Page(0, page(&bytes), reply)).await;
                    let Page { number, was_lent, bytes: answer } = answer.unwrap();
                    assert!(answer == bytes, "{size} bytes");
                    assert_eq!((number, was_lent), (7, shm && size >= lent_from), "{size}");
                }
                let answer = ask(&actor, |reply| Ask::Copied(vector.clone(), reply)).await;
                assert!(answer == vector, "{size} bytes");
            }
            node.stop().await;
            Ok::<_, Failed>(())
        })?;
    }
    run(until_free());
    Ok(())
}
