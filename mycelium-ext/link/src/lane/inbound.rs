//! The receiving end of a lane.

use std::cmp::Ordering;

use super::{ACKNOWLEDGE_BYTES, LaneError};

/// Acknowledge so many frames, when no more come at present.
pub(super) const ACKNOWLEDGE_FRAMES: u64 = 256;
/// Acknowledge after so many times as much, also while more comes.
const LATEST: u64 = 8;

/// What the receiver of a lane does with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It handles it: it is the next one.
    Deliver,
    /// It came before.
    Duplicate,
}

/// When the peer is to get an acknowledgement.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// With a frame that goes its way, if there is one.
    #[default]
    Later,
    /// When no more comes at present. A sender that waits for it sends nothing, and other senders
    /// need not be woken so often.
    WhenIdle,
    /// At once.
    Now,
}

/// What the receiver of a lane knows.
#[derive(Debug, Default)]
pub struct Inbound {
    /// The last one delivered.
    delivered: u64,
    /// The last frame that was handled, in order. Only handled frames are acknowledged.
    handled: u64,
    /// Bytes received since the last acknowledgement.
    bytes: usize,
    /// The last frame that was acknowledged.
    told: u64,
    /// The peer waits to be told.
    urgent: bool,
}

impl Inbound {
    /// A frame of so many bytes came.
    pub fn accept(&mut self, sequence: u64, bytes: usize) -> Result<Accepted, LaneError> {
        let accepted = self.accept_unhandled(sequence)?;
        if accepted == Accepted::Deliver {
            self.handled(sequence, bytes);
        }
        Ok(accepted)
    }

    /// Whether a frame is the one that is due: it may come in parts. It came before otherwise.
    ///
    /// # Errors
    /// A frame in front of it is missing.
    pub fn is_next(&mut self, sequence: u64) -> Result<bool, LaneError> {
        let expected = self.delivered + 1;
        match sequence.cmp(&expected) {
            Ordering::Equal => Ok(true),
            Ordering::Greater => Err(LaneError::Gap { expected, found: sequence }),
            Ordering::Less => {
                self.urgent = true;
                Ok(false)
            }
        }
    }

    /// The same, of one that is [handled](Self::handled) later.
    pub fn accept_unhandled(&mut self, sequence: u64) -> Result<Accepted, LaneError> {
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
        Ok(Accepted::Deliver)
    }

    /// A frame of so many bytes was handled, and all in front of it.
    pub fn handled(&mut self, sequence: u64, bytes: usize) {
        self.handled = self.handled.max(sequence);
        self.bytes += bytes;
    }

    /// The last one that was handled.
    pub fn last_handled(&self) -> u64 {
        self.handled
    }

    /// The last one delivered.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// The peer waits for an acknowledgement.
    pub fn ask(&mut self) {
        self.urgent = true;
    }

    /// A frame of ours has told the peer of everything up to `told`.
    pub fn told(&mut self, told: u64) {
        if told > self.told {
            self.told = told;
            // Of those that came since it was made, a few of the bytes are known only.
            if told >= self.handled {
                self.bytes = 0;
            }
        }
    }

    /// When the peer is to be told.
    pub fn due(&self) -> Due {
        let frames = self.handled.saturating_sub(self.told) / ACKNOWLEDGE_FRAMES;
        let bytes = (self.bytes / ACKNOWLEDGE_BYTES) as u64;
        match frames.max(bytes) {
            _ if self.urgent => Due::Now,
            0 => Due::Later,
            LATEST.. => Due::Now,
            _ => Due::WhenIdle,
        }
    }

    /// Whether the peer is to be told, whether or not a frame goes its way.
    pub fn is_due(&self) -> bool {
        self.due() > Due::Later
    }

    /// The last one handled, which the caller tells the peer.
    pub fn acknowledgement(&mut self) -> u64 {
        self.told = self.handled;
        self.bytes = 0;
        self.urgent = false;
        self.handled
    }

    /// Whether something came that the peer was not told of.
    pub fn has_news(&self) -> bool {
        self.urgent || self.handled > self.told
    }
}
