//! What nodes tell each other about names, and what a directory asks for.

use std::sync::Arc;

use super::claim::{Claim, Owner, Rival};
use super::number::FencingNumber;

/// A message from one node to another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Envelope<R> {
    pub(crate) from: Owner,
    pub(crate) to: Owner,
    /// Grows with each message of the sender. One that is not greater than the last is too late.
    pub(crate) sequence: u64,
    /// The greatest term that the sender knows.
    pub(crate) term: u64,
    pub(crate) body: Body<R>,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body<R> {
    /// A claim of the sender. It asks for a grant while it is pending.
    Claim(Claim<R>),
    /// The sender knows no better claim than the one with this number. It knows holders with
    /// numbers up to `floor` that have ended.
    Grant { name: Arc<str>, number: FencingNumber, floor: FencingNumber },
    /// The sender knows a better one.
    Refuse { name: Arc<str>, number: FencingNumber, rival: Rival },
    /// The sender has given up its claim.
    Release { name: Arc<str>, number: FencingNumber },
    /// A hash of all claims and offers of the sender.
    Digest(u64),
    /// Asks for all claims and offers.
    Ask,
    /// All claims of the sender.
    Claims(Vec<Claim<R>>),
    /// The singletons that the sender would run.
    Offers(Vec<Arc<str>>),
}

/// What a directory asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action<R> {
    /// A message has to be sent. It may be lost.
    Send(Envelope<R>),
    /// This node has the name now. For a singleton: start it.
    Held { name: Arc<str>, number: FencingNumber },
    /// This node does not get the name.
    Refused { name: Arc<str>, number: FencingNumber, rival: Rival },
    /// Another node has the name, by the rule. For a singleton: stop it.
    Lost { name: Arc<str>, number: FencingNumber, rival: Rival },
    /// The claim goes on under another number.
    Renumbered { name: Arc<str>, old: FencingNumber, new: FencingNumber },
}

/// Why something that a peer told had no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ignored {
    /// Its sender is not a member that is alive.
    Stranger,
    /// It is for another start of a node.
    Misdirected,
    /// A later message of its sender came before it.
    Late,
    /// Its sender sends too many messages.
    TooFast,
    /// It has more names, or longer ones, than a node may have.
    TooLarge,
    /// A name, a number or the type of an actor's messages cannot be one.
    Malformed,
    /// It came over the session of another node than the one whose message it says it is.
    WrongSession,
}

impl Ignored {
    /// All causes.
    pub const ALL: [Self; 7] = [
        Self::Stranger,
        Self::Misdirected,
        Self::Late,
        Self::TooFast,
        Self::TooLarge,
        Self::Malformed,
        Self::WrongSession,
    ];
}
