#[path = "tests/schedules.rs"]
mod schedules;
#[path = "tests/windows.rs"]
mod windows;

use std::collections::{HashMap, VecDeque};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::*;
use crate::codec::{self, Kind, Names, What};
use crate::lane::Counts;
use crate::lane::{Accepted, Inbound, Partial};

/// Words from here on are of frames that come last.
const LASTS: u64 = 1 << 32;
/// The largest frame that the receiver takes.
const MOST: usize = 4 << 20;

/// What asks for an acknowledgement, and what control is: its lane, its number, and a word.
fn control(lane: u32, sequence: u64, word: u64) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(9);
    [u64::from(lane), sequence, word].into_iter().for_each(|it| frame.put_u64(it));
    frame.freeze()
}

fn ask(lane: u32, sequence: u64) -> Bytes {
    control(lane, sequence, u64::MAX)
}

/// What the other end has of a lane.
#[derive(Default)]
struct Incoming {
    inbound: Inbound,
    names: Names,
    partial: Partial,
}

/// Both ends, and the link between them.
struct Pair {
    lanes: Lanes,
    link: VecDeque<Bytes>,
    incoming: HashMap<u32, Incoming>,
    /// The numbers of messages to each receiver: the last one sent, and those that have come.
    sent: HashMap<u64, u64>,
    came: HashMap<u64, Vec<u64>>,
    controls: (u64, Vec<u64>),
    /// What had been sent before each frame that comes last.
    lasts: Vec<HashMap<u64, u64>>,
    lasts_came: Vec<u64>,
    /// The numbers of messages that went to several receivers, by receiver.
    of_many: HashMap<u64, Vec<u64>>,
    /// Their frames.
    frames: usize,
    /// Whether a writer has been told that there is something to be sent.
    noted: bool,
    /// Frames that came in more than one part.
    in_parts: usize,
}

impl Default for Pair {
    fn default() -> Self {
        Self {
            lanes: Lanes::new(0, true, ask),
            link: VecDeque::new(),
            incoming: HashMap::new(),
            sent: HashMap::new(),
            came: HashMap::new(),
            controls: (0, Vec::new()),
            lasts: Vec::new(),
            lasts_came: Vec::new(),
            of_many: HashMap::new(),
            frames: 0,
            noted: false,
            in_parts: 0,
        }
    }
}

impl Pair {
    /// Sends the next message to a receiver. Number 0 is urgent.
    fn send(&mut self, to: u64, size: usize) {
        let number = self.sent.entry(to).or_default();
        *number += 1;
        let (args, tail) = (number.to_be_bytes(), Bytes::from(vec![*number as u8; size]));
        let what = What::Cast { to, method: "tick", metadata: None, trace: None };
        let receiver = Receiver::Actor(to);
        let is_urgent = to == 0;
        self.noted |= self.lanes.send((receiver, is_urgent), |_| 0, &what, (&args, &tail));
    }

    /// Sends the next message to several receivers, none of them urgent: in as few frames as it
    /// takes.
    fn send_to_all(&mut self, to: &[u64], size: usize) {
        let mut left = to.to_vec();
        while let Some(first) = left.first().copied() {
            let slot = self.lanes.slot_for(Receiver::Actor(first), false, size);
            let join = |to: &u64| self.lanes.join(Receiver::Actor(*to), slot, size);
            let (now, later): (Vec<u64>, Vec<u64>) = left.iter().copied().partition(join);
            assert!(now.contains(&first), "a message without its receiver");
            left = later;
            // One payload for all: it has no number of a receiver.
            let what = What::Many { to: &now, method: "tick", metadata: None, trace: None };
            self.lanes.message(slot, 0, what, (&[], &Bytes::from(vec![7; size])));
            self.noted |= self.lanes.is_ready(slot);
            for to in now {
                self.lanes.note(Receiver::Actor(to), slot, size);
                let sent = self.sent.entry(to).or_default();
                *sent += 1;
                let sent = *sent;
                self.of_many.entry(to).or_default().push(sent);
            }
            self.frames += 1;
        }
    }

    fn control(&mut self) {
        self.controls.0 += 1;
        let word = self.controls.0;
        self.lanes.control(|lane, sequence| control(lane, sequence, word));
        self.noted = true;
    }

    /// The end of an actor.
    fn last(&mut self) {
        let word = LASTS + self.lasts.len() as u64;
        self.lasts.push(self.sent.clone());
        self.lanes.last(|lane, sequence| control(lane, sequence, word));
        self.noted = true;
    }

    /// Hands up to so many chunks to the link.
    fn transmit(&mut self, chunks: usize) -> usize {
        let (mut count, link) = (0, &mut self.link);
        if chunks > 0 {
            self.lanes.transmit(|chunk| {
                let mut bytes = BytesMut::from(&chunk.frames[..]);
                bytes.put_slice(&chunk.tail);
                let mut bytes = bytes.freeze();
                while !bytes.is_empty() {
                    let length = usize::try_from(bytes.get_u64()).unwrap();
                    link.push_back(bytes.split_to(length));
                }
                count += 1;
                count < chunks
            });
        }
        // A writer goes on until it gets nothing more.
        self.noted |= count == chunks && count > 0;
        count
    }

    fn carry(&mut self, frames: usize) {
        for _ in 0..frames {
            let Some(frame) = self.link.pop_front() else { return };
            self.receive(frame);
        }
    }

    fn receive(&mut self, frame: Bytes) {
        let Some(mut head) = codec::head(&frame).unwrap() else {
            let numbers =
                [1, 9, 17].map(|at| u64::from_be_bytes(frame[at..at + 8].try_into().unwrap()));
            let [lane, sequence, word] = numbers;
            let incoming = self.incoming.entry(lane as u32).or_default();
            if incoming.inbound.accept(sequence, frame.len()).unwrap() == Accepted::Deliver {
                match word {
                    u64::MAX => incoming.inbound.ask(),
                    LASTS.. => {
                        let before = &self.lasts[(word - LASTS) as usize];
                        for (to, sent) in before {
                            assert_eq!(self.came[to].last().max(Some(sent)), self.came[to].last());
                        }
                        self.lasts_came.push(word - LASTS);
                    }
                    word => self.controls.1.push(word),
                }
            }
            return;
        };
        let incoming = self.incoming.entry(u32::from(head.lane)).or_default();
        let mut frame = frame;
        if head.is_part() {
            let (_, slot) = parse(u32::from(head.lane)).unwrap();
            assert_eq!(slot, LARGE);
            if head.sequence <= incoming.inbound.delivered() {
                return;
            }
            let Some(whole) = incoming.partial.add(head.part(frame).unwrap(), MOST).unwrap() else {
                self.in_parts += 1;
                return;
            };
            let part = head;
            head = codec::head(&whole).unwrap().unwrap();
            assert_eq!((head.lane, head.sequence), (part.lane, part.sequence));
            frame = whole;
        }
        if incoming.inbound.accept(head.sequence, frame.len()).unwrap() == Accepted::Deliver {
            let message = head.message((frame, Bytes::new()), &mut incoming.names).unwrap();
            let to = match message.kind {
                Kind::Cast { to, .. } => to,
                Kind::Many { to, .. } => {
                    // Its number is the next one of each, if no other came too early or too late.
                    for to in to {
                        let came = self.came.entry(to).or_default();
                        let number = came.last().copied().unwrap_or_default() + 1;
                        assert!(self.of_many[&to].contains(&number), "{number} to {to}");
                        came.push(number);
                    }
                    return;
                }
                kind => panic!("{kind:?}"),
            };
            let mut args = message.args;
            let number = args.get_u64();
            assert!(args.iter().all(|byte| *byte == number as u8));
            self.came.entry(to).or_default().push(number);
        }
    }

    /// The other end acknowledges what it has to, or all.
    fn acknowledge(&mut self, all: bool) {
        for (lane, incoming) in &mut self.incoming {
            if all || incoming.inbound.is_due() {
                let (_, slot) = parse(*lane).unwrap();
                let acknowledged = incoming.inbound.acknowledgement();
                self.noted |= self.lanes.acknowledge(slot, acknowledged).unwrap();
            }
        }
    }

    fn finish(&mut self) {
        let mut rounds = 0;
        while !self.lanes.is_idle() {
            // A writer looks when it is told to, and at nothing else.
            if std::mem::take(&mut self.noted) {
                self.transmit(usize::MAX);
            }
            self.carry(usize::MAX);
            // What nothing waits for is acknowledged with something that goes its way.
            self.acknowledge(rounds % 2 == 1);
            rounds += 1;
            assert!(rounds < 100, "something waits for ever: {:?}", self.lanes);
        }
        for (to, sent) in &self.sent {
            assert_eq!(self.came.get(to), Some(&(1..=*sent).collect()), "to {to}");
        }
        assert_eq!(self.controls.1, (1..=self.controls.0).collect::<Vec<_>>());
        assert_eq!(self.lasts_came, (0..self.lasts.len() as u64).collect::<Vec<_>>());
        assert_eq!((self.lanes.bytes(), self.lanes.unsent()), (0, 0));
        assert!(self.lanes.assigned.is_empty(), "{:?}", self.lanes.assigned);
    }
}

const NEAR: Way = Way { is_near: true, lends: None };

impl Lanes {
    /// The sums, from each lane by itself.
    fn summed(&self) -> Sums {
        let mut sums = Sums::default();
        for (slot, lane) in self.lanes() {
            let Counts { bytes, unsent, unsent_tails } = lane.out.counts();
            sums.all += bytes;
            sums.few += if [CONTROL, URGENT, SPARSE].contains(&slot) { bytes } else { 0 };
            sums.unsent += unsent;
            sums.unsent_tails += unsent_tails;
        }
        sums
    }
}

/// How many chunks go before one that brings a message to `to`, or a control frame for `None`.
fn chunks_before(pair: &mut Pair, to: Option<u64>) -> usize {
    let seen = |pair: &Pair| match to {
        Some(to) => pair.came.get(&to).map_or(0, Vec::len),
        None => pair.controls.1.len(),
    };
    let before = seen(pair);
    for chunks in 0.. {
        assert!(pair.transmit(1) == 1, "it never goes");
        pair.carry(usize::MAX);
        pair.acknowledge(false);
        if seen(pair) > before {
            return chunks;
        }
    }
    unreachable!("it goes on for ever")
}

fn flood(pair: &mut Pair, to: std::ops::Range<u64>, messages: usize) {
    for _ in 0..messages {
        to.clone().for_each(|to| pair.send(to, 64));
    }
    assert!(pair.lanes.unsent() > 16 * CONGESTED);
}

/// The chunks of a lane that was sent one payload, and what is to be written for them.
fn sent(way: Way, payload: &Bytes) -> (Vec<Chunk>, usize) {
    let mut lanes = Lanes::new(0, true, |_, _| Bytes::from_static(b"ask"));
    lanes.set_way(way);
    let what = What::Cast { to: 1, method: "tick", metadata: None, trace: None };
    lanes.message(SPARSE, 0, what, (&[], payload));
    let unwritten = lanes.unwritten();
    let mut chunks = Vec::new();
    lanes.transmit(|chunk| {
        chunks.push(chunk);
        true
    });
    assert_eq!(lanes.unwritten(), 0);
    lanes.rewind();
    assert_eq!(lanes.unwritten(), unwritten, "it is to be written again");
    (chunks, unwritten)
}

#[test]
fn a_payload_is_copied_where_that_costs_less_than_to_describe_it() {
    let nowhere: Way = Way { is_near: true, lends: Some(|_| false) };
    let placed: Way = Way { is_near: true, lends: Some(|_| true) };
    let [tiny, small, large] = [PLACED - 1, PLACED, COPIED].map(|it| Bytes::from(vec![1; it]));
    for (way, payload, stays) in [
        (NEAR, &small, false),
        (NEAR, &large, true),
        (nowhere, &small, false),
        (nowhere, &large, true),
        (placed, &tiny, false),
        (placed, &small, true),
        (placed, &large, true),
    ] {
        let (chunks, unwritten) = sent(way, payload);
        let [chunk] = &chunks[..] else { panic!("{} chunks", chunks.len()) };
        let case = format!("{way:?} {}", payload.len());
        assert_eq!(chunk.tail.len(), if stays { payload.len() } else { 0 }, "{case}");
        let all = chunk.frames.len() + chunk.tail.len();
        let described = if way.lends.is_some() { chunk.tail.len() / HELD * (HELD - 1) } else { 0 };
        assert_eq!(unwritten, all - described, "{case}");
    }
}

#[test]
fn a_message_to_another_actor_waits_for_two_chunks_and_not_for_a_flood() {
    let mut pair = Pair::default();
    // To more actors than there are lanes for them.
    flood(&mut pair, 1..10, 2_000);
    // Some of it has gone.
    pair.transmit(4);
    pair.carry(usize::MAX);
    pair.acknowledge(false);
    pair.send(100, 64);
    let before = chunks_before(&mut pair, Some(100));
    assert!(before <= 2 * CONGESTED.div_ceil(64 * 1024) + 1, "{before} chunks");
    pair.finish();
}

#[test]
fn a_flood_to_a_group_stays_one_frame_for_all() {
    let mut pair = Pair::default();
    let readers: Vec<u64> = (1..=100).collect();
    for _ in 0..2_000 {
        pair.send_to_all(&readers, 700);
    }
    assert!(pair.lanes.unsent() > 16 * CONGESTED);
    // Few more than messages: when the readers change their lane.
    assert!(pair.frames < 2_000 + 200, "{} frames", pair.frames);
    pair.finish();
}

#[test]
fn a_receiver_that_joins_others_leaves_the_lane_that_it_had() {
    let mut pair = Pair::default();
    let one = Receiver::Actor(1);
    // All that went to it by that lane is acknowledged, and others keep the lane busy.
    let idle = Assigned { slot: FIRST_BULK, last: 0, burst: 0 };
    pair.lanes.assigned.set(one, Some(idle));
    for _ in 0..60 {
        (100..120).for_each(|to| pair.send(to, 64));
    }
    assert!(pair.lanes.unsent() >= CONGESTED);
    pair.send_to_all(&[50, 1], 64);
    assert_eq!(pair.lanes.assigned.get(one).map(|it| it.slot), Some(SPARSE));
    pair.finish();
}

#[test]
fn control_and_urgent_messages_wait_for_nothing() {
    let mut pair = Pair::default();
    flood(&mut pair, 1..2, 20_000);
    pair.send(0, 64);
    assert_eq!(chunks_before(&mut pair, Some(0)), 0);
    pair.control();
    assert_eq!(chunks_before(&mut pair, None), 0);
    pair.finish();
}

#[test]
fn small_messages_go_between_the_parts_of_a_large_one() {
    let mut pair = Pair::default();
    pair.send(1, 3 << 20);
    assert_eq!(pair.transmit(1), 1);
    pair.send(2, 64);
    assert_eq!(chunks_before(&mut pair, Some(2)), 0);
    assert!(!pair.came.contains_key(&1), "it is on its way");
    pair.send(1, 64);
    pair.finish();
    assert!(pair.in_parts > 10);
}

#[test]
fn a_large_message_goes_whole_where_no_other_waits() {
    let mut pair = Pair::default();
    pair.send(1, WHOLE - 100);
    pair.finish();
    assert_eq!(pair.in_parts, 0);
    // These take more than one turn.
    (2..5).for_each(|to| pair.send(to, 60_000));
    pair.send(1, WHOLE - 100);
    pair.finish();
    assert!(pair.in_parts > 0);
}

#[test]
fn a_flood_that_is_over_gives_its_actor_the_first_lane_back() {
    let mut pair = Pair::default();
    flood(&mut pair, 1..2, 20_000);
    let assigned = pair.lanes.assigned.get(Receiver::Actor(1));
    assert_eq!(assigned.map(|it| it.slot), Some(FIRST_BULK));
    pair.finish();
    assert_eq!(pair.lanes.slot_for(Receiver::Actor(1), false, 64), SPARSE);
}

#[test]
fn a_peer_without_slots_gets_all_by_one_lane_and_whole() {
    let mut pair = Pair { lanes: Lanes::new(4, false, ask), ..Pair::default() };
    pair.send(0, 64);
    pair.send(1, 3 << 20);
    pair.control();
    flood(&mut pair, 1..4, 10_000);
    pair.finish();
    assert_eq!(pair.incoming.keys().collect::<Vec<_>>(), [&4]);
    assert_eq!(pair.in_parts, 0);
}

#[test]
fn during_a_fence_nothing_new_goes_by_any_lane() {
    let mut pair = Pair::default();
    pair.send(1, 64);
    pair.lanes.fence();
    pair.send(2, 3 << 20);
    pair.control();
    pair.transmit(usize::MAX);
    pair.carry(usize::MAX);
    assert_eq!((pair.came.get(&2), pair.controls.1.len()), (None, 0));
    assert!(pair.lanes.is_fenced());
    pair.acknowledge(false);
    assert!(!pair.lanes.is_fenced());
    pair.finish();
}

#[test]
fn the_end_of_an_actor_comes_behind_what_was_sent_before_and_not_behind_more() {
    let mut pair = Pair::default();
    flood(&mut pair, 1..2, 20_000);
    pair.send(2, 3 << 20);
    pair.last();
    flood(&mut pair, 1..2, 20_000);
    while pair.lasts_came.is_empty() {
        pair.transmit(1);
        pair.carry(usize::MAX);
        pair.acknowledge(false);
    }
    let before = pair.came[&1].len();
    assert!((20_000..40_000).contains(&before), "{before}");
    pair.finish();
}

#[test]
fn there_is_one_request_on_its_way_at_a_time() {
    let mut pair = Pair::default();
    for _ in 0..400 {
        pair.send(1, 64);
        pair.last();
    }
    assert_eq!(pair.lanes.out(SPARSE).unwrap().last(), 401);
    pair.finish();
}

/// The writer of a link that takes all at once sleeps in between, and is told of each request.
#[test]
fn nothing_waits_for_a_request_that_no_writer_was_told_of() {
    for to in [1, 3] {
        let mut pair = Pair::default();
        pair.lanes.set_way(NEAR);
        for number in 0..5_000 {
            pair.send(1 + number % to, 600);
            if std::mem::take(&mut pair.noted) {
                pair.transmit(usize::MAX);
            }
        }
        // Nothing is acknowledged but what is due, and that at once.
        while pair.noted || !pair.link.is_empty() {
            if std::mem::take(&mut pair.noted) {
                pair.transmit(usize::MAX);
            }
            pair.carry(1);
            pair.acknowledge(false);
        }
        assert_eq!(pair.lanes.unsent(), 0, "something waits: {:?}", pair.lanes);
        pair.finish();
    }
}

#[test]
fn a_request_is_made_again_for_what_came_after_it() {
    let mut pair = Pair::default();
    pair.send(1, 64);
    pair.last();
    pair.transmit(usize::MAX);
    pair.send(1, 64);
    pair.last();
    // The peer acknowledges nothing but what it is asked for.
    for _ in 0..3 {
        pair.carry(usize::MAX);
        pair.acknowledge(false);
        pair.transmit(usize::MAX);
    }
    pair.carry(usize::MAX);
    assert_eq!(pair.lasts_came, [0, 1]);
    pair.finish();
}

#[test]
fn at_the_end_all_goes_in_order_without_an_acknowledgement() {
    let mut pair = Pair::default();
    pair.lanes.set_way(NEAR);
    flood(&mut pair, 1..4, 10_000);
    pair.send(1, 3 << 20);
    pair.last();
    pair.transmit(3);
    pair.lanes.finish();
    pair.transmit(usize::MAX);
    assert_eq!(pair.lanes.unsent(), 0);
    pair.carry(usize::MAX);
    assert_eq!(pair.lasts_came, [0]);
    pair.finish();
}

#[test]
fn lanes_have_numbers_both_ways() {
    for lane in 0..LANES as u32 {
        let (preference, slot) = parse(lane).unwrap();
        assert_eq!(number(preference, slot), lane);
    }
    assert_eq!(parse(LANES as u32), Err(LaneError::UnknownLane(LANES as u32)));
    // As it was when a preference had one lane.
    assert_eq!(number(6, CONTROL), 6);
}
