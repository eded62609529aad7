//! What is on its way by a link of a machine.

use super::super::window::*;
use super::*;

#[test]
fn on_a_machine_little_of_a_flood_is_on_its_way_and_it_does_not_stop() {
    let mut pair = Pair::default();
    pair.lanes.set_way(NEAR);
    // Several lanes, with messages as large as they may be.
    for number in 0..2_000 {
        (1..10).for_each(|to| pair.send(to, if number % 100 == 0 { LARGE_BYTES - 1 } else { 64 }));
    }
    while !pair.lanes.is_idle() {
        pair.transmit(usize::MAX);
        let way: usize = pair.link.iter().map(|frame| frame.len()).sum();
        // The first message to each, and then what the windows take.
        let bulks = BULKS.len() * (WINDOW + LARGE_BYTES + 64 * 1024);
        assert!(way <= 9 * LARGE_BYTES + CONGESTED + bulks, "{way}");
        pair.carry(usize::MAX);
        // Nothing but what is due, as a receiver does that has nothing else to do.
        pair.acknowledge(pair.lanes.unsent() == 0);
        assert!(way > 0, "it stops: {:?}", pair.lanes);
    }
    pair.finish();
}

/// What a peer reads in place takes no room on the link, and time of the peer where it is copied.
#[test]
fn on_a_machine_few_payloads_are_on_their_way_although_they_are_lent() {
    for size in [64 * 1024, WHOLE] {
        let mut pair = Pair::default();
        pair.lanes.set_way(Way { is_near: true, lends: Some(|_| true) });
        for _ in 0..16 * WHOLE / size {
            pair.send(1, size);
            pair.transmit(usize::MAX);
        }
        let way: usize = pair.link.iter().map(|frame| frame.len()).sum();
        assert!((LENT_WINDOW..=LENT_WINDOW + 2 * WHOLE).contains(&way), "{way}");
        pair.finish();
    }
}

/// What went by a link to another machine waits for no answer on one of this machine.
#[test]
fn a_window_holds_nothing_where_no_answer_is_on_its_way() {
    let mut lanes = Pair::default().lanes;
    let send = |lanes: &mut Lanes| {
        let what = What::Cast { to: 1, method: "tick", metadata: None, trace: None };
        lanes.message(FIRST_BULK, 0, what, (&[], &Bytes::from(vec![7; 8_000])));
        lanes.transmit(|_| true);
    };
    // More than a window, and fewer frames than a peer acknowledges without being asked.
    (0..=WINDOW / 8_000).for_each(|_| send(&mut lanes));
    assert!(lanes.out(FIRST_BULK).unwrap().under_way(false) > WINDOW);
    lanes.set_way(NEAR);
    send(&mut lanes);
    assert_eq!(lanes.unsent(), 0);
    // It holds what comes after a request for an answer.
    (0..=2 * WINDOW / 8_000).for_each(|_| send(&mut lanes));
    assert!(lanes.unsent() > WINDOW / 2);
}

/// The kernel takes all that goes at once, so that nothing ever waits to be sent.
#[test]
fn on_a_machine_a_flood_leaves_the_others_before_the_kernel_has_it() {
    for is_near in [true, false] {
        let mut pair = Pair::default();
        pair.lanes.set_way(Way { is_near, lends: None });
        for _ in 0..20_000 {
            pair.send(1, 64);
            pair.transmit(usize::MAX);
        }
        let way: usize = pair.link.iter().map(|frame| frame.len()).sum();
        assert_eq!(way < 128 * WIDE_MESSAGES as usize, is_near, "{way}");
        pair.finish();
    }
}

/// The messages that a flood has on its way when the peer acknowledges nothing.
fn way_of_a_flood(lanes: &mut Lanes) -> u64 {
    for _ in 0..2 * WIDE_MESSAGES {
        push(lanes, 64);
    }
    lanes.transmit(|_| true);
    lanes.out(FIRST_BULK).unwrap().frames_under_way()
}

fn push(lanes: &mut Lanes, size: usize) {
    let what = What::Cast { to: 1, method: "tick", metadata: None, trace: None };
    lanes.message(FIRST_BULK, 0, what, (&[], &Bytes::from(vec![7; size])));
}

fn acknowledge_all(lanes: &mut Lanes) {
    lanes.set_way(Way::default());
    lanes.transmit(|_| true);
    let last = lanes.out(FIRST_BULK).unwrap().last();
    lanes.acknowledge(FIRST_BULK, last).unwrap();
    assert_eq!(lanes.out(FIRST_BULK).unwrap().frames_under_way(), 0);
    lanes.set_way(NEAR);
}

/// An answer waits behind what is on its way.
#[test]
fn a_call_makes_the_window_of_a_flood_narrow_until_much_has_gone() {
    let call =
        What::Call { to: 2, tag: 1, timeout: None, method: "ask", metadata: None, trace: None };
    let reply = What::Reply { to: 2, tag: 1 };
    let cast = What::Cast { to: 2, method: "ask", metadata: None, trace: None };
    for (what, narrows) in [(call, true), (reply, true), (cast, false)] {
        let mut lanes = Pair::default().lanes;
        lanes.set_way(NEAR);
        lanes.message(SPARSE, 0, what, (&[], &Bytes::new()));
        for has_gone in [false, true] {
            let window = if narrows && !has_gone { NARROW_MESSAGES } else { WIDE_MESSAGES };
            let way = way_of_a_flood(&mut lanes);
            assert!((window..window + 1024).contains(&way), "{what:?}, {has_gone}: {way}");
            (0..=CALLED / WHOLE).for_each(|_| push(&mut lanes, WHOLE));
            acknowledge_all(&mut lanes);
        }
    }
}

/// Few messages take little time, however large they are.
#[test]
fn larger_messages_fill_the_way_although_calls_are_made() {
    let mut lanes = Pair::default().lanes;
    lanes.set_way(NEAR);
    let call =
        What::Call { to: 2, tag: 1, timeout: None, method: "ask", metadata: None, trace: None };
    lanes.message(SPARSE, 0, call, (&[], &Bytes::new()));
    (0..2 * WINDOW / 4096).for_each(|_| push(&mut lanes, 4096));
    lanes.transmit(|_| true);
    let way = lanes.out(FIRST_BULK).unwrap().under_way(false);
    assert!((WINDOW..WINDOW + 64 * 1024).contains(&way), "{way}");
}

/// Each request costs both ends a frame and a wake-up.
#[test]
fn a_lane_asks_four_times_in_a_window_whatever_the_size_of_messages() {
    for (size, messages) in [(64, WIDE_MESSAGES), (4096, (WINDOW / 4096) as u64)] {
        let mut lanes = Pair::default().lanes;
        lanes.set_way(NEAR);
        (0..messages).for_each(|_| push(&mut lanes, size));
        assert_eq!(lanes.slots[FIRST_BULK].as_ref().unwrap().asks.len(), ASKS, "{size} bytes");
    }
}
