//! Actors as fields of messages and as answers, between processes.

use libtest_mimic::Failed;
use mycelium_ext::node::Node;
use ractor::{
    Actor, ActorCell, ActorProcessingErr, ActorRef, ActorStatus, BytesConvertable, MessagingErr,
    RpcReplyPort, pg,
};
use ractor_cluster::RactorClusterMessage;
use tokio::sync::mpsc;

use crate::nodes::{builder, other, other_named};
use crate::process::{run, soon};

const BROKERS: &str = "brokers";

/// What anybody may be told.
#[derive(RactorClusterMessage, Debug)]
struct Note(u64);

#[derive(RactorClusterMessage, Debug)]
enum Ask {
    /// Tells this number to an actor.
    Tell(ActorRef<Note>, u64),
    /// Asks another broker to do so.
    Pass(u64, Vec<ActorRef<Ask>>, Option<ActorCell>),
    /// Who it is.
    #[rpc]
    Who(RpcReplyPort<ActorRef<Ask>>),
    /// Whether a note to this actor is taken, and whether it comes back.
    #[rpc]
    Try(ActorRef<Note>, RpcReplyPort<(bool, bool)>),
}

struct Broker;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Broker {
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
        match message {
            Ask::Tell(actor, number) => actor.cast(Note(number)).map_err(|it| it.to_string())?,
            Ask::Pass(number, brokers, actor) => {
                for broker in brokers {
                    assert!(broker.get_id().is_local(), "{broker:?} is of this process");
                    let actor = actor.clone().expect("there is one").into();
                    broker.cast(Ask::Tell(actor, number)).map_err(|it| it.to_string())?;
                }
            }
            Ask::Who(reply) => reply.send(myself)?,
            Ask::Try(actor, reply) => {
                let taken = actor.cast(Note(0));
                let came_back = matches!(taken, Err(MessagingErr::SendErr(Note(0))));
                reply.send((taken.is_ok(), came_back))?;
            }
        }
        Ok(())
    }
}

/// Passes on what it is told.
struct Notes(mpsc::UnboundedSender<u64>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Notes {
    type Msg = Note;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Note>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Note>,
        Note(number): Note,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(self.0.send(number)?)
    }
}

/// The other process's actor.
pub(crate) async fn spawn() {
    let broker = Actor::spawn(None, Broker, ()).await.unwrap().0;
    pg::join(BROKERS.to_owned(), vec![broker.get_cell()]);
}

/// So many brokers.
async fn brokers(count: usize) -> Vec<ActorRef<Ask>> {
    soon(async {
        loop {
            let members = pg::get_members(&BROKERS.to_owned());
            if members.len() == count {
                return members.into_iter().map(ActorRef::from).collect();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

pub(crate) fn references_lead_to_their_actors() -> Result<(), Failed> {
    run(async {
        let node = builder("this").start().await?;
        let _process = other(&node, true);
        let broker = brokers(1).await.remove(0);
        let (tell, mut told) = mpsc::unbounded_channel();
        // In no group, and without a name: the message is all that leads there.
        let (notes, notes_end) = Actor::spawn(None, Notes(tell), ()).await?;

        broker.cast(Ask::Tell(notes.clone(), 1))?;
        assert_eq!(soon(told.recv()).await, Some(1));
        // The proxy of a broker arrives as the broker.
        broker.cast(Ask::Pass(2, vec![broker.clone(), broker.clone()], Some(notes.get_cell())))?;
        assert_eq!((soon(told.recv()).await, soon(told.recv()).await), (Some(2), Some(2)));
        // An answer.
        let itself = soon(broker.call(Ask::Who, None)).await?.unwrap();
        assert_eq!(itself.get_id(), broker.get_id());
        itself.cast(Ask::Tell(notes.clone(), 3))?;
        assert_eq!(soon(told.recv()).await, Some(3));

        // One that has ended, in this process and in that one.
        notes.stop(None);
        notes_end.await?;
        let tried = soon(broker.call(|reply| Ask::Try(notes, reply), None)).await?.unwrap();
        assert_eq!(tried, (false, true));
        node.stop().await;
        Ok(())
    })
}

/// The two other processes have no session with each other.
pub(crate) fn references_to_unknown_nodes_are_to_nobody() -> Result<(), Failed> {
    run(async {
        let node = builder("this").start().await?;
        let _processes = (other(&node, true), other_named(&node, "second"));
        let brokers = brokers(2).await;
        for (one, other) in [(0, 1), (1, 0)] {
            let stranger = brokers[other].get_cell().into();
            let tried = brokers[one].call(|reply| Ask::Try(stranger, reply), None);
            assert_eq!(soon(tried).await?.unwrap(), (false, true));
        }
        Node::stop(node).await;

        // Bytes of any kind.
        for bytes in [0, 1, 8, 16, 24, 25, 1000] {
            let actor = ActorRef::<Note>::from_bytes(vec![7; bytes]);
            assert_eq!(actor.get_status(), ActorStatus::Stopped);
            assert!(matches!(actor.cast(Note(5)), Err(MessagingErr::SendErr(Note(5)))));
        }
        Ok(())
    })
}
