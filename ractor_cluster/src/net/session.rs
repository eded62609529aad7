//! One connection to a peer: a task that sends frames, and an actor that reads them, below one that
//! stands for both. It knows of the transport only that it carries frames.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use bytes::Bytes;
use prost::Message as _;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tokio::task::JoinSet;

use crate::link::arrivals::Turn;
use crate::link::pump::Pump;
use crate::link::traffic::Traffic;
use crate::link::{Event, LinkEvent};
use crate::protocol::NetworkMessage;
use crate::transport::{FrameStream, TransportMessage};
use crate::{NodeSessionMessage, RactorMessage};

/// What the reason begins with, when a reader ends for what it read.
const UNREADABLE: &str = "frame_read_error: ";

/// Frames handled in a row before other actors get a turn.
const TURN: usize = 64;

/// One connection, as an actor.
pub(crate) struct Session {
    handler: ActorRef<NodeSessionMessage>,
    /// The other end, for people.
    peer: String,
    max_inbound_frame_size: u64,
    joined: Joined,
}

/// The traffic that a connection is a link of, from when it is.
type Joined = Arc<OnceLock<Arc<Traffic>>>;

impl Session {
    /// Starts one below `supervisor`, which learns of its end. What it reads goes to `handler`.
    pub(crate) async fn spawn_linked(
        handler: ActorRef<NodeSessionMessage>,
        stream: super::NetworkStream,
        _peer_addr: SocketAddr,
        _local_addr: SocketAddr,
        max_inbound_frame_size: u64,
        supervisor: ActorCell,
    ) -> Result<ActorRef<SessionMessage>, SpawnErr> {
        let joined = Joined::default();
        Self::spawn(handler, stream, max_inbound_frame_size, joined, supervisor).await
    }

    /// Starts one that is a link of a session from the first.
    pub(crate) async fn spawn_joined(
        handler: ActorRef<NodeSessionMessage>,
        stream: super::NetworkStream,
        max_inbound_frame_size: u64,
        traffic: Arc<Traffic>,
    ) -> Result<ActorRef<SessionMessage>, SpawnErr> {
        let supervisor = handler.get_cell();
        let joined = Arc::new(OnceLock::from(traffic));
        Self::spawn(handler, stream, max_inbound_frame_size, joined, supervisor).await
    }

    async fn spawn(
        handler: ActorRef<NodeSessionMessage>,
        stream: super::NetworkStream,
        max_inbound_frame_size: u64,
        joined: Joined,
        supervisor: ActorCell,
    ) -> Result<ActorRef<SessionMessage>, SpawnErr> {
        let (kind, peer, _) = stream.describe();
        let peer = format!("{kind} {peer}");
        let session = Self { handler, peer, max_inbound_frame_size, joined };
        match Actor::spawn_linked(None, session, stream, supervisor).await {
            Ok((session, _)) => Ok(session),
            Err(error) => {
                tracing::error!(%error, "a connection's actor did not start");
                Err(error)
            }
        }
    }
}

/// What a connection is told.
#[derive(RactorMessage)]
pub(crate) enum SessionMessage {
    /// Send this.
    Send(NetworkMessage),
    /// Send this, which is encoded already.
    Frame(Bytes),
    /// Send this behind all that waits.
    Last(Bytes),
    /// It is a link of this traffic from here on.
    Join(Arc<Traffic>),
    /// This came.
    ObjectAvailable(NetworkMessage),
}

pub(crate) struct SessionState {
    pump: Arc<Pump>,
    /// Ends with the state: a peer that reads nothing keeps it for ever otherwise.
    _writer: JoinSet<()>,
    reader: ActorRef<SessionReaderMessage>,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Session {
    type State = SessionState;
    type Msg = SessionMessage;
    type Arguments = super::NetworkStream;

    async fn pre_start(
        &self,
        myself: ActorRef<SessionMessage>,
        stream: super::NetworkStream,
    ) -> Result<SessionState, ActorProcessingErr> {
        let (sink, frames) = stream.into_transport().split(self.max_inbound_frame_size);
        let pump = Arc::new(Pump::new(sink));
        let mut writer = JoinSet::new();
        writer.spawn(write(pump.clone(), myself.clone(), self.peer.clone()));
        let handler = Handler { session: self.handler.clone(), joined: self.joined.clone() };
        let reader = SessionReader { session: myself.clone(), handler: Some(handler) };
        let (reader, _) = Actor::spawn_linked(None, reader, frames, myself.get_cell()).await?;
        if let Some(traffic) = self.joined.get() {
            pump.join(traffic, myself.get_id());
        }
        Ok(SessionState { pump, _writer: writer, reader })
    }

    async fn post_stop(
        &self,
        _: ActorRef<SessionMessage>,
        _: &mut SessionState,
    ) -> Result<(), ActorProcessingErr> {
        tracing::info!(peer = self.peer, "connection closed");
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<SessionMessage>,
        message: SessionMessage,
        state: &mut SessionState,
    ) -> Result<(), ActorProcessingErr> {
        // Nobody on either side is told of what comes too late: the connection's end is an event.
        match message {
            SessionMessage::Frame(frame) => state.pump.send(frame),
            SessionMessage::Last(frame) => state.pump.send_last(frame),
            SessionMessage::Send(message) => state.pump.send(message.encode_to_vec().into()),
            SessionMessage::Join(traffic) => {
                traffic.serve(myself.get_id(), &state.pump);
                _ = self.joined.set(traffic);
            }
            SessionMessage::ObjectAvailable(message) => {
                _ = self.handler.cast(NodeSessionMessage::MessageReceived(message));
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<SessionMessage>,
        event: SupervisionEvent,
        state: &mut SessionState,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(actor, error) => {
                let is_reader = actor.get_id() == state.reader.get_id();
                tracing::error!(peer = self.peer, %error, is_reader, "a child of a connection failed");
                myself.stop(Some("child_panic".to_owned()));
            }
            SupervisionEvent::ActorTerminated(_, _, reason) => {
                if let Some(error) = reason.as_deref().and_then(|it| it.strip_prefix(UNREADABLE)) {
                    tracing::warn!(
                        peer = self.peer,
                        error,
                        "a connection is closed for what came by it"
                    );
                }
                myself.stop(Some("child_terminate".to_owned()));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Sends what there is, for ever.
async fn write(pump: Arc<Pump>, session: ActorRef<SessionMessage>, peer: String) {
    let error = pump.run().await;
    tracing::warn!(peer, %error, "a connection cannot be written to");
    session.stop(Some("channel_closed".to_owned()));
}

/// Reads frames, one after the other.
struct SessionReader {
    session: ActorRef<SessionMessage>,
    /// Gets what comes without a detour by the connection's actor, which upstream's tests stand in for.
    handler: Option<Handler>,
}

/// Who gets what comes.
struct Handler {
    session: ActorRef<NodeSessionMessage>,
    joined: Joined,
}

/// What a reader tells itself.
pub(crate) enum SessionReaderMessage {
    /// Read on.
    WaitForObject,
}

impl ractor::Message for SessionReaderMessage {}

impl SessionReader {
    fn deliver(&self, frame: TransportMessage, turn: &mut Turn) -> io::Result<()> {
        // Nobody is told of what comes too late, as in the connection's actor.
        match (frame, &self.handler) {
            (TransportMessage::Arc(cast), Some(handler)) => {
                _ = handler.session.cast(NodeSessionMessage::Link(LinkEvent(Event::Shared(cast))));
            }
            // Only a test of bytes has no handler.
            (TransportMessage::Arc(_), None) => {}
            (TransportMessage::Bytes(bytes), Some(handler)) => {
                if let Some(traffic) = handler.joined.get() {
                    return traffic.receive(bytes, &handler.session, turn);
                }
                _ = handler.session.cast(NodeSessionMessage::MessageReceived(decode(bytes)?));
            }
            (TransportMessage::Bytes(bytes), None) => {
                _ = self.session.cast(SessionMessage::ObjectAvailable(decode(bytes)?));
            }
        }
        Ok(())
    }

    /// Waits for a frame, and takes those that are there already with it; true when there may be more.
    async fn read(&self, frames: &mut Box<dyn FrameStream>) -> io::Result<bool> {
        let first = frames.frame().await?;
        let mut turn = Turn::default();
        let read = self.read_on(first, frames, &mut turn).await;
        if let Some(Handler { session, joined }) = &self.handler {
            if let Some(traffic) = joined.get() {
                traffic.turn_over(turn, session);
            }
        }
        read
    }

    async fn read_on(
        &self,
        mut next: Option<TransportMessage>,
        frames: &mut Box<dyn FrameStream>,
        turn: &mut Turn,
    ) -> io::Result<bool> {
        for _ in 0..TURN {
            let Some(frame) = next else {
                return Err(ErrorKind::UnexpectedEof.into());
            };
            self.deliver(frame, turn)?;
            match std::future::poll_fn(|context| Poll::Ready(frames.poll_frame(context))).await {
                Poll::Ready(read) => next = read?,
                Poll::Pending => return Ok(false),
            }
        }
        match next {
            Some(frame) => self.deliver(frame, turn).map(|()| true),
            None => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for SessionReader {
    type Msg = SessionReaderMessage;
    type Arguments = Box<dyn FrameStream>;
    type State = Option<Box<dyn FrameStream>>;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        frames: Box<dyn FrameStream>,
    ) -> Result<Self::State, ActorProcessingErr> {
        myself.cast(SessionReaderMessage::WaitForObject)?;
        Ok(Some(frames))
    }

    async fn post_stop(
        &self,
        _: ActorRef<Self::Msg>,
        frames: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        drop(frames.take());
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        SessionReaderMessage::WaitForObject: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let Some(frames) = state else { return Ok(()) };
        // Until it ends: who ends this actor kills it, and needs no turn of its mailbox.
        let error = loop {
            match self.read(frames).await {
                Ok(true) => tokio::task::yield_now().await,
                // Who found nothing is woken by what comes, and not asked again before: a transport may
                // have given its turn to others.
                Ok(false) => until_woken().await,
                Err(error) => break error,
            }
        };
        let reason = if error.kind() == ErrorKind::UnexpectedEof {
            "channel_closed".to_owned()
        } else {
            format!("{UNREADABLE}{error}")
        };
        drop(state.take());
        myself.stop(Some(reason));
        Ok(())
    }
}

/// Ends when the task is woken for whatever it has waited for last.
async fn until_woken() {
    let mut waited = false;
    std::future::poll_fn(|_| match std::mem::replace(&mut waited, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

fn decode(frame: Bytes) -> io::Result<NetworkMessage> {
    NetworkMessage::decode(frame).map_err(|error| {
        io::Error::new(ErrorKind::InvalidData, format!("a frame is no message: {error}"))
    })
}

/// Lets upstream's tests of frames drive our reader and writer.
#[cfg(test)]
#[path = "session/upstream_tests.rs"]
mod upstream_tests;
#[cfg(test)]
use upstream_tests::*;

include!(concat!(env!("OUT_DIR"), "/upstream/graft/src/net/session.rs"));
