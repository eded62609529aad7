//! One connection to a peer: a task that sends frames, and an actor that reads them, below one that
//! stands for both. It knows of the transport only that it carries frames.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tokio::task::JoinSet;

use crate::link::admission::{Admission, Origin};
use crate::link::data_plane::{ByteReservation, DataPlane, LinkWriter};
use crate::link::quiet_log::{limited_error, limited_info, peer_line, PeerLog};
use crate::link::receiver::{Joined, LinkReader, Receiver, SessionReceiver};
use crate::link::{Event, LinkEvent};
use crate::protocol::NetworkMessage;
use crate::{NodeSessionMessage, RactorMessage};

/// What the reason begins with, when a reader ends for what it read.
const UNREADABLE: &str = "frame_read_error: ";

/// The same, when it could not read.
const BROKEN: &str = "connection_error: ";

/// One connection, as an actor.
pub(crate) struct Session {
    handler: ActorRef<NodeSessionMessage>,
    /// The other end, for people.
    peer: String,
    max_inbound_frame_size: u64,
    joined: Joined,
    /// Of a session's first connection.
    admission: Option<Admission>,
    /// The limits of what the peer can have logged.
    log: Option<Arc<PeerLog>>,
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
        let joined = Joined::default();
        Self::spawn(handler, stream, max_inbound_frame_size, joined, supervisor).await
    }

    /// Starts one that is a link of a session from the first.
    pub(crate) async fn spawn_joined(
        handler: ActorRef<NodeSessionMessage>,
        stream: super::NetworkStream,
        max_inbound_frame_size: u64,
        traffic: Arc<DataPlane>,
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
        let Origin { admission, log, .. } = stream.origin();
        let session = Self { handler, peer, max_inbound_frame_size, joined, admission, log };
        match Actor::spawn_linked(None, session, stream, supervisor).await {
            Ok((session, _)) => Ok(session),
            Err(error) => {
                limited_error!(%error, "a connection's actor did not start");
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
    /// Send this, which counts until it has been written.
    Loaded(NetworkMessage, ByteReservation),
    /// Send this, which is encoded already.
    Frame(Bytes),
    /// Send this behind all that waits.
    Last(Bytes),
    /// Send this behind all that waits, and end.
    Refuse(Bytes),
    /// Closes the connection if the peer takes nothing within this time.
    Deadline(Duration),
    /// It is a link of this data plane from here on.
    Join(Arc<DataPlane>),
    /// This came.
    ObjectAvailable(NetworkMessage),
}

pub(crate) struct SessionState {
    writer: Arc<LinkWriter>,
    /// Ends with the state: a peer that reads nothing keeps it for ever otherwise.
    _writing: JoinSet<()>,
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
        let backlog = stream.origin().backlog.unwrap_or_default();
        let (sink, frames) = stream.into_transport().split(self.max_inbound_frame_size);
        let (session, joined) = (self.handler.clone(), self.joined.clone());
        let admission = self.admission.clone();
        let receiver = Receiver::Session(SessionReceiver { session, joined, backlog, admission });
        let link_reader = Arc::new(LinkReader::new(frames, receiver));
        let watch: Weak<LinkReader> = Arc::downgrade(&link_reader);
        let link_writer = Arc::new(LinkWriter::new(sink, watch));
        let mut writing = JoinSet::new();
        let (stranger, session) = (self.admission.clone(), self.handler.clone());
        let (peer, joined, log) = (self.peer.clone(), self.joined.clone(), self.log.clone());
        let sends =
            write(link_writer.clone(), myself.clone(), peer, stranger, session, joined, log);
        writing.spawn(sends);
        let (reader, _) =
            Actor::spawn_linked(None, SessionReader, link_reader, myself.get_cell()).await?;
        if let Some(traffic) = self.joined.get() {
            traffic.supply(myself.get_id(), &link_writer);
        }
        Ok(SessionState { writer: link_writer, _writing: writing, reader })
    }

    async fn post_stop(
        &self,
        _: ActorRef<SessionMessage>,
        _: &mut SessionState,
    ) -> Result<(), ActorProcessingErr> {
        limited_info!(peer = self.peer, "connection closed");
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<SessionMessage>,
        message: SessionMessage,
        state: &mut SessionState,
    ) -> Result<(), ActorProcessingErr> {
        // A message that comes too late is dropped: the end of the connection is an event.
        match message {
            SessionMessage::Frame(frame) => state.writer.send(frame),
            SessionMessage::Last(frame) => state.writer.send_last(frame),
            SessionMessage::Refuse(frame) => state.writer.send_and_end(frame),
            SessionMessage::Send(message) => state.writer.send(message.encode_to_vec().into()),
            SessionMessage::Loaded(message, load) => {
                state.writer.send_reserved(message.encode_to_vec().into(), load);
            }
            SessionMessage::Deadline(deadline) => state.writer.set_deadline(deadline),
            SessionMessage::Join(traffic) => {
                traffic.serve(myself.get_id(), &state.writer);
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
                limited_error!(peer = self.peer, %error, is_reader, "a child of a connection failed");
                myself.stop(Some("child_panic".to_owned()));
            }
            SupervisionEvent::ActorTerminated(_, _, reason) => {
                let reason = reason.as_deref().unwrap_or_default();
                let (read, broken) = (reason.strip_prefix(UNREADABLE), reason.strip_prefix(BROKEN));
                let is_joined = self.joined.get().is_some();
                if let (Some(error), false) = (read, is_joined) {
                    // The session refuses a peer that it has not let in, and ends this connection.
                    if self.handler.cast(unreadable(error)).is_ok() {
                        return Ok(());
                    }
                } else if let Some(error) = read.or(broken) {
                    // The session logs the end of a connection that is no link yet.
                    if is_joined {
                        peer_line!(
                            self.log.as_deref(),
                            ConnectionClosed,
                            warn,
                            peer = self.peer,
                            error,
                            "a connection is closed: its bytes are no frame of a peer"
                        );
                    } else {
                        limited_info!(peer = self.peer, error, "a connection broke");
                    }
                }
                myself.stop(Some("child_terminate".to_owned()));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Sends frames, for ever.
async fn write(
    writer: Arc<LinkWriter>,
    session: ActorRef<SessionMessage>,
    peer: String,
    admission: Option<Admission>,
    handler: ActorRef<NodeSessionMessage>,
    joined: Joined,
    log: Option<Arc<PeerLog>>,
) {
    let error = writer.run().await;
    // TLS may learn from a write that the peer refuses this end.
    let is_refused = error.kind() == ErrorKind::InvalidData && joined.get().is_none();
    if is_refused && handler.cast(unreadable(&error.to_string())).is_ok() {
        return;
    }
    if writer.is_ending() || admission.is_some_and(|it| !it.is_admitted()) {
        // The session logs why it refuses a peer.
        tracing::debug!(peer, %error, "a connection that is refused is not written to any more");
    } else {
        peer_line!(
            log.as_deref(),
            ConnectionBroke,
            warn,
            peer,
            %error,
            "a connection cannot be written to"
        );
    }
    session.stop(Some("channel_closed".to_owned()));
}

/// That no frame can be had of the peer any more.
fn unreadable(error: &str) -> NodeSessionMessage {
    LinkEvent(Event::Unreadable(error.to_owned())).into()
}

/// Reads frames, one after the other.
struct SessionReader;

/// What a reader tells itself.
pub(crate) enum SessionReaderMessage {
    /// Read on.
    WaitForObject,
}

impl ractor::Message for SessionReaderMessage {}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for SessionReader {
    type Msg = SessionReaderMessage;
    type Arguments = Arc<LinkReader>;
    type State = Arc<LinkReader>;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        reader: Arc<LinkReader>,
    ) -> Result<Arc<LinkReader>, ActorProcessingErr> {
        myself.cast(SessionReaderMessage::WaitForObject)?;
        Ok(reader)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        SessionReaderMessage::WaitForObject: Self::Msg,
        reader: &mut Arc<LinkReader>,
    ) -> Result<(), ActorProcessingErr> {
        // Until it ends: who ends this actor kills it, and needs no turn of its mailbox.
        let error = std::future::poll_fn(|context| reader.poll(context)).await;
        let reason = match error.kind() {
            ErrorKind::UnexpectedEof => "channel_closed".to_owned(),
            ErrorKind::InvalidData => format!("{UNREADABLE}{error}"),
            _ => format!("{BROKEN}{error}"),
        };
        myself.stop(Some(reason));
        Ok(())
    }
}

/// Lets upstream's tests of frames drive our reader and writer.
#[cfg(test)]
#[path = "session/upstream_tests.rs"]
mod upstream_tests;
#[cfg(test)]
use upstream_tests::*;

include!(concat!(env!("OUT_DIR"), "/upstream/graft/src/net/session.rs"));
