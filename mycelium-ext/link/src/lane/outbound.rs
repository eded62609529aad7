//! The sending end of a lane.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{FRUITLESS, LaneError};
use crate::codec::{self, Frame};
use crate::{HEADER, malloc_hint};

/// The memory that frames are written into, a block after the other.
pub(super) const BLOCK: usize = 24 * 1024;

/// A frame of so many bytes is a chunk by itself.
const APART: usize = 64 * 1024;

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
    pub(crate) fn len(&self) -> usize {
        self.frames.len() + self.tail.len()
    }

    /// The bytes of its frame, when it is one.
    fn single(&self) -> Option<usize> {
        (self.count == 1).then(|| self.len() - HEADER)
    }

    /// A part of its only frame, which is one of `lane`: up to `size` bytes from `offset` on, as a
    /// frame of its own.
    fn part(&self, lane: u8, offset: usize, size: usize) -> Self {
        let (head, total) = (&self.frames[HEADER..], self.len() - HEADER);
        let end = total.min(offset + size);
        let copied = &head[offset.min(head.len())..end.min(head.len())];
        let of_tail = |at: usize| at.saturating_sub(head.len());
        let tail = self.tail.slice(of_tail(offset)..of_tail(end));
        let mut frames = BytesMut::with_capacity(HEADER + codec::PART_HEAD + copied.len());
        frames.put_u64(0);
        let frame = Frame { lane, sequence: self.first, acknowledged: 0 };
        codec::write_part(frame, total as u64, offset as u64, &mut frames);
        frames.put_slice(copied);
        let length = (frames.len() - HEADER + tail.len()) as u64;
        frames[..HEADER].copy_from_slice(&length.to_be_bytes());
        Self { first: self.first, count: 1, frames: frames.freeze(), tail }
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
    pub(super) fn frames(&self) -> impl Iterator<Item = (u64, Bytes)> {
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

/// What became of the frames of a lane, or of several. Of those that were pushed each is
/// acknowledged or kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Frames {
    /// Those that were pushed.
    pub pushed: u64,
    /// Those that the peer has acknowledged.
    pub acknowledged: u64,
    /// Those that are kept, since they are not sent, or not acknowledged.
    pub kept: u64,
}

impl std::ops::AddAssign for Frames {
    fn add_assign(&mut self, other: Self) {
        self.pushed += other.pushed;
        self.acknowledged += other.acknowledged;
        self.kept += other.kept;
    }
}

/// The bytes of a lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Of what is kept.
    pub(crate) bytes: usize,
    /// Of what is to be sent.
    pub(crate) unsent: usize,
    /// Of the tails of what is to be sent.
    pub(crate) unsent_tails: usize,
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
    counts: Counts,
    /// Bytes of the tails of what was sent and is not acknowledged.
    tails: usize,
    /// The fence under way: nothing is sent until it is acknowledged.
    fence: Option<u64>,
    /// What the peer had when a link broke that had taken more.
    broke_at: Option<u64>,
    /// The replays since then without an acknowledgement of the peer.
    fruitless: u32,
    /// How many bytes of the next frame have gone in parts.
    parted: usize,
    /// Frames that wait for other lanes.
    holds: VecDeque<Hold>,
}

/// Frames that wait until the peer has acknowledged a frame of another lane.
#[derive(Debug, Clone, Copy)]
struct Hold {
    /// The first of them.
    first: u64,
    /// The other lane, and its frame.
    until: (usize, u64),
}

/// The largest parts that a frame goes in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    /// The lane, which parts name.
    pub(crate) lane: u8,
    /// The bytes of the frame in a part.
    pub(crate) size: usize,
    /// A frame of up to so many bytes goes whole.
    pub(crate) whole: usize,
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
            counts: Counts::default(),
            tails: 0,
            fence: None,
            broke_at: None,
            fruitless: 0,
            parted: 0,
            holds: VecDeque::new(),
        }
    }
}

impl Outbound {
    /// The number of the next frame to be [pushed](Self::push).
    #[inline]
    pub fn next_sequence(&self) -> u64 {
        self.next
    }

    /// The bytes of what is not acknowledged, or not yet sent.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.counts.bytes
    }

    /// What became of the frames so far. Each part is counted by itself.
    pub fn frames(&self) -> Frames {
        let kept = |chunk: &Chunk| chunk.last() - self.acknowledged.max(chunk.first - 1);
        let whole = self.chunks.iter().filter(|chunk| chunk.last() > self.acknowledged);
        Frames {
            pushed: self.next - 1,
            acknowledged: self.acknowledged,
            kept: whole.map(kept).sum::<u64>() + self.open_count,
        }
    }

    /// The bytes of what is to be sent.
    #[inline]
    pub fn unsent(&self) -> usize {
        self.counts.unsent
    }

    /// The bytes of it.
    #[inline]
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// The bytes of what was sent and is not acknowledged; without those of tails, where they do
    /// not go by the link.
    #[inline]
    pub(crate) fn under_way(&self, without_tails: bool) -> usize {
        let tails = if without_tails { self.tails } else { 0 };
        self.counts.bytes - self.counts.unsent - tails
    }

    /// Whether the link that is taken now was handed a frame.
    #[inline]
    pub(crate) fn has_sent(&self, sequence: u64) -> bool {
        sequence < self.first_unsent()
    }

    /// The frames that were sent and are not acknowledged.
    #[inline]
    pub(crate) fn frames_under_way(&self) -> u64 {
        self.first_unsent().saturating_sub(self.acknowledged() + 1)
    }

    #[inline]
    fn first_unsent(&self) -> u64 {
        let unsent = self.chunks.get(self.cursor).map(|chunk| chunk.first);
        unsent.unwrap_or(self.next - self.open_count)
    }

    /// Takes a frame, which `write` writes, but for its end, which is not copied. It should take no
    /// more than about `room` bytes.
    pub fn push(&mut self, room: usize, write: impl FnOnce(&mut BytesMut), tail: Bytes) {
        let out = self.begin_frame(room, tail.len());
        let start = out.len();
        out.put_u64(0);
        write(out);
        let length = (out.len() - start - HEADER + tail.len()) as u64;
        out[start..start + HEADER].copy_from_slice(&length.to_be_bytes());
        let tail = Some(tail).filter(|tail| !tail.is_empty());
        self.end_frame((room, start), tail);
    }

    /// The same in two steps: where the frame is written behind its length, and what is done then,
    /// with the length of that before. The tail is not empty.
    #[inline(always)]
    pub(crate) fn begin_frame(&mut self, room: usize, in_tail: usize) -> &mut BytesMut {
        if room + in_tail >= APART {
            // It may go in parts, and the others may not.
            self.seal(Bytes::new());
        }
        if self.open.capacity() - self.open.len() < HEADER + room {
            self.renew(HEADER + room);
        }
        &mut self.open
    }

    /// See [`begin_frame`](Self::begin_frame).
    #[inline(always)]
    pub(crate) fn end_frame(&mut self, (room, start): (usize, usize), tail: Option<Bytes>) {
        let in_tail = tail.as_ref().map_or(0, Bytes::len);
        let size = self.open.len() - start + in_tail;
        self.counts.bytes += size;
        self.counts.unsent += size;
        self.next += 1;
        self.open_count += 1;
        if room + in_tail >= APART || in_tail > 0 {
            self.seal(tail.unwrap_or_default());
        }
    }

    /// Begins another block, which takes `size` bytes without being moved.
    #[cold]
    fn renew(&mut self, size: usize) {
        self.seal(Bytes::new());
        malloc_hint::expect_much();
        // In the same memory, where all of it has been acknowledged.
        self.open.reserve(size.max(BLOCK));
    }

    /// Ends the open chunk.
    fn seal(&mut self, tail: Bytes) {
        if self.open_count == 0 {
            return;
        }
        let (count, frames) = (self.open_count, self.open.split().freeze());
        self.counts.unsent_tails += tail.len();
        self.chunks.push_back(Chunk { first: self.next - count, count, frames, tail });
        self.open_count = 0;
    }

    /// The next chunk for the link, in order, when there is one and nothing holds it back.
    pub fn transmit(&mut self) -> Option<Chunk> {
        self.transmit_parts(None)
    }

    /// The same; a large frame goes in parts.
    pub(crate) fn transmit_parts(&mut self, parts: Option<Parts>) -> Option<Chunk> {
        if self.cursor == self.chunks.len() {
            self.seal(Bytes::new());
        }
        let chunk = self.chunks.get(self.cursor)?;
        if self.fence.is_some_and(|fence| chunk.first > fence)
            || self.holds.front().is_some_and(|hold| chunk.first >= hold.first)
        {
            return None;
        }
        if let (Some(Parts { lane, size, whole }), Some(total)) = (parts, chunk.single()) {
            if self.parted > 0 || total > whole {
                let part = chunk.part(lane, self.parted, size);
                self.parted += size;
                if self.parted >= total {
                    self.pass();
                }
                return Some(part);
            }
        }
        self.pass()
    }

    /// The next chunk has gone.
    fn pass(&mut self) -> Option<Chunk> {
        self.parted = 0;
        let chunk = self.chunks.get(self.cursor)?;
        self.cursor += 1;
        self.counts.unsent -= chunk.len();
        self.tails += chunk.tail.len();
        self.counts.unsent_tails -= chunk.tail.len();
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
            self.counts.bytes -= done.len();
            match self.cursor {
                // What the peer had by a link that broke had not gone again yet, or only in part.
                0 => {
                    self.counts.unsent -= done.len();
                    self.counts.unsent_tails -= done.tail.len();
                    self.parted = 0;
                }
                _ => {
                    self.cursor -= 1;
                    self.tails -= done.tail.len();
                }
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
        self.counts.bytes -= skipped;
        self.counts.unsent -= skipped;
    }

    /// The frame just pushed is a fence: what is pushed after it waits for its acknowledgement.
    pub fn fence(&mut self) {
        self.fence = Some(self.next - 1);
        self.seal(Bytes::new());
    }

    /// What is pushed from here on waits until the peer has acknowledged the frame `until` of the
    /// lane `other`.
    pub(crate) fn hold(&mut self, other: usize, until: u64) {
        self.seal(Bytes::new());
        let hold = Hold { first: self.next, until: (other, until) };
        let of_same = self.holds.iter_mut().rev().find(|it| it.until.0 == other);
        match of_same {
            // One that waits for as much is there.
            Some(last) if last.until.1 >= until => {}
            // Nothing was pushed in between.
            Some(last) if last.first == hold.first => last.until.1 = until,
            _ => self.holds.push_back(hold),
        }
    }

    /// The peer has acknowledged so much of each lane. Returns whether something may go now that
    /// could not before.
    pub(crate) fn release(&mut self, acknowledged: &[u64]) -> bool {
        let before = self.holds.len();
        let is_over = |hold: &Hold| {
            let (lane, until) = hold.until;
            until <= acknowledged[lane]
        };
        while self.holds.front().is_some_and(is_over) {
            self.holds.pop_front();
        }
        self.holds.len() < before
    }

    /// Whether anything waits for another lane.
    #[inline]
    pub(crate) fn is_held(&self) -> bool {
        !self.holds.is_empty()
    }

    /// The last frame that was pushed.
    #[inline]
    pub(crate) fn last(&self) -> u64 {
        self.next - 1
    }

    /// The last frame that the peer has.
    #[inline]
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Whether a fence is under way.
    pub fn is_fenced(&self) -> bool {
        self.fence.is_some()
    }

    /// Whether the peer has all that was pushed.
    pub fn is_idle(&self) -> bool {
        self.counts.bytes == 0
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
        self.parted = 0;
        self.counts.unsent = self.counts.bytes;
        self.counts.unsent_tails += std::mem::take(&mut self.tails);
        self.skip_acknowledged();
    }

    /// Why it would not help to send again what the peer did not acknowledge: every link breaks
    /// over it.
    pub fn stuck(&self) -> Option<LaneError> {
        let stuck = LaneError::Stuck { frame: self.acknowledged + 1, bytes: self.counts.bytes };
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
