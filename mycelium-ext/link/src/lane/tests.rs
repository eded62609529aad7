use std::collections::VecDeque;

use bytes::{BufMut, Bytes};
use proptest::prelude::*;

use super::inbound::ACKNOWLEDGE_FRAMES;
use super::outbound::BLOCK;
use super::{Accepted, Chunk, Due, Inbound, LaneError, Outbound};

/// A frame that tells its number; a message, as far as anybody can see.
fn push(out: &mut Outbound, tail: usize) -> u64 {
    let next = out.next_sequence();
    let write = |out: &mut bytes::BytesMut| {
        // A cast, of lane 0, with two more numbers.
        out.put_slice(&[0, 1, 0, 1, 1]);
        out.put_u64(next);
    };
    out.push(16, write, vec![7; tail].into());
    next
}

fn numbers(chunk: &Chunk) -> Vec<u64> {
    let frames = chunk.frames();
    let told = |frame: &Bytes| u64::from_be_bytes(frame[5..13].try_into().unwrap());
    frames.map(|(number, frame)| (number, told(&frame))).map(same).collect()
}

fn same((number, told): (u64, u64)) -> u64 {
    assert_eq!(number, told);
    number
}

/// All that may go, by number.
fn sent(out: &mut Outbound) -> Vec<u64> {
    std::iter::from_fn(|| out.transmit()).flat_map(|chunk| numbers(&chunk)).collect()
}

#[test]
fn what_is_not_acknowledged_goes_again_in_order() {
    let mut out = Outbound::default();
    (0..4).for_each(|_| _ = push(&mut out, 0));
    assert_eq!(sent(&mut out), [1, 2, 3, 4]);
    // In the middle of a chunk.
    out.acknowledge(2).unwrap();
    push(&mut out, 0);
    out.rewind();
    assert_eq!(sent(&mut out), [3, 4, 5]);
    assert_eq!(out.unacknowledged_messages(), 3);
}

#[test]
fn a_large_end_goes_beside_its_frame_and_again_with_it() {
    let mut out = Outbound::default();
    push(&mut out, 0);
    push(&mut out, 100);
    push(&mut out, 0);
    let first = out.transmit().unwrap();
    assert_eq!((numbers(&first), first.tail.len()), (vec![1, 2], 100));
    assert_eq!(sent(&mut out), [3]);
    out.acknowledge(1).unwrap();
    out.rewind();
    let again = out.transmit().unwrap();
    assert_eq!((numbers(&again), again.tail.len()), (vec![2], 100));
    assert_eq!(sent(&mut out), [3]);
    out.acknowledge(3).unwrap();
    assert_eq!((out.bytes(), out.unsent()), (0, 0));
}

#[test]
fn a_fence_holds_back_what_comes_after_until_it_is_acknowledged() {
    let mut out = Outbound::default();
    push(&mut out, 0);
    push(&mut out, 0);
    out.fence();
    push(&mut out, 0);
    assert_eq!(sent(&mut out), [1, 2]);
    out.acknowledge(1).unwrap();
    assert!(out.is_fenced());
    assert!(sent(&mut out).is_empty());
    out.acknowledge(2).unwrap();
    assert!(!out.is_fenced());
    assert_eq!(sent(&mut out), [3]);
}

#[test]
fn a_broken_link_ends_its_fence() {
    let mut out = Outbound::default();
    push(&mut out, 0);
    out.fence();
    push(&mut out, 0);
    assert_eq!(sent(&mut out), [1]);
    out.rewind();
    assert_eq!(sent(&mut out), [1, 2]);
}

#[test]
fn an_acknowledgement_of_the_unsent_is_refused() {
    let mut out = Outbound::default();
    push(&mut out, 0);
    assert_eq!(out.acknowledge(1), Err(LaneError::Unsent { acknowledged: 1, sent: 0 }));
    assert_eq!(sent(&mut out), [1]);
    out.acknowledge(1).unwrap();
    // An older one says nothing new.
    out.acknowledge(0).unwrap();
    assert_eq!(out.unacknowledged_messages(), 0);
}

#[test]
fn an_acknowledgement_may_come_after_the_link_broke() {
    let mut out = Outbound::default();
    (0..3).for_each(|_| _ = push(&mut out, 0));
    assert_eq!(sent(&mut out), [1, 2, 3]);
    out.rewind();
    // There is no other link yet, and this came by one that is not the lane's.
    out.acknowledge(2).unwrap();
    assert_eq!(sent(&mut out), [3]);
    out.acknowledge(3).unwrap();
    assert!(out.is_idle());
}

#[test]
fn memory_is_used_again_when_what_was_in_it_is_acknowledged() {
    let mut out = Outbound::default();
    let mut blocks = std::collections::HashSet::new();
    for _ in 0..100_000 {
        let last = push(&mut out, 0);
        let chunk = out.transmit().unwrap();
        blocks.insert(chunk.frames.as_ptr() as usize / BLOCK);
        drop(chunk);
        out.acknowledge(last).unwrap();
    }
    assert!(blocks.len() < 8, "{} blocks", blocks.len());
}

#[test]
fn a_gap_is_an_error_and_a_duplicate_is_not() {
    let mut inbound = Inbound::default();
    assert_eq!(inbound.accept(1, 0), Ok(Accepted::Deliver));
    assert_eq!(inbound.accept(1, 0), Ok(Accepted::Duplicate));
    assert!(inbound.is_due(), "the peer that sends again was not told");
    assert_eq!(inbound.accept(3, 0), Err(LaneError::Gap { expected: 2, found: 3 }));
    assert_eq!(inbound.acknowledgement(), 1);
    assert!(!inbound.is_due());
}

#[test]
fn what_a_frame_of_ours_has_told_need_not_be_told_again() {
    let mut inbound = Inbound::default();
    for sequence in 1..=ACKNOWLEDGE_FRAMES {
        inbound.accept(sequence, 1).unwrap();
    }
    assert!(inbound.is_due());
    inbound.told(10);
    assert!(!inbound.is_due());
    assert!(inbound.has_news());
    inbound.told(ACKNOWLEDGE_FRAMES);
    assert!(!inbound.has_news());
}

#[test]
fn much_is_acknowledged_when_no_more_comes_and_very_much_at_once() {
    let after = |frames: u64, bytes| {
        let mut inbound = Inbound::default();
        for sequence in 1..=frames {
            inbound.accept(sequence, bytes).unwrap();
        }
        inbound.due()
    };
    let frames = ACKNOWLEDGE_FRAMES;
    assert_eq!(after(frames - 1, 1), Due::Later);
    assert_eq!(after(frames, 1), Due::WhenIdle);
    assert_eq!(after(8 * frames - 1, 1), Due::WhenIdle);
    assert_eq!(after(8 * frames, 1), Due::Now);
    let bytes = super::ACKNOWLEDGE_BYTES;
    assert_eq!(after(1, bytes - 1), Due::Later);
    assert_eq!(after(1, bytes), Due::WhenIdle);
    assert_eq!(after(8, bytes), Due::Now);
}

#[test]
fn what_a_first_part_promises_takes_no_memory() {
    let mut partial = super::Partial::default();
    let part = |offset, bytes: usize| super::Part {
        sequence: 1,
        total: 1 << 40,
        offset,
        bytes: vec![7; bytes].into(),
    };
    assert_eq!(partial.add(part(0, 10), 1 << 40), Ok(None));
    assert_eq!(partial.add(part(10, 1_000), 1 << 40), Ok(None));
    assert_eq!(partial.held(), 1_010);
    assert!(partial.memory() <= 4 * 1_010, "{}", partial.memory());
}

/// What may happen between two ends of a lane.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// With a tail of so many bytes.
    Send(u8),
    /// What waits is handed to the link.
    Transmit,
    /// The link brings so many frames.
    Carry(u8),
    Acknowledge,
    /// The link breaks: what is under way may have come, up to so many frames, or not. There may be
    /// another one at once, or with the next message.
    Break(u8, bool),
    Fence,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_u8).prop_map(Step::Send),
        3 => Just(Step::Transmit),
        3 => (0..6_u8).prop_map(Step::Carry),
        2 => Just(Step::Acknowledge),
        1 => (0..6_u8, any::<bool>()).prop_map(|(frames, again)| Step::Break(frames, again)),
        1 => Just(Step::Fence),
    ];
    proptest::collection::vec(step, 0..200)
}

/// Both ends, and a link between them.
#[derive(Default)]
struct Pair {
    out: Outbound,
    inbound: Inbound,
    link: VecDeque<u64>,
    delivered: Vec<u64>,
}

impl Pair {
    fn pump(&mut self) {
        self.link.extend(sent(&mut self.out));
    }

    fn carry(&mut self, frames: u8) {
        for _ in 0..frames {
            let Some(number) = self.link.pop_front() else { return };
            if self.inbound.accept(number, 1).unwrap() == Accepted::Deliver {
                self.delivered.push(number);
            }
        }
    }

    fn acknowledge(&mut self) {
        self.out.acknowledge(self.inbound.acknowledgement()).unwrap();
    }
}

#[test]
fn the_third_link_that_breaks_over_the_same_frames_is_the_last() {
    let mut out = Outbound::default();
    push(&mut out, 10);
    for links in 1..=3 {
        assert_eq!(out.stuck(), None, "{links}");
        sent(&mut out);
        out.rewind();
    }
    assert!(matches!(out.stuck(), Some(LaneError::Stuck { frame: 1, .. })));
}

#[test]
fn links_that_take_nothing_or_bring_something_on_are_no_reason_to_give_up() {
    let mut out = Outbound::default();
    push(&mut out, 10);
    // They broke before they were handed anything.
    for _ in 0..5 {
        out.rewind();
    }
    assert_eq!(out.stuck(), None);
    for acknowledged in 1..=5 {
        for _ in 0..2 {
            sent(&mut out);
            out.rewind();
        }
        push(&mut out, 10);
        out.acknowledge(acknowledged).unwrap();
    }
    assert_eq!(out.stuck(), None);
}

proptest! {
    /// Whatever breaks: all that was sent comes once and in order, and nothing is kept then.
    #[test]
    fn all_comes_once_and_in_order(steps in steps()) {
        let mut pair = Pair::default();
        let mut last = 0;
        for step in steps {
            match step {
                Step::Send(tail) => last = push(&mut pair.out, usize::from(tail)),
                Step::Transmit => pair.pump(),
                Step::Carry(frames) => pair.carry(frames),
                Step::Acknowledge => pair.acknowledge(),
                Step::Break(frames, again) => {
                    pair.carry(frames);
                    pair.link.clear();
                    pair.out.rewind();
                    if again {
                        pair.pump();
                    }
                }
                Step::Fence if !pair.out.is_fenced() => {
                    last = push(&mut pair.out, 0);
                    pair.out.fence();
                }
                Step::Fence => {}
            }
            let unacknowledged = last - pair.out.acknowledged();
            prop_assert_eq!(pair.out.unacknowledged_messages() as u64, unacknowledged);
        }
        // A fence may hold back the rest until it is acknowledged.
        while pair.out.unacknowledged_messages() > 0 {
            pair.pump();
            pair.carry(u8::MAX);
            pair.acknowledge();
        }
        prop_assert_eq!(pair.delivered, (1..=last).collect::<Vec<_>>());
        prop_assert_eq!((pair.out.bytes(), pair.out.unsent()), (0, 0));
        prop_assert!(pair.out.is_idle());
    }
}
