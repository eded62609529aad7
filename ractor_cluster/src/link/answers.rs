//! Our answers to the calls of a peer: how many calls may wait for one, and where each goes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use mycelium_link::codec::What;
use ractor::concurrency::Instant;
use ractor::port::ReplySink;
use ractor::remoting::EncodedReply;
use ractor::{MessagingErr, RpcReplyPort};

use super::data_plane::DataPlane;
use super::dead_letters::{self, Cause, Target};

/// A place among the calls of the peer that wait for an answer.
pub(super) struct Place(Arc<DataPlane>);

impl Place {
    /// `None` when the peer waits for as many as it may.
    pub(super) fn take(traffic: &Arc<DataPlane>) -> Option<Self> {
        let place = Self(traffic.clone());
        let others = traffic.answering.fetch_add(1, Ordering::Relaxed);
        (others < traffic.calls.limit()).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The time that a caller waits, from the arrival of its call on.
pub(super) struct Time {
    limit: Option<Duration>,
    /// `None` also when the clock ends before.
    until: Option<Instant>,
}

impl Time {
    pub(super) fn starting_now(limit: Option<Duration>) -> Self {
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        Self { limit, until }
    }

    pub(super) fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// Whether the caller has given up.
    pub(super) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// Where the answer to a call of the peer goes. Dropped without one, it tells the peer that none
/// will come.
pub(super) struct Answer {
    traffic: Arc<DataPlane>,
    to: u64,
    tag: u64,
    time: Time,
    sent: AtomicBool,
    _place: Place,
}

impl Answer {
    /// `None` when the peer waits for too many answers already.
    pub(super) fn begin(
        traffic: &Arc<DataPlane>,
        to: u64,
        tag: u64,
        timeout: Option<Duration>,
    ) -> Option<RpcReplyPort<Vec<u8>>> {
        let Some(place) = Place::take(traffic) else {
            traffic.no_answer(to, tag);
            return None;
        };
        let (traffic, sent) = (traffic.clone(), AtomicBool::new(false));
        let time = Time::starting_now(timeout);
        let answer = Self { traffic, to, tag, time, sent, _place: place };
        Some(RpcReplyPort::from_sink(Box::new(answer)))
    }
}

impl ReplySink<Vec<u8>> for Answer {
    fn send(self: Box<Self>, answer: Vec<u8>) -> Result<(), MessagingErr<Vec<u8>>> {
        self.send_encoded(answer.into()).map_err(|unsent| unsent.map(Vec::from))
    }

    fn send_encoded(
        self: Box<Self>,
        answer: EncodedReply,
    ) -> Result<(), MessagingErr<EncodedReply>> {
        if self.time.is_over() {
            return Err(MessagingErr::SendErr(answer));
        }
        let what = What::Reply { to: self.to, tag: self.tag };
        if self.traffic.too_large(what.room() + answer.bytes.len()).is_some() {
            dead_letters::count(self.traffic.node_id(), Cause::AnswerTooLarge, Target::Unknown);
            // Not sent: when this is dropped, the peer is told that there will be no answer.
            return Err(MessagingErr::SendErr(answer));
        }
        self.sent.store(true, Ordering::Relaxed);
        if self.traffic.answer(what, (&answer.bytes.head, &answer.bytes.tail)) {
            answer.bytes.recycle();
            Ok(())
        } else {
            Err(MessagingErr::SendErr(answer))
        }
    }

    fn timeout(&self) -> Option<Duration> {
        self.time.limit()
    }

    fn is_closed(&self) -> bool {
        self.time.is_over() || self.traffic.has_ended()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.sent.load(Ordering::Relaxed) {
            // The peer's caller waits for its timeout otherwise.
            self.traffic.no_answer(self.to, self.tag);
        }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("to", &self.to)
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}
