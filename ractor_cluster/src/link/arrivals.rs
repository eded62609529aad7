//! Frames that come by the links of a session: put into the mailboxes of this node's actors by the
//! thread that reads the link, in the order of its lane.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ractor::remoting::{deliver_to_each, EncodedReply, Incoming};
use ractor::{ActorCell, ActorRef};
use tracing::Span;

use super::answers::Answer;
use super::arrived::Arrived;
use super::backlog::{Item, Place, Weight};
use super::credits::BadCredit;
use super::data_plane::DataPlane;
use super::dead_letters::{Cause, Target};
use super::decode::{Decoded, Outcome};
use super::grants::Arrival;
use super::link_table::known;
use super::reader::Behind;
use super::receipts::{bits, InboundLane};
use super::rows::Taken;
use super::slices::SLICE;
use super::turn::{where_is, LastActor, Turn};
use super::{Event, LinkEvent};
use crate::peers::sender::Delivering;
use crate::protocol::meta::network_message::Message as Network;
use crate::protocol::mycelium::envelope::Body as Enveloped;
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::{Envelope, Frame};
use crate::protocol::NetworkMessage;
use crate::NodeSessionMessage;
use mycelium_link::codec::{self, CodecError, Head, Kind, Message};
use mycelium_link::lane::{Accepted, Due, Inbound, LaneError, Partial};
use mycelium_link::lanes::LARGE;

/// What a session cannot go on after.
#[derive(Debug)]
pub(crate) enum Broken {
    Lane(LaneError),
    Codec(CodecError),
    Credit(BadCredit),
    /// A message has the context of a span, which was not agreed on.
    Trace,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lane(error) => error.fmt(f),
            Self::Codec(error) => error.fmt(f),
            Self::Credit(error) => error.fmt(f),
            Self::Trace => f.write_str(
                "a message has the context of a span, which both nodes have not agreed on",
            ),
        }
    }
}

impl std::error::Error for Broken {}

impl From<LaneError> for Broken {
    fn from(error: LaneError) -> Self {
        Self::Lane(error)
    }
}

impl From<BadCredit> for Broken {
    fn from(error: BadCredit) -> Self {
        Self::Credit(error)
    }
}

impl From<CodecError> for Broken {
    fn from(error: CodecError) -> Self {
        Self::Codec(error)
    }
}

impl DataPlane {
    /// Takes a frame that a link brought, and some of those behind it. The end of a frame may lie in
    /// memory of the peer. Only one link at a time brings frames of a lane in order. Returns a frame
    /// that takes long to decode. [`receive_decoded`] takes it next.
    ///
    /// [`receive_decoded`]: Self::receive_decoded
    ///
    /// # Errors
    /// The bytes are no frame: the link ends. What ends the session is told to its actor.
    // Streams of small messages come through here. Calls would have each frame moved again.
    #[inline(always)]
    pub(crate) fn receive(
        self: &Arc<Self>,
        mut frame: Bytes,
        mut lent: Bytes,
        behind: &mut Behind<'_>,
        session: &ActorRef<NodeSessionMessage>,
        turn: &mut Turn,
    ) -> io::Result<Option<Bytes>> {
        loop {
            let head = codec::head(&frame);
            if let Ok(Some(head)) = &head {
                match self.receive_row(head, (&mut frame, &mut lent), behind, session, turn) {
                    Ok(Taken::Not) => {}
                    Ok(Taken::All) => return Ok(None),
                    Ok(Taken::UpTo(next, its_end)) => {
                        (frame, lent) = (next, its_end);
                        continue;
                    }
                    Err(error) => {
                        self.or_break(Err(error), session);
                        return Ok(None);
                    }
                }
            }
            return self.receive_any(head, (frame, lent), session, turn);
        }
    }

    /// As [`receive`](Self::receive), of a frame of any kind.
    #[inline(never)]
    fn receive_any(
        self: &Arc<Self>,
        head: Result<Option<Head>, CodecError>,
        (frame, lent): (Bytes, Bytes),
        session: &ActorRef<NodeSessionMessage>,
        turn: &mut Turn,
    ) -> io::Result<Option<Bytes>> {
        let taken = match head {
            // A part is copied to the others anyway.
            Ok(Some(head)) if head.is_part() => {
                let parts = (copied(frame, &lent), Bytes::new());
                self.receive_message(head, parts, session, turn)
            }
            Ok(Some(head)) => self.receive_message(head, (frame, lent), session, turn),
            Ok(None) => return self.receive_other(copied(frame, &lent), session, turn),
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
        turn.last = LastActor::default();
        self.see_to(turn, session);
        if turn.due >= if is_idle { Due::WhenIdle } else { Due::Now } {
            turn.due = Due::Later;
            self.acknowledge(false);
        }
    }

    /// Notes that the peer has what a frame acknowledges, at once or when the turn is over.
    #[inline]
    pub(super) fn saw(
        self: &Arc<Self>,
        lane: u32,
        acknowledged: u64,
        turn: &mut Turn,
        session: &ActorRef<NodeSessionMessage>,
    ) {
        turn.noted(lane, acknowledged);
        if self.is_filling() {
            self.see_to(turn, session);
        }
    }

    /// Sees to the peer's acknowledgements.
    fn see_to(self: &Arc<Self>, turn: &mut Turn, session: &ActorRef<NodeSessionMessage>) {
        let mut has_news = false;
        for lane in bits(std::mem::take(&mut turn.seen)) {
            let acknowledged = std::mem::take(&mut turn.acknowledged[lane as usize]);
            match self.acknowledged(lane, acknowledged) {
                Ok(news) => has_news |= news,
                Err(error) => self.or_break(Err(error.into()), session),
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

    #[inline(never)]
    fn receive_message(
        self: &Arc<Self>,
        head: Head,
        (frame, lent): (Bytes, Bytes),
        session: &ActorRef<NodeSessionMessage>,
        turn: &mut Turn,
    ) -> Result<(), Broken> {
        let number = u32::from(head.lane);
        let (_, slot) = known(number)?;
        // The receiver may send more.
        self.saw(number, head.acknowledged, turn, session);
        // Held until the message is in its mailbox, or in the session's: another link may bring the
        // next.
        let mut lanes = self.receipts.lanes();
        let InboundLane { inbound, names, partial } = lanes.lane(number);
        let (head, frame) = if head.is_part() {
            match whole(head, frame, (inbound, partial), (slot == LARGE, self.max_inbound()))? {
                Some(whole) => whole,
                None => return Ok(()),
            }
        } else {
            (head, frame)
        };
        let (size, waits) = (frame.len() + lent.len(), self.is_diverted());
        let (accepted, due) =
            self.receipts.accept(number, inbound, (head.sequence, size), waits)?;
        turn.due = turn.due.max(due);
        if accepted == Accepted::Duplicate {
            return Ok(());
        }
        let message = head.message((frame, lent), names)?;
        if message.trace.is_some() && !self.traces.are_agreed() {
            return Err(Broken::Trace);
        }
        let deliveries = message.deliveries();
        turn.deliveries += deliveries;
        self.receipts.came(deliveries);
        if waits {
            let place = Place { lane: number, sequence: head.sequence, is_fence: false };
            let message = Arrived::Message(message.into_owned());
            let weight = Weight { bytes: size, cost: 0, elements: deliveries };
            self.hand_over(message, Some(place), weight, session);
        } else {
            self.deliver(message, &mut turn.last);
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
        match backlog.decode(frame, backlog.caps(), session)? {
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
                    Ok(_) => self.saw(it.lane, it.acknowledged, turn, session),
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
        let number = envelope.lane;
        known(number)?;
        self.saw(number, envelope.acknowledged, turn, session);
        let mut lanes = self.receipts.lanes();
        let inbound = &mut lanes.lane(number).inbound;
        let is_fence = matches!(envelope.body, Some(Enveloped::Fence(_)));
        let place = Place { lane: number, sequence: envelope.sequence, is_fence };
        // Credits are no affair of the session's actor: what follows need not wait for it.
        let is_credit =
            matches!(&envelope.body, Some(Enveloped::Credits(it)) if it.actors.len() <= SLICE);
        // An envelope of nothing waits too, where something is in front of it.
        let is_light = is_fence || is_credit || envelope.body.is_none();
        let waits = self.is_diverted() || !is_light;
        let (accepted, due) =
            self.receipts.accept(number, inbound, (envelope.sequence, weight.bytes), waits)?;
        turn.due = turn.due.max(due);
        if accepted == Accepted::Deliver && waits {
            let arrived = envelope.body.map_or(Arrived::Nothing, Arrived::Control);
            self.hand_over(arrived, Some(place), weight, session);
        } else if is_fence {
            inbound.ask();
            turn.due = Due::Now;
        } else if let (Accepted::Deliver, Some(Enveloped::Credits(it))) = (accepted, envelope.body)
        {
            self.credits.granted(&it.actors)?;
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
    #[inline]
    pub(crate) fn deliver(
        self: &Arc<Self>,
        Message { kind, args, lent, trace }: Message<'_>,
        last: &mut LastActor,
    ) {
        let _delivering = Delivering::of(self.node_id());
        let span = trace.and_then(|it| self.traces.incoming(it, &kind, self.node_id()));
        let span = span.as_ref();
        match kind {
            Kind::Cast { to, method, metadata } => {
                let metadata = metadata.as_deref();
                let message = Incoming { variant: &method, args, lent, metadata, reply: None };
                self.deliver_to((to, last), message, span);
            }
            Kind::Call { to, tag, timeout, method, metadata } => {
                let timeout = timeout.map(Duration::from_millis);
                let answer = Answer::begin(self, to, tag, timeout);
                if answer.is_none() {
                    self.dead_letter(Some(Cause::TooManyCalls), Target::Pid(to));
                    // It has used a credit.
                    if let Some(actor) = where_is(to) {
                        Arrival::give_up(self.arrival(&actor), &actor);
                    }
                    return;
                }
                let metadata = metadata.as_deref();
                let message = Incoming { variant: &method, args, lent, metadata, reply: answer };
                self.deliver_to((to, last), message, span);
            }
            Kind::Many { to, method, metadata } => {
                let actors: Vec<ActorCell> =
                    to.into_iter().filter_map(|to| self.one_of_many(to)).collect();
                let metadata = metadata.as_deref();
                let message = Incoming { variant: &method, args, lent, metadata, reply: None };
                let mut arrivals: Vec<_> = actors.iter().map(|it| self.arrival(it)).collect();
                let entries: Vec<_> =
                    arrivals.iter().map(|it| Arrival::entry(it.as_ref())).collect();
                let to = actors.iter().zip(entries);
                deliver_to_each(to, message, span, |place, outcome| {
                    let arrival = arrivals[place].take();
                    let actor = &actors[place];
                    self.dead_letter(Arrival::settle(arrival, actor, outcome), actor.into());
                });
            }
            Kind::Reply { to, tag } => {
                // A caller that has given up is no loss.
                if let Some(port) = self.calls.take(to, tag) {
                    _ = port.send_encoded(EncodedReply::arrived(args, lent));
                }
            }
            Kind::NoReply { to, tag } => drop(self.calls.take(to, tag)),
        }
    }

    #[inline]
    fn deliver_to(
        self: &Arc<Self>,
        (to, last): (u64, &mut LastActor),
        message: Incoming<'_>,
        span: Option<&Span>,
    ) {
        let Some(actor) = self.actor(to, last) else { return };
        let arrival = self.arrival(actor);
        let outcome = actor.deliver_in(message, Arrival::entry(arrival.as_ref()), span);
        self.dead_letter(Arrival::settle(arrival, actor, outcome), actor.into());
    }

    /// An actor that the peer may send to, or one more dead letter.
    #[inline]
    pub(super) fn actor<'a>(&self, pid: u64, last: &'a mut LastActor) -> Option<&'a ActorCell> {
        let actor = last.of(pid).filter(|actor| self.may_get(actor));
        self.or_dead_letter(actor, pid)
    }

    /// The same, of a message to several.
    fn one_of_many(&self, pid: u64) -> Option<ActorCell> {
        self.or_dead_letter(where_is(pid).filter(|actor| self.may_get(actor)), pid)
    }

    fn may_get(&self, actor: &ActorCell) -> bool {
        self.is_open() && actor.supports_remoting()
    }

    fn or_dead_letter<A>(&self, actor: Option<A>, pid: u64) -> Option<A> {
        if actor.is_none() {
            self.dead_letter(Some(Cause::NoActor), Target::Pid(pid));
        }
        actor
    }
}

/// Bytes in one piece and in memory of this process.
fn copied(bytes: Bytes, lent: &Bytes) -> Bytes {
    if lent.is_empty() {
        return bytes;
    }
    [&bytes[..], lent].concat().into()
}

/// The frame whose parts have all come with this one. `may` says whether its lane carries parts,
/// and how many bytes a frame may have.
fn whole(
    head: Head,
    frame: Bytes,
    (inbound, partial): (&mut Inbound, &mut Partial),
    (may, most): (bool, usize),
) -> Result<Option<(Head, Bytes)>, Broken> {
    let part = head.part(frame)?;
    let parts = LaneError::Parts { frame: part.sequence, total: part.total };
    if !may {
        return Err(parts.into());
    }
    if !inbound.is_next(part.sequence)? {
        return Ok(None);
    }
    let Some(frame) = partial.add(part, most)? else { return Ok(None) };
    match codec::head(&frame)? {
        Some(it) if it.continues(&head) => Ok(Some((it, frame))),
        _ => Err(parts.into()),
    }
}
