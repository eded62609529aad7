//! Order, acknowledgement and replay of one direction of a lane, without any I/O.
//!
//! A *lane* is a sequence of envelopes that takes one link at a time. [`Outbound`] numbers them and keeps
//! those that the peer has not acknowledged, so that they can go again by another link;
//! [`Inbound`] drops what comes twice. Together: as long as links come and go, and no more than the
//! window is under way, every envelope is delivered once and in order.

use std::collections::VecDeque;

use super::encoded::Encoded;

/// Acknowledge after so many envelopes at the latest.
const ACKNOWLEDGE_FRAMES: u32 = 256;
/// Acknowledge after so many bytes at the latest.
const ACKNOWLEDGE_BYTES: usize = 256 * 1024;

/// The peer broke the rules of the protocol, or lost what it should have kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LaneError {
    /// An envelope is missing in front of this one.
    Gap { expected: u64, found: u64 },
    /// It acknowledged what was never sent.
    Unsent { acknowledged: u64, sent: u64 },
    /// What has to go again was given up to keep the window's bound.
    WindowOverflow { oldest: u64, wanted: u64 },
    /// There is no such lane.
    UnknownLane(u32),
}

impl std::fmt::Display for LaneError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gap { expected, found } => {
                write!(f, "envelope {found} came where {expected} was due")
            }
            Self::Unsent { acknowledged, sent } => {
                write!(f, "envelope {acknowledged} was acknowledged, and {sent} is the last sent")
            }
            Self::WindowOverflow { oldest, wanted } => write!(
                f,
                "envelope {wanted} has to go again, and the replay window begins with {oldest}"
            ),
            Self::UnknownLane(lane) => write!(f, "there is no lane {lane}"),
        }
    }
}

impl std::error::Error for LaneError {}

#[derive(Debug)]
struct Kept {
    frame: Encoded,
    /// Whether its loss is a message's loss, and not of the session's own housekeeping.
    is_message: bool,
}

/// What the sender of a lane knows.
#[derive(Debug)]
pub(crate) struct Outbound {
    /// The envelopes from `first` on: those not acknowledged, or not yet sent.
    kept: VecDeque<Kept>,
    first: u64,
    /// The last one handed to the present link.
    sent: u64,
    /// The last one handed to any link: what the peer may have.
    ever_sent: u64,
    /// The last one that the peer has.
    acknowledged: u64,
    /// Of the envelopes that were sent and are kept.
    replay_bytes: usize,
    window: usize,
    /// Messages among the envelopes that the window gave up and the peer has not acknowledged.
    given_up: VecDeque<u64>,
    /// The fence under way: nothing is sent until it is acknowledged.
    fence: Option<u64>,
}

impl Outbound {
    /// Keeps up to `window` bytes of envelopes to send them again.
    pub(crate) fn new(window: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            first: 1,
            sent: 0,
            ever_sent: 0,
            acknowledged: 0,
            replay_bytes: 0,
            window,
            given_up: VecDeque::new(),
            fence: None,
        }
    }

    /// The number of the next envelope to be [pushed](Self::push).
    pub(crate) fn next_sequence(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    /// Takes the envelope that was encoded with [`next_sequence`](Self::next_sequence).
    pub(crate) fn push(&mut self, frame: Encoded, is_message: bool) {
        self.kept.push_back(Kept { frame, is_message });
    }

    /// The next envelope for the link, in order, when there is one and no fence holds it back.
    pub(crate) fn transmit(&mut self) -> Option<Encoded> {
        if self.fence.is_some_and(|fence| self.sent >= fence) {
            return None;
        }
        let next = self.sent + 1;
        let index = usize::try_from(next - self.first).ok()?;
        let frame = self.kept.get(index)?.frame.clone();
        self.sent = next;
        self.ever_sent = self.ever_sent.max(next);
        self.replay_bytes += frame.len();
        self.keep_bound();
        Some(frame)
    }

    /// Gives up the oldest that were sent, once there are more than the window may hold.
    fn keep_bound(&mut self) {
        while self.replay_bytes > self.window && self.first <= self.sent {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.replay_bytes -= oldest.frame.len();
            if oldest.is_message {
                self.given_up.push_back(self.first);
            }
            self.first += 1;
        }
    }

    /// The peer has everything up to `acknowledged`. An older number than the last changes nothing.
    pub(crate) fn acknowledge(&mut self, acknowledged: u64) -> Result<(), LaneError> {
        if acknowledged > self.ever_sent {
            return Err(LaneError::Unsent { acknowledged, sent: self.ever_sent });
        }
        if acknowledged <= self.acknowledged {
            return Ok(());
        }
        self.acknowledged = acknowledged;
        while self.first <= acknowledged {
            let Some(done) = self.kept.pop_front() else { break };
            // What the peer had by a link that broke may not have gone again yet.
            if self.first <= self.sent {
                self.replay_bytes -= done.frame.len();
            }
            self.first += 1;
        }
        self.sent = self.sent.max(acknowledged);
        while self.given_up.front().is_some_and(|given_up| *given_up <= acknowledged) {
            self.given_up.pop_front();
        }
        if self.fence.is_some_and(|fence| fence <= acknowledged) {
            self.fence = None;
        }
        Ok(())
    }

    /// The envelope just pushed is a fence: what is pushed after it waits for its acknowledgement.
    pub(crate) fn fence(&mut self) {
        self.fence = Some(self.next_sequence() - 1);
    }

    /// Whether a fence is under way.
    pub(crate) fn is_fenced(&self) -> bool {
        self.fence.is_some()
    }

    /// Whether the peer has all that was sent, and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.kept.is_empty() && self.given_up.is_empty()
    }

    /// The link broke: what the peer did not acknowledge is to be sent again.
    pub(crate) fn rewind(&mut self) -> Result<(), LaneError> {
        self.fence = None;
        let wanted = self.acknowledged + 1;
        if self.first > wanted {
            return Err(LaneError::WindowOverflow { oldest: self.first, wanted });
        }
        self.sent = self.acknowledged;
        self.replay_bytes = 0;
        Ok(())
    }

    /// How many messages the peer did not acknowledge, those included that were never sent.
    pub(crate) fn unacknowledged_messages(&self) -> usize {
        self.given_up.len() + self.kept.iter().filter(|kept| kept.is_message).count()
    }
}

/// What the receiver of a lane does with an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted {
    Deliver,
    /// It came before.
    Duplicate,
}

/// What the receiver of a lane knows.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    /// The last one delivered.
    delivered: u64,
    /// Since the peer was told last.
    frames: u32,
    bytes: usize,
    /// The peer waits to be told.
    urgent: bool,
}

impl Inbound {
    /// An envelope of so many bytes came.
    pub(crate) fn accept(&mut self, sequence: u64, bytes: usize) -> Result<Accepted, LaneError> {
        if sequence <= self.delivered {
            // It went again because we had not said that it came.
            self.urgent = true;
            return Ok(Accepted::Duplicate);
        }
        let expected = self.delivered + 1;
        if sequence != expected {
            return Err(LaneError::Gap { expected, found: sequence });
        }
        self.delivered = sequence;
        self.frames += 1;
        self.bytes += bytes;
        Ok(Accepted::Deliver)
    }

    /// The peer waits for an acknowledgement.
    pub(crate) fn ask(&mut self) {
        self.urgent = true;
    }

    /// Whether the peer is to be told, whether or not an envelope goes its way.
    pub(crate) fn is_due(&self) -> bool {
        self.urgent || self.frames >= ACKNOWLEDGE_FRAMES || self.bytes >= ACKNOWLEDGE_BYTES
    }

    /// The last one delivered, which the caller tells the peer.
    pub(crate) fn acknowledgement(&mut self) -> u64 {
        self.frames = 0;
        self.bytes = 0;
        self.urgent = false;
        self.delivered
    }

    /// Whether something came that the peer was not told of.
    pub(crate) fn has_news(&self) -> bool {
        self.urgent || self.frames > 0
    }
}

#[cfg(test)]
#[path = "lane/tests.rs"]
mod tests;
