//! The actors of both processes.

use ractor::{pg, Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::RactorClusterMessage;
use tokio::sync::mpsc;

use crate::work::cpu;

/// The actors of the far process, and where they are found.
pub const ACTORS: usize = 8;
pub const FAR: &str = "far";
/// Where the actor of the near one is found that acknowledgements go to.
pub const NEAR: &str = "near";

#[derive(RactorClusterMessage)]
pub enum FarMessage {
    /// There and back.
    #[rpc]
    Echo(Vec<u8>, RpcReplyPort<Vec<u8>>),
    /// There.
    Take(Vec<u8>),
    /// Acknowledge every so many messages from here on; says whether it is known to whom.
    #[rpc]
    Begin(u64, RpcReplyPort<bool>),
    /// The processor time of the process.
    #[rpc]
    Cpu(RpcReplyPort<u64>),
}

/// Takes messages.
pub struct Far;

#[derive(Default)]
pub struct Taken {
    count: u64,
    every: u64,
    near: Option<ActorRef<NearMessage>>,
}

impl Actor for Far {
    type Msg = FarMessage;
    type State = Taken;
    type Arguments = ();

    async fn pre_start(
        &self,
        myself: ActorRef<FarMessage>,
        (): (),
    ) -> Result<Taken, ActorProcessingErr> {
        pg::join(FAR.to_owned(), vec![myself.get_cell()]);
        Ok(Taken::default())
    }

    async fn handle(
        &self,
        _: ActorRef<FarMessage>,
        message: FarMessage,
        taken: &mut Taken,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            FarMessage::Echo(payload, reply) => reply.send(payload)?,
            FarMessage::Take(payload) => {
                std::hint::black_box(payload);
                taken.count += 1;
                if taken.count == taken.every {
                    taken.count = 0;
                    let near = taken.near.as_ref().ok_or("it did not begin")?;
                    near.cast(NearMessage::Acknowledged)?;
                }
            }
            FarMessage::Begin(every, reply) => {
                let near = pg::get_members(&NEAR.to_owned()).into_iter().next();
                *taken = Taken { count: 0, every, near: near.map(ActorRef::from) };
                reply.send(taken.near.is_some())?;
            }
            FarMessage::Cpu(reply) => reply.send(cpu())?,
        }
        Ok(())
    }
}

#[derive(RactorClusterMessage)]
pub enum NearMessage {
    /// A far actor has taken as many messages as it was told.
    Acknowledged,
}

/// Hands acknowledgements on.
pub struct Near;

impl Actor for Near {
    type Msg = NearMessage;
    type State = mpsc::UnboundedSender<()>;
    type Arguments = mpsc::UnboundedSender<()>;

    async fn pre_start(
        &self,
        myself: ActorRef<NearMessage>,
        acknowledged: mpsc::UnboundedSender<()>,
    ) -> Result<Self::State, ActorProcessingErr> {
        pg::join(NEAR.to_owned(), vec![myself.get_cell()]);
        Ok(acknowledged)
    }

    async fn handle(
        &self,
        _: ActorRef<NearMessage>,
        NearMessage::Acknowledged: NearMessage,
        acknowledged: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(acknowledged.send(())?)
    }
}
