//! The actors of both processes.

use ractor::{pg, Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::RactorClusterMessage;
use tokio::sync::mpsc;

use crate::work::cpu;
#[cfg(feature = "raw")]
use crate::Failure;

/// The actors of the far process, and where they are found.
pub const ACTORS: usize = 64;
pub const FAR: &str = "far";

/// Where the first `targets` of them are found.
pub fn group(targets: usize) -> String {
    format!("{FAR} {targets}")
}
/// Where the actor of the near one is found that acknowledgements go to.
pub const NEAR: &str = "near";

#[derive(RactorClusterMessage)]
#[cfg_attr(feature = "fork", shared)]
pub enum FarMessage {
    /// There and back.
    #[rpc]
    Echo(Vec<u8>, RpcReplyPort<Vec<u8>>),
    /// A payload there, and another one of the same bytes back, and neither is copied.
    #[cfg(feature = "raw")]
    #[rpc]
    EchoRaw(bytes::Bytes, RpcReplyPort<bytes::Bytes>),
    /// There.
    Take(Vec<u8>),
    /// There, without a copy.
    #[cfg(feature = "raw")]
    TakeRaw(bytes::Bytes),
    /// Acknowledge every so many messages from here on; says whether it is known to whom.
    #[rpc]
    Begin(u64, RpcReplyPort<bool>),
    /// The processor time of the process.
    #[rpc]
    Cpu(RpcReplyPort<u64>),
}

/// A payload, all of whose bytes are written for it: in the arena, where the process has one.
#[cfg(feature = "raw")]
pub fn made(length: usize, byte: u8) -> Result<bytes::Bytes, Failure> {
    #[cfg(feature = "shm")]
    if let Some(arena) = mycelium_ext::arena::Arena::get() {
        let mut payload = arena.alloc(length)?;
        payload.fill(byte);
        return Ok(payload.freeze());
    }
    Ok(vec![byte; length].into())
}

/// The byte that a payload begins and ends with.
#[cfg(feature = "raw")]
pub fn ends(payload: &[u8]) -> Result<u8, Failure> {
    match payload {
        [first, .., last] if first == last => Ok(*first),
        _ => Err("it is another payload".into()),
    }
}

/// Takes messages.
pub struct Far;

#[derive(Default)]
pub struct Taken {
    count: u64,
    every: u64,
    near: Option<ActorRef<NearMessage>>,
}

impl Taken {
    fn take(&mut self, payload: &[u8]) -> Result<(), ActorProcessingErr> {
        std::hint::black_box(payload);
        self.count += 1;
        if self.count == self.every {
            self.count = 0;
            let near = self.near.as_ref().ok_or("it did not begin")?;
            near.cast(NearMessage::Acknowledged)?;
        }
        Ok(())
    }
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

    /// What was sent to several is read where it is.
    #[cfg(feature = "fork")]
    async fn handle_arc(
        &self,
        myself: ActorRef<FarMessage>,
        message: ractor::Shared<FarMessage>,
        taken: &mut Taken,
    ) -> Result<(), ActorProcessingErr> {
        if let FarMessage::Take(payload) = &*message {
            return taken.take(payload);
        }
        match message.try_into_owned() {
            Ok(message) => self.handle(myself, message, taken).await,
            Err(_) => Err("only what is taken is sent to several".into()),
        }
    }

    async fn handle(
        &self,
        _: ActorRef<FarMessage>,
        message: FarMessage,
        taken: &mut Taken,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            FarMessage::Echo(payload, reply) => reply.send(payload)?,
            #[cfg(feature = "raw")]
            FarMessage::EchoRaw(payload, reply) => {
                reply.send(made(payload.len(), ends(&payload)?)?)?;
            }
            FarMessage::Take(payload) => taken.take(&payload)?,
            #[cfg(feature = "raw")]
            FarMessage::TakeRaw(payload) => taken.take(&payload)?,
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
