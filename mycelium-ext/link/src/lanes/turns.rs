//! What a link takes next: lanes in turns.

use super::{
    BULKS, CONTROL, Chunk, FIRST_BULK, LARGE, LAST, Lanes, Outbound, PART, Parts, SLOTS, SPARSE,
    URGENT, WHOLE, number,
};

impl Lanes {
    /// The session ends, and its links with it: all that there is goes before, without waiting for
    /// the peer.
    pub fn finish(&mut self) {
        self.is_last = true;
    }

    /// Hands what is to be sent to `take`, lane by lane in turns, as long as that wants more.
    pub fn transmit(&mut self, mut take: impl FnMut(Chunk) -> bool) {
        let fenced = self.is_fenced();
        self.may_go =
            std::array::from_fn(|slot| !fenced || self.out(slot).is_some_and(Outbound::is_fenced));
        if self.is_last {
            // Each is sent behind those that it may wait for.
            for slot in [CONTROL, URGENT, SPARSE].into_iter().chain(BULKS).chain([LARGE, LAST]) {
                let Some(lane) = &mut self.slots[slot] else { continue };
                lane.out.release(&[u64::MAX; SLOTS]);
                while let Some(chunk) = self.change(slot, |lane| lane.out.transmit()).flatten() {
                    if !take(chunk) {
                        return;
                    }
                }
            }
            return;
        }
        for slot in [CONTROL, URGENT, LAST] {
            while let Some(chunk) = self.transmit_of(slot, None) {
                if !take(chunk) {
                    return;
                }
            }
        }
        while let Some(chunk) = self.next() {
            if !take(chunk) {
                return;
            }
        }
    }

    /// The next chunk of those lanes that take turns.
    fn next(&mut self) -> Option<Chunk> {
        if std::mem::take(&mut self.bulk_is_next) {
            return self.next_of_bulk().or_else(|| self.transmit_of(SPARSE, None));
        }
        let sparse = self.transmit_of(SPARSE, None);
        self.bulk_is_next = sparse.is_some();
        sparse.or_else(|| self.next_of_bulk())
    }

    fn transmit_of(&mut self, slot: usize, parts: Option<Parts>) -> Option<Chunk> {
        let lane = self.slots[slot].as_deref().filter(|_| self.may_go[slot])?;
        if slot > SPARSE && lane.is_full(slot, self.way, self.called > 0) {
            return None;
        }
        let chunk = self.change(slot, |lane| lane.out.transmit_parts(parts)).flatten();
        if slot > SPARSE {
            self.called -= self.called.min(chunk.as_ref().map_or(0, Chunk::len));
        }
        chunk
    }

    /// Whether there is something to be sent after a push into a lane, as far as the lanes know:
    /// what was pushed, or what was asked of another lane for it. An acknowledgement changes it
    /// otherwise.
    pub fn is_ready(&self, slot: usize) -> bool {
        self.may_send(slot) || self.others_may_send(slot)
    }

    #[inline(never)]
    pub(super) fn others_may_send(&self, slot: usize) -> bool {
        // Most often nothing waits there.
        let unsent = self.out(slot).map_or(0, Outbound::unsent);
        self.unsent() > unsent && (0..SLOTS).any(|other| other != slot && self.has_to_send(other))
    }

    /// Whether nothing holds a lane back.
    #[inline(always)]
    pub(super) fn may_send(&self, slot: usize) -> bool {
        slot <= SPARSE
            || self.slots[slot].as_ref().is_some_and(|lane| {
                !(lane.out.is_held() || lane.is_full(slot, self.way, self.called > 0))
            })
    }

    fn has_to_send(&self, slot: usize) -> bool {
        self.out(slot).is_some_and(|out| out.unsent() > 0) && self.may_send(slot)
    }

    fn next_of_bulk(&mut self) -> Option<Chunk> {
        const COUNT: usize = SLOTS - FIRST_BULK;
        for turn in 0..COUNT {
            let slot = FIRST_BULK + (self.next_bulk - FIRST_BULK + turn) % COUNT;
            if slot == LAST {
                continue;
            }
            let parts = (slot == LARGE).then(|| Parts {
                lane: number(self.preference, slot) as u8,
                size: PART,
                whole: match self.way.lends.is_some() {
                    true => usize::MAX,
                    false if self.others_wait(slot) => PART,
                    false => WHOLE,
                },
            });
            if let Some(chunk) = self.transmit_of(slot, parts) {
                self.next_bulk = FIRST_BULK + (slot + 1 - FIRST_BULK) % COUNT;
                return Some(chunk);
            }
        }
        None
    }

    fn others_wait(&self, but: usize) -> bool {
        self.lanes().any(|(slot, lane)| slot != but && lane.out.unsent() > 0)
    }
}
