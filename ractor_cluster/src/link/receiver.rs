//! Receives the frames of a connection: for its data plane, or for the session's actor while the
//! connection is no link.

use std::io;
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use bytes::Bytes;
use ractor::ActorRef;

use super::admission::Admission;
use super::arrivals::Turn;
use super::arrived::Arrived;
use super::backlog::{Backlog, Item, Weight};
use super::data_plane::DataPlane;
use super::decode::{self, Caps, Decoded};
use super::reader::{self, FrameReceiver, Read};
use super::{Event, LinkEvent};
use crate::net::SessionMessage;
use crate::protocol::NetworkMessage;
use crate::transport::TransportMessage;
use crate::NodeSessionMessage;

/// The reader of a connection.
pub(crate) type LinkReader = reader::LinkReader<Receiver>;

/// The data plane that a connection has joined, once it has.
pub(crate) type Joined = Arc<OnceLock<Arc<DataPlane>>>;

/// Who gets what comes.
pub(crate) enum Receiver {
    /// The session, or the actors that it is for, once the connection is a link.
    Session(SessionReceiver),
    /// The connection's own actor, which upstream's tests stand in for.
    #[cfg_attr(not(test), allow(dead_code))]
    Connection(ActorRef<SessionMessage>),
}

/// See [`Receiver::Session`].
pub(crate) struct SessionReceiver {
    pub(crate) session: ActorRef<NodeSessionMessage>,
    pub(crate) joined: Joined,
    pub(crate) backlog: Arc<Backlog>,
    /// Of a connection that a listener took.
    pub(crate) admission: Option<Admission>,
}

impl FrameReceiver for Receiver {
    type Turn = Turn;

    #[inline]
    fn pauses(&self, reader: &Waker) -> bool {
        match self {
            Self::Session(SessionReceiver { backlog, .. }) => backlog.pauses(reader),
            Self::Connection(_) => false,
        }
    }

    #[inline]
    fn receive(&self, frame: TransportMessage, turn: &mut Turn) -> io::Result<bool> {
        // A frame that comes too late is dropped: the end of the connection is an event.
        match (self, frame) {
            (Self::Session(it), TransportMessage::Bytes(bytes)) => match it.joined.get() {
                Some(traffic) => traffic.receive(bytes, &it.session, turn)?,
                None => it.receive(bytes, turn)?,
            },
            (Self::Session(it), TransportMessage::Arc(cast)) => {
                _ = it.session.cast(NodeSessionMessage::Link(LinkEvent(Event::Shared(cast))));
            }
            (Self::Connection(connection), TransportMessage::Bytes(bytes)) => {
                _ = connection.cast(SessionMessage::ObjectAvailable(decode(bytes)?));
            }
            // It is not within a process.
            (Self::Connection(_), TransportMessage::Arc(_)) => {}
        }
        Ok(turn.is_long())
    }

    #[inline]
    fn turn_over(&self, turn: &mut Turn, read: Read) {
        let Self::Session(SessionReceiver { session, joined, .. }) = self else { return };
        if read == Read::Nothing && !turn.is_owed() {
            return;
        }
        if let Some(traffic) = joined.get() {
            traffic.turn_over(turn, read != Read::More, session);
        }
    }
}

impl SessionReceiver {
    /// Takes a frame of a connection that is no link.
    fn receive(&self, bytes: Bytes, turn: &mut Turn) -> io::Result<()> {
        let Self { session, backlog, admission, .. } = self;
        let size = bytes.len();
        let is_stranger = admission.as_ref().is_some_and(|it| !it.is_admitted());
        let caps = if is_stranger { Caps::STRANGER } else { backlog.caps() };
        let decoded = backlog.decode(bytes, caps, session)?;
        let Some(Decoded { message, elements, cost }) = decoded else { return Ok(()) };
        turn.listed(elements);
        let (arrived, weight) = (Arrived::Frame(message), Weight { bytes: size, cost, elements });
        backlog.push(Item { arrived, place: None, weight }, session);
        Ok(())
    }
}

/// A frame as stock has it.
pub(crate) fn decode(frame: Bytes) -> io::Result<NetworkMessage> {
    Ok(decode::decode(frame, Caps::default())?.message)
}

#[cfg(test)]
#[path = "receiver/list_tests.rs"]
mod list_tests;
#[cfg(test)]
#[path = "receiver/pause_tests.rs"]
mod pause_tests;
#[cfg(test)]
#[path = "receiver/tests.rs"]
mod tests;
