//! The other nodes, as a directory sees them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::bounds::Budget;
use super::claim::Owner;
use super::message::Body;
use super::{Directory, Now, offer_digest};

/// Another node.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) is_alive: bool,
    /// The number of its last message. It is kept while the peer is down.
    pub(super) sequence: u64,
    /// The singletons that it would run.
    pub(super) offers: BTreeSet<Arc<str>>,
    pub(super) budget: Budget,
    /// When it was asked for all of its claims last.
    pub(super) asked: Option<Duration>,
    /// When it was told all claims of this node last.
    pub(super) answered: Option<Duration>,
}

impl Peer {
    const fn new(now: Duration) -> Self {
        Self {
            is_alive: false,
            sequence: 0,
            offers: BTreeSet::new(),
            budget: Budget::new(now),
            asked: None,
            answered: None,
        }
    }
}

impl<R: Clone> Directory<R> {
    /// Who is alive, and who else is known. A member that is not known any more may begin again
    /// with its numbers of messages.
    pub(crate) fn members(&mut self, alive: &BTreeSet<Owner>, known: &BTreeSet<Owner>, now: Now) {
        let gone: Vec<Owner> = self.alive().filter(|it| !alive.contains(it)).cloned().collect();
        for owner in gone {
            self.down(&owner);
        }
        for owner in alive {
            if *owner == self.own {
                continue;
            }
            let peer = self.peers.entry(owner.clone());
            let peer = peer.or_insert_with(|| Peer::new(now.elapsed));
            if !peer.is_alive {
                peer.is_alive = true;
                self.greet(owner, now);
            }
        }
        self.peers.retain(|owner, peer| peer.is_alive || known.contains(owner));
        let asking: Vec<_> = self.asking.keys().cloned().collect();
        for name in asking {
            self.settle_claim(&name, now);
        }
        self.place(now);
    }

    /// A session with a member is new: references to its actors may have ended with the old one.
    pub(crate) fn connected(&mut self, owner: &Owner, now: Now) {
        if self.peers.get(owner).is_some_and(|peer| peer.is_alive) {
            self.greet(owner, now);
        }
    }

    /// Tells a member everything, and asks it for everything.
    fn greet(&mut self, owner: &Owner, now: Now) {
        self.tell_claims(owner);
        self.tell(owner, Body::Ask);
        if let Some(peer) = self.peers.get_mut(owner) {
            peer.asked = Some(now.elapsed);
        }
    }

    pub(super) fn tell_claims(&mut self, owner: &Owner) {
        let own = self.table.names(&self.own);
        let claims = own.filter_map(|name| Some(self.table.get(name)?.claim.clone())).collect();
        self.tell(owner, Body::Claims(claims));
        let offers = self.offered();
        self.tell(owner, Body::Offers(offers));
    }

    fn down(&mut self, owner: &Owner) {
        let names: Vec<_> = self.table.names(owner).cloned().collect();
        for name in names {
            self.table.remove(&name);
        }
        for asking in self.asking.values_mut() {
            asking.granted.remove(owner);
            asking.doubts.remove(owner);
        }
        if let Some(peer) = self.peers.get_mut(owner) {
            peer.is_alive = false;
            peer.offers.clear();
        }
    }

    /// What this node knows of a member's claims and offers.
    pub(super) fn digest_of(&self, owner: &Owner) -> u64 {
        let offers = self.peers.get(owner).into_iter().flat_map(|peer| &peer.offers);
        offers.fold(self.table.digest(owner), |digest, name| digest ^ offer_digest(name))
    }
}
