//! A bounded mailbox of another process, reached by shared memory.

use std::sync::Arc;

use libtest_mimic::Failed;
use mycelium_ext::node::Node;
use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, MessagingErr, RpcReplyPort, pg};
use ractor_cluster::RactorClusterMessage;
use ractor_cluster::transport::TransportKind::{SharedMemory, Tcp, UnixSocket};
use tokio::sync::Semaphore;

use crate::nodes::{builder, linked, other};
use crate::process::{run, soon};

const CAPACITY: usize = 2;
const SLOW: &str = "slow";
const KEEPER: &str = "keeper";

#[derive(RactorClusterMessage)]
enum Number {
    Is(u64),
}

/// Handles what the keeper lets through, and fails when it is out of order.
struct Slow(Arc<Semaphore>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Slow {
    type Msg = Number;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Number>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Number>,
        Number::Is(number): Number,
        last: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        self.0.acquire().await?.forget();
        assert!(number > *last, "{number} came after {last}");
        *last = number;
        Ok(())
    }
}

#[derive(RactorClusterMessage)]
enum Keep {
    /// Lets so many through.
    Open(u64),
    /// How many wait, and how many ever did.
    #[rpc]
    Waiting(RpcReplyPort<Vec<u64>>),
}

struct Keeper(Arc<Semaphore>, ActorCell);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Keeper {
    type Msg = Keep;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Keep>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Keep>,
        message: Keep,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Keep::Open(count) => self.0.add_permits(usize::try_from(count)?),
            Keep::Waiting(reply) => {
                let counts = [self.1.mailbox_len(), self.1.mailbox_high_water()];
                reply.send(counts.map(|it| it as u64).into())?;
            }
        }
        Ok(())
    }
}

/// The other process's actors.
pub(crate) async fn spawn() {
    let gate = Arc::new(Semaphore::new(0));
    let bounded = Mailbox::bounded(CAPACITY, Overflow::Reject);
    let config = ActorConfig::default().with_mailbox(bounded);
    let slow = Actor::spawn_with_config(None, Slow(gate.clone()), (), config).await.unwrap().0;
    let keeper = Actor::spawn(None, Keeper(gate, slow.get_cell()), ()).await.unwrap().0;
    pg::join(KEEPER.to_owned(), vec![keeper.get_cell()]);
    pg::join(SLOW.to_owned(), vec![slow.get_cell()]);
}

async fn member(group: &str) -> ActorCell {
    soon(async {
        loop {
            if let Some(member) = pg::get_members(&group.to_owned()).pop() {
                return member;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

pub(crate) fn a_bounded_mailbox_is_felt() -> Result<(), Failed> {
    run(async {
        let node = builder("this").start().await?;
        let process = other(&node, true);
        linked(&node, &[SharedMemory, UnixSocket, Tcp]).await;
        let slow: ActorRef<Number> = member(SLOW).await.into();
        let keeper: ActorRef<Keep> = member(KEEPER).await.into();
        // One that is being handled, and those that wait.
        let (mut number, mut taken) = (0, 0);
        soon(async {
            while taken <= CAPACITY {
                number += 1;
                match slow.cast(Number::Is(number)) {
                    Ok(()) => taken += 1,
                    Err(MessagingErr::SendErr(Number::Is(back))) => assert_eq!(back, number),
                    Err(error) => panic!("it is lost: {error}"),
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        for _ in 0..1000 {
            assert!(slow.cast(Number::Is(0)).is_err(), "there is no room for more");
            tokio::task::yield_now().await;
        }
        let waiting = || async {
            let counts = soon(keeper.call(Keep::Waiting, None)).await.unwrap().unwrap();
            (counts[0] as usize, counts[1] as usize)
        };
        assert_eq!(waiting().await, (CAPACITY, CAPACITY));
        // Senders that wait get in, in order.
        keeper.cast(Keep::Open(1_000_000))?;
        for more in 1..=500 {
            soon(slow.send(Number::Is(number + more))).await.unwrap();
        }
        soon(async { while waiting().await.0 > 0 {} }).await;
        assert_eq!(waiting().await, (0, CAPACITY));
        process.kill();
        Node::stop(node).await;
        Ok(())
    })
}
