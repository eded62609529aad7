//! Claims of names, and the rule that decides between two.

use std::sync::Arc;

use super::number::FencingNumber;

/// A start of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner {
    /// The full name of the node.
    pub(crate) name: Arc<str>,
    /// The incarnation.
    pub(crate) incarnation: [u8; 16],
}

/// How far a claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stage {
    /// Its node asks the members whether it may have the name.
    Pending,
    /// All members that its node saw alive have granted it.
    Held,
}

/// A claim of a name, as its owner tells it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claim<R> {
    pub(crate) name: Arc<str>,
    pub(crate) number: FencingNumber,
    /// The number with which it was asked for first.
    pub(crate) asked: FencingNumber,
    pub(crate) stage: Stage,
    /// The type of the messages that the actor takes.
    pub(crate) kind: Arc<str>,
    /// The actor. A singleton has none before it has started.
    pub(crate) reference: Option<R>,
}

/// A claim that stands in the way of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rival {
    pub(crate) owner: Owner,
    pub(crate) number: FencingNumber,
    pub(crate) asked: FencingNumber,
    pub(crate) stage: Stage,
}

/// What decides between two claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rank {
    stage: Stage,
    number: FencingNumber,
    asked: FencingNumber,
}

/// Whether the first of two claims of different owners goes before the second.
///
/// * One that is held goes before one that is asked for.
/// * Of two that are held the one with the higher number stays: a resource that has seen it
///   refuses the other one anyway.
/// * Of two that are asked for the one with the lower number stays: it was first, as far as the
///   clocks agree. The number with which it was asked for first counts, so that two do not take
///   turns in being first.
///
/// Two claims never have the same number.
pub(crate) fn beats(one: Rank, other: Rank) -> bool {
    match (one.stage, other.stage) {
        (Stage::Held, Stage::Pending) => true,
        (Stage::Pending, Stage::Held) => false,
        (Stage::Held, Stage::Held) => one.number > other.number,
        (Stage::Pending, Stage::Pending) => one.asked < other.asked,
    }
}

impl<R> Claim<R> {
    pub(crate) const fn rank(&self) -> Rank {
        Rank { stage: self.stage, number: self.number, asked: self.asked }
    }

    /// As what stands in the way of others.
    pub(crate) fn rival(&self, owner: &Owner) -> Rival {
        let Self { number, asked, stage, .. } = *self;
        Rival { owner: owner.clone(), number, asked, stage }
    }

    /// Its part of the digest of its owner.
    pub(crate) fn digest(&self) -> u64 {
        let state = [self.stage as u8, u8::from(self.reference.is_some())];
        hash(&[self.name.as_bytes(), &self.number.to_bytes(), &state])
    }
}

impl Rival {
    pub(crate) const fn rank(&self) -> Rank {
        Rank { stage: self.stage, number: self.number, asked: self.asked }
    }
}

/// A hash of these that is the same in all processes (FNV-1a, mixed by the end of SplitMix64). It
/// protects from accidents, not from an adversary.
pub(crate) fn hash(parts: &[&[u8]]) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut hash = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        hash = part.len().to_le_bytes().into_iter().fold(hash, step);
        hash = part.iter().copied().fold(hash, step);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// How well a node suits a singleton: the one with the greatest score is its place.
pub(crate) fn score(singleton: &str, node: &Owner) -> u64 {
    hash(&[singleton.as_bytes(), node.name.as_bytes()])
}
