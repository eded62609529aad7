//! What comes by the links of a session: put into the mailboxes of this node's actors by whoever
//! reads the link, in the order of its lane.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ractor::remoting::{deliver_to_all, Incoming};
use ractor::{ActorCell, ActorId, ActorRef};

use super::backlog::{Item, Place, Weight};
use super::calls::Answer;
use super::data_plane::{locked, DataPlane};
use super::dead_letters::{self, Cause};
use super::decode::{self, Decoded, Outcome};
use super::link_table::known;
use super::{Event, LinkEvent};
use crate::protocol::meta::network_message::Message as Network;
use crate::protocol::mycelium::envelope::Body as Enveloped;
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::{Envelope, Frame};
use crate::protocol::NetworkMessage;
use crate::transport::LANES;
use crate::NodeSessionMessage;
use mycelium_link::codec::{self, CodecError, Head, Kind, Message, Names};
use mycelium_link::lane::{Accepted, Due, Inbound, LaneError};

/// What the receivers of the lanes know.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    lanes: [Lane; LANES],
}

#[derive(Debug, Default)]
struct Lane {
    inbound: Inbound,
    names: Names,
}

impl Arrivals {
    /// The receiver of a lane that there is.
    pub(super) fn inbound(&mut self, lane: u32) -> &mut Inbound {
        &mut self.lanes[lane as usize].inbound
    }

    /// What the peer is to be told, by lane: what is due, or wherever there is news. Frames that
    /// went its way have told it so much already.
    pub(super) fn due(
        &mut self,
        told: [u64; LANES],
        all: bool,
        can_be_told: impl Fn(usize) -> bool,
    ) -> [Option<u64>; LANES] {
        std::array::from_fn(|lane| {
            let inbound = &mut self.lanes[lane].inbound;
            inbound.told(told[lane]);
            let is_due = inbound.is_due() || (all && inbound.has_news());
            (is_due && can_be_told(lane)).then(|| inbound.acknowledgement())
        })
    }

    /// The peer is to be told anew of every lane by which anything came.
    pub(super) fn ask_all(&mut self) {
        let inbound = self.lanes.iter_mut().map(|lane| &mut lane.inbound);
        inbound.filter(|inbound| inbound.delivered() > 0).for_each(Inbound::ask);
    }
}

/// What a session cannot go on after.
#[derive(Debug)]
pub(crate) enum Broken {
    Lane(LaneError),
    Codec(CodecError),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lane(error) => error.fmt(f),
            Self::Codec(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Broken {}

impl From<LaneError> for Broken {
    fn from(error: LaneError) -> Self {
        Self::Lane(error)
    }
}

impl From<CodecError> for Broken {
    fn from(error: CodecError) -> Self {
        Self::Codec(error)
    }
}

/// What waits for the session's actor.
#[derive(Debug)]
pub(crate) enum Arrived {
    /// A frame that belongs to no lane, or came before the connection was a link.
    Frame(NetworkMessage),
    /// Out of an envelope.
    Control(Enveloped),
    /// A message that came behind control traffic.
    Message(Message<'static>),
    /// Nothing: everything that came before has been handled when this is.
    Nothing,
}

/// What turns of reading have left to do.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// What the peer has acknowledged.
    acknowledged: [u64; LANES],
    /// When the peer is to be told what came.
    due: Due,
    /// The actors that something was delivered to since others had a turn, and the elements of the
    /// lists that came.
    deliveries: usize,
}

/// Deliveries in a row before other tasks of the runtime get a turn.
const MOST_DELIVERIES: usize = 512;

impl Turn {
    /// Whether something is left although no more came.
    pub(crate) fn is_owed(&self) -> bool {
        self.due > Due::Later
    }

    /// A frame came whose lists have so many elements.
    pub(crate) fn listed(&mut self, elements: usize) {
        self.deliveries += elements;
    }

    /// Whether other tasks are to get a turn before the next frame. Begins the next turn then.
    pub(crate) fn is_long(&mut self) -> bool {
        let is_long = self.deliveries >= MOST_DELIVERIES;
        if is_long {
            self.deliveries = 0;
        }
        is_long
    }
}

impl DataPlane {
    /// Takes a frame that a link brought. Only one link at a time brings frames of a lane in order.
    /// Returns one that takes long to decode, to be taken by [`receive_decoded`] next.
    ///
    /// [`receive_decoded`]: Self::receive_decoded
    ///
    /// # Errors
    /// The frame is none, for which its link ends. What ends the session is told to its actor.
    pub(crate) fn receive(
        self: &Arc<Self>,
        frame: Bytes,
        session: &ActorRef<NodeSessionMessage>,
        turn: &mut Turn,
    ) -> io::Result<Option<Bytes>> {
        let taken = match codec::head(&frame) {
            Ok(Some(head)) => self.receive_message(head, frame, session, turn),
            Ok(None) => return self.receive_other(frame, session, turn),
            Err(error) => Err(error.into()),
        };
        self.or_break(taken, session);
        Ok(None)
    }

    /// A turn of reading is over, and there is nothing more at present, if `is_idle`.
    pub(crate) fn turn_over(
        self: &Arc<Self>,
        turn: &mut Turn,
        is_idle: bool,
        session: &ActorRef<NodeSessionMessage>,
    ) {
        self.see_to(turn, session);
        if turn.due >= if is_idle { Due::WhenIdle } else { Due::Now } {
            turn.due = Due::Later;
            self.acknowledge(false);
        }
    }

    /// Notes that the peer has what a frame acknowledges, at once or when the turn is over.
    fn saw(
        self: &Arc<Self>,
        lane: u32,
        acknowledged: u64,
        turn: &mut Turn,
        session: &ActorRef<NodeSessionMessage>,
    ) {
        let seen = &mut turn.acknowledged[lane as usize];
        *seen = acknowledged.max(*seen);
        if self.is_filling() {
            self.see_to(turn, session);
        }
    }

    /// Sees to the peer's acknowledgements.
    fn see_to(self: &Arc<Self>, turn: &mut Turn, session: &ActorRef<NodeSessionMessage>) {
        let mut has_news = false;
        for (lane, acknowledged) in (0..).zip(std::mem::take(&mut turn.acknowledged)) {
            if acknowledged > 0 {
                match self.acknowledged(lane, acknowledged) {
                    Ok(news) => has_news |= news,
                    Err(error) => self.or_break(Err(error.into()), session),
                }
            }
        }
        if has_news && self.is_open() {
            // It tells the process.
            self.hand_over(Arrived::Nothing, None, Weight::default(), session);
        }
    }

    /// A session that cannot go on is told so once, and nothing more is read of its peer.
    fn or_break(&self, taken: Result<(), Broken>, session: &ActorRef<NodeSessionMessage>) {
        if let Err(error) = taken {
            self.backlog().refuse();
            // The session may have ended already.
            _ = session.cast(LinkEvent(Event::Broken(error)).into());
        }
    }

    fn receive_message(
        self: &Arc<Self>,
        head: Head,
        frame: Bytes,
        session: &ActorRef<NodeSessionMessage>,
        turn: &mut Turn,
    ) -> Result<(), Broken> {
        let number = known(u32::from(head.lane))?;
        // The receiver may send more.
        self.saw(number, head.acknowledged, turn, session);
        // Held until the message is in its mailbox, or in the session's: another link may bring the
        // next.
        let mut arrivals = locked(&self.arrivals);
        let Lane { inbound, names } = &mut arrivals.lanes[number as usize];
        let (size, waits) = (frame.len(), self.is_diverted());
        let (accepted, due) = self.accept(number, inbound, (head.sequence, size), waits)?;
        turn.due = turn.due.max(due);
        if accepted == Accepted::Duplicate {
            return Ok(());
        }
        let message = head.message(frame, names)?;
        let deliveries = message.deliveries();
        turn.deliveries += deliveries;
        if waits {
            let place = Place { lane: number, sequence: head.sequence, is_fence: false };
            let message = Arrived::Message(message.into_owned());
            let weight = Weight { bytes: size, cost: 0, elements: deliveries };
            self.hand_over(message, Some(place), weight, session);
        } else {
            self.deliver(message);
        }
        Ok(())
    }

    /// Control traffic, or nothing of a lane.
    fn receive_other(
        self: &Arc<Self>,
        frame: Bytes,
        session: &ActorRef<NodeSessionMessage>,
        turn: &mut Turn,
    ) -> io::Result<Option<Bytes>> {
        let size = frame.len();
        let backlog = self.backlog();
        match decode::for_session(frame, backlog.caps(), backlog, session)? {
            Outcome::Decoded(decoded) => self.receive_decoded(decoded, size, session, turn),
            Outcome::Long(frame) => return Ok(Some(frame)),
            Outcome::Refused => {}
        }
        Ok(None)
    }

    /// Takes a frame of so many bytes that a link brought.
    pub(crate) fn receive_decoded(
        self: &Arc<Self>,
        Decoded { message, elements, cost }: Decoded,
        size: usize,
        session: &ActorRef<NodeSessionMessage>,
        turn: &mut Turn,
    ) {
        let weight = Weight { bytes: size, cost, elements };
        turn.listed(elements);
        match message.message {
            Some(Network::Mycelium(Frame { body: Some(Body::Envelope(envelope)) })) => {
                let taken = self.receive_envelope(envelope, weight, session, turn);
                self.or_break(taken, session);
            }
            Some(Network::Mycelium(Frame { body: Some(Body::Acknowledgement(it)) })) => {
                match known(it.lane) {
                    Ok(lane) => self.saw(lane, it.acknowledged, turn, session),
                    Err(error) => self.or_break(Err(error.into()), session),
                }
            }
            message => {
                let frame = Arrived::Frame(NetworkMessage { message });
                self.hand_over(frame, None, weight, session);
                self.hand_over(Arrived::Nothing, None, Weight::default(), session);
            }
        }
    }

    fn receive_envelope(
        self: &Arc<Self>,
        envelope: Envelope,
        weight: Weight,
        session: &ActorRef<NodeSessionMessage>,
        turn: &mut Turn,
    ) -> Result<(), Broken> {
        let number = known(envelope.lane)?;
        self.saw(number, envelope.acknowledged, turn, session);
        let mut arrivals = locked(&self.arrivals);
        let inbound = &mut arrivals.lanes[number as usize].inbound;
        let is_fence = matches!(envelope.body, Some(Enveloped::Fence(_)));
        let place = Place { lane: number, sequence: envelope.sequence, is_fence };
        // An envelope of nothing waits too, where something is in front of it.
        let waits = self.is_diverted() || !(is_fence || envelope.body.is_none());
        let (accepted, due) =
            self.accept(number, inbound, (envelope.sequence, weight.bytes), waits)?;
        turn.due = turn.due.max(due);
        if accepted == Accepted::Deliver && waits {
            let arrived = envelope.body.map_or(Arrived::Nothing, Arrived::Control);
            self.hand_over(arrived, Some(place), weight, session);
        } else if is_fence {
            inbound.ask();
            turn.due = Due::Now;
        }
        Ok(())
    }

    /// Has everything that comes from here on wait until the session's actor has handled this.
    fn hand_over(
        self: &Arc<Self>,
        arrived: Arrived,
        place: Option<Place>,
        weight: Weight,
        session: &ActorRef<NodeSessionMessage>,
    ) {
        self.backlog().push(Item { arrived, place, weight }, session);
    }

    /// Puts a message where it belongs.
    pub(crate) fn deliver(self: &Arc<Self>, Message { kind, args }: Message<'_>) {
        match kind {
            Kind::Cast { to, method, metadata } => {
                let metadata = metadata.as_deref();
                let message = Incoming { variant: &method, args, metadata, reply: None };
                self.deliver_to(to, message);
            }
            Kind::Call { to, tag, timeout, method, metadata } => {
                let timeout = timeout.map(Duration::from_millis);
                let answer = Answer::begin(self, to, tag, timeout);
                if answer.is_none() {
                    dead_letters::count(self.node_id(), Cause::TooManyCalls);
                    return;
                }
                let metadata = metadata.as_deref();
                let message = Incoming { variant: &method, args, metadata, reply: answer };
                self.deliver_to(to, message);
            }
            Kind::Many { to, method, metadata } => {
                let actors: Vec<ActorCell> =
                    to.into_iter().filter_map(|to| self.actor(to)).collect();
                let metadata = metadata.as_deref();
                let message = Incoming { variant: &method, args, metadata, reply: None };
                for (_, failure) in deliver_to_all(&actors, message) {
                    dead_letters::count(self.node_id(), failure.into());
                }
            }
            Kind::Reply { to, tag } => {
                // A caller that has given up is no loss.
                if let Some(port) = self.calls.take(to, tag) {
                    _ = port.send(Vec::from(args));
                }
            }
            Kind::NoReply { to, tag } => drop(self.calls.take(to, tag)),
        }
    }

    fn deliver_to(&self, to: u64, message: Incoming<'_>) {
        let Some(actor) = self.actor(to) else { return };
        if let Err(failure) = actor.deliver(message) {
            dead_letters::count(self.node_id(), failure.into());
        }
    }

    /// An actor that the peer may send to, or one more dead letter.
    fn actor(&self, pid: u64) -> Option<ActorCell> {
        let found = ractor::registry::where_is_pid(ActorId::Local(pid));
        let actor = found.filter(|actor| self.is_open() && actor.supports_remoting());
        if actor.is_none() {
            dead_letters::count(self.node_id(), Cause::NoActor);
        }
        actor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_that_nothing_leads_to_stays_due_and_a_lost_one_is_repeated() {
        let mut arrivals = Arrivals::default();
        let inbound = &mut arrivals.lanes[0].inbound;
        inbound.accept(1, 10).unwrap();
        // A fence, whose sender sends nothing more before it is acknowledged.
        inbound.ask();
        let first = |due: [Option<u64>; LANES]| due[0];
        let told = [0; LANES];
        assert_eq!(first(arrivals.due(told, false, |_| false)), None);
        assert_eq!(first(arrivals.due(told, false, |_| true)), Some(1));
        assert_eq!(arrivals.due(told, true, |_| true), [None; LANES]);
        // The link that it went by has broken.
        arrivals.ask_all();
        let mut again = [None; LANES];
        again[0] = Some(1);
        assert_eq!(arrivals.due(told, false, |_| true), again);
    }
}
