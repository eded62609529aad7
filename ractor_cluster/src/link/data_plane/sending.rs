//! What a session sends, and what it is refused for.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use mycelium_link::codec::{What, TRACE};
use mycelium_link::lanes::Receiver;
use ractor::errors::UndeliveredReason;

use super::super::dead_letters::{self, Cause, Target};
use super::super::link_table::{LinkTable, ADAPTIVE};
use super::super::locked::locked;
use super::super::pieces;
use super::{DataPlane, LanesOfLink, PendingFlush};
use crate::protocol::control::ControlMessage;
use crate::protocol::mycelium::envelope::Body;

impl DataPlane {
    /// Why a message is to go back to its sender that needs a frame of so many bytes, if it is.
    #[inline]
    pub(in super::super) fn too_large(&self, size: usize) -> Option<UndeliveredReason> {
        self.frame_bound.too_large(size, self.node_id())
    }

    /// Sends what is no message, by the lane for all links: in as many frames as the peer's bound
    /// makes it.
    pub(crate) fn control(&self, body: Body) {
        let left_out = pieces::of(body, self.frame_bound.get(), |body| {
            self.put(|table| table.control(body, || self.receipts.acknowledgement(ADAPTIVE))).on();
        });
        self.left_out(left_out);
    }

    /// Hands a message for a stock node to `send`, in as many pieces as the peer's bound makes it.
    pub(crate) fn in_pieces(&self, message: ControlMessage, mut send: impl FnMut(ControlMessage)) {
        let left_out = pieces::of(Body::Control(message), self.frame_bound.get(), |body| {
            if let Body::Control(message) = body {
                send(message);
            }
        });
        self.left_out(left_out);
    }

    fn left_out(&self, announcements: usize) {
        for _ in 0..announcements {
            dead_letters::count(self.node_id(), Cause::AnnouncementTooLarge, Target::Unknown);
        }
    }

    /// Sends a message to an actor of the peer, by its lane.
    pub(in super::super) fn message(
        &self,
        to: u64,
        what: &What<'_>,
        args: (&[u8], &Bytes),
    ) -> PendingFlush {
        self.put(|table| {
            let (preference, urgent) = table.wanted_by(to);
            let to = (what, Receiver::Actor(to), urgent);
            table.message_to(preference, |it| self.receipts.acknowledgement(it), to, args)
        })
    }

    /// Why a message to so many actors of the peer is to go back to its sender, if it is. `size` is
    /// that of its frame without them.
    pub(in super::super) fn too_large_for_all(
        &self,
        size: usize,
        actors: usize,
    ) -> Option<UndeliveredReason> {
        self.frame_bound.too_large_for_all(size, actors, self.node_id())
    }

    /// Sends a message to several actors of the peer: in a frame for each lane, as a rule. A long
    /// list, or one that repeats an actor, takes more frames.
    pub(in super::super) fn message_to_all(
        &self,
        to: &[u64],
        named: Named<'_>,
        args: (&[u8], &Bytes),
    ) {
        let mut left = to.to_vec();
        // The peer refuses a list that repeats an actor.
        left.sort_unstable();
        let most = {
            let what = named.to(&[]);
            self.frame_bound.most_targets(what.room() + args.0.len() + args.1.len())
        };
        while let Some(first) = left.first().copied() {
            let push = self.put(|table| {
                let (wanted, size) = (table.wanted_by(first), args.0.len() + args.1.len());
                let preference = wanted.0;
                let slot = table.slot_for(wanted, Receiver::Actor(first), size);
                let (mut last, mut count) = (None, 0);
                // Nearly always there is one frame.
                let (now, later) = left.iter().partition::<Vec<u64>, _>(|pid| {
                    let is_now = count < most
                        && last != Some(**pid)
                        && table.wanted_by(**pid) == wanted
                        && table.join((preference, slot), Receiver::Actor(**pid), size);
                    if is_now {
                        (last, count) = (Some(**pid), count + 1);
                    }
                    is_now
                });
                left = later;
                let what = named.to(&now);
                let to = (what, now.iter().map(|pid| Receiver::Actor(*pid)));
                table.message((preference, slot), |it| self.receipts.acknowledgement(it), to, args)
            });
            push.on();
        }
    }

    /// Tells the peer that a call of it will not be answered.
    pub(in super::super) fn no_answer(&self, to: u64, tag: u64) {
        self.answer(What::NoReply { to, tag }, (&[], &Bytes::new()));
    }

    /// Answers a call of the peer; false when the session is over, or the peer takes no answers and
    /// so many wait that they are given up.
    pub(in super::super) fn answer(&self, what: What<'_>, args: (&[u8], &Bytes)) -> bool {
        if self.has_ended() {
            return false;
        }
        let mut is_given_up = false;
        let push = self.put(|table| {
            is_given_up = !self.room.takes_answers(table.queued());
            if is_given_up {
                return PendingFlush::default();
            }
            let callers = match what {
                What::Reply { to, .. } | What::NoReply { to, .. } => Receiver::CallersOf(to),
                _ => unreachable!("no other is an answer"),
            };
            let to = (&what, callers, false);
            table.message_to(ADAPTIVE, |it| self.receipts.acknowledgement(it), to, args)
        });
        // While the peer waits for no other answer, none is sent with this one.
        if self.answering.load(Ordering::Relaxed) <= 1 {
            push.at_once();
        } else {
            push.on();
        }
        !is_given_up
    }

    /// Appends to a lane. Returns the writer to notify.
    #[inline]
    fn put(&self, put: impl FnOnce(&mut LinkTable<LanesOfLink>) -> PendingFlush) -> PendingFlush {
        let mut table = locked(&self.table);
        let push = put(&mut table);
        self.room.mark(table.queued());
        push
    }
}

/// What a message to several actors is, but for them and its arguments.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Named<'a> {
    pub(in super::super) method: &'a str,
    pub(in super::super) metadata: Option<&'a [u8]>,
    pub(in super::super) trace: Option<&'a [u8; TRACE]>,
}

impl<'a> Named<'a> {
    /// As a frame to these actors says it.
    pub(in super::super) fn to(self, to: &'a [u64]) -> What<'a> {
        let Self { method, metadata, trace } = self;
        What::Many { to, method, metadata, trace }
    }
}
