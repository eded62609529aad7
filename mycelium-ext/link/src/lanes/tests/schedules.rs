//! Random schedules: whatever happens, all comes once and in order.

use proptest::prelude::*;

use super::*;

/// What may happen.
#[derive(Debug, Clone)]
enum Step {
    /// So many messages of a size to a receiver.
    Send(u64, usize, usize),
    /// So many of a size to each of these receivers.
    SendToAll(Vec<u64>, usize, usize),
    /// One of a size to each of so many receivers that were sent nothing before.
    SendToOthers(usize, usize),
    /// One of a size to a receiver that was sent nothing before, and to these.
    SendToAnotherAnd(Vec<u64>, usize),
    Control,
    Last,
    Transmit(usize),
    Carry(usize),
    Acknowledge(bool),
    /// The link breaks; what is under way may have come, up to so many frames.
    Break(usize),
    Fence,
    /// The link stays on the machine, and lends payloads, or does not.
    Way(bool, bool),
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![
        6 => Just(64_usize),
        2 => Just(5_000),
        1 => Just(70_000),
        1 => Just(LARGE_BYTES),
        1 => Just(WHOLE + 1),
    ]
}

/// Receivers, of which 0 is urgent: more than twice as many as there are bulk lanes, so that some
/// share one.
const RECEIVERS: u64 = 8;

/// Several receivers, the first of which chooses the lane.
fn several(of: std::ops::Range<u64>) -> impl Strategy<Value = Vec<u64>> {
    proptest::sample::subsequence(of.collect::<Vec<u64>>(), 2..5).prop_shuffle()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..RECEIVERS, sizes(), 1..300_usize).prop_map(|(to, size, count)| {
            Step::Send(to, size, count.min(1 + (1 << 18) / size))
        }),
        4 => (several(1..RECEIVERS), sizes(), 1..300_usize).prop_map(|(to, size, count)| {
            Step::SendToAll(to, size, count.min(1 + (1 << 18) / size))
        }),
        2 => Just(Step::Control),
        1 => Just(Step::Last),
        4 => (1..8_usize).prop_map(Step::Transmit),
        4 => (0..2_000_usize).prop_map(Step::Carry),
        3 => any::<bool>().prop_map(Step::Acknowledge),
        1 => (0..2_000_usize).prop_map(Step::Break),
        1 => Just(Step::Fence),
        1 => any::<(bool, bool)>().prop_map(|(is_near, lends)| Step::Way(is_near, lends)),
    ];
    proptest::collection::vec(step, 0..60)
}

/// What happens while many that are sent little keep a link congested, some receivers are sent much
/// and share bulk lanes, and join the former in a frame now and then.
fn congested_steps() -> impl Strategy<Value = Vec<Step>> {
    const SIZE: usize = 1_000;
    // Many to a lane: it is busy when all that went to one of them is acknowledged.
    const SHARING: std::ops::Range<u64> = 1..24;
    let step = prop_oneof![
        3 => (SHARING, 9..14_usize).prop_map(|(to, count)| Step::Send(to, SIZE, count)),
        2 => SHARING.prop_map(|to| Step::Send(to, SIZE, 1)),
        4 => (20..80_usize).prop_map(|count| Step::SendToOthers(count, SIZE)),
        4 => several(SHARING).prop_map(|to| Step::SendToAnotherAnd(to, SIZE)),
        4 => (1..3_usize).prop_map(Step::Transmit),
        4 => (1..150_usize).prop_map(Step::Carry),
        4 => Just(Step::Acknowledge(true)),
    ];
    proptest::collection::vec(step, 100..250)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    /// Whatever happens: each receiver gets all of its messages once and in order, and nothing is
    /// kept then.
    #[test]
    fn all_comes_once_and_in_order(steps in steps()) {
        happen(steps);
    }
}

proptest! {
    // Few, since each has many steps.
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// The same, where receivers that share bulk lanes join each other's frames.
    #[test]
    fn all_comes_once_and_in_order_while_a_link_is_congested(steps in congested_steps()) {
        happen(steps);
    }
}

/// Each receiver gets all of its messages once and in order, and nothing is kept then.
fn happen(steps: Vec<Step>) {
    let (mut pair, mut others) = (Pair::default(), 1_000);
    for step in steps {
        match step {
            Step::Send(to, size, count) => (0..count).for_each(|_| pair.send(to, size)),
            Step::SendToAll(to, size, count) => {
                (0..count).for_each(|_| pair.send_to_all(&to, size));
            }
            Step::SendToOthers(count, size) => {
                (0..count).for_each(|_| {
                    others += 1;
                    pair.send(others, size);
                });
            }
            Step::SendToAnotherAnd(mut to, size) => {
                others += 1;
                to.insert(0, others);
                pair.send_to_all(&to, size);
            }
            Step::Control => pair.control(),
            Step::Last => pair.last(),
            Step::Transmit(chunks) => _ = pair.transmit(chunks),
            Step::Carry(frames) => pair.carry(frames),
            Step::Acknowledge(all) => pair.acknowledge(all),
            Step::Break(frames) => {
                pair.carry(frames);
                pair.link.clear();
                pair.lanes.rewind();
            }
            Step::Fence if !pair.lanes.is_fenced() => pair.lanes.fence(),
            Step::Fence => {}
            Step::Way(is_near, lends) => {
                pair.lanes.set_way(Way { is_near, lends: lends.then_some(|_| true) })
            }
        }
        assert_eq!(pair.lanes.sums, pair.lanes.summed());
    }
    pair.finish();
}
