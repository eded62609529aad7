//! The lanes that messages of one transport preference take, and their turns on a link.
//!
//! Frames of a [lane](crate::lane) keep their order, and a frame waits for those in front of it. So
//! frames that shall not wait for each other are on lanes of their own, which take one link
//! together:
//!
//! | slot | frames |
//! |---|---|
//! | 0 | session control; all frames to a peer that takes no other slots |
//! | 1 | messages to actors that are marked as urgent |
//! | 2 | messages to all other actors, as long as they are few |
//! | 3 to 5 | messages to actors that are sent much while others wait |
//! | 6 | ends of actors, which wait until the peer has what was sent before |
//! | 7 | large messages, which go in parts |
//!
//! Slots 0 and 1 go first, and what may go of 6. Then slot 2 and one of the others take turns, a
//! chunk each, so that a message to an actor that is sent little waits for one chunk, and not for
//! all that waits for others. The idea is that of FQ-CoDel (RFC 8290): a flow that has little to
//! send goes ahead of those that fill the link, and a flow that fills it gives up its place among
//! the former.
//!
//! What a link has taken waits in its buffers, and all that follows waits behind it. On a machine
//! these are long for its speed, so there the lanes of slots 3 to 7 have a window: they send more
//! when the peer has acknowledged what they have sent, and they ask it to do so in time.
//!
//! **Order.** Messages to an actor keep their order. It stays on its lane as long as the peer has
//! not acknowledged all that went to it by that lane; where it has to change before, what goes by
//! the new lane is held until then.
//!
//! ```
//! use bytes::Bytes;
//! use mycelium_link::lanes::{CONTROL, Lanes, number, parse};
//!
//! // The request that has the peer acknowledge a frame, in a form of the application's.
//! let ask = |lane: u32, frame: u64| Bytes::from(format!("ask {lane} {frame}"));
//! let mut lanes = Lanes::new(2, true, ask);
//! lanes.control(|lane, frame| {
//!     assert_eq!((lane, frame), (number(2, CONTROL), 1));
//!     Bytes::from_static(b"spawned")
//! });
//! let mut chunks = 0;
//! lanes.transmit(|_| {
//!     chunks += 1;
//!     true
//! });
//! assert_eq!(chunks, 1);
//! lanes.acknowledge(CONTROL, 1)?;
//! assert!(lanes.is_idle());
//! assert_eq!(parse(number(2, CONTROL))?, (2, CONTROL));
//! # Ok::<(), mycelium_link::lane::LaneError>(())
//! ```

mod assigned;
mod choice;
mod sending;
mod turns;
mod window;

use std::hash::{Hash, Hasher};

use bytes::{BufMut as _, Bytes};

use self::assigned::{Assigned, Assignments};
use self::window::{HELD, Lane, Sums};

use crate::lane::{Chunk, Frames, LaneError, Outbound, Parts};

/// The transport preferences that a lane's number has room for.
pub const PREFERENCES: usize = 8;
/// The lanes of one preference.
pub const SLOTS: usize = 8;
/// The lanes that a session may have.
pub const LANES: usize = PREFERENCES * SLOTS;

/// The slot of what has to keep its order with session control.
pub const CONTROL: usize = 0;
/// The slot of messages to urgent actors.
pub const URGENT: usize = 1;
const SPARSE: usize = 2;
const FIRST_BULK: usize = 3;
const BULKS: std::ops::Range<usize> = FIRST_BULK..LAST;
const LAST: usize = 6;
/// The slot of large messages, the only one whose frames go in parts.
pub const LARGE: usize = 7;

/// Bytes that wait to be sent to actors that are sent little, from which on those that are sent
/// more than [`QUANTUM`] lose their place among them. On a machine also where [`SPARSE_WINDOW`]
/// bytes of theirs are on their way: the kernel takes megabytes for a peer that reads nothing.
const CONGESTED: usize = 32 * 1024;
/// See [`CONGESTED`]. Bytes.
const QUANTUM: usize = 8 * 1024;
/// A message of so many bytes is large.
pub const LARGE_BYTES: usize = 128 * 1024;
/// A large message goes in parts of so many bytes.
const PART: usize = 128 * 1024;
/// A message of up to so many bytes goes whole where no other message waits: the receiver has to
/// put parts together, and copies each for that.
const WHOLE: usize = 1024 * 1024;

/// Payloads from here on stay where they are. Bytes.
const COPIED: usize = 16 * 1024;
/// The same of those that lie where the peer reads them: to describe one costs less than to copy
/// it.
const PLACED: usize = 2 * 1024;

/// The number of a lane.
pub const fn number(preference: u32, slot: usize) -> u32 {
    preference + (slot * PREFERENCES) as u32
}

/// The preference and the slot of a lane's number.
///
/// # Errors
/// There is no such lane.
pub fn parse(lane: u32) -> Result<(u32, usize), LaneError> {
    match lane as usize {
        index if index < LANES => Ok((lane % PREFERENCES as u32, index / PREFERENCES)),
        _ => Err(LaneError::UnknownLane(lane)),
    }
}

/// For whom a message is, as far as order is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// An actor of the peer, by its number there.
    Actor(u64),
    /// The callers of an actor of this node, by its number.
    CallersOf(u64),
}

impl Receiver {
    /// A number of its own, unless there are more than 2^63 actors.
    fn key(self) -> u64 {
        match self {
            Self::Actor(pid) => pid << 1,
            Self::CallersOf(pid) => pid << 1 | 1,
        }
    }
}

impl Hash for Receiver {
    /// At once: each message to an actor that is sent much is looked up.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.key());
    }
}

/// The last frames of a lane by receiver, of all receivers of a bucket together: an order that is
/// kept although it need not be costs a round trip, and a map would cost every message.
#[derive(Debug)]
struct Recent(Box<[u64; Recent::BUCKETS]>);

impl Recent {
    const BUCKETS: usize = 256;

    fn bucket(receiver: Receiver) -> usize {
        // Fibonacci hashing: Knuth, The Art of Computer Programming, volume 3, 6.4.
        (receiver.key().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
    }
}

/// What lanes have to know of the link that they take.
#[derive(Debug, Clone, Copy, Default)]
pub struct Way {
    /// Whether it stays on the machine.
    pub is_near: bool,
    /// Set where large payloads go by descriptor: a frame is then small whatever its payload, goes
    /// whole, and keeps no other one waiting.
    pub lends: Option<IsPlaced>,
}

/// Tells whether a payload lies where the peer reads it, so that no byte of it is copied.
pub type IsPlaced = fn(payload: &[u8]) -> bool;

/// See the module's documentation. One for each preference.
#[derive(Debug)]
pub struct Lanes {
    preference: u32,
    /// Whether the peer takes other slots than the first.
    has_slots: bool,
    /// The link that they take.
    way: Way,
    /// Whether all is sent that there is.
    is_last: bool,
    /// The bytes that bulk lanes send with [`NARROW_MESSAGES`] under way.
    called: usize,
    slots: [Option<Box<Lane>>; SLOTS],
    /// Of all slots: they are looked at with every message.
    sums: Sums,
    assigned: Assignments,
    /// Of the lane of those that are sent little.
    recent: Recent,
    /// The request for an acknowledgement that was pushed last, by lane.
    asked: [u64; SLOTS],
    /// The frame whose acknowledgement something waits for, by lane.
    wanted: [u64; SLOTS],
    /// Whether the lanes beyond [`SPARSE`] have a chunk to go before it.
    bulk_is_next: bool,
    /// The one of them that has the next turn.
    next_bulk: usize,
    /// The lanes that may send: during a fence those that have one, which ends them.
    may_go: [bool; SLOTS],
    /// Makes a frame of a lane that has the peer acknowledge at once.
    ask: fn(lane: u32, sequence: u64) -> Bytes,
}

impl Lanes {
    /// Those of a preference. `ask` makes a frame, of a lane and with a number in it, that has the
    /// peer acknowledge it at once.
    pub fn new(
        preference: u32,
        has_slots: bool,
        ask: fn(lane: u32, sequence: u64) -> Bytes,
    ) -> Self {
        Self {
            preference,
            has_slots,
            way: Way::default(),
            is_last: false,
            called: 0,
            slots: Default::default(),
            sums: Sums::default(),
            assigned: Assignments::default(),
            recent: Recent(Box::new([0; Recent::BUCKETS])),
            asked: [0; SLOTS],
            wanted: [0; SLOTS],
            bulk_is_next: false,
            next_bulk: FIRST_BULK,
            may_go: [true; SLOTS],
            ask,
        }
    }

    /// The peer takes other slots than the first.
    pub fn take_slots(&mut self) {
        self.has_slots = true;
    }

    /// They take this link from here on.
    pub fn set_way(&mut self, way: Way) {
        self.way = way;
    }

    #[inline]
    fn lane(&mut self, slot: usize) -> &mut Lane {
        if self.slots[slot].is_none() {
            self.begin(slot);
        }
        self.slots[slot].as_mut().expect("made just now")
    }

    /// The first frame of a lane comes.
    #[cold]
    fn begin(&mut self, slot: usize) {
        self.slots[slot] = Some(Box::default());
    }

    /// Does something with a lane that is there, and keeps the sums.
    #[inline]
    fn change<T>(&mut self, slot: usize, change: impl FnOnce(&mut Lane) -> T) -> Option<T> {
        let lane = self.slots[slot].as_mut()?;
        let had = lane.out.counts();
        let outcome = change(lane);
        self.sums.change(slot, had, lane.out.counts());
        Some(outcome)
    }

    #[inline]
    fn out(&self, slot: usize) -> Option<&Outbound> {
        self.slots[slot].as_deref().map(|lane| &lane.out)
    }

    fn lanes(&self) -> impl Iterator<Item = (usize, &Lane)> {
        let lanes = self.slots.iter().enumerate();
        lanes.filter_map(|(slot, lane)| lane.as_deref().map(|lane| (slot, lane)))
    }

    /// Puts a frame that is no message in front of all messages. `write` makes it of its lane and
    /// its number.
    pub fn control(&mut self, write: impl FnOnce(u32, u64) -> Bytes) {
        self.push_control(CONTROL, write);
    }

    /// The same, of a frame that has to come behind all messages that were pushed before.
    pub fn last(&mut self, write: impl FnOnce(u32, u64) -> Bytes) {
        if !self.has_slots {
            return self.control(write);
        }
        for slot in (URGENT..SLOTS).filter(|slot| *slot != LAST) {
            let last = self.out(slot).map_or(0, Outbound::last);
            self.hold(LAST, slot, last);
        }
        self.push_control(LAST, write);
    }

    fn push_control(&mut self, slot: usize, write: impl FnOnce(u32, u64) -> Bytes) {
        let number = number(self.preference, slot);
        let frame = write(number, self.lane(slot).out.next_sequence());
        let push = |lane: &mut Lane| {
            lane.out.push(frame.len(), |into| into.put_slice(&frame), Bytes::new());
        };
        self.change(slot, push);
    }

    /// The peer has what went by a lane up to this number. Returns whether something may go now
    /// that could not before.
    ///
    /// # Errors
    /// So much was never sent.
    pub fn acknowledge(&mut self, slot: usize, last: u64) -> Result<bool, LaneError> {
        let was_fenced = self.lane(slot).out.is_fenced();
        self.change(slot, |lane| lane.out.acknowledge(last)).transpose()?;
        let Lane { out, asks, .. } = self.lane(slot);
        while asks.front().is_some_and(|ask| *ask <= out.acknowledged()) {
            asks.pop_front();
        }
        let is_idle = out.is_idle();
        // Of a lane with a window, there is room in it.
        let mut has_news = (was_fenced && !out.is_fenced()) || (slot > SPARSE && out.unsent() > 0);
        has_news |= self.ask(slot);
        if self.slots.iter().flatten().any(|lane| lane.out.is_held()) {
            let acknowledged: [u64; SLOTS] =
                std::array::from_fn(|slot| self.out(slot).map_or(0, Outbound::acknowledged));
            for lane in self.slots.iter_mut().flatten() {
                has_news |= lane.out.release(&acknowledged);
            }
        }
        if is_idle && !self.assigned.is_empty() {
            // They begin anew.
            self.assigned.forget_slot(slot);
        }
        Ok(has_news)
    }

    /// Has the peer acknowledge all that was pushed, and sends nothing more before.
    pub fn fence(&mut self) {
        for slot in 0..SLOTS {
            if self.out(slot).is_some_and(|out| !out.is_idle()) {
                self.push_control(slot, self.ask);
                self.lane(slot).out.fence();
            }
        }
    }

    /// Whether a fence is under way.
    pub fn is_fenced(&self) -> bool {
        self.lanes().any(|(_, lane)| lane.out.is_fenced())
    }

    /// Whether the peer has all that was pushed.
    pub fn is_idle(&self) -> bool {
        self.lanes().all(|(_, lane)| lane.out.is_idle())
    }

    /// The link broke: what the peer did not acknowledge is to be sent again.
    pub fn rewind(&mut self) {
        (0..SLOTS).for_each(|slot| _ = self.change(slot, |lane| lane.out.rewind()));
    }

    /// Why it would not help to send again what the peer did not acknowledge, if so.
    pub fn stuck(&self) -> Option<LaneError> {
        self.lanes().find_map(|(_, lane)| lane.out.stuck())
    }

    /// The bytes of what is not acknowledged, or not yet sent.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.sums.all
    }

    /// What became of the frames of all of them.
    pub fn frames(&self) -> Frames {
        let mut frames = Frames::default();
        self.lanes().for_each(|(_, lane)| frames += lane.out.frames());
        frames
    }

    /// The same as [`bytes`](Self::bytes), of session control and of messages to actors that are
    /// sent little.
    #[inline]
    pub fn bytes_of_few(&self) -> usize {
        self.sums.few
    }

    /// The bytes of what is to be sent.
    #[inline]
    pub fn unsent(&self) -> usize {
        self.sums.unsent
    }

    /// The bytes that are to be written for what is to be sent. Payloads that the peer reads in
    /// place are not written, but held: they count for a 32nd part.
    #[inline]
    pub fn unwritten(&self) -> usize {
        match self.way.lends.is_some() {
            true => self.sums.unsent - self.sums.unsent_tails / HELD * (HELD - 1),
            false => self.sums.unsent,
        }
    }

    /// How many messages the peer did not acknowledge, those included that were never sent.
    pub fn unacknowledged_messages(&mut self) -> usize {
        let lanes = self.slots.iter_mut().flatten();
        lanes.map(|lane| lane.out.unacknowledged_messages()).sum()
    }
}

#[cfg(test)]
#[path = "lanes/tests.rs"]
mod tests;
