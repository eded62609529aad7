//! One connection to a peer: an actor that sends frames, beside one that reads them. It knows of
//! the transport only that it carries frames.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::Poll;

use bytes::Bytes;
use prost::Message as _;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::link::encoded::Encoded;
use crate::link::{Event, LinkEvent};
use crate::protocol::NetworkMessage;
use crate::transport::{FrameSink, FrameStream, TransportMessage};
use crate::{NodeSessionMessage, RactorMessage};

/// What is handed to the kernel at a time, about, in bytes: more waits until it took this much.
const BATCH_BYTES: usize = 256 * 1024;

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
}

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
        let (kind, peer, _) = stream.describe();
        let session = Self { handler, peer: format!("{kind} {peer}"), max_inbound_frame_size };
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
    Frame(Encoded),
    /// This came.
    ObjectAvailable(NetworkMessage),
}

pub(crate) struct SessionState {
    outgoing: mpsc::UnboundedSender<Encoded>,
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
        let (outgoing, queued) = mpsc::unbounded_channel();
        let mut writer = JoinSet::new();
        writer.spawn(write(sink, queued, myself.clone(), self.peer.clone()));
        let reader = SessionReader { session: myself.clone(), handler: Some(self.handler.clone()) };
        let (reader, _) = Actor::spawn_linked(None, reader, frames, myself.get_cell()).await?;
        Ok(SessionState { outgoing, _writer: writer, reader })
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
        _: ActorRef<SessionMessage>,
        message: SessionMessage,
        state: &mut SessionState,
    ) -> Result<(), ActorProcessingErr> {
        // Nobody on either side is told of what comes too late: the connection's end is an event.
        match message {
            SessionMessage::Frame(frame) => {
                _ = state.outgoing.send(frame);
            }
            SessionMessage::Send(message) => {
                _ = state.outgoing.send(Bytes::from(message.encode_to_vec()).into());
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

/// Sends what comes in batches, as far as it has come.
async fn write(
    mut sink: Box<dyn FrameSink>,
    mut queued: mpsc::UnboundedReceiver<Encoded>,
    session: ActorRef<SessionMessage>,
    peer: String,
) {
    while let Some(first) = queued.recv().await {
        let mut next = Some(first);
        while let Some(Encoded { head, payload }) = next {
            let taken = match payload.is_empty() {
                true => sink.queue(TransportMessage::Bytes(head)),
                false => sink.queue_parts(head, payload),
            };
            if taken.is_err() {
                // Sessions share only over links that carry what is shared.
                tracing::error!("a link cannot carry a message, which is lost");
            }
            next = if sink.queued_bytes() < BATCH_BYTES { queued.try_recv().ok() } else { None };
        }
        if let Err(error) = sink.flush().await {
            tracing::warn!(peer, %error, "a connection cannot be written to");
            session.stop(Some("channel_closed".to_owned()));
            return;
        }
    }
}

/// Reads frames, one after the other.
struct SessionReader {
    session: ActorRef<SessionMessage>,
    /// Gets what comes without a detour by the connection's actor, which upstream's tests stand in for.
    handler: Option<ActorRef<NodeSessionMessage>>,
}

/// What a reader tells itself.
pub(crate) enum SessionReaderMessage {
    /// Read on.
    WaitForObject,
}

impl ractor::Message for SessionReaderMessage {}

impl SessionReader {
    fn deliver(&self, frame: TransportMessage) -> io::Result<()> {
        // Nobody is told of what comes too late, as in the connection's actor.
        match (frame, &self.handler) {
            (TransportMessage::Arc(cast), Some(handler)) => {
                _ = handler.cast(NodeSessionMessage::Link(LinkEvent(Event::Shared(cast))));
            }
            // Only a test of bytes has no handler.
            (TransportMessage::Arc(_), None) => {}
            (TransportMessage::Bytes(bytes), Some(handler)) => {
                _ = handler.cast(NodeSessionMessage::MessageReceived(decode(bytes)?));
            }
            (TransportMessage::Bytes(bytes), None) => {
                _ = self.session.cast(SessionMessage::ObjectAvailable(decode(bytes)?));
            }
        }
        Ok(())
    }

    /// Waits for a frame, and takes those that are there already with it.
    async fn read(&self, frames: &mut Box<dyn FrameStream>) -> io::Result<()> {
        let mut next = frames.frame().await?;
        for _ in 0..TURN {
            let Some(frame) = next else {
                return Err(ErrorKind::UnexpectedEof.into());
            };
            self.deliver(frame)?;
            match std::future::poll_fn(|context| Poll::Ready(frames.poll_frame(context))).await {
                Poll::Ready(read) => next = read?,
                Poll::Pending => return Ok(()),
            }
        }
        match next {
            Some(frame) => self.deliver(frame),
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
        match self.read(frames).await {
            Ok(()) => myself.cast(SessionReaderMessage::WaitForObject)?,
            Err(error) => {
                let reason = if error.kind() == ErrorKind::UnexpectedEof {
                    "channel_closed".to_owned()
                } else {
                    format!("{UNREADABLE}{error}")
                };
                drop(state.take());
                myself.stop(Some(reason));
            }
        }
        Ok(())
    }
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
