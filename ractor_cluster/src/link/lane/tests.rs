use std::collections::VecDeque;

use bytes::Bytes;
use proptest::prelude::*;

use super::{Accepted, Encoded, Inbound, LaneError, Outbound};

/// A frame that tells its number.
fn frame(sequence: u64) -> Encoded {
    Bytes::copy_from_slice(&sequence.to_be_bytes()).into()
}

fn sequence(frame: &Encoded) -> u64 {
    u64::from_be_bytes(frame.head.as_ref().try_into().unwrap())
}

fn push(out: &mut Outbound) -> u64 {
    let next = out.next_sequence();
    out.push(frame(next), true);
    next
}

#[test]
fn what_is_not_acknowledged_goes_again_in_order() {
    let mut out = Outbound::new(1024);
    for _ in 0..4 {
        push(&mut out);
    }
    let sent: Vec<u64> = std::iter::from_fn(|| out.transmit()).map(|it| sequence(&it)).collect();
    assert_eq!(sent, [1, 2, 3, 4]);
    out.acknowledge(2).unwrap();
    push(&mut out);
    out.rewind().unwrap();
    let again: Vec<u64> = std::iter::from_fn(|| out.transmit()).map(|it| sequence(&it)).collect();
    assert_eq!(again, [3, 4, 5]);
    assert_eq!(out.unacknowledged_messages(), 3);
}

#[test]
fn a_fence_holds_back_what_comes_after_until_it_is_acknowledged() {
    let mut out = Outbound::new(1024);
    push(&mut out);
    push(&mut out);
    out.fence();
    push(&mut out);
    assert_eq!(out.transmit().as_ref().map(sequence), Some(1));
    assert_eq!(out.transmit().as_ref().map(sequence), Some(2));
    assert_eq!(out.transmit(), None);
    out.acknowledge(1).unwrap();
    assert!(out.is_fenced());
    assert_eq!(out.transmit(), None);
    out.acknowledge(2).unwrap();
    assert!(!out.is_fenced());
    assert_eq!(out.transmit().as_ref().map(sequence), Some(3));
}

#[test]
fn a_broken_link_ends_its_fence() {
    let mut out = Outbound::new(1024);
    push(&mut out);
    out.fence();
    push(&mut out);
    while out.transmit().is_some() {}
    out.rewind().unwrap();
    let again: Vec<u64> = std::iter::from_fn(|| out.transmit()).map(|it| sequence(&it)).collect();
    assert_eq!(again, [1, 2]);
}

#[test]
fn the_window_is_bounded_and_says_what_it_gave_up() {
    // Two frames of eight bytes.
    let mut out = Outbound::new(16);
    for _ in 0..5 {
        push(&mut out);
    }
    while out.transmit().is_some() {}
    assert_eq!(out.unacknowledged_messages(), 5);
    assert_eq!(out.rewind(), Err(LaneError::WindowOverflow { oldest: 4, wanted: 1 }));
    out.acknowledge(3).unwrap();
    assert_eq!(out.unacknowledged_messages(), 2);
    out.rewind().unwrap();
    assert_eq!(out.transmit().as_ref().map(sequence), Some(4));
}

#[test]
fn what_was_not_sent_is_never_given_up() {
    let mut out = Outbound::new(0);
    push(&mut out);
    push(&mut out);
    out.rewind().unwrap();
    assert_eq!(out.transmit().as_ref().map(sequence), Some(1));
}

#[test]
fn an_acknowledgement_of_the_unsent_is_refused() {
    let mut out = Outbound::new(1024);
    push(&mut out);
    assert_eq!(out.acknowledge(1), Err(LaneError::Unsent { acknowledged: 1, sent: 0 }));
    out.transmit();
    out.acknowledge(1).unwrap();
    // An older one says nothing new.
    out.acknowledge(0).unwrap();
    assert_eq!(out.unacknowledged_messages(), 0);
}

#[test]
fn an_acknowledgement_may_come_after_the_link_broke() {
    let mut out = Outbound::new(1024);
    for _ in 0..3 {
        push(&mut out);
    }
    while out.transmit().is_some() {}
    out.rewind().unwrap();
    // There is no other link yet, and this came by one that is not the lane's.
    out.acknowledge(2).unwrap();
    assert_eq!(out.transmit().as_ref().map(sequence), Some(3));
    out.acknowledge(3).unwrap();
    assert!(out.is_idle());
}

#[test]
fn a_gap_is_an_error_and_a_duplicate_is_not() {
    let mut inbound = Inbound::default();
    assert_eq!(inbound.accept(1, 0), Ok(Accepted::Deliver));
    assert_eq!(inbound.accept(1, 0), Ok(Accepted::Duplicate));
    assert!(inbound.is_due(), "whoever sends again was not told");
    assert_eq!(inbound.accept(3, 0), Err(LaneError::Gap { expected: 2, found: 3 }));
    assert_eq!(inbound.acknowledgement(), 1);
    assert!(!inbound.is_due());
}

/// What may happen between two ends of a lane.
#[derive(Debug, Clone, Copy)]
enum Step {
    Send,
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
        4 => Just(Step::Send),
        3 => (0..6_u8).prop_map(Step::Carry),
        2 => Just(Step::Acknowledge),
        1 => (0..6_u8, any::<bool>()).prop_map(|(frames, again)| Step::Break(frames, again)),
        1 => Just(Step::Fence),
    ];
    proptest::collection::vec(step, 0..200)
}

/// Both ends, and a link between them.
struct Pair {
    out: Outbound,
    inbound: Inbound,
    link: VecDeque<Encoded>,
    delivered: Vec<u64>,
}

impl Pair {
    fn pump(&mut self) {
        while let Some(frame) = self.out.transmit() {
            self.link.push_back(frame);
        }
    }

    fn carry(&mut self, frames: u8) {
        for _ in 0..frames {
            let Some(frame) = self.link.pop_front() else { return };
            let number = sequence(&frame);
            if self.inbound.accept(number, frame.len()).unwrap() == Accepted::Deliver {
                self.delivered.push(number);
            }
        }
    }

    fn acknowledge(&mut self) {
        self.out.acknowledge(self.inbound.acknowledgement()).unwrap();
        self.pump();
    }
}

proptest! {
    /// Whatever breaks, as long as the window holds: all that was sent comes once and in order.
    #[test]
    fn all_comes_once_and_in_order(steps in steps()) {
        let mut pair = Pair {
            out: Outbound::new(usize::MAX),
            inbound: Inbound::default(),
            link: VecDeque::new(),
            delivered: Vec::new(),
        };
        let mut last = 0;
        for step in steps {
            match step {
                Step::Send => {
                    last = push(&mut pair.out);
                    pair.pump();
                }
                Step::Carry(frames) => pair.carry(frames),
                Step::Acknowledge => pair.acknowledge(),
                Step::Break(frames, again) => {
                    pair.carry(frames);
                    pair.link.clear();
                    pair.out.rewind().unwrap();
                    if again {
                        pair.pump();
                    }
                }
                Step::Fence if !pair.out.is_fenced() => {
                    last = push(&mut pair.out);
                    pair.out.fence();
                    pair.pump();
                }
                Step::Fence => {}
            }
        }
        // A fence may hold back the rest until it is acknowledged.
        while pair.out.unacknowledged_messages() > 0 {
            pair.pump();
            pair.carry(u8::MAX);
            pair.acknowledge();
        }
        prop_assert_eq!(pair.delivered, (1..=last).collect::<Vec<_>>());
    }
}
