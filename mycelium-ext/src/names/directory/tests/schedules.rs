//! Random schedules: what must hold in all of them.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::super::bounds::PAUSE;
use super::model::{NODES, PACE, Told, World};

const NAMES: [&str; 2] = ["a", "b"];
const SINGLETONS: [&str; 2] = ["s", "t"];

#[derive(Debug, Clone)]
enum Op {
    Register(usize, &'static str),
    Release(usize, &'static str),
    Offer(usize, &'static str),
    Withdraw(usize, &'static str),
    EndActor(usize, &'static str),
    Deliver(usize),
    DeliverAll,
    Lose(usize),
    Double(usize),
    Pass(u64),
    Crash(usize),
    Start(usize),
    Notice(usize),
    /// The node takes another one for down that is not.
    Miss(usize, usize),
    Split(u8),
    Heal,
}

fn node() -> std::ops::Range<usize> {
    0..NODES
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&NAMES[..])
}

fn singleton() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&SINGLETONS[..])
}

fn calm_op() -> BoxedStrategy<Op> {
    prop_oneof![
        4 => (node(), name()).prop_map(|(node, name)| Op::Register(node, name)),
        2 => (node(), name()).prop_map(|(node, name)| Op::Release(node, name)),
        3 => (node(), singleton()).prop_map(|(node, name)| Op::Offer(node, name)),
        1 => (node(), singleton()).prop_map(|(node, name)| Op::Withdraw(node, name)),
        1 => (node(), singleton()).prop_map(|(node, name)| Op::EndActor(node, name)),
        16 => any::<usize>().prop_map(Op::Deliver),
        3 => Just(Op::DeliverAll),
        2 => any::<usize>().prop_map(Op::Lose),
        2 => any::<usize>().prop_map(Op::Double),
        5 => (1_u64..400).prop_map(Op::Pass),
        1 => (1..NODES).prop_map(Op::Crash),
        2 => node().prop_map(Op::Start),
        3 => node().prop_map(Op::Notice),
    ]
    .boxed()
}

fn stormy_op() -> BoxedStrategy<Op> {
    prop_oneof![
        20 => calm_op(),
        1 => Just(Op::Crash(0)),
        2 => (node(), node()).prop_map(|(one, other)| Op::Miss(one, other)),
        1 => any::<u8>().prop_map(Op::Split),
        1 => Just(Op::Heal),
    ]
    .boxed()
}

fn run(world: &mut World, op: Op) {
    match op {
        Op::Register(node, name) => drop(world.register(node, name)),
        Op::Release(node, name) => world.release(node, name),
        Op::Offer(node, name) => world.offer(node, name),
        Op::Withdraw(node, name) => {
            world.with(node, |directory, _| directory.withdraw(name));
            world.release(node, name);
        }
        Op::EndActor(node, name) => world.end_actor(node, name),
        Op::Deliver(at) => world.deliver_one(at),
        Op::DeliverAll => world.deliver_all(),
        Op::Lose(at) => world.lose_one(at),
        Op::Double(at) => world.double_one(at),
        Op::Pass(time) => world.pass(Duration::from_millis(time)),
        Op::Crash(node) => world.crash(node),
        Op::Start(node) => world.start(node),
        Op::Notice(node) => world.notice(node),
        Op::Miss(one, other) => {
            let seen: BTreeSet<usize> =
                (0..NODES).filter(|it| *it != other && !world.is_cut(one, *it)).collect();
            world.see(one, &seen);
        }
        Op::Split(mask) => {
            let side = |node: usize| mask >> node & 1;
            let pairs = (0..NODES).flat_map(|one| (one + 1..NODES).map(move |other| (one, other)));
            world.cut = pairs.filter(|(one, other)| side(*one) != side(*other)).collect();
        }
        Op::Heal => world.cut.clear(),
    }
}

/// The network is whole, and all messages arrive.
fn heal(world: &mut World) {
    world.cut.clear();
    world.notice_all();
    world.deliver_all();
    // What was lost is asked for once in a second, and one correction may need another.
    world.calm(4 * (PAUSE + PACE.digest).as_millis() as u32 / 50);
}

/// All nodes know the same, and offered singletons run.
fn check_agreement(world: &World) {
    let known: BTreeSet<_> = world.nodes.keys().map(|place| world.known(*place)).collect();
    assert!(known.len() <= 1, "nodes know different things: {known:#?}");
    for entry in known.iter().flatten() {
        let holder = world.holder(&entry.0).and_then(|place| world.owner(place));
        assert_eq!(holder.as_ref(), Some(&entry.1), "{entry:?} is not held");
    }
    for (place, node) in &world.nodes {
        for name in node.directory.offered() {
            assert!(world.holder(&name).is_some(), "{place} offers {name}, and no node runs it");
        }
    }
}

fn skewed() -> impl Strategy<Value = [u64; NODES]> {
    prop::array::uniform4(prop_oneof![Just(0), 0..10_000_u64, Just(3_600_000)])
}

/// `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.max(800), failure_persistence: None, ..default }
}

proptest! {
    #![proptest_config(config())]

    /// No partition, and no member is taken for down that is not: messages are late, lost and
    /// doubled, nodes crash and start. A name has one holder at most, and its numbers grow. Node 0
    /// does not crash, so that one knows all numbers; clocks do not agree.
    #[test]
    fn one_holder_at_any_time(
        skew in skewed(), ops in prop::collection::vec(calm_op(), 1..150)
    ) {
        let mut world = World::begin(skew);
        for op in ops {
            let is_start = matches!(op, Op::Start(_));
            run(&mut world, op);
            if is_start {
                world.notice_all();
            }
            for name in NAMES.iter().chain(&SINGLETONS) {
                world.holder(name);
            }
        }
        heal(&mut world);
        check_agreement(&world);
        for (name, numbers) in &world.numbers {
            let grows = numbers.windows(2).all(|pair| pair[0] < pair[1]);
            prop_assert!(grows, "the numbers of {} fall: {:?}", name, numbers);
        }
    }

    /// Everything happens, partitions too. Two that have told each other everything never both
    /// have a name. In the end the one with the highest number has it, and the others were told.
    #[test]
    fn one_holder_remains(
        skew in skewed(), ops in prop::collection::vec(stormy_op(), 1..200)
    ) {
        let mut world = World::begin(skew);
        for op in ops {
            run(&mut world, op);
            world.check_pairs();
        }
        // A claim that has ended may still be on its way, and would win.
        world.lose_all();
        let names = || NAMES.iter().chain(&SINGLETONS);
        let before: Vec<_> = names().map(|name| world.holders(name)).collect();
        world.told.clear();
        heal(&mut world);
        check_agreement(&world);
        for (name, before) in names().zip(before) {
            let Some((best, winner)) = before.last_key_value() else { continue };
            prop_assert_eq!(world.holders(name), [(*best, *winner)].into());
            for (_, loser) in before.iter().filter(|(number, _)| *number != best) {
                let lost = |it: &&Told| matches!(
                    it, Told::Lost(node, of, rival)
                        if node == loser && **of == **name && rival.number <= *best
                );
                prop_assert_eq!(world.told.iter().filter(lost).count(), 1);
            }
        }
    }
}
