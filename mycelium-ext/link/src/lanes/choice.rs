//! Which lane a message takes, and what it waits for there.

use super::{
    Assigned, BULKS, CONTROL, FIRST_BULK, LARGE, LARGE_BYTES, Lanes, Outbound, QUANTUM, Receiver,
    Recent, SPARSE, URGENT,
};

impl Lanes {
    /// Has a receiver get the same frame as others that take this slot, if that keeps its order and
    /// its place: one that is sent little does not wait for those that are sent much. Returns
    /// whether it does.
    pub fn join(&mut self, receiver: Receiver, slot: usize, size: usize) -> bool {
        if slot <= URGENT {
            return true;
        }
        if slot == LARGE {
            self.assign(receiver, LARGE);
            return true;
        }
        match self.assigned.find(receiver) {
            // Also one that has just got its lane, and nothing by it yet.
            Some(it) if it.slot == slot => true,
            Some(it) if it.slot > SPARSE && self.is_under_way(&it) => false,
            Some(it) if slot > SPARSE && it.slot == SPARSE && self.is_too_much(&it, size) => {
                self.assign(receiver, slot);
                true
            }
            _ => slot == SPARSE,
        }
    }

    /// Whether a receiver loses its place among those that are sent little.
    #[inline]
    fn is_too_much(&self, assigned: &Assigned, size: usize) -> bool {
        assigned.burst + size > QUANTUM
            && self.slots[SPARSE].as_ref().is_some_and(|lane| lane.is_congested(self.way))
    }

    #[inline]
    fn is_under_way(&self, assigned: &Assigned) -> bool {
        self.out(assigned.slot).is_some_and(|out| out.acknowledged() < assigned.last)
    }

    /// The slot that a message of `size` bytes to a receiver takes. Others that take the same are
    /// [noted](Self::note) as well.
    pub fn slot_for(&mut self, receiver: Receiver, is_urgent: bool, size: usize) -> usize {
        self.slot_of(receiver, is_urgent, size)
    }

    /// The same, without a call.
    #[inline]
    pub(super) fn slot_of(&mut self, receiver: Receiver, is_urgent: bool, size: usize) -> usize {
        if !self.has_slots {
            return CONTROL;
        }
        if is_urgent {
            return URGENT;
        }
        if size >= LARGE_BYTES {
            return self.assign(receiver, LARGE);
        }
        match self.assigned.find(receiver) {
            None => SPARSE,
            Some(it) if it.slot == SPARSE && self.is_too_much(&it, size) => {
                self.assign(receiver, self.least_bulk())
            }
            Some(it) if it.slot == SPARSE || self.is_under_way(&it) => it.slot,
            Some(_) => {
                self.assigned.set(receiver, None);
                SPARSE
            }
        }
    }

    /// The bulk lane that keeps the least.
    fn least_bulk(&self) -> usize {
        let bytes = |slot: &usize| self.out(*slot).map_or(0, Outbound::bytes);
        BULKS.min_by_key(bytes).unwrap_or(FIRST_BULK)
    }

    /// Has a receiver take another lane: what goes by that is held until the peer has what went to
    /// it before.
    fn assign(&mut self, receiver: Receiver, to: usize) -> usize {
        let (from, last) = match self.assigned.find(receiver) {
            Some(it) if it.slot == to => return to,
            Some(it) if it.slot != SPARSE => (it.slot, it.last),
            _ => (SPARSE, self.recent.0[Recent::bucket(receiver)]),
        };
        self.assigned.set(receiver, Some(Assigned { slot: to, last: 0, burst: 0 }));
        self.hold(to, from, last);
        to
    }

    /// What is pushed into the lane `slot` from here on waits until the peer has the frame `last`
    /// of the lane `from`.
    pub(super) fn hold(&mut self, slot: usize, from: usize, last: u64) {
        if self.out(from).is_some_and(|out| out.acknowledged() < last) {
            self.wanted[from] = last.max(self.wanted[from]);
            self.ask(from);
            self.lane(slot).out.hold(from, last);
        }
    }

    /// Has the peer acknowledge at once what is wanted of a lane, if it is not asked already: there
    /// is one request on its way at a time. Returns whether it does.
    pub(super) fn ask(&mut self, slot: usize) -> bool {
        let acknowledged = self.out(slot).map_or(0, Outbound::acknowledged);
        let asks = self.wanted[slot] > acknowledged && self.asked[slot] <= acknowledged;
        if asks {
            self.push_control(slot, self.ask);
            self.asked[slot] = self.lane(slot).out.last();
        }
        asks
    }

    /// Whether a receiver is not on the lane of those that are sent little. To a peer that takes
    /// one lane, all are.
    pub fn is_sent_much(&self, receiver: Receiver) -> bool {
        !self.has_slots
            || self
                .assigned
                .get(receiver)
                .is_some_and(|it| it.slot != SPARSE && self.is_under_way(&it))
    }
}
