//! A cluster of directories, whose messages, views and clocks a test moves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::*;

pub(super) const NODES: usize = 4;

pub(super) const PACE: Pace = Pace {
    settle: Duration::from_millis(300),
    retry: Duration::from_millis(50),
    digest: Duration::from_millis(500),
};

/// How long a singleton rests whose actor has ended.
pub(super) const REST: Duration = Duration::from_millis(200);

pub(super) struct Node {
    pub(super) directory: Directory<u32>,
    pub(super) held: BTreeMap<Arc<str>, FencingNumber>,
    started: Duration,
}

/// What is known of a name.
pub(super) type Known = (Arc<str>, Owner, FencingNumber, Stage, Option<u32>);

/// A message on its way, and the step in which it was sent.
#[derive(Clone)]
struct Flying {
    step: u64,
    message: Envelope<u32>,
}

/// What a directory has told its application.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Told {
    Held(usize, Arc<str>, FencingNumber),
    Refused(usize, Arc<str>, Rival),
    Lost(usize, Arc<str>, Rival),
}

#[derive(Default)]
pub(super) struct World {
    pub(super) nodes: BTreeMap<usize, Node>,
    flying: Vec<Flying>,
    elapsed: Duration,
    /// Milliseconds by which the clock of a node is ahead.
    pub(super) skew: [u64; NODES],
    /// Pairs of nodes that do not see each other.
    pub(super) cut: BTreeSet<(usize, usize)>,
    starts: u8,
    step: u64,
    /// Messages that were sent.
    pub(super) sent: usize,
    /// Since which step a node sees another.
    met: BTreeMap<(usize, usize), u64>,
    /// Whether a node has got all claims of another since both see each other.
    exchanged: BTreeSet<(usize, usize)>,
    pub(super) told: Vec<Told>,
    /// All numbers of holders, by name, in the order of time.
    pub(super) numbers: BTreeMap<Arc<str>, Vec<FencingNumber>>,
}

pub(super) fn place_of(owner: &Owner) -> usize {
    owner.name[1..].parse().expect("a number")
}

impl World {
    /// With so many nodes, which know each other and have settled.
    pub(super) fn of(count: usize) -> Self {
        let mut world = Self::default();
        (0..count).for_each(|place| world.start(place));
        world.notice_all();
        world.calm(20);
        world
    }

    /// With all nodes, which know each other, and have not settled.
    pub(super) fn begin(skew: [u64; NODES]) -> Self {
        let mut world = Self { skew, ..Self::default() };
        (0..NODES).for_each(|place| world.start(place));
        world.notice_all();
        world
    }

    pub(super) fn start(&mut self, place: usize) {
        if self.nodes.contains_key(&place) {
            return;
        }
        self.starts += 1;
        let mut incarnation = [self.starts; 16];
        incarnation[0] = 0;
        let owner = Owner { name: format!("n{place}").into(), incarnation };
        let directory = Directory::new(owner, PACE);
        let node = Node { directory, held: BTreeMap::new(), started: self.elapsed };
        self.nodes.insert(place, node);
    }

    pub(super) fn crash(&mut self, place: usize) {
        if self.nodes.remove(&place).is_some() {
            self.forget_meetings(place);
        }
    }

    fn forget_meetings(&mut self, place: usize) {
        self.met.retain(|(one, other), _| *one != place && *other != place);
        self.exchanged.retain(|(one, other)| *one != place && *other != place);
    }

    fn now(&self, place: usize) -> Now {
        let elapsed = self.elapsed - self.nodes[&place].started;
        Now { elapsed, wall: self.elapsed.as_millis() as u64 + self.skew[place] }
    }

    pub(super) fn owner(&self, place: usize) -> Option<Owner> {
        self.nodes.get(&place).map(|node| node.directory.own().clone())
    }

    pub(super) fn is_cut(&self, one: usize, other: usize) -> bool {
        self.cut.contains(&(one.min(other), one.max(other)))
    }

    /// Does something with a directory, and what it asks for.
    pub(super) fn with<T>(
        &mut self,
        place: usize,
        act: impl FnOnce(&mut Directory<u32>, Now) -> T,
    ) -> Option<T> {
        let now = self.nodes.contains_key(&place).then(|| self.now(place))?;
        let result = act(&mut self.nodes.get_mut(&place)?.directory, now);
        self.work(place);
        Some(result)
    }

    fn work(&mut self, place: usize) {
        self.step += 1;
        loop {
            let Some(node) = self.nodes.get_mut(&place) else { return };
            let actions = node.directory.take_actions();
            if actions.is_empty() {
                return;
            }
            for action in actions {
                self.do_one(place, action);
            }
        }
    }

    fn do_one(&mut self, place: usize, action: Action<u32>) {
        let node = self.nodes.get_mut(&place).expect("it runs");
        match action {
            Action::Send(message) => {
                self.sent += 1;
                self.flying.push(Flying { step: self.step, message });
            }
            Action::Held { name, number } => {
                let is_singleton = node.directory.get(&name).expect("it").claim.reference.is_none();
                if is_singleton {
                    assert!(node.directory.started(&name, number, place as u32));
                }
                assert!(node.held.insert(name.clone(), number).is_none(), "{name} is held twice");
                let known = self.numbers.values().flatten().any(|it| *it == number);
                assert!(!known, "{number} was the number of a holder before");
                self.numbers.entry(name.clone()).or_default().push(number);
                self.told.push(Told::Held(place, name, number));
            }
            Action::Refused { name, rival, .. } => {
                assert!(!node.held.contains_key(&name), "{name} is held and refused");
                self.told.push(Told::Refused(place, name, rival));
            }
            Action::Lost { name, number, rival } => {
                assert_eq!(node.held.remove(&name), Some(number));
                assert!(rival.number > number, "{rival:?} is not better than {number}");
                self.told.push(Told::Lost(place, name, rival));
            }
            Action::Renumbered { old, new, .. } => assert!(new > old),
        }
    }

    /// A node learns who is alive.
    pub(super) fn notice(&mut self, place: usize) {
        let seen: BTreeSet<usize> =
            self.nodes.keys().copied().filter(|other| !self.is_cut(place, *other)).collect();
        self.see(place, &seen);
    }

    pub(super) fn notice_all(&mut self) {
        (0..NODES).for_each(|place| self.notice(place));
    }

    /// A node takes these for alive.
    pub(super) fn see(&mut self, place: usize, seen: &BTreeSet<usize>) {
        let owners = |world: &Self, places: &mut dyn Iterator<Item = usize>| {
            places.filter_map(|it| world.owner(it)).collect::<BTreeSet<_>>()
        };
        let alive = owners(self, &mut seen.iter().copied());
        let known = owners(self, &mut (0..NODES));
        for other in (0..NODES).filter(|it| *it != place && self.nodes.contains_key(it)) {
            if seen.contains(&other) {
                self.met.entry((place, other)).or_insert(self.step);
            } else {
                self.met.remove(&(place, other));
                self.exchanged.remove(&(place, other));
                self.exchanged.remove(&(other, place));
            }
        }
        self.with(place, |directory, now| directory.members(&alive, &known, now));
    }

    fn deliver(&mut self, flying: Flying) {
        let Flying { step, message } = flying;
        let (from, to) = (place_of(&message.from), place_of(&message.to));
        if self.is_cut(from, to) || self.owner(to).as_ref() != Some(&message.to) {
            return;
        }
        let since = |one, other| self.met.get(&(one, other)).copied();
        let since = since(from, to).zip(since(to, from)).map(|(one, other)| one.max(other));
        let is_exchange = matches!(message.body, Body::Claims(_))
            && self.owner(from).as_ref() == Some(&message.from)
            && since.is_some_and(|since| step > since);
        let late = |world: &Self| {
            let directory = &world.nodes[&to].directory;
            Ignored::ALL.iter().map(|cause| directory.ignored(*cause)).sum::<u64>()
        };
        let before = late(self);
        self.with(to, |directory, now| directory.receive(message, now));
        if is_exchange && late(self) == before {
            self.exchanged.insert((to, from));
        }
    }

    /// The message at this place arrives, in what order ever; it is lost, or comes again.
    pub(super) fn deliver_one(&mut self, place: usize) {
        if let Some(at) = place.checked_rem(self.flying.len()) {
            let flying = self.flying.remove(at);
            self.deliver(flying);
        }
    }

    pub(super) fn lose_one(&mut self, place: usize) {
        if let Some(at) = place.checked_rem(self.flying.len()) {
            self.flying.remove(at);
        }
    }

    pub(super) fn lose_all(&mut self) {
        self.flying.clear();
    }

    pub(super) fn double_one(&mut self, place: usize) {
        if let Some(at) = place.checked_rem(self.flying.len()) {
            self.flying.push(self.flying[at].clone());
        }
    }

    /// All messages arrive, and those that they cause.
    pub(super) fn deliver_all(&mut self) {
        let mut count = 0;
        while !self.flying.is_empty() {
            let flying = self.flying.remove(0);
            self.deliver(flying);
            count += 1;
            assert!(count < 100_000, "the messages do not end");
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.elapsed += time;
        for place in 0..NODES {
            self.with(place, Directory::tick);
        }
    }

    /// So many times: time passes, and all messages arrive.
    pub(super) fn calm(&mut self, times: u32) {
        for _ in 0..times {
            self.pass(PACE.retry);
            self.deliver_all();
        }
    }

    pub(super) fn register(&mut self, place: usize, name: &str) -> Option<Result<(), NotAsked>> {
        let (name, reference) = (Arc::from(name), place as u32);
        self.with(place, |it, now| it.register(name, "kind".into(), reference, now).map(drop))
    }

    pub(super) fn release(&mut self, place: usize, name: &str) {
        let held = self.nodes.get_mut(&place).and_then(|node| node.held.remove(name));
        if let Some(number) = held {
            assert_eq!(self.with(place, |it, now| it.release(name, number, now)), Some(true));
        }
    }

    pub(super) fn offer(&mut self, place: usize, name: &str) {
        let name = Arc::from(name);
        self.with(place, |it, now| it.offer(name, "kind".into(), now)).map(Result::unwrap);
    }

    pub(super) fn end_actor(&mut self, place: usize, name: &str) {
        let held = self.nodes.get_mut(&place).and_then(|node| node.held.remove(name));
        if let Some(number) = held {
            self.with(place, |it, now| it.ended(name, number, REST, now));
        }
    }

    /// Who has a name, by number.
    pub(super) fn holders(&self, name: &str) -> BTreeMap<FencingNumber, usize> {
        let held = self.nodes.iter();
        held.filter_map(|(place, node)| Some((*node.held.get(name)?, *place))).collect()
    }

    /// The only one that has a name.
    pub(super) fn holder(&self, name: &str) -> Option<usize> {
        let holders = self.holders(name);
        assert!(holders.len() <= 1, "{name} is held by {holders:?}");
        holders.into_values().next()
    }

    /// Two that see each other and have told each other everything do not both have a name.
    pub(super) fn check_pairs(&self) {
        for (one, other) in self.exchanged.iter().filter(|(one, other)| one < other) {
            if self.exchanged.contains(&(*other, *one)) {
                let names = self.nodes[one].held.keys();
                let both = names.filter(|name| self.nodes[other].held.contains_key(*name));
                assert_eq!(both.count(), 0, "{one} and {other} both have a name");
            }
        }
    }

    /// All that a node knows of names.
    pub(super) fn known(&self, place: usize) -> Vec<Known> {
        let entries = self.nodes[&place].directory.entries();
        let known = entries.map(|Entry { owner, claim }| {
            let Claim { name, number, stage, reference, .. } = claim.clone();
            (name, owner.clone(), number, stage, reference)
        });
        known.collect()
    }
}
