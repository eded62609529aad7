//! The reading end of a link: frames are taken from the transport and passed on by the link's own
//! task, or by whoever expects one and would sleep otherwise.

use std::future::Future;
use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use ractor::remoting::busy_poll::Watch;
use ractor::ActorRef;
use tokio::task::JoinHandle;

use super::admission::Admission;
use super::arrivals::{Arrived, Turn};
use super::backlog::{Backlog, Item, Weight};
use super::data_plane::DataPlane;
use super::decode::{self, Caps, Decoded, Undecodable};
use super::{Event, LinkEvent};
use crate::net::SessionMessage;
use crate::protocol::NetworkMessage;
use crate::transport::handoff::Handoff;
use crate::transport::{FrameStream, TransportMessage};
use crate::NodeSessionMessage;

/// Frames handled in a row before others get a turn.
const TURN: usize = 64;

/// The data plane that a connection has joined, once it has.
pub(crate) type Joined = Arc<OnceLock<Arc<DataPlane>>>;

/// Who gets what comes.
pub(crate) enum Receiver {
    /// The session, or the actors that it is for, once the connection is a link.
    Session {
        session: ActorRef<NodeSessionMessage>,
        joined: Joined,
        backlog: Arc<Backlog>,
        /// Of a connection that a listener took.
        admission: Option<Admission>,
    },
    /// The connection's own actor, which upstream's tests stand in for.
    #[cfg_attr(not(test), allow(dead_code))]
    Connection(ActorRef<SessionMessage>),
}

/// See the module's documentation.
pub(crate) struct LinkReader {
    receiver: Receiver,
    reading: Handoff<Reading>,
}

struct Reading {
    frames: Box<dyn FrameStream>,
    /// The last frame, while it is decoded elsewhere.
    decoding: Option<Decoding>,
    turn: Turn,
    /// What went wrong where the task was not.
    failed: Option<io::Error>,
}

/// A frame that takes long to decode.
struct Decoding {
    task: JoinHandle<Result<Decoded, Undecodable>>,
    size: usize,
    /// The data plane that the connection had joined when the frame came.
    traffic: Option<Arc<DataPlane>>,
}

impl Decoding {
    fn begin(frame: Bytes, caps: Caps, traffic: Option<Arc<DataPlane>>) -> Self {
        let size = frame.len();
        Self { task: decode::decode_elsewhere(frame, caps), size, traffic }
    }
}

/// What came of reading.
enum Read {
    /// Nothing, and the task is woken by what comes.
    Nothing,
    /// Something, and the task is woken by what comes next.
    Some,
    /// Something, and there may be more.
    More,
}

impl LinkReader {
    pub(crate) fn new(frames: Box<dyn FrameStream>, receiver: Receiver) -> Self {
        Self {
            receiver,
            reading: Handoff::new(Reading {
                frames,
                decoding: None,
                turn: Turn::default(),
                failed: None,
            }),
        }
    }

    /// Reads for ever, and ends with why that is over, and without the stream; for the task.
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<io::Error> {
        let Some(mut reading) = self.reading.take(context.waker()) else {
            return Poll::Pending;
        };
        if let Some(error) = reading.failed.take() {
            return Poll::Ready(error);
        }
        let read = self.read(&mut reading, context);
        match read {
            Err(error) => return Poll::Ready(error),
            Ok(Read::More) => context.waker().wake_by_ref(),
            // Who found nothing is woken by what comes, and not asked again before: a transport may
            // have given its turn to others.
            Ok(Read::Some | Read::Nothing) => {}
        }
        self.reading.give_back(reading);
        Poll::Pending
    }

    /// Gives the task a turn.
    pub(crate) fn wake(&self) {
        self.reading.wake();
    }

    /// Takes what there is, up to a turn.
    fn read(&self, reading: &mut Reading, context: &mut Context<'_>) -> io::Result<Read> {
        let read = self.read_turn(reading, context);
        let turn = &mut reading.turn;
        let is_idle = !matches!(read, Ok(Read::More));
        if let (Receiver::Session { session, joined, .. }, true) =
            (&self.receiver, !matches!(read, Ok(Read::Nothing)) || turn.is_owed())
        {
            if let Some(traffic) = joined.get() {
                traffic.turn_over(turn, is_idle, session);
            }
        }
        read
    }

    fn read_turn(&self, reading: &mut Reading, context: &mut Context<'_>) -> io::Result<Read> {
        for count in 0..TURN {
            if let Some(decoding) = &mut reading.decoding {
                let Poll::Ready(decoded) = Pin::new(&mut decoding.task).poll(context) else {
                    return Ok(if count == 0 { Read::Nothing } else { Read::Some });
                };
                let decoded = decoded.map_err(io::Error::other)?;
                let Some(Decoding { size, traffic, .. }) = reading.decoding.take() else { break };
                self.pass_on_decoded(decoded, (size, traffic), &mut reading.turn)?;
                return Ok(Read::More);
            }
            if let Receiver::Session { backlog, .. } = &self.receiver {
                if backlog.pauses(context.waker()) {
                    return Ok(if count == 0 { Read::Nothing } else { Read::Some });
                }
            }
            match reading.frames.poll_frame(context)? {
                Poll::Pending if count == 0 => return Ok(Read::Nothing),
                Poll::Pending => return Ok(Read::Some),
                Poll::Ready(Some(frame)) => {
                    reading.decoding = self.pass_on(frame, &mut reading.turn)?;
                    if reading.turn.is_long() {
                        return Ok(Read::More);
                    }
                }
                Poll::Ready(None) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        Ok(Read::More)
    }

    /// Passes a frame on, unless it is to be decoded elsewhere first.
    fn pass_on(&self, frame: TransportMessage, turn: &mut Turn) -> io::Result<Option<Decoding>> {
        // A frame that comes too late is dropped: the end of the connection is an event.
        match (frame, &self.receiver) {
            (TransportMessage::Arc(cast), Receiver::Session { session, .. }) => {
                _ = session.cast(NodeSessionMessage::Link(LinkEvent(Event::Shared(cast))));
            }
            (
                TransportMessage::Bytes(bytes),
                Receiver::Session { session, joined, backlog, admission },
            ) => {
                if let Some(traffic) = joined.get() {
                    let long = traffic.receive(bytes, session, turn)?;
                    let begin = |it| Decoding::begin(it, backlog.caps(), Some(traffic.clone()));
                    return Ok(long.map(begin));
                }
                let size = bytes.len();
                let is_stranger = admission.as_ref().is_some_and(|it| !it.is_admitted());
                let caps = if is_stranger { Caps::STRANGER } else { backlog.caps() };
                match decode::for_session(bytes, caps, backlog, session)? {
                    decode::Outcome::Decoded(decoded) => {
                        self.pass_on_decoded(Ok(decoded), (size, None), turn)?;
                    }
                    decode::Outcome::Long(frame) => {
                        return Ok(Some(Decoding::begin(frame, caps, None)))
                    }
                    decode::Outcome::Refused => {}
                }
            }
            (TransportMessage::Bytes(bytes), Receiver::Connection(connection)) => {
                _ = connection.cast(SessionMessage::ObjectAvailable(decode(bytes)?));
            }
            // It is not within a process.
            (TransportMessage::Arc(_), Receiver::Connection(_)) => {}
        }
        Ok(None)
    }

    /// Passes on a frame of so many bytes that was decoded: to the data plane, where its connection
    /// had joined one.
    fn pass_on_decoded(
        &self,
        decoded: Result<Decoded, Undecodable>,
        (size, traffic): (usize, Option<Arc<DataPlane>>),
        turn: &mut Turn,
    ) -> io::Result<()> {
        let Receiver::Session { session, backlog, .. } = &self.receiver else { return Ok(()) };
        let read = decode::or_refuse(decoded, backlog, session)?;
        let decode::Outcome::Decoded(decoded) = read else { return Ok(()) };
        if let Some(traffic) = traffic {
            traffic.receive_decoded(decoded, size, session, turn);
            return Ok(());
        }
        let Decoded { message, elements, cost } = decoded;
        turn.listed(elements);
        let (arrived, weight) = (Arrived::Frame(message), Weight { bytes: size, cost, elements });
        backlog.push(Item { arrived, place: None, weight }, session);
        Ok(())
    }
}

impl Watch for LinkReader {
    fn look(&self) -> bool {
        let Some((mut reading, task)) = self.reading.borrow() else { return false };
        let context = &mut Context::from_waker(&task);
        // The polling thread is not to blame for the frame.
        let read = catch_unwind(AssertUnwindSafe(|| self.read(&mut reading, context)));
        let read = read.unwrap_or_else(|_| Err(io::Error::other("passing on a frame panicked")));
        let found = matches!(read, Ok(Read::Some | Read::More));
        let goes_on = matches!(read, Ok(Read::More) | Err(_));
        reading.failed = read.err();
        self.reading.give_back(reading);
        if goes_on {
            task.wake();
        }
        found
    }

    fn give_up(&self) {
        self.wake();
    }
}

impl std::fmt::Debug for LinkReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkReader").finish_non_exhaustive()
    }
}

/// A frame as stock has it.
pub(crate) fn decode(frame: Bytes) -> io::Result<NetworkMessage> {
    Ok(decode::decode(frame, Caps::default())?.message)
}

#[cfg(test)]
#[path = "reader/list_tests.rs"]
mod list_tests;
#[cfg(test)]
#[path = "reader/pause_tests.rs"]
mod pause_tests;
#[cfg(test)]
#[path = "reader/tests.rs"]
mod tests;
