//! Receives the frames of a connection: for its data plane, or for the session's actor while the
//! connection is no link.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use ractor::ActorRef;
use tokio::task::JoinHandle;

use super::admission::Admission;
use super::arrived::Arrived;
use super::backlog::{Backlog, Item, Weight};
use super::data_plane::DataPlane;
use super::decode::{self, Caps, Decoded, Outcome, Undecodable};
use super::reader::{self, Behind, FrameReceiver, Read};
use super::turn::Turn;
use super::{Event, LinkEvent};
use crate::net::SessionMessage;
use crate::protocol::NetworkMessage;
use crate::transport::TransportMessage;
use crate::NodeSessionMessage;

/// The reader of a connection.
pub(crate) type LinkReader = reader::LinkReader<Receiver>;

/// The data plane that a connection has joined, once it has.
pub(crate) type Joined = Arc<OnceLock<Arc<DataPlane>>>;

/// Where the frames of a connection go.
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
    fn pauses(&self, turn: &mut Turn, context: &mut Context<'_>) -> io::Result<bool> {
        match self {
            Self::Session(it) => {
                if turn.decoding.is_some() && !it.has_decoded(turn, context)? {
                    return Ok(true);
                }
                Ok(it.backlog.pauses(context.waker()))
            }
            Self::Connection(_) => Ok(false),
        }
    }

    #[inline]
    fn receive(
        &self,
        frame: TransportMessage,
        behind: &mut Behind<'_>,
        turn: &mut Turn,
    ) -> io::Result<bool> {
        // A frame that comes too late is dropped: the end of the connection is an event.
        match (self, frame) {
            (Self::Session(it), TransportMessage::Bytes(bytes)) => match it.joined.get() {
                Some(traffic) => it.pass_on(traffic, bytes, Bytes::new(), behind, turn)?,
                None => it.receive(bytes, turn)?,
            },
            (Self::Session(it), TransportMessage::Lent { frame, payload }) => {
                // A connection that is no link yet brings no messages.
                let Some(traffic) = it.joined.get() else { return Err(early()) };
                it.pass_on(traffic, frame, payload, behind, turn)?;
            }
            (Self::Session(it), TransportMessage::Arc(cast)) => {
                _ = it.session.cast(NodeSessionMessage::Link(LinkEvent(Event::Shared(cast))));
            }
            (Self::Connection(connection), TransportMessage::Bytes(bytes)) => {
                _ = connection.cast(SessionMessage::ObjectAvailable(decode(bytes)?));
            }
            // It is not within a process, and is no link.
            (Self::Connection(_), TransportMessage::Arc(_) | TransportMessage::Lent { .. }) => {}
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

fn early() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a payload is lent before the session begins")
}

impl SessionReceiver {
    /// Passes a frame of a link on, and some of those behind it.
    #[inline(always)]
    fn pass_on(
        &self,
        traffic: &Arc<DataPlane>,
        frame: Bytes,
        lent: Bytes,
        behind: &mut Behind<'_>,
        turn: &mut Turn,
    ) -> io::Result<()> {
        if let Some(frame) = traffic.receive(frame, lent, behind, &self.session, turn)? {
            self.begin_decoding(frame, self.backlog.caps(), Some(traffic.clone()), turn);
        }
        Ok(())
    }

    /// Takes a frame of a connection that is no link.
    fn receive(&self, bytes: Bytes, turn: &mut Turn) -> io::Result<()> {
        let Self { session, backlog, admission, .. } = self;
        let size = bytes.len();
        let is_stranger = admission.as_ref().is_some_and(|it| !it.is_admitted());
        let caps = if is_stranger { Caps::STRANGER } else { backlog.caps() };
        match backlog.decode(bytes, caps, session)? {
            Outcome::Decoded(decoded) => self.take(decoded, size, turn),
            Outcome::Long(frame) => self.begin_decoding(frame, caps, None, turn),
            Outcome::Refused => {}
        }
        Ok(())
    }

    /// Takes a frame of so many bytes, of a connection that is no link.
    fn take(&self, Decoded { message, elements, cost }: Decoded, size: usize, turn: &mut Turn) {
        turn.listed(elements);
        let (arrived, weight) = (Arrived::Frame(message), Weight { bytes: size, cost, elements });
        self.backlog.push(Item { arrived, place: None, weight }, &self.session);
    }

    #[cold]
    fn begin_decoding(
        &self,
        frame: Bytes,
        caps: Caps,
        traffic: Option<Arc<DataPlane>>,
        turn: &mut Turn,
    ) {
        let size = frame.len();
        let task = decode::decode_elsewhere(frame, caps);
        turn.decoding = Some(Decoding { task, size, traffic });
    }

    /// Takes the frame that is decoded elsewhere, where that is done. Returns whether none is left.
    #[cold]
    fn has_decoded(&self, turn: &mut Turn, context: &mut Context<'_>) -> io::Result<bool> {
        let Some(decoding) = &mut turn.decoding else { return Ok(true) };
        let Poll::Ready(decoded) = Pin::new(&mut decoding.task).poll(context) else {
            return Ok(false);
        };
        let Some(Decoding { size, traffic, .. }) = turn.decoding.take() else { return Ok(true) };
        let decoded = decoded.map_err(io::Error::other)?;
        if let Outcome::Decoded(decoded) = self.backlog.or_refuse(decoded, &self.session)? {
            match traffic {
                Some(traffic) => traffic.receive_decoded(decoded, size, &self.session, turn),
                None => self.take(decoded, size, turn),
            }
        }
        Ok(true)
    }
}

/// A frame that takes long to decode. Nothing more is read before it is done.
#[derive(Debug)]
pub(super) struct Decoding {
    task: JoinHandle<Result<Decoded, Undecodable>>,
    size: usize,
    /// The data plane that the connection had joined when the frame came.
    traffic: Option<Arc<DataPlane>>,
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
#[path = "receiver/row_tests.rs"]
mod row_tests;
#[cfg(test)]
#[path = "receiver/tests.rs"]
mod tests;
