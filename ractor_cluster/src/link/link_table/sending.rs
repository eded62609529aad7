//! What goes into the lanes of a session.

use bytes::Bytes;
use mycelium_link::codec::What;
use mycelium_link::lanes::{self, Receiver};

use super::{LinkTable, PendingFlush, ADAPTIVE};
use crate::link::writer::FrameSource;
use crate::protocol::control::control_message::Msg;
use crate::protocol::control::ControlMessage;
use crate::protocol::mycelium::envelope::Body;
use crate::protocol::mycelium::Envelope;

impl<S: FrameSource> LinkTable<S> {
    /// Sends what is no message, by the first lane for all links. What ends something comes behind
    /// the messages that were sent before.
    pub(crate) fn control(
        &mut self,
        body: Body,
        acknowledged: impl FnOnce() -> u64,
    ) -> PendingFlush<S> {
        let is_end = matches!(
            &body,
            Body::Ends(_) | Body::Control(ControlMessage { msg: Some(Msg::Terminate(_)) })
        );
        let write = |lane, sequence| {
            // Another lane has acknowledgements of its own, and so this one's is still to be told.
            let acknowledged = if lane == ADAPTIVE { acknowledged() } else { 0 };
            Envelope { lane, sequence, acknowledged, body: Some(body) }.encoded()
        };
        let lanes = &mut self.family(ADAPTIVE).lanes;
        match is_end {
            true => lanes.last(write),
            false => lanes.control(write),
        }
        self.push(ADAPTIVE)
    }

    /// Sends a message to actors of the peer that have the same lane. `acknowledged` says what the
    /// peer is told with it.
    pub(crate) fn message(
        &mut self,
        (preference, slot): (u32, usize),
        acknowledged: impl FnOnce(u32) -> u64,
        (what, receivers): (What<'_>, impl Iterator<Item = Receiver>),
        args: (&[u8], &Bytes),
    ) -> PendingFlush<S> {
        let size = args.0.len() + args.1.len();
        let lanes = &mut self.family(preference).lanes;
        lanes.message(slot, acknowledged(lanes::number(preference, slot)), what, args);
        let mut messages = 0;
        receivers.for_each(|receiver| {
            lanes.note(receiver, slot, size);
            messages += 1;
        });
        let is_ready = lanes.is_ready(slot);
        self.messages += messages;
        match is_ready {
            true => self.push(preference),
            // What makes it ready sees to it.
            false => PendingFlush::default(),
        }
    }

    /// Sends a message to one receiver, by the lane of this preference that it takes. As
    /// [`message`](Self::message).
    #[inline]
    pub(crate) fn message_to(
        &mut self,
        preference: u32,
        acknowledged: impl FnOnce(u32) -> u64,
        (what, receiver, urgent): (&What<'_>, Receiver, bool),
        args: (&[u8], &Bytes),
    ) -> PendingFlush<S> {
        self.messages += 1;
        let lanes = &mut self.family(preference).lanes;
        match lanes.send((receiver, urgent), acknowledged, what, args) {
            true => self.push(preference),
            // What makes it ready sees to it.
            false => PendingFlush::default(),
        }
    }

    /// The lane of a message of so many bytes: its preference and its slot.
    pub(crate) fn slot_for(
        &mut self,
        (preference, urgent): (u32, bool),
        receiver: Receiver,
        size: usize,
    ) -> usize {
        self.family(preference).lanes.slot_for(receiver, urgent, size)
    }

    /// Whether an actor of the peer is sent much, while others wait.
    pub(crate) fn is_sent_much(&self, pid: u64) -> bool {
        let family = self.families[self.lane_of(pid) as usize].as_ref();
        family.is_some_and(|family| family.lanes.is_sent_much(Receiver::Actor(pid)))
    }

    /// As [`Lanes::join`].
    pub(crate) fn join(
        &mut self,
        (preference, slot): (u32, usize),
        receiver: Receiver,
        size: usize,
    ) -> bool {
        self.family(preference).lanes.join(receiver, slot, size)
    }
}
