//! Order, acknowledgement and replay of one direction of a lane, without any I/O.
//!
//! A *lane* is a sequence of frames that takes one link at a time. [`Outbound`] numbers them and
//! keeps those that the peer has not acknowledged, so that they can go again by another link;
//! [`Inbound`] drops what comes twice. Together: as links come and go, every frame is delivered
//! once and in order.
//!
//! What waits and what is kept are the same bytes: frames are written behind each other, each
//! behind its length, as they go over a link, and a link is handed them in chunks. The only copy is
//! that into the chunk, and a large payload is spared even that.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{HEADER, codec, malloc_hint};

/// Acknowledge so many frames, when no more come at present.
const ACKNOWLEDGE_FRAMES: u64 = 256;
/// Acknowledge so many bytes, when no more come at present. A sender has to keep more than that.
pub const ACKNOWLEDGE_BYTES: usize = 128 * 1024;
/// Acknowledge after so many times as much, also while more comes.
const LATEST: u64 = 8;
/// After so many replays in a row without an acknowledgement the session ends.
const FRUITLESS: u32 = 2;
/// The memory that frames are written into, a block after the other.
const BLOCK: usize = 64 * 1024;

/// The peer broke the rules of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneError {
    /// A frame is missing in front of this one.
    Gap {
        /// The frame that was due.
        expected: u64,
        /// The frame that came.
        found: u64,
    },
    /// It acknowledged what was never sent.
    Unsent {
        /// The frame that the peer acknowledged.
        acknowledged: u64,
        /// The last frame that was sent.
        sent: u64,
    },
    /// There is no such lane.
    UnknownLane(u32),
    /// Links broke one after the other over the same frames.
    Stuck {
        /// The first frame that is not acknowledged.
        frame: u64,
        /// The bytes that are kept.
        bytes: usize,
    },
}

impl std::fmt::Display for LaneError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gap { expected, found } => {
                write!(f, "frame {found} came where {expected} was due")
            }
            Self::Unsent { acknowledged, sent } => {
                write!(f, "frame {acknowledged} was acknowledged, and {sent} is the last sent")
            }
            Self::UnknownLane(lane) => write!(f, "there is no lane {lane}"),
            Self::Stuck { frame, bytes } => write!(
                f,
                "{} links broke in a row before frame {frame} was acknowledged, with {bytes} bytes kept",
                FRUITLESS + 1
            ),
        }
    }
}

impl std::error::Error for LaneError {}

/// Frames behind each other, each behind its length.
#[derive(Debug, Clone)]
pub struct Chunk {
    first: u64,
    count: u64,
    /// The frames, but for the end of the last one where that is large.
    pub frames: Bytes,
    /// The end of the last frame, where that is large.
    pub tail: Bytes,
}

impl Chunk {
    fn len(&self) -> usize {
        self.frames.len() + self.tail.len()
    }

    fn last(&self) -> u64 {
        self.first + self.count - 1
    }

    /// Without its first frame, which is not its last.
    fn skip(&mut self) {
        let length = self.first_length();
        self.frames.advance(HEADER + length);
        self.first += 1;
        self.count -= 1;
    }

    fn first_length(&self) -> usize {
        let mut header = &self.frames[..HEADER];
        usize::try_from(header.get_u64()).expect("it is in memory")
    }

    /// The frames, without their lengths; the last without its tail.
    fn frames(&self) -> impl Iterator<Item = (u64, Bytes)> {
        let (mut rest, mut number) = (self.frames.clone(), self.first);
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let length = usize::try_from(rest.get_u64()).expect("it is in memory");
            let frame = rest.split_to(length.min(rest.len()));
            number += 1;
            Some((number - 1, frame))
        })
    }
}

/// What the sender of a lane knows.
#[derive(Debug)]
pub struct Outbound {
    /// What is kept: not acknowledged, or not yet sent.
    chunks: VecDeque<Chunk>,
    /// The chunk that is to be sent next.
    cursor: usize,
    /// The last chunk, as long as frames may be added to it.
    open: BytesMut,
    open_count: u64,
    /// The number of the next frame.
    next: u64,
    /// The last one handed to any link: what the peer may have.
    ever_sent: u64,
    /// The last one that the peer has.
    acknowledged: u64,
    /// Of what is kept.
    bytes: usize,
    /// Of what is to be sent.
    unsent: usize,
    /// The fence under way: nothing is sent until it is acknowledged.
    fence: Option<u64>,
    /// What the peer had when a link broke that had taken more.
    broke_at: Option<u64>,
    /// The replays since then without an acknowledgement of the peer.
    fruitless: u32,
}

impl Default for Outbound {
    fn default() -> Self {
        Self {
            chunks: VecDeque::new(),
            cursor: 0,
            open: BytesMut::new(),
            open_count: 0,
            next: 1,
            ever_sent: 0,
            acknowledged: 0,
            bytes: 0,
            unsent: 0,
            fence: None,
            broke_at: None,
            fruitless: 0,
        }
    }
}

impl Outbound {
    /// The number of the next frame to be [pushed](Self::push).
    pub fn next_sequence(&self) -> u64 {
        self.next
    }

    /// The bytes of what is not acknowledged, or not yet sent.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The bytes of what is to be sent.
    pub fn unsent(&self) -> usize {
        self.unsent
    }

    /// Takes a frame, which `write` writes, but for its end, which is not copied. It should take no
    /// more than about `room` bytes.
    pub fn push(&mut self, room: usize, write: impl FnOnce(&mut BytesMut), tail: Bytes) {
        self.make_room(HEADER + room);
        let start = self.open.len();
        self.open.put_u64(0);
        write(&mut self.open);
        let length = self.open.len() - start - HEADER + tail.len();
        self.open[start..start + HEADER].copy_from_slice(&(length as u64).to_be_bytes());
        self.bytes += HEADER + length;
        self.unsent += HEADER + length;
        self.next += 1;
        self.open_count += 1;
        if !tail.is_empty() {
            self.seal(tail);
        }
    }

    /// Sees to it that the block takes `size` bytes without being moved.
    fn make_room(&mut self, size: usize) {
        if self.open.capacity() - self.open.len() < size {
            self.seal(Bytes::new());
            malloc_hint::expect_much();
            // In the same memory, where all of it has been acknowledged.
            self.open.reserve(size.max(BLOCK));
        }
    }

    /// Ends the open chunk.
    fn seal(&mut self, tail: Bytes) {
        if self.open_count == 0 {
            return;
        }
        let (count, frames) = (self.open_count, self.open.split().freeze());
        self.chunks.push_back(Chunk { first: self.next - count, count, frames, tail });
        self.open_count = 0;
    }

    /// The next chunk for the link, in order, when there is one and no fence holds it back.
    pub fn transmit(&mut self) -> Option<Chunk> {
        if self.cursor == self.chunks.len() {
            self.seal(Bytes::new());
        }
        let chunk = self.chunks.get(self.cursor)?;
        if self.fence.is_some_and(|fence| chunk.first > fence) {
            return None;
        }
        self.cursor += 1;
        self.unsent -= chunk.len();
        self.ever_sent = self.ever_sent.max(chunk.last());
        Some(chunk.clone())
    }

    /// The peer has everything up to `acknowledged`. An older number than the last changes nothing.
    pub fn acknowledge(&mut self, acknowledged: u64) -> Result<(), LaneError> {
        if acknowledged > self.ever_sent {
            return Err(LaneError::Unsent { acknowledged, sent: self.ever_sent });
        }
        if acknowledged <= self.acknowledged {
            return Ok(());
        }
        self.acknowledged = acknowledged;
        while self.chunks.front().is_some_and(|chunk| chunk.last() <= acknowledged) {
            let Some(done) = self.chunks.pop_front() else { break };
            self.bytes -= done.len();
            match self.cursor {
                // What the peer had by a link that broke had not gone again yet.
                0 => self.unsent -= done.len(),
                _ => self.cursor -= 1,
            }
        }
        if self.cursor == 0 {
            self.skip_acknowledged();
        }
        if self.fence.is_some_and(|fence| fence <= acknowledged) {
            self.fence = None;
        }
        Ok(())
    }

    /// What is sent first is what the peer has not got.
    fn skip_acknowledged(&mut self) {
        let Some(chunk) = self.chunks.front_mut() else { return };
        let before = chunk.len();
        while chunk.first <= self.acknowledged {
            chunk.skip();
        }
        let skipped = before - chunk.len();
        self.bytes -= skipped;
        self.unsent -= skipped;
    }

    /// The frame just pushed is a fence: what is pushed after it waits for its acknowledgement.
    pub fn fence(&mut self) {
        self.fence = Some(self.next - 1);
        self.seal(Bytes::new());
    }

    /// Whether a fence is under way.
    pub fn is_fenced(&self) -> bool {
        self.fence.is_some()
    }

    /// Whether the peer has all that was pushed.
    pub fn is_idle(&self) -> bool {
        self.bytes == 0
    }

    /// The link broke: what the peer did not acknowledge is to be sent again.
    pub fn rewind(&mut self) {
        // A link that took nothing says nothing of the frames.
        if self.cursor > 0 {
            let before = self.broke_at.replace(self.acknowledged);
            let is_same = before == Some(self.acknowledged);
            self.fruitless = if is_same { self.fruitless + 1 } else { 0 };
        }
        self.fence = None;
        self.cursor = 0;
        self.unsent = self.bytes;
        self.skip_acknowledged();
    }

    /// Why it would not help to send again what the peer did not acknowledge: every link breaks
    /// over it.
    pub fn stuck(&self) -> Option<LaneError> {
        let stuck = LaneError::Stuck { frame: self.acknowledged + 1, bytes: self.bytes };
        (self.fruitless >= FRUITLESS).then_some(stuck)
    }

    /// How many messages the peer did not acknowledge, those included that were never sent.
    pub fn unacknowledged_messages(&mut self) -> usize {
        self.seal(Bytes::new());
        let frames = self.chunks.iter().flat_map(Chunk::frames);
        let after = frames.filter(|(number, _)| *number > self.acknowledged);
        after.map(|(_, frame)| codec::messages_in(&frame)).sum()
    }
}

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

#[cfg(test)]
#[path = "lane/tests.rs"]
mod tests;
