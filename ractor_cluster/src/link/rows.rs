//! Rows of small messages: casts to one actor that have been read already go into its mailbox
//! together, so that locks, counts and wake-ups are paid once for a row.

use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use mycelium_link::codec::{self, Alike, Head, Names, PlainCast};
use mycelium_link::lane::{Accepted, Inbound};
use ractor::remoting::{Incoming, Row, Undeliverable};
use ractor::{ActorCell, ActorRef};

use super::arrivals::Broken;
use super::data_plane::DataPlane;
use super::grants::Arrival;
use super::link_table::known;
use super::reader::Behind;
use super::receipts::InboundLane;
use super::turn::Turn;
use crate::peers::sender::Delivering;
use crate::NodeSessionMessage;

/// The bytes of a row, but for its last message: the first one waits while they are decoded, which
/// copies them as a rule.
const MOST_BYTES: usize = 256 * 1024;

/// What was taken.
pub(super) enum Taken {
    /// Nothing: the frame is something else.
    Not,
    /// The frame, and all that was taken of those behind it.
    All,
    /// The frame, and all in front of this one, which is to be received next.
    UpTo(Bytes, Bytes),
}

impl DataPlane {
    /// Takes a [plain cast](Head::plain_cast), and with it those behind it that are for the same
    /// actor, unless they have to wait. Anything else is left to
    /// [`receive_any`](Self::receive_any).
    ///
    /// # Errors
    /// The session cannot go on.
    #[inline(always)]
    pub(super) fn receive_row(
        self: &Arc<Self>,
        head: &Head,
        (frame, lent): (&mut Bytes, &mut Bytes),
        behind: &mut Behind<'_>,
        session: &ActorRef<NodeSessionMessage>,
        turn: &mut Turn,
    ) -> Result<Taken, Broken> {
        if !head.may_be_plain() {
            return Ok(Taken::Not);
        }
        let number = u32::from(head.lane);
        known(number)?;
        // The receiver may send more.
        self.saw(number, head.acknowledged, turn, session);
        // Held until the messages are in their mailbox: another link may bring the next.
        let mut lanes = self.receipts.lanes();
        let InboundLane { inbound, names, .. } = lanes.lane(number);
        if self.is_diverted() {
            return Ok(Taken::Not);
        }
        let Some(PlainCast { to, method, at }) = head.plain_cast(frame, names) else {
            return Ok(Taken::Not);
        };
        self.receipts.begin(number, inbound);
        let bytes = frame.len() + lent.len();
        if inbound.accept(head.sequence, bytes)? == Accepted::Duplicate {
            turn.due = turn.due.max(self.receipts.end(number, inbound));
            return Ok(Taken::All);
        }
        let mut messages = 1;
        let mut taken = Ok(Taken::All);
        let _delivering = Delivering::of(self.node_id());
        if let Some(actor) = self.actor(to, &mut turn.last) {
            let alike = Alike::new(frame, at);
            frame.advance(at);
            let (args, lent) = (std::mem::take(frame), std::mem::take(lent));
            let message = Incoming { variant: method, args, lent, metadata: None, reply: None };
            match self.arrival(actor) {
                None => {
                    let mut row = Following {
                        plane: self,
                        actor,
                        first: (head.lane, to),
                        alike,
                        method,
                        inbound: &mut *inbound,
                        names,
                        behind,
                        acknowledged: 0,
                        messages: 1,
                        bytes,
                        end: None,
                    };
                    actor.deliver_row(message, &mut row);
                    let Following { acknowledged, end, .. } = row;
                    messages = row.messages;
                    taken = end.unwrap_or(taken);
                    turn.noted(number, acknowledged);
                }
                Some(arrival) => self.deliver_one(actor, arrival, message),
            }
        }
        turn.due = turn.due.max(self.receipts.end(number, inbound));
        turn.deliveries += messages;
        self.receipts.came(messages);
        taken
    }

    /// Puts a message into a mailbox whose room is lent.
    #[inline(never)]
    fn deliver_one(&self, actor: &ActorCell, arrival: Arrival, message: Incoming<'_>) {
        let outcome = actor.deliver_in(message, Arrival::entry(Some(&arrival)), None);
        self.dead_letter(Arrival::settle(Some(arrival), actor, outcome), actor.into());
    }
}

/// The messages of a row behind the first one.
struct Following<'r, 'a, 'b> {
    plane: &'r DataPlane,
    actor: &'r ActorCell,
    /// The lane and the receiver of the first one.
    first: (u8, u64),
    /// The head of the last one, and its method.
    alike: Option<Alike>,
    method: &'a str,
    inbound: &'r mut Inbound,
    names: &'a Names,
    behind: &'r mut Behind<'b>,
    /// What the peer has acknowledged with them. It is seen to when the row has ended.
    acknowledged: u64,
    /// The messages that came, with the first one.
    messages: usize,
    /// Their bytes.
    bytes: usize,
    /// Why there are no more, if it is not for want of frames.
    end: Option<Result<Taken, Broken>>,
}

impl<'a> Row<'a> for Following<'_, 'a, '_> {
    fn next(&mut self, incoming: &mut Incoming<'a>) -> bool {
        while self.bytes < MOST_BYTES {
            let lent = &mut incoming.lent;
            let Some(mut frame) = self.behind.take(lent) else { return false };
            let Some((sequence, at)) = self.of_the_row(&frame) else {
                self.end = Some(Ok(Taken::UpTo(frame, std::mem::take(lent))));
                return false;
            };
            let bytes = frame.len() + lent.len();
            self.bytes += bytes;
            match self.inbound.accept(sequence, bytes) {
                Ok(Accepted::Deliver) => {}
                Ok(Accepted::Duplicate) => {
                    *lent = Bytes::new();
                    continue;
                }
                Err(error) => {
                    self.end = Some(Err(error.into()));
                    return false;
                }
            }
            self.messages += 1;
            frame.advance(at);
            incoming.variant = self.method;
            incoming.args = frame;
            return true;
        }
        false
    }

    #[cold]
    fn failed(&mut self, why: Undeliverable) {
        self.plane.dead_letter(Some(why.into()), self.actor.into());
    }
}

impl<'a> Following<'_, 'a, '_> {
    /// The number of a frame, and where its arguments begin, if its message belongs to the row.
    #[inline(always)]
    fn of_the_row(&mut self, frame: &[u8]) -> Option<(u64, usize)> {
        let as_before = self.alike.as_ref().and_then(|it| it.number(frame));
        as_before.or_else(|| self.differs(frame))
    }

    /// The same of a frame whose head is not that of the last one.
    #[inline(never)]
    fn differs(&mut self, frame: &[u8]) -> Option<(u64, usize)> {
        let head = codec::head(frame).ok()??;
        let PlainCast { to, method, at } = head.plain_cast(frame, self.names)?;
        if (head.lane, to) != self.first {
            return None;
        }
        self.acknowledged = self.acknowledged.max(head.acknowledged);
        (self.alike, self.method) = (Alike::new(frame, at), method);
        Some((head.sequence, at))
    }
}
