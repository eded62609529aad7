//! Messages into lanes.

use bytes::{BufMut as _, Bytes};

use super::window::{ASK_EVERY, ASKS, CALLED, Lane, WIDER, WINDOW, most_messages};
use super::{Assigned, COPIED, Lanes, PLACED, Receiver, Recent, SPARSE, number};
use crate::codec::{self, Frame, What};
use crate::malloc_hint;

impl Lanes {
    /// Puts a message into a lane. Its arguments are `args`, and then `tail`, which is not copied
    /// where it is large.
    pub fn message(
        &mut self,
        slot: usize,
        acknowledged: u64,
        what: What<'_>,
        args: (&[u8], &Bytes),
    ) {
        self.put(slot, acknowledged, &what, args);
    }

    #[inline(always)]
    fn put(
        &mut self,
        slot: usize,
        acknowledged: u64,
        what: &What<'_>,
        (args, tail): (&[u8], &Bytes),
    ) {
        if slot <= SPARSE && matches!(what, What::Call { .. } | What::Reply { .. }) {
            self.called = CALLED;
        }
        if tail.is_empty() {
            self.put_pieces(slot, acknowledged, what, ([args, &[]], None));
        } else {
            self.put_with_tail(slot, acknowledged, what, (args, tail));
        }
    }

    #[inline(never)]
    fn put_with_tail(
        &mut self,
        slot: usize,
        acknowledged: u64,
        what: &What<'_>,
        (args, tail): (&[u8], &Bytes),
    ) {
        // A copy costs less than a chunk more.
        let is_placed =
            || tail.len() >= PLACED && self.way.lends.is_some_and(|is_placed| is_placed(tail));
        let pieces = if tail.len() < COPIED && !is_placed() {
            ([args, &tail[..]], None)
        } else {
            malloc_hint::expect_much();
            ([args, &[]], Some(tail.clone()))
        };
        self.put_pieces(slot, acknowledged, what, pieces);
    }

    /// Puts a message into a lane whose arguments are these copies, and then the tail. That is not
    /// empty.
    #[inline(always)]
    fn put_pieces(
        &mut self,
        slot: usize,
        acknowledged: u64,
        what: &What<'_>,
        ([args, copied], tail): ([&[u8]; 2], Option<Bytes>),
    ) {
        let lane = number(self.preference, slot) as u8;
        let (in_frame, in_tail) = (args.len() + copied.len(), tail.as_ref().map_or(0, Bytes::len));
        // The window of what is read in place is wider, and so are the steps in which it is asked.
        let in_window = if self.way.lends.is_some() { in_tail / WIDER } else { in_tail };
        let (is_near, is_called) = (self.way.is_near, self.called > 0);
        let Lane { out, numbers, unasked, asks } = self.lane(slot);
        let had = out.counts();
        let frame = Frame { lane, sequence: out.next_sequence(), acknowledged };
        let room = what.room() + in_frame;
        let open = out.begin_frame(room, in_tail);
        let start = open.len();
        codec::write_framed(frame, what, in_frame + in_tail, numbers, open);
        open.put_slice(args);
        if !copied.is_empty() {
            open.put_slice(copied);
        }
        out.end_frame((room, start), tail);
        let has = out.counts();
        let mut asks_now = false;
        if slot > SPARSE && is_near {
            *unasked = (unasked.0 + in_frame + in_window, unasked.1 + 1);
            let is_many = || unasked.1 >= most_messages(is_called) / ASKS as u64;
            asks_now = unasked.0 >= WINDOW / ASKS || (unasked.0 >= ASK_EVERY && is_many());
            if asks_now {
                *unasked = (0, 0);
                asks.push_back(out.next_sequence());
            }
        }
        self.sums.change(slot, had, has);
        if asks_now {
            self.ask_of(slot);
        }
    }

    #[cold]
    fn ask_of(&mut self, slot: usize) {
        self.push_control(slot, self.ask);
    }

    /// Puts a message to one receiver into the lane that it takes ([`slot_for`](Self::slot_for)),
    /// and [notes](Self::note) it. `acknowledged` is asked with the number of the lane. Returns
    /// whether there is [something to be sent](Self::is_ready).
    #[inline]
    pub fn send(
        &mut self,
        (receiver, is_urgent): (Receiver, bool),
        acknowledged: impl FnOnce(u32) -> u64,
        what: &What<'_>,
        args: (&[u8], &Bytes),
    ) -> bool {
        let size = args.0.len() + args.1.len();
        let slot = self.slot_of(receiver, is_urgent, size);
        let acknowledged = acknowledged(number(self.preference, slot));
        self.send_by(slot, receiver, acknowledged, what, args)
    }

    /// All of it in one function: each call costs a small message a tenth of this one.
    fn send_by(
        &mut self,
        slot: usize,
        receiver: Receiver,
        acknowledged: u64,
        what: &What<'_>,
        args: (&[u8], &Bytes),
    ) -> bool {
        self.put(slot, acknowledged, what, args);
        self.note_last(receiver, slot, args.0.len() + args.1.len());
        self.may_send(slot) || self.others_may_send(slot)
    }

    /// A message of `size` bytes to `receiver` was put into the lane last.
    pub fn note(&mut self, receiver: Receiver, slot: usize, size: usize) {
        self.note_last(receiver, slot, size);
    }

    #[inline(always)]
    fn note_last(&mut self, receiver: Receiver, slot: usize, size: usize) {
        if slot < SPARSE {
            return;
        }
        let way = self.way;
        let lane = self.lane(slot);
        let last = lane.out.last();
        if slot != SPARSE {
            self.assigned.set(receiver, Some(Assigned { slot, last, burst: 0 }));
            return;
        }
        let is_congested = lane.is_congested(way);
        self.recent.0[Recent::bucket(receiver)] = last;
        if is_congested {
            // The numbers of a former lane say nothing of this one.
            let known = self.assigned.get(receiver).filter(|it| it.slot == SPARSE);
            let burst = known.map_or(0, |it| it.burst) + size;
            self.assigned.set(receiver, Some(Assigned { slot, last, burst }));
        } else if !self.assigned.is_empty() {
            self.assigned.set(receiver, None);
        }
    }
}
