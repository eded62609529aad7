//! What came by the lanes of a session, and what the peer was told of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use mycelium_link::codec::Names;
use mycelium_link::lane::{Accepted, Due, Inbound, LaneError, Partial};
use mycelium_link::lanes::LANES;

use super::backlog::Place;
use super::locked::locked;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Receipts {
    lanes: Mutex<InboundLanes>,
    /// What the peer is to be told that came, by lane.
    delivered: [AtomicU64; LANES],
    /// What it was told.
    told: [AtomicU64; LANES],
    /// The messages that came, once for each actor that they are for. Written with the lanes held.
    messages: AtomicU64,
}

/// The receivers of all lanes.
#[derive(Debug)]
pub(super) struct InboundLanes {
    lanes: [InboundLane; LANES],
    /// The lanes that carried a frame, a bit each.
    used: u64,
}

/// The receiver of a lane.
#[derive(Debug, Default)]
pub(super) struct InboundLane {
    pub(super) inbound: Inbound,
    /// The methods that the peer has numbered.
    pub(super) names: Names,
    /// What has come of a frame in parts.
    pub(super) partial: Partial,
}

/// The numbers of the bits that are set.
pub(super) fn bits(mut mask: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = mask.trailing_zeros();
        mask &= mask.wrapping_sub(1);
        (bit < u64::BITS).then_some(bit)
    })
}

impl Default for InboundLanes {
    fn default() -> Self {
        Self { lanes: std::array::from_fn(|_| InboundLane::default()), used: 0 }
    }
}

impl Default for Receipts {
    fn default() -> Self {
        Self {
            lanes: Mutex::default(),
            delivered: [const { AtomicU64::new(0) }; LANES],
            told: [const { AtomicU64::new(0) }; LANES],
            messages: AtomicU64::new(0),
        }
    }
}

impl InboundLanes {
    /// The receiver of a lane that there is.
    pub(super) fn lane(&mut self, number: u32) -> &mut InboundLane {
        self.used |= 1 << number;
        &mut self.lanes[number as usize]
    }

    /// What the peer is to be told, by lane: what is due, or wherever there is news. Frames that
    /// went its way have told it so much already.
    fn due(&mut self, told: impl Fn(u32) -> u64, all: bool) -> Vec<(u32, u64)> {
        let mut due = Vec::new();
        for lane in bits(self.used) {
            let inbound = &mut self.lanes[lane as usize].inbound;
            inbound.told(told(lane));
            if inbound.is_due() || (all && inbound.has_news()) {
                due.push((lane, inbound.acknowledgement()));
            }
        }
        due
    }

    fn ask_all(&mut self) {
        let inbound = self.lanes.iter_mut().map(|lane| &mut lane.inbound);
        inbound.filter(|inbound| inbound.delivered() > 0).for_each(Inbound::ask);
    }
}

impl Receipts {
    /// The receivers of the lanes. While they are held, no other link brings a frame of any lane.
    #[inline]
    pub(super) fn lanes(&self) -> MutexGuard<'_, InboundLanes> {
        locked(&self.lanes)
    }

    /// As [`Inbound::accept`], or [`Inbound::accept_unhandled`] of what waits; and when the peer is
    /// to be told that everything up to this frame came.
    #[inline]
    pub(super) fn accept(
        &self,
        lane: u32,
        inbound: &mut Inbound,
        (sequence, bytes): (u64, usize),
        waits: bool,
    ) -> Result<(Accepted, Due), LaneError> {
        self.begin(lane, inbound);
        let accepted = match waits {
            true => inbound.accept_unhandled(sequence)?,
            false => inbound.accept(sequence, bytes)?,
        };
        Ok((accepted, self.end(lane, inbound)))
    }

    /// Frames are accepted next, which no frame of ours has acknowledged.
    #[inline]
    pub(super) fn begin(&self, lane: u32, inbound: &mut Inbound) {
        inbound.told(self.told[lane as usize].load(Ordering::Relaxed));
    }

    /// Frames were accepted: when the peer is to be told that everything up to them came.
    #[inline]
    pub(super) fn end(&self, lane: u32, inbound: &Inbound) -> Due {
        self.delivered[lane as usize].store(inbound.last_handled(), Ordering::Relaxed);
        inbound.due()
    }

    /// A message came for so many actors. The lanes are held.
    #[inline]
    pub(super) fn came(&self, actors: usize) {
        let before = self.messages.load(Ordering::Relaxed);
        self.messages.store(before + actors as u64, Ordering::Relaxed);
    }

    /// The messages that came, once for each actor that they are for.
    pub(super) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// A frame of so many bytes that waited has been handled. Returns whether the peer is to be
    /// told.
    pub(super) fn handled(&self, Place { lane, sequence, is_fence }: Place, bytes: usize) -> bool {
        let mut lanes = self.lanes();
        let inbound = &mut lanes.lane(lane).inbound;
        inbound.told(self.told[lane as usize].load(Ordering::Relaxed));
        inbound.handled(sequence, bytes);
        if is_fence {
            inbound.ask();
        }
        self.delivered[lane as usize].store(inbound.last_handled(), Ordering::Relaxed);
        inbound.is_due()
    }

    /// What the peer is told with a frame of ours that goes by this lane.
    pub(super) fn acknowledgement(&self, lane: u32) -> u64 {
        let delivered = self.delivered[lane as usize].load(Ordering::Relaxed);
        let told = &self.told[lane as usize];
        // A load costs less, and it only grows.
        if told.load(Ordering::Relaxed) < delivered {
            told.fetch_max(delivered, Ordering::Relaxed);
        }
        delivered
    }

    /// What the peer is to be told now, by lane, in frames of their own: what is due, or with `all`
    /// wherever there is news.
    pub(super) fn take_due(&self, all: bool) -> Vec<(u32, u64)> {
        let told = |lane: u32| self.told[lane as usize].load(Ordering::Relaxed);
        let due = self.lanes().due(told, all);
        for (lane, due) in &due {
            self.told[*lane as usize].fetch_max(*due, Ordering::Relaxed);
        }
        due
    }

    /// The peer is to get acknowledgements anew, of every lane that carried a frame.
    pub(super) fn ask_all(&self) {
        self.lanes().ask_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_acknowledgement_is_repeated() {
        let mut lanes = InboundLanes::default();
        let inbound = &mut lanes.lane(9).inbound;
        inbound.accept(1, 10).unwrap();
        // A fence, whose sender sends nothing more before it is acknowledged.
        inbound.ask();
        assert_eq!(lanes.due(|_| 0, false), [(9, 1)]);
        assert_eq!(lanes.due(|_| 0, true), []);
        // The link that it went by has broken.
        lanes.ask_all();
        assert_eq!(lanes.due(|_| 0, false), [(9, 1)]);
    }
}
