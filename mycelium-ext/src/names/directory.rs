//! The holders of all names: a state machine without I/O and without a clock.
//!
//! Each node has one. It takes what the application wants ([`Directory::register`],
//! [`Directory::offer`]), who is alive ([`Directory::members`]), messages of other nodes
//! ([`Directory::receive`]) and the time ([`Directory::tick`]), and gives out [`Action`]s.
//!
//! A node that wants a name asks all members that it sees alive. It has the name when all of them
//! have granted it. A member grants it when it knows no better claim ([`beats`](claim::beats)); both
//! claimants ask each other, so that two that see each other never both have it. All claims of a
//! node are told to each member when it comes up, and compared by a digest from then on. So two holders of
//! one name, which may be there after a partition, find each other, and the same rule decides.

mod bounds;
mod claim;
mod message;
mod number;
mod peers;
mod receive;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use self::claim::hash;
use self::number::MAX_TERM;
use self::peers::Peer;
use self::table::Table;

pub(crate) use self::bounds::{KIND, NAME, NAMES, OFFERS, is_name};
pub(crate) use self::claim::{Claim, Owner, Rival, Stage, score};
pub use self::message::Ignored;
pub(crate) use self::message::{Action, Body, Envelope};
pub use self::number::FencingNumber;
pub(crate) use self::table::Entry;

/// The time of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Since the directory began.
    pub(crate) elapsed: Duration,
    /// The clock of the machine, in milliseconds since 1970.
    pub(crate) wall: u64,
}

/// How long things take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// How long a node that starts has no name: it may not have found the others yet.
    pub(crate) settle: Duration,
    /// Between two questions to a member that has not granted a name.
    pub(crate) retry: Duration,
    /// Between two digests to each member.
    pub(crate) digest: Duration,
}

/// Why a name is not asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotAsked {
    /// A claim is known, of this node or another.
    Taken(Rival),
    /// This node has as many names as it may have.
    TooMany,
}

/// A name that this node asks for.
#[derive(Debug)]
struct Asking {
    granted: BTreeSet<Owner>,
    /// What members that have refused it know of others. They are asked again.
    doubts: BTreeMap<Owner, Rival>,
    next: Duration,
}

/// A singleton that this node would run.
#[derive(Debug)]
struct Offer {
    kind: Arc<str>,
    /// It is not offered to others until then: its actor has ended, or did not start.
    rests_until: Option<Duration>,
    not_before: Duration,
}

/// What a node knows of names. `R` leads to an actor.
#[derive(Debug)]
pub(crate) struct Directory<R> {
    own: Owner,
    tie: u64,
    pace: Pace,
    sequence: u64,
    term: u64,
    table: Table<R>,
    asking: BTreeMap<Arc<str>, Asking>,
    offers: BTreeMap<Arc<str>, Offer>,
    peers: BTreeMap<Owner, Peer>,
    next_digest: Duration,
    actions: Vec<Action<R>>,
    ignored: [u64; Ignored::ALL.len()],
}

impl<R: Clone> Directory<R> {
    /// A directory that begins now, at [`Now::elapsed`] zero.
    pub(crate) fn new(own: Owner, pace: Pace) -> Self {
        let [.., a, b, c, d, e, f, g, h] = own.incarnation;
        Self {
            own,
            tie: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            pace,
            sequence: 0,
            term: 0,
            table: Table::new(),
            asking: BTreeMap::new(),
            offers: BTreeMap::new(),
            peers: BTreeMap::new(),
            next_digest: Duration::ZERO,
            actions: Vec::new(),
            ignored: [0; Ignored::ALL.len()],
        }
    }

    /// What has to be done since this was called last, in this order.
    pub(crate) fn take_actions(&mut self) -> Vec<Action<R>> {
        std::mem::take(&mut self.actions)
    }

    /// How often something that a peer told had no effect.
    pub(crate) fn ignored(&self, cause: Ignored) -> u64 {
        self.ignored[cause as usize]
    }

    /// This node.
    pub(crate) const fn own(&self) -> &Owner {
        &self.own
    }

    /// The best claim of a name that this node knows.
    pub(crate) fn get(&self, name: &str) -> Option<&Entry<R>> {
        self.table.get(name)
    }

    /// Whether this node has names, asks for some, or offers singletons: all members have to hear
    /// of it.
    pub(crate) fn tells_others(&self) -> bool {
        self.table.count(&self.own) > 0 || !self.offers.is_empty()
    }

    /// All claims that this node knows.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry<R>> {
        self.table.iter()
    }

    /// Members that have not granted a name that this node asks for.
    pub(crate) fn unanswered(&self, name: &str) -> Vec<Owner> {
        let Some(asking) = self.asking.get(name) else { return Vec::new() };
        self.alive().filter(|it| !asking.granted.contains(it)).cloned().collect()
    }

    /// A better claim for a name that this node asks for, as a member has told.
    pub(crate) fn doubt(&self, name: &str) -> Option<&Rival> {
        self.asking.get(name)?.doubts.values().next()
    }

    /// Asks for a name. [`Action::Held`], [`Action::Refused`] or [`Directory::release`] ends it.
    pub(crate) fn register(
        &mut self,
        name: Arc<str>,
        kind: Arc<str>,
        reference: R,
        now: Now,
    ) -> Result<FencingNumber, NotAsked> {
        if let Some(entry) = self.table.get(&name) {
            return Err(NotAsked::Taken(entry.rival()));
        }
        if self.table.count(&self.own) >= NAMES {
            return Err(NotAsked::TooMany);
        }
        Ok(self.ask(name, kind, Some(reference), now))
    }

    /// Gives up a claim; whether it was this node's.
    pub(crate) fn release(&mut self, name: &str, number: FencingNumber, now: Now) -> bool {
        if self.table.of(name, &self.own, number).is_none() {
            return false;
        }
        self.give_up(name);
        self.place(now);
        true
    }

    /// Would run a singleton from now on.
    pub(crate) fn offer(
        &mut self,
        name: Arc<str>,
        kind: Arc<str>,
        now: Now,
    ) -> Result<(), NotAsked> {
        if self.offers.len() >= OFFERS {
            return Err(NotAsked::TooMany);
        }
        let offer = Offer { kind, rests_until: None, not_before: Duration::ZERO };
        self.offers.insert(name, offer);
        self.tell_offers();
        self.place(now);
        Ok(())
    }

    /// Would not run a singleton any more. Its claim goes on until it is released.
    pub(crate) fn withdraw(&mut self, name: &str) {
        if self.offers.remove(name).is_some() {
            self.tell_offers();
        }
    }

    /// The actor of a singleton has started; `false`, when this node has lost the name meanwhile.
    pub(crate) fn started(&mut self, name: &str, number: FencingNumber, reference: R) -> bool {
        let Some(claim) = self.table.of(name, &self.own, number) else { return false };
        let claim = Claim { reference: Some(reference), ..claim.clone() };
        self.table.put(self.own.clone(), claim.clone());
        self.tell_all(&Body::Claim(claim));
        true
    }

    /// The actor of a singleton has ended by itself, or did not start. This node does not offer it
    /// for so long.
    pub(crate) fn ended(&mut self, name: &str, number: FencingNumber, rest: Duration, now: Now) {
        if let Some(offer) = self.offers.get_mut(name) {
            offer.rests_until = Some(now.elapsed + rest);
            // Before the name is free: others place the singleton when they hear that it is.
            self.tell_offers();
        }
        self.release(name, number, now);
    }

    /// The time has passed.
    pub(crate) fn tick(&mut self, now: Now) {
        let retry = now.elapsed + self.pace.retry;
        let due = self.asking.iter_mut().filter(|(_, asking)| asking.next <= now.elapsed);
        let due: Vec<Arc<str>> = due
            .map(|(name, asking)| {
                asking.next = retry;
                name.clone()
            })
            .collect();
        for name in due {
            self.ask_again(&name);
            self.settle_claim(&name, now);
        }
        let rested = |offer: &&mut Offer| offer.rests_until.is_some_and(|it| it <= now.elapsed);
        let rested = self.offers.values_mut().filter(rested);
        if rested.map(|offer| offer.rests_until = None).count() > 0 {
            self.tell_offers();
        }
        if self.next_digest <= now.elapsed {
            self.next_digest = now.elapsed + self.pace.digest;
            let digest = self.digest();
            self.tell_all(&Body::Digest(digest));
        }
        self.place(now);
    }

    fn next_number(&mut self, now: Now) -> FencingNumber {
        self.term = (self.term + 1).max(now.wall).min(MAX_TERM);
        FencingNumber::new(self.term, self.tie)
    }

    fn ask(&mut self, name: Arc<str>, kind: Arc<str>, of: Option<R>, now: Now) -> FencingNumber {
        let number = self.next_number(now);
        let (stage, asked) = (Stage::Pending, number);
        let claim = Claim { name: name.clone(), number, asked, stage, kind, reference: of };
        self.table.put(self.own.clone(), claim.clone());
        let (granted, doubts) = (BTreeSet::new(), BTreeMap::new());
        let asking = Asking { granted, doubts, next: now.elapsed + self.pace.retry };
        self.asking.insert(name.clone(), asking);
        self.tell_all(&Body::Claim(claim));
        self.settle_claim(&name, now);
        number
    }

    fn ask_again(&mut self, name: &str) {
        let Some(claim) = self.table.get(name).map(|entry| entry.claim.clone()) else { return };
        for owner in self.unanswered(name) {
            self.tell(&owner, Body::Claim(claim.clone()));
        }
    }

    /// The claim goes on with a number that is greater than all that this node knows.
    fn renumber(&mut self, name: &str, now: Now) {
        let Some(claim) = self.table.get(name).map(|entry| entry.claim.clone()) else { return };
        let (old, new) = (claim.number, self.next_number(now));
        let claim = Claim { number: new, ..claim };
        self.table.put(self.own.clone(), claim.clone());
        if let Some(asking) = self.asking.get_mut(name) {
            asking.granted.clear();
            asking.doubts.clear();
            asking.next = now.elapsed + self.pace.retry;
        }
        self.actions.push(Action::Renumbered { name: claim.name.clone(), old, new });
        self.tell_all(&Body::Claim(claim));
    }

    /// This node has a name when all members have granted it.
    fn settle_claim(&mut self, name: &str, now: Now) {
        let Some(asking) = self.asking.get(name) else { return };
        let is_granted = self.alive().all(|owner| asking.granted.contains(owner));
        if now.elapsed < self.pace.settle || !is_granted {
            return;
        }
        let Some(claim) = self.table.get(name).map(|entry| entry.claim.clone()) else { return };
        self.asking.remove(name);
        let claim = Claim { stage: Stage::Held, ..claim };
        self.table.put(self.own.clone(), claim.clone());
        self.actions.push(Action::Held { name: claim.name.clone(), number: claim.number });
        self.tell_all(&Body::Claim(claim));
    }

    fn give_up(&mut self, name: &str) -> Option<Entry<R>> {
        let entry = self.table.remove(name)?;
        self.asking.remove(name);
        let (name, number) = (entry.claim.name.clone(), entry.claim.number);
        self.tell_all(&Body::Release { name, number });
        Some(entry)
    }

    /// Another claim goes before this node's.
    fn lose(&mut self, name: &str, rival: Rival, now: Now) {
        let Some(entry) = self.give_up(name) else { return };
        if let Some(offer) = self.offers.get_mut(name) {
            // The winner tells of itself meanwhile.
            offer.not_before = now.elapsed + 2 * self.pace.retry;
        }
        let Claim { name, number, stage, .. } = entry.claim;
        self.actions.push(match stage {
            Stage::Pending => Action::Refused { name, number, rival },
            Stage::Held => Action::Lost { name, number, rival },
        });
    }

    /// Asks for the singletons whose place this node is, where no node has them.
    fn place(&mut self, now: Now) {
        if now.elapsed < self.pace.settle {
            return;
        }
        let is_due = |offer: &Offer| offer.rests_until.is_none() && offer.not_before <= now.elapsed;
        let due = self.offers.iter().filter(|(name, offer)| {
            is_due(offer) && self.table.get(name).is_none() && self.is_place(name)
        });
        let due: Vec<_> = due.map(|(name, offer)| (name.clone(), offer.kind.clone())).collect();
        for (name, kind) in due {
            if self.table.count(&self.own) < NAMES {
                self.ask(name, kind, None, now);
            }
        }
    }

    fn is_place(&self, name: &str) -> bool {
        let own = score(name, &self.own);
        let offering = self.peers.iter().filter(|(_, it)| it.is_alive && it.offers.contains(name));
        offering.map(|(owner, _)| (score(name, owner), owner)).all(|it| it < (own, &self.own))
    }

    /// Of all that this node tells others.
    fn digest(&self) -> u64 {
        let offered = self.offered().iter().fold(0, |digest, name| digest ^ offer_digest(name));
        self.table.digest(&self.own) ^ offered
    }

    fn offered(&self) -> Vec<Arc<str>> {
        let offers = self.offers.iter().filter(|(_, offer)| offer.rests_until.is_none());
        offers.map(|(name, _)| name.clone()).collect()
    }

    fn tell_offers(&mut self) {
        let offers = Body::Offers(self.offered());
        self.tell_all(&offers);
    }

    fn alive(&self) -> impl Iterator<Item = &Owner> {
        self.peers.iter().filter(|(_, peer)| peer.is_alive).map(|(owner, _)| owner)
    }

    fn tell_all(&mut self, body: &Body<R>) {
        let alive: Vec<Owner> = self.alive().cloned().collect();
        for owner in alive {
            self.tell(&owner, body.clone());
        }
    }

    fn tell(&mut self, to: &Owner, body: Body<R>) {
        self.sequence += 1;
        let (from, to) = (self.own.clone(), to.clone());
        let (sequence, term) = (self.sequence, self.term);
        self.actions.push(Action::Send(Envelope { from, to, sequence, term, body }));
    }
}

/// The part of an offer in the digest of its node.
fn offer_digest(name: &str) -> u64 {
    hash(&[b"offer", name.as_bytes()])
}

#[cfg(test)]
mod tests;
