//! The list of members: what two voices say of each, and what becomes of it.
//!
//! No I/O, and no clock of its own. The rule is in the documentation of the crate.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::member::{Facts, Incarnation, Member, MemberEvent, MemberState};

/// Members that are down and in the list, at most. The one that is down for longest goes.
const DOWN: usize = 256;

/// Pairs of one name that were told, at most.
const TOLD: usize = 256;

/// Intervals of a heart that count, as chitchat's detector is told.
pub(crate) const SAMPLES: usize = 10;

/// Intervals that are taken for granted before there are samples, as in chitchat's detector.
const PRIOR_WEIGHT: f64 = 5.0;

/// Intervals of gossip for which the heart of a process that has ended may still seem to beat:
/// others pass on what they have heard before.
const ECHO: u32 = 8;

/// Intervals of gossip for which one beat of a heart is enough for it to count as alive.
const NEWCOMER: u32 = 4;

/// Intervals of gossip that others get after this process was suspended.
const SETTLING: u32 = 8;

/// A second voice beside the gossip: whether something else hears a member.
pub trait SecondVoice: Send + Sync + 'static {
    /// Whether a session with this start of the node of this name has been heard from within the
    /// bound of its silence. It is asked several times a second for each member, and must not wait.
    fn hears(&self, name: &str, incarnation: Incarnation) -> bool;
}

/// No second voice: the gossip alone decides.
impl SecondVoice for () {
    fn hears(&self, _: &str, _: Incarnation) -> bool {
        false
    }
}

/// One start of a node, as the gossip knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    pub(crate) name: Arc<str>,
    pub(crate) generation: u64,
    pub(crate) gossip: SocketAddr,
}

/// What the gossip has of it at present.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) id: Id,
    pub(crate) heartbeat: u64,
    /// Whether chitchat's detector takes it for alive.
    pub(crate) is_live: bool,
    /// What it tells of itself, if that has come.
    pub(crate) facts: Option<String>,
}

/// Its heart, for phi.
#[derive(Debug)]
struct Heart {
    beats: u64,
    last: Instant,
    intervals: VecDeque<f64>,
}

impl Heart {
    fn beat(&mut self, beats: u64, now: Instant, longest: Duration) {
        if beats <= self.beats {
            return;
        }
        let interval = now.saturating_duration_since(self.last);
        (self.beats, self.last) = (beats, now);
        if interval <= longest {
            if self.intervals.len() == SAMPLES {
                self.intervals.pop_front();
            }
            self.intervals.push_back(interval.as_secs_f64());
        }
    }

    /// The silence in mean intervals, as chitchat defines it.
    fn phi(&self, now: Instant, prior: f64) -> Option<f64> {
        let count = (!self.intervals.is_empty()).then_some(self.intervals.len() as f64)?;
        let sum: f64 = self.intervals.iter().sum();
        let mean = (sum + PRIOR_WEIGHT * prior) / (count + PRIOR_WEIGHT);
        Some(now.saturating_duration_since(self.last).as_secs_f64() / mean)
    }
}

#[derive(Debug)]
struct Track {
    since: Instant,
    heart: Heart,
    text: Option<String>,
    facts: Option<Result<Facts, Arc<str>>>,
    is_live: bool,
}

/// A member in the list.
#[derive(Debug)]
struct Listed {
    id: Id,
    member: Member,
    since: Instant,
    down_since: Option<Instant>,
}

/// How the list is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Between two rounds of gossip.
    pub(crate) interval: Duration,
    /// Between two calls of [`View::update`].
    pub(crate) tick: Duration,
    /// How long a member that is down stays in the list.
    pub(crate) forget_after: Duration,
}

/// The list of members.
pub(crate) struct View {
    own: Member,
    pace: Pace,
    tracks: HashMap<Id, Track>,
    listed: BTreeMap<Arc<str>, Listed>,
    /// Pairs of one name that were told.
    told: HashSet<(Arc<str>, u64, u64)>,
    last: Option<Instant>,
    /// Until then nobody goes down.
    settling: Option<Instant>,
    started: Instant,
}

impl View {
    pub(crate) fn new(own: Member, pace: Pace, now: Instant) -> Self {
        Self {
            own,
            pace,
            tracks: HashMap::new(),
            listed: BTreeMap::new(),
            told: HashSet::new(),
            last: None,
            settling: None,
            started: now,
        }
    }

    /// All members, in the order of their names.
    pub(crate) fn members(&self, now: Instant) -> Vec<Member> {
        let prior = self.prior();
        let others = self.listed.values().map(|it| {
            let phi = self.tracks.get(&it.id).and_then(|track| track.heart.phi(now, prior));
            let age = now.saturating_duration_since(it.since);
            Member { age, phi, ..it.member.clone() }
        });
        let age = now.saturating_duration_since(self.started);
        let mut members: Vec<_> = others.collect();
        members.push(Member { age, ..self.own.clone() });
        members.sort_by(|one, other| one.name.cmp(&other.name));
        members
    }

    /// Where the members gossip that are alive, and those that are down.
    pub(crate) fn gossip_addresses(&self) -> (HashSet<SocketAddr>, Vec<SocketAddr>) {
        let (alive, down): (Vec<_>, Vec<_>) =
            self.listed.values().partition(|it| it.member.state == MemberState::Alive);
        let address = |it: &Listed| it.member.gossip;
        (alive.into_iter().map(address).collect(), down.into_iter().map(address).collect())
    }

    fn prior(&self) -> f64 {
        2.0 * self.pace.interval.as_secs_f64()
    }

    /// What the gossip has now; returns what has changed.
    pub(crate) fn update(
        &mut self,
        heard: Vec<Heard>,
        voice: &dyn SecondVoice,
        now: Instant,
    ) -> Vec<MemberEvent> {
        // A process that was suspended has heard nobody meanwhile, which says nothing of the
        // others.
        let gap = self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        self.last = Some(now);
        if gap > 3 * self.pace.tick + self.pace.interval {
            self.settling = Some(now + SETTLING * self.pace.interval);
        }
        if self.settling.is_some_and(|until| now >= until) {
            self.settling = None;
        }
        self.track(heard, now);
        let mut events = Vec::new();
        let mut names: BTreeMap<Arc<str>, Vec<Id>> = BTreeMap::new();
        for id in self.tracks.keys() {
            names.entry(id.name.clone()).or_default().push(id.clone());
        }
        for (name, ids) in &names {
            self.contest(name, ids, now, &mut events);
            if **name != *self.own.name {
                self.judge(name, ids, voice, now, &mut events);
            }
        }
        self.forget(&names, voice, now, &mut events);
        events
    }

    fn track(&mut self, heard: Vec<Heard>, now: Instant) {
        let mut present: HashSet<Id> = HashSet::new();
        let longest = 20 * self.pace.interval;
        for it in heard {
            let own = it.id.name == self.own.name && it.id.gossip == self.own.gossip;
            if own
                && it
                    .facts
                    .as_deref()
                    .and_then(|it| it.parse::<Facts>().ok())
                    .is_some_and(|facts| Some(facts.incarnation) == self.own.incarnation)
            {
                continue;
            }
            let track = self.tracks.entry(it.id.clone()).or_insert_with(|| Track {
                since: now,
                heart: Heart { beats: it.heartbeat, last: now, intervals: VecDeque::new() },
                text: None,
                facts: None,
                is_live: false,
            });
            track.heart.beat(it.heartbeat, now, longest);
            // Chitchat's detector says nothing of a newcomer before its heart has beaten thrice.
            let age = now.saturating_duration_since(track.since);
            let is_new = age < NEWCOMER * self.pace.interval && !track.heart.intervals.is_empty();
            track.is_live = it.is_live || is_new;
            if track.text != it.facts {
                track.facts = it.facts.as_ref().map(|text| text.parse().map_err(Arc::from));
                track.text = it.facts;
            }
            present.insert(it.id);
        }
        self.tracks.retain(|id, _| present.contains(id));
    }

    /// Tells of two live processes of one name.
    fn contest(
        &mut self,
        name: &Arc<str>,
        ids: &[Id],
        now: Instant,
        events: &mut Vec<MemberEvent>,
    ) {
        let is_this_node = **name == *self.own.name;
        let is_live = |id: &Id| {
            let track = self.tracks.get(id).filter(|track| track.is_live)?;
            Some((track.facts.as_ref()?.as_ref().ok()?.incarnation, track.since))
        };
        let mut living: Vec<(Incarnation, Instant)> = ids.iter().filter_map(is_live).collect();
        if let (true, Some(own)) = (is_this_node, self.own.incarnation) {
            living.push((own, self.started));
        }
        living.sort();
        let Some((holder, since)) = living.pop() else { return };
        for (other, began) in living {
            // Both after both were known.
            let both = since.max(began) + ECHO * self.pace.interval;
            let still = ids.iter().filter_map(|id| self.tracks.get(id)).all(|track| {
                let facts = track.facts.as_ref().and_then(|it| it.as_ref().ok());
                let concerned = facts.is_some_and(|it| [holder, other].contains(&it.incarnation));
                !concerned || track.heart.last > both
            });
            let key = (name.clone(), holder.started(), other.started());
            if still && now > both && self.told.len() < TOLD && self.told.insert(key) {
                let name = name.clone();
                events.push(MemberEvent::Contested { name, holder, other, is_this_node });
            }
        }
    }

    /// One verdict for a name: the start of it that counts, and its state.
    fn judge(
        &mut self,
        name: &Arc<str>,
        ids: &[Id],
        voice: &dyn SecondVoice,
        now: Instant,
        events: &mut Vec<MemberEvent>,
    ) {
        let candidates = ids.iter().filter_map(|id| {
            let track = self.tracks.get(id)?;
            // Without its facts it is not known who it is.
            let facts = track.facts.as_ref()?;
            let incarnation = facts.as_ref().ok().map(|facts| facts.incarnation);
            let has_session = incarnation.is_some_and(|it| voice.hears(name, it));
            let state = match (track.is_live, has_session) {
                (true, _) => MemberState::Alive,
                (false, true) => MemberState::Suspected,
                (false, false) => MemberState::Down,
            };
            Some((state.is_alive(), incarnation, id, state))
        });
        let best = candidates
            .max_by_key(|(alive, incarnation, id, _)| (*alive, *incarnation, id.generation));
        let Some((_, incarnation, id, mut state)) = best else { return };
        let id = id.clone();
        let Some(track) = self.tracks.get(&id) else { return };
        let (facts, problem) = match &track.facts {
            Some(Ok(facts)) => (Some(facts.clone()), None),
            Some(Err(problem)) => (None, Some(problem.clone())),
            None => (None, None),
        };
        let mut member = Member {
            name: name.clone(),
            incarnation,
            state,
            is_this_node: false,
            age: Duration::ZERO,
            phi: track.heart.phi(now, self.prior()),
            gossip: id.gossip,
            addresses: facts.as_ref().map(|it| it.addresses.clone()).unwrap_or_default(),
            machine: facts.and_then(|it| it.machine),
            problem,
        };
        let Some(before) = self.listed.get_mut(name) else {
            if state.is_alive() {
                let listed = Listed { id, member: member.clone(), since: now, down_since: None };
                self.listed.insert(name.clone(), listed);
                events.push(MemberEvent::Up(member));
            }
            return;
        };
        if state == MemberState::Down && self.settling.is_some() {
            // This process was suspended, and has to listen first.
            state = before.member.state;
            member.state = state;
        }
        let was = before.member.clone();
        member.age = now.saturating_duration_since(before.since);
        if before.id != id && was.incarnation != member.incarnation {
            before.since = now;
            member.age = Duration::ZERO;
        }
        let since = (state == MemberState::Down).then(|| before.down_since.unwrap_or(now));
        before.down_since = since;
        (before.id, before.member) = (id, member.clone());
        let replaced = was.incarnation != member.incarnation && was.incarnation.is_some();
        events.extend(match (was.state, state) {
            _ if replaced && state.is_alive() => {
                Some(MemberEvent::Replaced { old: was, new: member })
            }
            (MemberState::Down, MemberState::Alive | MemberState::Suspected) => {
                Some(MemberEvent::Up(member))
            }
            (MemberState::Alive, MemberState::Suspected) => Some(MemberEvent::Suspected(member)),
            (MemberState::Suspected, MemberState::Alive) => Some(MemberEvent::Recovered(member)),
            (MemberState::Alive | MemberState::Suspected, MemberState::Down) => {
                Some(MemberEvent::Down(member))
            }
            (MemberState::Alive, MemberState::Alive)
            | (MemberState::Suspected, MemberState::Suspected)
            | (MemberState::Down, MemberState::Down) => None,
        });
    }

    /// Members of which the gossip knows nothing any more, and those that are down for long.
    fn forget(
        &mut self,
        names: &BTreeMap<Arc<str>, Vec<Id>>,
        voice: &dyn SecondVoice,
        now: Instant,
        events: &mut Vec<MemberEvent>,
    ) {
        for (name, listed) in &mut self.listed {
            if names.contains_key(name) || listed.member.state == MemberState::Down {
                continue;
            }
            // Chitchat has forgotten it, or begun anew. Its session still counts.
            let incarnation = listed.member.incarnation;
            let has_session = incarnation.is_some_and(|it| voice.hears(name, it));
            if has_session || self.settling.is_some() {
                continue;
            }
            listed.member.state = MemberState::Down;
            listed.down_since = Some(now);
            events.push(MemberEvent::Down(listed.member.clone()));
        }
        let mut down: Vec<_> = self
            .listed
            .iter()
            .filter_map(|(name, it)| Some((it.down_since?, name.clone())))
            .collect();
        down.sort();
        let beyond = down.len().saturating_sub(DOWN);
        for (place, (since, name)) in down.into_iter().enumerate() {
            let is_old = now.saturating_duration_since(since) >= self.pace.forget_after;
            if place < beyond || is_old {
                let forgotten = self.listed.remove(&name);
                events.extend(forgotten.map(|it| MemberEvent::Forgotten(it.member)));
            }
        }
    }

    /// The gossip begins anew: nobody goes down for that.
    pub(crate) fn restarted(&mut self, now: Instant) {
        self.settling = Some(now + SETTLING * self.pace.interval);
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
