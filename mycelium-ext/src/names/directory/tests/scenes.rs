//! What happens, step by step.

use std::sync::Arc;
use std::time::Duration;

use super::super::bounds::PAUSE;
use super::super::*;
use super::model::{PACE, REST, Told, World, place_of};

#[test]
fn a_name_is_known_to_all_and_free_again_when_its_holder_ends() {
    let mut world = World::of(3);
    assert_eq!(world.register(1, "a"), Some(Ok(())));
    world.deliver_all();
    assert_eq!(world.holder("a"), Some(1));
    for place in 0..3 {
        let entry = world.nodes[&place].directory.get("a").expect("it is known");
        assert_eq!((place_of(&entry.owner), entry.claim.reference), (1, Some(1)));
        let again = world.register(place, "a").expect("it runs");
        assert!(matches!(again, Err(NotAsked::Taken(rival)) if place_of(&rival.owner) == 1));
    }
    world.release(1, "a");
    world.deliver_all();
    assert_eq!(world.register(2, "a"), Some(Ok(())));
    world.deliver_all();
    assert_eq!(world.holder("a"), Some(2));
    // And when its node does.
    world.crash(2);
    world.notice_all();
    assert_eq!(world.register(0, "a"), Some(Ok(())));
    world.deliver_all();
    assert_eq!(world.holder("a"), Some(0));
    let numbers = &world.numbers["a"];
    assert!(numbers[0] < numbers[1] && numbers[1] < numbers[2], "{numbers:?}");
}

#[test]
fn of_two_claims_that_cross_the_first_is_held_and_the_other_is_refused() {
    let mut world = World::of(3);
    world.skew = [5, 0, 9, 0];
    for place in 0..3 {
        assert_eq!(world.register(place, "a"), Some(Ok(())));
    }
    world.deliver_all();
    world.calm(2);
    assert_eq!(world.holder("a"), Some(1));
    for loser in [0, 2] {
        let refused = |it: &&Told| matches!(it, Told::Refused(place, ..) if *place == loser);
        assert_eq!(world.told.iter().filter(refused).count(), 1, "{:?}", world.told);
    }
}

#[test]
fn a_name_is_not_held_before_all_members_have_granted_it() {
    let mut world = World::of(3);
    world.cut.insert((1, 2));
    // It is not noticed yet.
    assert_eq!(world.register(1, "a"), Some(Ok(())));
    world.calm(10);
    assert_eq!(world.holder("a"), None);
    let unanswered = world.nodes[&1].directory.unanswered("a");
    assert_eq!(unanswered, [world.owner(2).expect("it runs")]);
    world.cut.clear();
    world.calm(2);
    assert_eq!(world.holder("a"), Some(1));
}

#[test]
fn a_node_that_starts_has_no_name_before_it_has_settled() {
    let mut world = World::default();
    world.start(0);
    world.notice(0);
    assert_eq!(world.register(0, "a"), Some(Ok(())));
    world.offer(0, "s");
    world.calm(5);
    assert_eq!((world.holder("a"), world.holder("s")), (None, None));
    world.calm(2);
    assert_eq!((world.holder("a"), world.holder("s")), (Some(0), Some(0)));
}

#[test]
fn after_a_partition_the_higher_number_stays_and_the_other_holder_is_told() {
    let mut world = World::of(4);
    assert_eq!(world.register(0, "a"), Some(Ok(())));
    world.deliver_all();
    world.cut.extend([(0, 2), (0, 3), (1, 2), (1, 3)]);
    world.notice_all();
    assert_eq!(world.register(3, "a"), Some(Ok(())));
    world.calm(2);
    let holders = world.holders("a");
    assert_eq!(holders.values().copied().collect::<Vec<_>>(), [0, 3]);
    world.cut.clear();
    world.notice_all();
    world.deliver_all();
    assert_eq!(world.holder("a"), Some(3));
    let best = *holders.last_key_value().expect("two").0;
    let owner = world.owner(3).expect("it runs");
    let rival = Rival { owner, number: best, asked: best, stage: Stage::Held };
    assert_eq!(world.told.last(), Some(&Told::Lost(0, "a".into(), rival)));
    world.calm(1);
    for place in 0..4 {
        assert_eq!(world.known(place), world.known(3));
    }
}

/// Two nodes do not see each other, and a third sees both.
#[test]
fn a_third_node_keeps_two_from_having_one_name() {
    let mut world = World::of(3);
    world.cut.insert((0, 2));
    world.notice_all();
    assert_eq!(world.register(0, "a"), Some(Ok(())));
    world.deliver_all();
    assert_eq!(world.holder("a"), Some(0));
    // Node 2 knows nothing of it.
    world.crash(2);
    world.start(2);
    world.notice(2);
    assert_eq!(world.register(2, "a"), Some(Ok(())));
    world.notice(1);
    world.calm(10);
    assert_eq!(world.holder("a"), Some(0));
    let doubt = world.nodes[&2].directory.doubt("a").expect("node 1 has told");
    assert_eq!(place_of(&doubt.owner), 0);
    // It is free, and asked for still.
    world.release(0, "a");
    world.calm(2);
    assert_eq!(world.holder("a"), Some(2));
}

/// A third node has granted a name, and then hears of a claim that goes before it.
#[test]
fn a_grant_is_taken_back_while_the_name_is_asked_for() {
    let mut world = World::of(4);
    world.skew[0] = 1000;
    world.cut.insert((0, 2));
    world.notice_all();
    // That is not noticed.
    world.cut.extend([(0, 3), (2, 3)]);
    assert_eq!(world.register(0, "a"), Some(Ok(())));
    world.deliver_all();
    assert_eq!(world.register(2, "a"), Some(Ok(())));
    world.deliver_all();
    assert_eq!(place_of(&world.nodes[&0].directory.doubt("a").expect("node 1 tells").owner), 2);
    world.cut.remove(&(0, 3));
    world.calm(3);
    assert_eq!(world.holder("a"), None);
    world.cut.remove(&(2, 3));
    world.calm(3);
    assert_eq!(world.holder("a"), Some(2));
}

/// A member that was down meanwhile may have taken the name itself.
#[test]
fn a_grant_of_a_member_that_goes_down_is_of_no_use() {
    let mut world = World::of(3);
    world.cut.extend([(0, 2), (1, 2)]);
    assert_eq!(world.register(0, "a"), Some(Ok(())));
    world.deliver_all();
    world.cut.insert((0, 1));
    world.notice(1);
    assert_eq!(world.register(1, "a"), Some(Ok(())));
    assert_eq!(world.holder("a"), Some(1));
    world.see(0, &[0, 2].into());
    world.cut.remove(&(0, 1));
    world.see(0, &[0, 1].into());
    assert_eq!(world.holder("a"), Some(1));
    world.cut.clear();
    world.notice_all();
    world.calm(3);
    assert_eq!(world.holder("a"), Some(1));
}

/// A third node has not heard that a holder with a higher number has given the name up.
#[test]
fn a_holder_believes_of_another_one_what_that_one_says() {
    let mut world = World::of(3);
    assert_eq!(world.register(0, "a"), Some(Ok(())));
    world.deliver_all();
    world.cut.extend([(0, 1), (0, 2)]);
    world.notice_all();
    assert_eq!(world.register(2, "a"), Some(Ok(())));
    world.deliver_all();
    world.cut.insert((1, 2));
    world.release(2, "a");
    world.deliver_all();
    world.cut.clear();
    world.notice_all();
    assert_eq!(place_of(&world.nodes[&1].directory.get("a").expect("stale").owner), 2);
    world.told.clear();
    world.calm(60);
    assert_eq!((world.holder("a"), &world.told[..]), (Some(0), &[][..]));
    assert_eq!(world.known(1), world.known(0));
}

#[test]
fn what_was_lost_on_its_way_is_told_again() {
    let mut world = World::of(3);
    assert_eq!(world.register(1, "a"), Some(Ok(())));
    world.deliver_all();
    world.cut.insert((1, 2));
    // A release is lost, and a claim.
    world.release(1, "a");
    world.deliver_all();
    assert!(world.nodes[&2].directory.get("a").is_some());
    world.cut.clear();
    world.calm((PACE.digest.as_millis() / 50) as u32 + 1);
    assert!(world.nodes[&2].directory.get("a").is_none());
    for name in ["b", "c"] {
        assert_eq!(world.register(0, name), Some(Ok(())));
        world.deliver_all();
    }
    assert_eq!(world.known(2), world.known(0));
}

#[test]
fn a_number_is_greater_than_those_of_which_a_member_knows() {
    let mut world = World::of(2);
    // Its clock is an hour ahead, and it ends.
    world.skew[1] = 3_600_000;
    assert_eq!(world.register(1, "a"), Some(Ok(())));
    world.deliver_all();
    world.crash(1);
    world.notice_all();
    // One that starts knows nothing of it, but node 0 does.
    world.start(2);
    assert_eq!(world.register(2, "a"), Some(Ok(())));
    world.notice_all();
    world.calm(10);
    assert_eq!(world.holder("a"), Some(2));
    let numbers = &world.numbers["a"];
    assert!(numbers[0] < numbers[1], "{numbers:?}");
}

#[test]
fn a_singleton_has_one_place_and_moves_when_its_node_goes() {
    let mut world = World::of(4);
    (0..4).for_each(|place| world.offer(place, "s"));
    world.deliver_all();
    world.calm(5);
    let first = world.holder("s").expect("it runs");
    let best = (0..4).max_by_key(|place| score("s", &world.owner(*place).expect("it runs")));
    // Offers come one after the other, so that the first one may be another than the best.
    world.crash(first);
    world.notice_all();
    world.calm(5);
    let second = world.holder("s").expect("it runs");
    assert_ne!(second, first);
    if Some(first) != best {
        assert_eq!(Some(second), best);
    }
    // A node that comes back does not take it away.
    world.start(first);
    world.offer(first, "s");
    world.notice_all();
    world.calm(20);
    assert_eq!(world.holder("s"), Some(second));
    let numbers = &world.numbers["s"];
    assert!(numbers.len() == 2 && numbers[0] < numbers[1], "{numbers:?}");
}

#[test]
fn singletons_are_spread_over_the_nodes() {
    let mut world = World::begin([0; 4]);
    let names: Vec<String> = (0..100).map(|number| format!("s{number}")).collect();
    for (place, name) in (0..4).flat_map(|it| names.iter().map(move |name| (it, name))) {
        world.offer(place, name);
    }
    world.calm(20);
    let mut count = [0; 4];
    for name in &names {
        count[world.holder(name).expect("it runs")] += 1;
    }
    assert!(count.iter().all(|it| (10..=45).contains(it)), "{count:?}");
}

#[test]
fn a_singleton_whose_actor_ends_runs_elsewhere_and_rests_where_it_was() {
    let mut world = World::of(2);
    (0..2).for_each(|place| world.offer(place, "s"));
    world.deliver_all();
    let first = world.holder("s").expect("it runs");
    world.end_actor(first, "s");
    world.calm(2);
    assert_eq!(world.holder("s"), Some(1 - first));
    // Both rest: it runs again when one has rested.
    world.end_actor(1 - first, "s");
    world.calm(1);
    assert_eq!(world.holder("s"), None);
    world.calm((REST.as_millis() / 50) as u32 + 1);
    assert!(world.holder("s").is_some());
    // One that withdraws leaves it to the other.
    let holder = world.holder("s").expect("it runs");
    world.with(holder, |directory, _| directory.withdraw("s"));
    world.release(holder, "s");
    world.calm((REST.as_millis() / 50) as u32 + 1);
    assert_eq!(world.holder("s"), Some(1 - holder));
}

/// Decision 0019 has these numbers.
#[test]
fn so_many_messages_are_sent() {
    let mut world = World::of(3);
    let others = 2;
    let sent = |world: &mut World, act: &mut dyn FnMut(&mut World)| {
        let before = world.sent;
        act(world);
        world.deliver_all();
        world.sent - before
    };
    let register = sent(&mut world, &mut |world| assert_eq!(world.register(1, "a"), Some(Ok(()))));
    assert_eq!(register, 3 * others);
    assert_eq!(sent(&mut world, &mut |world| world.release(1, "a")), others);
    // The offer itself is told as well.
    assert_eq!(sent(&mut world, &mut |world| world.offer(1, "s")), others + 4 * others);
    let periods = 10;
    let rest = sent(&mut world, &mut |world| {
        world.calm(periods * (PACE.digest.as_millis() / PACE.retry.as_millis()) as u32);
    });
    assert_eq!(rest, periods as usize * 3 * others);
    let start = sent(&mut world, &mut |world| {
        world.start(3);
        world.notice_all();
    });
    assert!(start <= 10 * 3, "{start}");
}

/// A directory that sees one other node, and that node.
fn pair() -> (Directory<u32>, Owner) {
    let owner = |name: &str, start| Owner { name: name.into(), incarnation: [start; 16] };
    let (own, other) = (owner("n0", 1), owner("n1", 2));
    let mut directory = Directory::new(own.clone(), PACE);
    let alive = [own, other.clone()].into();
    directory.members(&alive, &alive, at(0));
    directory.take_actions();
    (directory, other)
}

fn at(millis: u64) -> Now {
    Now { elapsed: Duration::from_millis(millis), wall: millis }
}

fn from(directory: &Directory<u32>, from: &Owner, sequence: u64, body: Body<u32>) -> Envelope<u32> {
    Envelope { from: from.clone(), to: directory.own().clone(), sequence, term: 0, body }
}

fn claim(name: &str, term: u64) -> Claim<u32> {
    let (number, stage) = (FencingNumber::new(term, 7), Stage::Held);
    let asked = number;
    Claim { name: name.into(), number, asked, stage, kind: "kind".into(), reference: Some(1) }
}

#[test]
fn what_a_peer_may_not_tell_has_no_effect_and_is_counted() {
    let (mut directory, peer) = pair();
    let stranger = Owner { incarnation: [9; 16], ..peer.clone() };
    let long = "x".repeat(256);
    let far = FencingNumber::new(u64::MAX, 0);
    let (near, a): (_, Arc<str>) = (FencingNumber::new(1, 1), "a".into());
    let rival = Rival { owner: peer.clone(), number: far, asked: near, stage: Stage::Held };
    let many = |count: usize| (0..count).map(|it| claim(&it.to_string(), 1)).collect();
    let offers = |count: usize| (0..count).map(|it| it.to_string().into()).collect();
    let wrong = [
        (Ignored::Malformed, Body::Claim(claim("", 1))),
        (Ignored::Malformed, Body::Claim(claim("a\nb", 1))),
        (Ignored::Malformed, Body::Claim(claim(&long, 1))),
        (Ignored::Malformed, Body::Claim(claim("a", u64::MAX))),
        (Ignored::Malformed, Body::Claim(Claim { asked: far, ..claim("a", 1) })),
        (Ignored::Malformed, Body::Claim(Claim { kind: long.as_str().into(), ..claim("a", 1) })),
        (Ignored::Malformed, Body::Claims(vec![claim("a", 1), claim("", 1)])),
        (Ignored::Malformed, Body::Offers(vec!["".into()])),
        (Ignored::Malformed, Body::Release { name: "".into(), number: near }),
        (Ignored::Malformed, Body::Grant { name: a.clone(), number: near, floor: far }),
        (Ignored::Malformed, Body::Grant { name: a.clone(), number: far, floor: near }),
        (Ignored::Malformed, Body::Refuse { name: a, number: near, rival }),
        (Ignored::TooLarge, Body::Claims(many(NAMES + 1))),
        (Ignored::TooLarge, Body::Offers(offers(OFFERS + 1))),
    ];
    for (place, (cause, body)) in wrong.into_iter().enumerate() {
        let before = directory.ignored(cause);
        let message = from(&directory, &peer, 100 + place as u64, body.clone());
        directory.receive(message, at(0));
        assert_eq!(directory.ignored(cause), before + 1, "{body:?}");
    }
    let mut message = from(&directory, &peer, 1, Body::Claim(claim("a", 1)));
    message.term = u64::MAX;
    directory.receive(message, at(0));
    let message = from(&directory, &stranger, 1, Body::Claim(claim("a", 1)));
    directory.receive(message, at(0));
    let mut message = from(&directory, &peer, 1, Body::Claim(claim("a", 1)));
    message.to = stranger;
    directory.receive(message, at(0));
    assert_eq!(
        (directory.ignored(Ignored::Stranger), directory.ignored(Ignored::Misdirected)),
        (1, 1)
    );
    assert!(directory.take_actions().is_empty() && directory.entries().next().is_none());

    // As many as there may be, and not one beyond.
    let message = from(&directory, &peer, 200, Body::Claims(many(NAMES)));
    directory.receive(message, at(0));
    let message = from(&directory, &peer, 201, Body::Claim(claim("one more", 1)));
    directory.receive(message, at(0));
    assert_eq!(directory.entries().count(), NAMES);
    let message = from(&directory, &peer, 201, Body::Release { name: "7".into(), number: near });
    directory.receive(message, at(0));
    assert_eq!(directory.ignored(Ignored::Late), 1);
    let mut sent = 0;
    while directory.ignored(Ignored::TooFast) == 0 {
        sent += 1;
        let message = from(&directory, &peer, 300 + sent, Body::Digest(1));
        directory.receive(message, at(0));
    }
    assert!((8000..8200).contains(&sent), "{sent}");
}

/// A claim that gives way to an earlier one may be that of a holder, which has not told so yet.
#[test]
fn a_number_is_greater_than_that_of_a_claim_that_gave_way() {
    let (mut directory, peer) = pair();
    let other = Owner { name: "n2".into(), incarnation: [3; 16] };
    let alive = [directory.own().clone(), peer.clone(), other.clone()].into();
    directory.members(&alive, &alive, at(0));
    let pending = |term| Body::Claim(Claim { stage: Stage::Pending, ..claim("a", term) });
    for (owner, term, floor) in [(&peer, 2000, 0), (&other, 1000, 2000)] {
        directory.take_actions();
        let message = from(&directory, owner, 1, pending(term));
        directory.receive(message, at(0));
        let granted = directory.take_actions().into_iter().find_map(|action| match action {
            Action::Send(Envelope { body: Body::Grant { floor, .. }, to, .. }) => Some((to, floor)),
            _ => None,
        });
        let (to, least) = granted.expect("it is the better claim");
        assert_eq!((&to, least.term()), (owner, floor));
    }
}

#[test]
fn a_member_with_a_new_session_is_told_everything_at_once() {
    let (mut directory, peer) = pair();
    let message = from(&directory, &peer, 1, Body::Ask);
    directory.receive(message, at(0));
    directory.take_actions();
    directory.connected(&peer, at(1));
    let told = |action: &Action<u32>| match action {
        Action::Send(message) => matches!(message.body, Body::Claims(_) | Body::Offers(_)),
        _ => false,
    };
    assert_eq!(directory.take_actions().into_iter().filter(told).count(), 2);
}

#[test]
fn a_peer_that_asks_again_and_again_is_told_everything_once_in_a_while() {
    let (mut directory, peer) = pair();
    let mut told = |sequence: u64, now| {
        for more in 0..10 {
            let message = from(&directory, &peer, sequence + more, Body::Ask);
            directory.receive(message, now);
        }
        directory.take_actions().len()
    };
    assert_eq!(told(1, at(0)), 2);
    let later = Now { elapsed: PAUSE, wall: 0 };
    assert_eq!(told(20, later), 2);
}

#[test]
fn a_node_has_a_bounded_number_of_names_and_offers() {
    let (mut directory, _) = pair();
    for number in 0..NAMES {
        let name = number.to_string().into();
        assert!(directory.register(name, "kind".into(), 1, at(0)).is_ok());
    }
    let more = directory.register("more".into(), "kind".into(), 1, at(0));
    assert_eq!(more, Err(NotAsked::TooMany));
    for number in 0..OFFERS {
        let name = format!("s{number}").into();
        assert_eq!(directory.offer(name, "kind".into(), at(0)), Ok(()));
    }
    assert_eq!(directory.offer("more".into(), "kind".into(), at(0)), Err(NotAsked::TooMany));
}
