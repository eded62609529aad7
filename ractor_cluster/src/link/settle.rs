//! Settles what becomes of a connection or a peer: the one function that decides whether it goes
//! on, is refused and for which cause, or takes the place of another one.
//!
//! It knows plain values only: what was found, and how far the peer has come. Listeners, the
//! handshake of a further link, and sessions find these, and do what was settled
//! ([`refuse`](super::refuse)).

use std::io;
use std::time::Duration;

use mycelium_link::secret::Role;

use super::attach::AttachError;
use super::decode::Undecodable;
use super::incarnation::Incarnation;
use super::options::Location;
use super::refusal::Refusal;
use super::refuse::{Notice, Refused};
use crate::transport::Locality;

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Whether the peer is a node of the fork is not known, since it is not authenticated.
    Greeting,
    /// It is a stock node.
    Stock,
    /// It is one of the fork's, and where it is is being found out.
    Holding,
    /// It is known where it is, and actors are announced.
    Settled,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Of its session; `None` while a listener has it.
    pub(crate) phase: Option<Phase>,
    /// Which end this node is.
    pub(crate) end: Role,
    /// The peer has said `Hello`: it knows the frame that says why it is refused.
    pub(crate) is_greeted: bool,
}

impl Standing {
    /// A listener has it. A stock node skips the frame that says why it is refused.
    pub(crate) const ARRIVING: Self = Self { phase: None, end: Role::Listener, is_greeted: true };
}

/// What was found of a connection or a peer.
#[derive(Debug)]
pub(crate) enum Finding<'a> {
    /// The handshake of TLS failed.
    Tls(&'a io::Error),
    /// It was closed before its first frame.
    NoFrame,
    /// Reading or writing failed.
    Unread(&'a io::Error),
    /// The same, of a session's connection, in words.
    Unreadable(&'a str),
    /// A frame was not decoded. `with_hello` when the peer's `Hello` was not handled yet.
    Undecodable { error: &'a Undecodable, with_hello: bool },
    /// A further link did not join a session.
    Link(&'a AttachError),
    /// The node server has ended.
    NoServer,
    /// Its time is over. It had so much.
    Overdue(Option<Duration>),
    /// Its place goes to a newer connection.
    Displaced,
    /// The peer says `Hello`: whether it may, and whether it names itself before.
    Hello { is_due: bool, is_named: bool },
    /// The peer names itself.
    Name(Naming<'a>),
    /// The peer sent its proof: whether one was due, and is right.
    Proof { is_due: bool, is_right: bool },
    /// The peer completes stock's handshake: whether its proof, which is due before, is verified.
    LastWord { is_proven: bool },
    /// The peer, which was connected to, has another session.
    NotOk,
    /// The peer, which is authenticated, wants the name that others may have.
    Claim { own: Contestant, rivals: &'a [Contestant] },
    /// A newer process of the peer's name has answered.
    Answered(Incarnation),
    /// The peer is authenticated: whether there is a place for it.
    Authenticated { has_place: bool },
    /// A node of the fork says what it is: what of it is too long, and whether it makes a secret.
    Announced { too_long: Option<&'static str>, has_share: bool },
    /// It is known where the peer is.
    Located { must_be: Location, is: Locality, unproven: Option<&'a str> },
    /// The peer sent a frame that is not due.
    NotDue,
    /// The peer refuses this node.
    Told(Refusal),
    /// The session ends, and nothing of the above was found.
    Ended(Ending),
}

/// How a peer names itself.
#[derive(Debug)]
pub(crate) struct Naming<'a> {
    pub(crate) name: &'a str,
    /// The versions of stock's protocol that the peer and this node speak.
    pub(crate) version: u32,
    pub(crate) own_version: u32,
    /// The name or the address is this node's.
    pub(crate) is_own: bool,
    /// The peer has shown a certificate that is for another name.
    pub(crate) has_wrong_certificate: bool,
    /// The channels of both ends, of a peer that has said `Hello`.
    pub(crate) channels: Option<Channels<'a>>,
    /// A node of the fork had the name before.
    pub(crate) was_fork: bool,
    /// What this node demands.
    pub(crate) strict: bool,
    pub(crate) refuse_downgrade: bool,
}

/// What both ends say of their channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channels<'a> {
    pub(crate) here: &'a str,
    pub(crate) there: &'a str,
    pub(crate) is_tls: bool,
    /// Both can bind their proofs to it.
    pub(crate) is_bound: bool,
}

/// A process that has a name, or wants it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contestant {
    pub(crate) incarnation: Incarnation,
    /// It has been silent while an older one answered.
    pub(crate) was_silent: bool,
    /// It has a link, and gave a sign of life if it was asked.
    pub(crate) is_there: bool,
}

impl Contestant {
    /// The greatest has the name. One that has been silent comes after all that have not.
    fn rank(self) -> (bool, Incarnation) {
        (!self.was_silent, self.incarnation)
    }
}

/// How a session ends before its peer is let in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    /// What stock's handshake found.
    pub(crate) found: Option<Refusal>,
    /// Stock's handshake has succeeded.
    pub(crate) is_authenticated: bool,
    /// The peer has answered the challenge, rightly or not.
    pub(crate) has_answered: bool,
    /// This node ends.
    pub(crate) is_closing: bool,
}

/// What becomes of a connection or a peer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on. One that wants a name has it, and takes the place of its former owners.
    GoesOn,
    /// The rivals of these numbers have the name if they live.
    Contested(Vec<usize>),
    /// This node refuses it.
    Refused(Refused),
    /// It refuses this node.
    RefusedByPeer(Refusal),
    /// It ends, and neither end refuses the other.
    Ends,
}

/// Settles what becomes of a connection or a peer after a finding.
pub(crate) fn settle(finding: &Finding<'_>, at: Standing) -> Verdict {
    use Phase::{Greeting, Holding};

    let refused = |cause, reason: String| {
        let notice = Notice::of_cause(at.is_greeted);
        Verdict::Refused(Refused { cause, reason, notice })
    };
    let is_arriving = at.phase.is_none();
    let out_of_turn = |reason: &str| refused(Refusal::OutOfTurn, reason.to_owned());
    match *finding {
        Finding::Tls(error) if error.kind() == io::ErrorKind::UnexpectedEof => Verdict::Ends,
        Finding::Tls(error) => refused(Refusal::Tls, error.to_string()),
        // As probes end that look whether a node listens.
        Finding::NoFrame => Verdict::Ends,
        Finding::Unread(error) | Finding::Link(AttachError::Io(error)) => {
            refused(cause_of(error), error.to_string())
        }
        Finding::Unreadable(_) if at.phase != Some(Greeting) => Verdict::Ends,
        Finding::Unreadable(error) => match Refusal::of_unreadable(error) {
            // The peer has refused this end's certificate.
            Refusal::Tls => Verdict::RefusedByPeer(Refusal::Tls),
            cause => refused(cause, format!("what it sent cannot be read: {error}")),
        },
        Finding::Undecodable { error, .. } if is_arriving => {
            refused(error.cause(), format!("no frame of a node: {error}"))
        }
        Finding::Undecodable { error, with_hello } => {
            let notice = Notice::of_cause(at.is_greeted || with_hello);
            let (cause, reason) = (error.cause(), error.to_string());
            Verdict::Refused(Refused { cause, reason, notice })
        }
        Finding::Link(error @ (AttachError::NoSession | AttachError::Proof)) => {
            refused(Refusal::NoSession, error.to_string())
        }
        Finding::Link(error) => out_of_turn(&error.to_string()),
        Finding::NoServer => {
            refused(Refusal::Unauthenticated, "the node server has ended".to_owned())
        }
        Finding::Overdue(after) if matches!(at.phase, None | Some(Greeting | Holding)) => {
            let after = after.map_or(String::new(), |after| format!(" ({after:?})"));
            refused(Refusal::TooSlow, format!("its handshake was not done in time{after}"))
        }
        Finding::Displaced if matches!(at.phase, None | Some(Greeting)) => {
            refused(Refusal::Displaced, "its place goes to a newer connection".to_owned())
        }
        // It is let in.
        Finding::Overdue(_) | Finding::Displaced => Verdict::GoesOn,
        Finding::Hello { is_due: false, .. } => out_of_turn("invalid or repeated Hello"),
        Finding::Hello { is_named: true, .. } => out_of_turn("its Hello came behind its name"),
        Finding::Hello { .. } => Verdict::GoesOn,
        Finding::Name(ref naming) => match naming.fault() {
            Some((cause, reason)) => refused(cause, reason),
            None => Verdict::GoesOn,
        },
        Finding::Proof { is_due: false, .. } | Finding::LastWord { is_proven: false } => {
            out_of_turn("it has not proven that it knows the cookie in its turn")
        }
        Finding::Proof { is_right: false, .. } => {
            let reason =
                "its proof is wrong: it has another cookie, or somebody is between the two";
            refused(Refusal::WrongCookie, reason.to_owned())
        }
        Finding::Proof { .. } | Finding::LastWord { .. } => Verdict::GoesOn,
        Finding::NotOk => Verdict::RefusedByPeer(Refusal::NameTaken),
        Finding::Claim { own, rivals } => {
            let is_stronger = |rival: &Contestant| rival.is_there && rival.rank() > own.rank();
            let stronger = (0..).zip(rivals).filter(|(_, rival)| is_stronger(rival));
            let stronger: Vec<_> = stronger.map(|(number, _)| number).collect();
            if stronger.is_empty() {
                Verdict::GoesOn
            } else {
                Verdict::Contested(stronger)
            }
        }
        Finding::Answered(newer) => {
            let reason = "a newer process of its name is connected, and answers";
            let (cause, reason) =
                (Refusal::OlderIncarnation, format!("{reason}: incarnation {newer}"));
            Verdict::Refused(Refused { cause, reason, notice: Notice::Superseded(newer) })
        }
        Finding::Authenticated { has_place: false } => {
            refused(Refusal::TooManyPeers, "there are as many peers as there may be".to_owned())
        }
        Finding::Authenticated { .. } => Verdict::GoesOn,
        Finding::Announced { too_long: Some(reason), .. } => out_of_turn(reason),
        Finding::Announced { has_share: false, .. } => {
            out_of_turn("its announcement has no share of a secret")
        }
        Finding::Announced { .. } => Verdict::GoesOn,
        Finding::Located { must_be: Location::Local, is: Locality::Remote, unproven } => {
            let reason = "by configuration it is on this machine, and it has not proven so";
            let unproven = unproven.unwrap_or("no local link was made");
            refused(Refusal::NotLocal, format!("{reason}: {unproven}"))
        }
        Finding::Located { .. } => Verdict::GoesOn,
        Finding::NotDue if matches!(at.phase, Some(Holding | Phase::Settled)) => {
            out_of_turn("it sent a frame that was not due")
        }
        Finding::NotDue => out_of_turn("it sent a frame before its Hello or its authentication"),
        Finding::Told(cause) => Verdict::RefusedByPeer(cause),
        Finding::Ended(_) if at.phase != Some(Greeting) => Verdict::Ends,
        Finding::Ended(ending) => match ending.cause(at.end) {
            Some(cause) => refused(cause, "it was not authenticated".to_owned()),
            None => Verdict::Ends,
        },
    }
}

/// Why reading failed.
fn cause_of(error: &io::Error) -> Refusal {
    Undecodable::cause_of(error).unwrap_or_else(|| match error.kind() {
        io::ErrorKind::InvalidData => Refusal::of_unreadable(&error.to_string()),
        // It ended within a frame, or broke.
        _ => Refusal::Unauthenticated,
    })
}

impl Naming<'_> {
    /// What the peer is not let in for, and what the log says of it.
    fn fault(&self) -> Option<(Refusal, String)> {
        let Self { version, own_version, .. } = self;
        if version != own_version {
            let reason =
                format!("it speaks version {version} of the protocol, and this node {own_version}");
            return Some((Refusal::Version, reason));
        }
        if self.is_own {
            let reason = "it has the name or the address of this node";
            return Some((Refusal::OwnName, reason.to_owned()));
        }
        if self.has_wrong_certificate {
            let (name, its) = (self.name, "its certificate is not for");
            let reason = format!("{its} {name:?}, nor for a name that is listed for it");
            return Some((Refusal::Certificate, reason));
        }
        let Some(Channels { here, there, is_tls, is_bound }) = self.channels else {
            let stock = "it is a stock node, or passes for one, and";
            return if self.strict {
                Some((Refusal::StockNode, format!("{stock} this node lets in none (strict)")))
            } else if self.refuse_downgrade && self.was_fork {
                let reason = "a node of the fork had its name before (refuse_downgrade)";
                Some((Refusal::Downgrade, format!("{stock} {reason}")))
            } else {
                None
            };
        };
        if !self.strict {
            None
        } else if here != there {
            let reason = format!(
                "it is connected by {there:?} and this node by {here:?}: somebody is between the \
                 two (strict)"
            );
            Some((Refusal::Channel, reason))
        } else if is_tls && !is_bound {
            let reason =
                "its proof cannot be bound to the channel, which takes TLS 1.3 at both ends (strict)";
            Some((Refusal::Channel, reason.to_owned()))
        } else {
            None
        }
    }
}

impl Ending {
    /// What the peer is refused for; `None` where it has refused this node, or has ended.
    fn cause(self, end: Role) -> Option<Refusal> {
        self.found.or(match self {
            Self { is_authenticated: true, .. } => Some(Refusal::NameTaken),
            Self { has_answered: true, .. } => Some(Refusal::WrongCookie),
            Self { is_closing: true, .. } => None,
            _ if end == Role::Dialler => None,
            _ => Some(Refusal::Unauthenticated),
        })
    }
}

#[cfg(test)]
#[path = "settle/tests.rs"]
mod tests;
