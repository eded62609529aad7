//! What came by the lanes of a session, and what the peer was told of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use mycelium_link::codec::Names;
use mycelium_link::lane::{Accepted, Due, Inbound, LaneError};

use super::backlog::Place;
use super::locked::locked;
use crate::transport::LANES;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    lanes: Mutex<InboundLanes>,
    /// What the peer is to be told that came, by lane.
    delivered: [AtomicU64; LANES],
    /// What it was told.
    told: [AtomicU64; LANES],
}

/// The receivers of all lanes.
#[derive(Debug, Default)]
pub(super) struct InboundLanes([InboundLane; LANES]);

/// The receiver of a lane.
#[derive(Debug, Default)]
pub(super) struct InboundLane {
    pub(super) inbound: Inbound,
    /// The methods that the peer has numbered.
    pub(super) names: Names,
}

impl InboundLanes {
    /// The receiver of a lane that there is.
    pub(super) fn lane(&mut self, number: u32) -> &mut InboundLane {
        &mut self.0[number as usize]
    }

    /// What the peer is to be told, by lane: what is due, or wherever there is news. Frames that
    /// went its way have told it so much already.
    fn due(
        &mut self,
        told: [u64; LANES],
        all: bool,
        can_be_told: impl Fn(usize) -> bool,
    ) -> [Option<u64>; LANES] {
        std::array::from_fn(|lane| {
            let inbound = &mut self.0[lane].inbound;
            inbound.told(told[lane]);
            let is_due = inbound.is_due() || (all && inbound.has_news());
            (is_due && can_be_told(lane)).then(|| inbound.acknowledgement())
        })
    }

    fn ask_all(&mut self) {
        let inbound = self.0.iter_mut().map(|lane| &mut lane.inbound);
        inbound.filter(|inbound| inbound.delivered() > 0).for_each(Inbound::ask);
    }
}

impl Receipts {
    /// The receivers of the lanes. While they are held, no other link brings a frame of any lane.
    pub(super) fn lanes(&self) -> MutexGuard<'_, InboundLanes> {
        locked(&self.lanes)
    }

    /// As [`Inbound::accept`], or [`Inbound::accept_unhandled`] of what waits; and when the peer is
    /// to be told that everything up to this frame came.
    pub(super) fn accept(
        &self,
        lane: u32,
        inbound: &mut Inbound,
        (sequence, bytes): (u64, usize),
        waits: bool,
    ) -> Result<(Accepted, Due), LaneError> {
        // Before this one, of which no frame of ours has told.
        inbound.told(self.told[lane as usize].load(Ordering::Relaxed));
        let accepted = match waits {
            true => inbound.accept_unhandled(sequence)?,
            false => inbound.accept(sequence, bytes)?,
        };
        self.delivered[lane as usize].store(inbound.last_handled(), Ordering::Relaxed);
        Ok((accepted, inbound.due()))
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
        self.told[lane as usize].fetch_max(delivered, Ordering::Relaxed);
        delivered
    }

    /// What the peer is to be told now, by lane, in frames of their own: what is due, or with `all`
    /// wherever there is news. What `can_be_told` leaves out stays due.
    pub(super) fn take_due(
        &self,
        all: bool,
        can_be_told: impl Fn(usize) -> bool,
    ) -> [Option<u64>; LANES] {
        let told = std::array::from_fn(|lane| self.told[lane].load(Ordering::Relaxed));
        let due = self.lanes().due(told, all, can_be_told);
        for (told, due) in self.told.iter().zip(due) {
            if let Some(due) = due {
                told.fetch_max(due, Ordering::Relaxed);
            }
        }
        due
    }

    /// The peer is to be told anew of every lane by which anything came.
    pub(super) fn ask_all(&self) {
        self.lanes().ask_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_that_nothing_leads_to_stays_due_and_a_lost_one_is_repeated() {
        let mut lanes = InboundLanes::default();
        let inbound = &mut lanes.lane(0).inbound;
        inbound.accept(1, 10).unwrap();
        // A fence, whose sender sends nothing more before it is acknowledged.
        inbound.ask();
        let first = |due: [Option<u64>; LANES]| due[0];
        let told = [0; LANES];
        assert_eq!(first(lanes.due(told, false, |_| false)), None);
        assert_eq!(first(lanes.due(told, false, |_| true)), Some(1));
        assert_eq!(lanes.due(told, true, |_| true), [None; LANES]);
        // The link that it went by has broken.
        lanes.ask_all();
        let mut again = [None; LANES];
        again[0] = Some(1);
        assert_eq!(lanes.due(told, false, |_| true), again);
    }
}
