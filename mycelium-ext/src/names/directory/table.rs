//! The claims that a node knows, by name and by owner.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::claim::{Claim, Owner, Rival};
use super::number::FencingNumber;

/// The best claim of a name, as far as this node knows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry<R> {
    pub(crate) owner: Owner,
    pub(crate) claim: Claim<R>,
}

impl<R> Entry<R> {
    pub(crate) fn rival(&self) -> Rival {
        self.claim.rival(&self.owner)
    }
}

#[derive(Debug, Default)]
struct Holdings {
    names: BTreeSet<Arc<str>>,
    digest: u64,
}

/// One claim for each name.
#[derive(Debug)]
pub(crate) struct Table<R> {
    entries: BTreeMap<Arc<str>, Entry<R>>,
    owners: BTreeMap<Owner, Holdings>,
    /// The greatest number of a claim that has ended.
    retired: FencingNumber,
}

impl<R> Table<R> {
    pub(crate) const fn new() -> Self {
        let retired = FencingNumber::new(0, 0);
        Self { entries: BTreeMap::new(), owners: BTreeMap::new(), retired }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Entry<R>> {
        self.entries.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry<R>> {
        self.entries.values()
    }

    /// The claim of a name, where it is one of this owner with this number.
    pub(crate) fn of(&self, name: &str, owner: &Owner, number: FencingNumber) -> Option<&Claim<R>> {
        let entry = self.entries.get(name)?;
        (entry.owner == *owner && entry.claim.number == number).then_some(&entry.claim)
    }

    /// The names of an owner.
    pub(crate) fn names(&self, owner: &Owner) -> impl Iterator<Item = &Arc<str>> {
        self.owners.get(owner).into_iter().flat_map(|it| &it.names)
    }

    pub(crate) fn count(&self, owner: &Owner) -> usize {
        self.owners.get(owner).map_or(0, |it| it.names.len())
    }

    pub(crate) fn digest(&self, owner: &Owner) -> u64 {
        self.owners.get(owner).map_or(0, |it| it.digest)
    }

    pub(crate) const fn retired(&self) -> FencingNumber {
        self.retired
    }

    /// Notes a claim, in the place of the one that there is.
    pub(crate) fn put(&mut self, owner: Owner, claim: Claim<R>) {
        if let Some(old) = self.take(&claim.name) {
            if old.claim.number != claim.number {
                self.retired = self.retired.max(old.claim.number);
            }
        }
        let holdings = self.owners.entry(owner.clone()).or_default();
        holdings.names.insert(claim.name.clone());
        holdings.digest ^= claim.digest();
        self.entries.insert(claim.name.clone(), Entry { owner, claim });
    }

    /// A claim has ended.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Entry<R>> {
        let entry = self.take(name)?;
        self.retired = self.retired.max(entry.claim.number);
        Some(entry)
    }

    fn take(&mut self, name: &str) -> Option<Entry<R>> {
        let entry = self.entries.remove(name)?;
        if let Some(holdings) = self.owners.get_mut(&entry.owner) {
            holdings.names.remove(name);
            holdings.digest ^= entry.claim.digest();
            if holdings.names.is_empty() {
                self.owners.remove(&entry.owner);
            }
        }
        Some(entry)
    }
}
