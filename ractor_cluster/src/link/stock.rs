//! Messages to and from the actors of a stock node.
//!
//! They take the way that they take in stock, by the session's actor and that of the connection,
//! and so keep their place among the control traffic; but what waits on that way has the bounds
//! that it has towards nodes of the fork, and no call takes a task. Stock acknowledges nothing, so
//! that what was handed to the connection counts as gone.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ractor::actor::actor_config::TransportPreference;
use ractor::errors::UndeliveredReason;
use ractor::message::SerializedMessage;
use ractor::port::ReplySink;
use ractor::remoting::{Outgoing, Outlet, Refused};
use ractor::{ActorCell, ActorRef, MessagingErr, RpcReplyPort};

use super::answers::{Place, Time};
use super::data_plane::{ByteReservation, DataPlane};
use super::dead_letters::{self, Cause, Target};
use super::{Event, LinkEvent};
use crate::protocol::node::node_message::Msg;
use crate::protocol::node::{Call, CallReply, Cast, NodeMessage};
use crate::NodeSessionMessage;

/// What a message takes in queues beside its bytes, about: its entry, and the name of its variant.
pub(crate) const ENTRY: usize = 256;

/// What a frame takes at most beside payload, variant and metadata.
const HEAD: usize = 80;

/// A message on its way to the connection.
pub(crate) struct Outbound {
    message: Msg,
    load: ByteReservation,
}

impl Outbound {
    pub(crate) fn into_parts(self) -> (NodeMessage, ByteReservation) {
        (NodeMessage { msg: Some(self.message) }, self.load)
    }
}

// Payloads do not belong into logs.
impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("load", &self.load).finish_non_exhaustive()
    }
}

/// The session with a stock node, as those see it who send by it.
#[derive(Clone)]
pub(crate) struct StockPeer {
    session: ActorRef<NodeSessionMessage>,
    traffic: Arc<DataPlane>,
}

impl StockPeer {
    pub(crate) fn new(session: ActorRef<NodeSessionMessage>, traffic: Arc<DataPlane>) -> Self {
        Self { session, traffic }
    }

    /// Why a message is to go back to its sender, if it is: the peer would end the session over it.
    fn too_large(&self, message: &Outgoing) -> Option<UndeliveredReason> {
        let metadata = message.metadata.as_ref().map_or(0, Vec::len);
        self.traffic.too_large(HEAD + message.variant.len() + message.args.len() + metadata)
    }

    /// Puts a message of so many bytes on its way. It comes back when the session has ended.
    fn send(&self, message: Msg, bytes: usize) -> Result<(), Msg> {
        let load = self.traffic.load(bytes + ENTRY);
        let event = Event::Outbound(Outbound { message, load });
        match self.session.cast(LinkEvent(event).into()) {
            Err(MessagingErr::SendErr(NodeSessionMessage::Link(LinkEvent(Event::Outbound(
                Outbound { message, .. },
            ))))) => Err(message),
            _ => Ok(()),
        }
    }

    /// The peer calls an actor of this node.
    pub(crate) fn called(&self, call: Call, actor: &ActorCell) {
        let Call { to, what, tag, timeout_ms, variant, metadata } = call;
        let Some(place) = Place::take(&self.traffic) else {
            return dead_letters::count(self.traffic.node_id(), Cause::TooManyCalls, actor.into());
        };
        let time = Time::starting_now(timeout_ms.map(Duration::from_millis));
        let answer = StockAnswer { peer: self.clone(), to, tag, time, _place: place };
        let reply = RpcReplyPort::from_sink(Box::new(answer));
        // As upstream's casts, so that an actor's own way to read them is kept.
        let message = SerializedMessage::Call { args: what, reply, variant, metadata };
        if actor.send_serialized(message).is_err() {
            dead_letters::count(self.traffic.node_id(), Cause::Stopped, actor.into());
        }
    }

    /// The peer has answered a call.
    pub(crate) fn answered(&self, reply: CallReply) {
        // A caller that has given up is no loss.
        if let Some(port) = self.traffic.calls.take(reply.to, reply.tag) {
            _ = port.send(reply.what);
        }
    }
}

impl fmt::Debug for StockPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StockPeer").field("session", &self.session).finish_non_exhaustive()
    }
}

/// What the proxy of an actor of a stock node sends by.
pub(crate) struct StockProxy {
    peer: StockPeer,
    pid: u64,
    closed: Arc<AtomicBool>,
}

impl StockProxy {
    pub(crate) fn new(peer: StockPeer, pid: u64) -> Self {
        Self { peer, pid, closed: Arc::default() }
    }

    fn cast(&self, to: u64, message: Outgoing) -> Result<(), Refused> {
        let Outgoing { variant, args, metadata, .. } = message;
        let (what, variant) = (args.into_vec(), variant.into_owned());
        let bytes = what.len() + metadata.as_ref().map_or(0, Vec::len);
        let cast = Cast { to, what, variant, metadata };
        self.peer.send(Msg::Cast(cast), bytes).map_err(|back| stopped(back, None))
    }

    fn call(&self, message: Outgoing, port: RpcReplyPort<Vec<u8>>) -> Result<(), Refused> {
        let timeout = port.get_timeout();
        let calls = &self.peer.traffic.calls;
        let (tag, _) = match calls.insert(self.pid, port) {
            Ok(inserted) => inserted,
            Err(port) => {
                let message = Outgoing { reply: Some(port), ..message };
                return Err(Refused::new(message, UndeliveredReason::TooManyCalls));
            }
        };
        if self.is_over() {
            // The calls may have been failed before this one came.
            if let Some(port) = calls.take(self.pid, tag) {
                let message = Outgoing { reply: Some(port), ..message };
                return Err(Refused::new(message, UndeliveredReason::Stopped));
            }
        }
        let Outgoing { variant, args, metadata, .. } = message;
        let (what, variant) = (args.into_vec(), variant.into_owned());
        let bytes = what.len() + metadata.as_ref().map_or(0, Vec::len);
        let timeout_ms = timeout.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
        let call = Call { to: self.pid, what, tag, timeout_ms, variant, metadata };
        match self.peer.send(Msg::Call(call), bytes) {
            Ok(()) => Ok(()),
            Err(back) => match calls.take(self.pid, tag) {
                Some(port) => Err(stopped(back, Some(port))),
                // It has failed with all others, which the caller hears.
                None => Ok(()),
            },
        }
    }

    fn is_over(&self) -> bool {
        self.peer.traffic.has_ended() || self.closed.load(Ordering::Acquire)
    }
}

/// A message that found the session ended.
fn stopped(message: Msg, reply: Option<RpcReplyPort<Vec<u8>>>) -> Refused {
    let (variant, what, metadata) = match message {
        Msg::Cast(Cast { variant, what, metadata, .. })
        | Msg::Call(Call { variant, what, metadata, .. }) => (variant, what, metadata),
        Msg::Reply(CallReply { what, .. }) => (String::new(), what, None),
    };
    let message = Outgoing { variant: variant.into(), args: what.into(), metadata, reply };
    Refused::new(message, UndeliveredReason::Stopped)
}

impl Outlet for StockProxy {
    fn session(&self) -> u64 {
        self.peer.traffic.session()
    }

    /// Stock knows of none.
    fn transport(&self) -> TransportPreference {
        TransportPreference::Adaptive
    }

    fn has_room(&self) -> bool {
        self.peer.traffic.has_room(self.pid) || self.closed.load(Ordering::Acquire)
    }

    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (traffic, pid) = (self.peer.traffic.clone(), self.pid);
        let closed = self.closed.clone();
        Box::pin(async move { traffic.room(pid, &closed).await })
    }

    fn send(&self, mut message: Outgoing) -> Result<(), Refused> {
        if self.is_over() {
            return Err(Refused::new(message, UndeliveredReason::Stopped));
        }
        if let Some(reason) = self.peer.too_large(&message) {
            return Err(Refused::new(message, reason));
        }
        match message.reply.take() {
            None => self.cast(self.pid, message),
            Some(port) => self.call(message, port),
        }
    }

    /// Stock knows of none.
    fn takes_many(&self) -> bool {
        false
    }

    fn send_to(&self, pids: &[u64], message: Outgoing) -> Result<(), Refused> {
        if self.peer.traffic.has_ended() {
            return Err(Refused::new(message, UndeliveredReason::Stopped));
        }
        if let Some(reason) = self.peer.too_large(&message) {
            return Err(Refused::new(message, reason));
        }
        let Outgoing { variant, args, metadata, .. } = message;
        let args: Bytes = args.into_bytes();
        for pid in pids {
            let args = args.to_vec().into();
            let (variant, metadata) = (variant.clone(), metadata.clone());
            self.cast(*pid, Outgoing { variant, args, metadata, reply: None })?;
        }
        Ok(())
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.peer.traffic.calls.fail(self.pid);
        self.peer.traffic.wake_waiting();
    }
}

/// Sends the answer to a call of a stock node. Stock's protocol has no word for a call that is not
/// answered, so a dropped answer is not reported to it.
struct StockAnswer {
    peer: StockPeer,
    to: u64,
    tag: u64,
    time: Time,
    _place: Place,
}

impl ReplySink<Vec<u8>> for StockAnswer {
    fn send(self: Box<Self>, what: Vec<u8>) -> Result<(), MessagingErr<Vec<u8>>> {
        if self.time.is_over() || !self.peer.traffic.takes_answers() {
            return Err(MessagingErr::SendErr(what));
        }
        let bytes = what.len();
        if self.peer.traffic.too_large(HEAD + bytes).is_some() {
            let node_id = self.peer.traffic.node_id();
            dead_letters::count(node_id, Cause::AnswerTooLarge, Target::Unknown);
            return Err(MessagingErr::SendErr(what));
        }
        let reply = CallReply { to: self.to, tag: self.tag, what };
        self.peer.send(Msg::Reply(reply), bytes).map_err(|back| match back {
            Msg::Reply(CallReply { what, .. }) => MessagingErr::SendErr(what),
            Msg::Cast(_) | Msg::Call(_) => MessagingErr::ChannelClosed,
        })
    }

    fn timeout(&self) -> Option<Duration> {
        self.time.limit()
    }

    fn is_closed(&self) -> bool {
        self.time.is_over() || self.peer.traffic.has_ended()
    }
}
