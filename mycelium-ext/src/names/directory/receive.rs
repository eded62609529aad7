//! What a directory does with the messages of other nodes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::bounds::{NAMES, PAUSE, check};
use super::claim::{Claim, Owner, Rival, Stage, beats};
use super::message::{Body, Envelope, Ignored};
use super::number::FencingNumber;
use super::{Directory, Now};

impl<R: Clone> Directory<R> {
    /// A message has come. One that cannot be right has no effect, and is counted.
    pub(crate) fn receive(&mut self, message: Envelope<R>, now: Now) {
        if let Err(cause) = self.admit(&message, now) {
            self.ignored[cause as usize] += 1;
            return;
        }
        let Envelope { from, term, body, .. } = message;
        self.term = self.term.max(term);
        match body {
            Body::Claim(claim) => self.claimed(&from, claim, now),
            Body::Grant { name, number, floor } => self.granted(from, &name, (number, floor), now),
            Body::Refuse { name, number, rival } => self.refused(&from, &name, number, rival, now),
            Body::Release { name, number } => {
                if self.table.of(&name, &from, number).is_some() {
                    self.table.remove(&name);
                }
            }
            Body::Digest(digest) => self.compare(&from, digest, now),
            Body::Ask => self.asked(&from, now),
            Body::Claims(claims) => self.all_claimed(&from, claims, now),
            Body::Offers(offers) => {
                if let Some(peer) = self.peers.get_mut(&from) {
                    peer.offers = offers.into_iter().collect();
                }
            }
        }
        self.place(now);
    }

    fn admit(&mut self, message: &Envelope<R>, now: Now) -> Result<(), Ignored> {
        if message.to != self.own {
            return Err(Ignored::Misdirected);
        }
        let peer = self.peers.get_mut(&message.from).filter(|peer| peer.is_alive);
        let peer = peer.ok_or(Ignored::Stranger)?;
        if !peer.budget.take(now.elapsed) {
            return Err(Ignored::TooFast);
        }
        check(message)?;
        if message.sequence <= peer.sequence {
            return Err(Ignored::Late);
        }
        peer.sequence = message.sequence;
        Ok(())
    }

    fn claimed(&mut self, from: &Owner, claim: Claim<R>, now: Now) {
        let known = self.table.get(&claim.name);
        let is_update = known.is_some_and(|entry| entry.owner == *from);
        if !is_update && self.table.count(from) >= NAMES {
            self.ignored[Ignored::TooLarge as usize] += 1;
            return;
        }
        if let Some(entry) = known.filter(|_| !is_update) {
            let rival = entry.rival();
            if !beats(claim.rank(), rival.rank()) {
                let better = (rival.owner == self.own).then(|| entry.claim.clone());
                let (name, number) = (claim.name, claim.number);
                self.tell(from, Body::Refuse { name, number, rival });
                if let Some(better) = better {
                    self.tell(from, Body::Claim(better));
                }
                return;
            }
            let winner = claim.rival(from);
            if rival.owner == self.own {
                self.lose(&claim.name, winner, now);
            } else {
                let (name, number) = (claim.name.clone(), rival.number);
                self.tell(&rival.owner, Body::Refuse { name, number, rival: winner });
            }
        }
        let (name, number, stage) = (claim.name.clone(), claim.number, claim.stage);
        self.table.put(from.clone(), claim);
        if stage == Stage::Pending {
            let floor = self.table.retired();
            self.tell(from, Body::Grant { name, number, floor });
        }
    }

    fn granted(
        &mut self,
        from: Owner,
        name: &str,
        (number, floor): (FencingNumber, FencingNumber),
        now: Now,
    ) {
        if self.table.of(name, &self.own, number).is_none() {
            return;
        }
        let Some(asking) = self.asking.get_mut(name) else { return };
        if floor >= number {
            self.renumber(name, now);
            return;
        }
        asking.doubts.remove(&from);
        asking.granted.insert(from);
        self.settle_claim(name, now);
    }

    fn refused(&mut self, from: &Owner, name: &str, mine: FencingNumber, rival: Rival, now: Now) {
        let Some(claim) = self.table.of(name, &self.own, mine) else { return };
        if !beats(rival.rank(), claim.rank()) {
            // This node has come further since.
            let claim = Body::Claim(claim.clone());
            self.tell(from, claim);
            return;
        }
        if rival.owner == *from {
            self.lose(name, rival, now);
        } else if let Some(asking) = self.asking.get_mut(name) {
            // What others say of a third node may be out of date. They are asked again.
            asking.granted.remove(from);
            asking.doubts.insert(from.clone(), rival);
        } else if self.peers.get(&rival.owner).is_some_and(|peer| peer.is_alive) {
            // The rival itself has to say so.
            let claim = Body::Claim(claim.clone());
            self.tell(&rival.owner, claim);
        } else {
            self.lose(name, rival, now);
        }
    }

    fn compare(&mut self, from: &Owner, digest: u64, now: Now) {
        if self.digest_of(from) == digest {
            return;
        }
        let Some(peer) = self.peers.get_mut(from) else { return };
        if peer.asked.is_none_or(|asked| asked + PAUSE <= now.elapsed) {
            peer.asked = Some(now.elapsed);
            self.tell(from, Body::Ask);
        }
    }

    fn asked(&mut self, from: &Owner, now: Now) {
        let Some(peer) = self.peers.get_mut(from) else { return };
        if peer.answered.is_none_or(|answered| answered + PAUSE <= now.elapsed) {
            peer.answered = Some(now.elapsed);
            self.tell_claims(from);
        }
    }

    fn all_claimed(&mut self, from: &Owner, claims: Vec<Claim<R>>, now: Now) {
        let told: BTreeSet<&Arc<str>> = claims.iter().map(|claim| &claim.name).collect();
        let ended = self.table.names(from).filter(|name| !told.contains(name));
        let ended: Vec<Arc<str>> = ended.cloned().collect();
        for name in ended {
            self.table.remove(&name);
        }
        for claim in claims {
            self.claimed(from, claim, now);
        }
    }
}
