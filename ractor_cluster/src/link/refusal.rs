//! Why a node refuses a connection or a peer: one cause for the log, the counters, the refused peer
//! and the error of the node that dialled.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Declares the causes: each with its documentation, its code, its name for programs, and its text
/// for people. So none can lack one of them.
macro_rules! causes {
    ($($(#[$doc:meta])* $cause:ident = $code:literal, $name:literal, $text:literal;)+) => {
        /// Why a node refused a connection or a peer.
        ///
        /// Its text says what is wrong and what to do about it, and reads the same on both sides.
        /// A refused peer of the fork is told the cause and nothing else.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u32)]
        pub enum Refusal {
            $($(#[$doc])* $cause = $code,)+
        }

        /// Each cause, its name for programs, and its text for people.
        const TABLE: &[(Refusal, &str, &str)] = &[$((Refusal::$cause, $name, $text),)+];
    };
}

// A new cause takes the next code.
causes! {
    /// The proof or the answer to the challenge was made with another cookie.
    WrongCookie = 1, "wrong_cookie",
    "the two nodes have different cookies, or an attacker is between them: give both the same \
     cookie";
    /// A session with a node of this name exists.
    NameTaken = 2, "name_taken",
    "a session with a node of this name exists already: give each node a name of its own, \
     or use the session that exists";
    /// The peer has the name or the address of the node itself.
    OwnName = 3, "own_name",
    "the node has the name or the address of the node it connects to: rename one of them, \
     or correct the address";
    /// The configuration says that the peer is on this machine, and no local link proved it.
    NotLocal = 4, "not_local",
    "the configuration says that the peer is on this machine, and no local link proved it: \
     correct the peer's location, or let both nodes reach the same Unix socket";
    /// The peer speaks another version of the protocol.
    Version = 5, "protocol_version",
    "the nodes speak different versions of the protocol: run releases that fit";
    /// The peer is a stock node, and the node is strict.
    StockNode = 6, "stock_node",
    "a stock node is not let in by a strict node: run the fork on both, or turn off strict";
    /// A node of the fork had this name, and now a stock node has it.
    Downgrade = 7, "downgrade",
    "a node of the fork had this name before, and a stock node is not let in under it: run \
     the fork there, or turn off refuse_downgrade";
    /// The ends see different channels, or TLS without a binding, and the node is strict.
    Channel = 8, "channel",
    "the two ends do not see the same secured channel: connect without a proxy that ends \
     TLS, and use TLS 1.3";
    /// The certificate is for another name.
    Certificate = 9, "certificate",
    "the certificate is not for the node's name: issue one for it, or list its names under \
     certificate_names";
    /// The node has as many peers as it may have.
    TooManyPeers = 10, "too_many_peers",
    "the node has as many peers as it may have: raise max_peers there";
    /// A frame before authentication was larger than such frames may be.
    FrameTooLarge = 11, "frame_too_large",
    "a frame before authentication was too large: check that the address belongs to the \
     cluster and that both ends use TLS or neither, or raise first_frame";
    /// The bytes are no frame of a node.
    Malformed = 12, "malformed",
    "the bytes are not what a node sends: check that the address belongs to the cluster, \
     and that both ends use TLS or neither";
    /// A frame came that was not due.
    OutOfTurn = 13, "out_of_turn",
    "a frame came that was not due: run releases that fit";
    /// The handshake took too long.
    TooSlow = 14, "too_slow",
    "the handshake took too long: check the network and the load, or raise the handshake's \
     timeout";
    /// The places for unauthenticated connections ran out, and this connection was the oldest.
    Displaced = 15, "displaced",
    "the places for unauthenticated connections ran out, and the oldest was closed: connect \
     again, and look for who holds connections open, or raise max_handshakes";
    /// A further link names a session that does not exist, or does not prove that it belongs to it.
    NoSession = 16, "no_session",
    "a further link belongs to no session here: the session has ended, or its secret was \
     not proven";
    /// TLS was not agreed upon.
    Tls = 17, "tls",
    "TLS was not agreed upon: check that both ends use TLS, and their certificates";
    /// The connection ended before authentication, and the cause is not known.
    Unauthenticated = 18, "unauthenticated",
    "the connection ended before authentication: compare the cookies and look at the other \
     node's log";
    /// A newer process of the peer's name is connected, and answers.
    OlderIncarnation = 19, "older_incarnation",
    "a newer process of this node's name is connected: stop one of the two, or give each a \
     name of its own";
    /// A frame listed more than the node takes at once.
    ListTooLong = 20, "list_too_long",
    "a frame listed more than the receiving node takes at once: raise its limit of actors, or \
     announce fewer actors";
}

/// What the reason begins with for which a session of the refusing node ends.
const HERE: &str = "refused_";

/// What it begins with at the refused node.
const THERE: &str = "refused_by_peer_";

/// How many causes there are.
pub(crate) const CAUSES: usize = TABLE.len();

static COUNTS: [AtomicU64; CAUSES] = [const { AtomicU64::new(0) }; CAUSES];

impl Refusal {
    /// The number that stands for the cause on the wire.
    pub(crate) const fn code(self) -> u32 {
        self as u32
    }

    /// The cause of this code; one of a later release counts as unknown.
    pub(crate) fn of_code(code: u32) -> Self {
        let known = TABLE.iter().map(|(cause, ..)| *cause).find(|cause| cause.code() == code);
        known.unwrap_or(Self::Unauthenticated)
    }

    const fn index(self) -> usize {
        self as usize - 1
    }

    /// The cause's name for programs, such as `wrong_cookie`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        TABLE[self.index()].1
    }

    /// The reason for which a session ends that refuses its peer.
    pub(crate) fn end(self) -> String {
        format!("{HERE}{}", self.name())
    }

    /// The reason for which a session ends that its peer refused.
    pub(crate) fn end_by_peer(self) -> String {
        format!("{THERE}{}", self.name())
    }

    /// Reads the reason for which a session ended: the cause, and who refused whom. `None` when the
    /// session ended for another reason than a refusal.
    #[must_use]
    pub fn of_reason(reason: &str) -> Option<(Self, RefusedBy)> {
        match reason {
            // The reasons of upstream's handshake.
            "auth_fail" => return Some((Self::WrongCookie, RefusedBy::ThisNode)),
            "duplicate_connection" | "session_election_lost" => {
                return Some((Self::NameTaken, RefusedBy::ThisNode));
            }
            _ => {}
        }
        let (name, by) = match (reason.strip_prefix(THERE), reason.strip_prefix(HERE)) {
            (Some(name), _) => (name, RefusedBy::Peer),
            (None, Some(name)) => (name, RefusedBy::ThisNode),
            (None, None) => return None,
        };
        TABLE.iter().find(|(_, its, _)| *its == name).map(|(cause, ..)| (*cause, by))
    }

    /// The cause for which a frame could not be read, of the error's text.
    pub(crate) fn of_unreadable(error: &str) -> Self {
        if error.contains("exceeds configured limit") {
            Self::FrameTooLarge
        } else if error.contains("received fatal alert") {
            // The peer refuses this end's certificate after its own part of the handshake.
            Self::Tls
        } else {
            Self::Malformed
        }
    }

    /// Counts one more.
    pub(crate) fn count(self) {
        COUNTS[self.index()].fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(TABLE[self.index()].2)
    }
}

/// Which end of a connection refused the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusedBy {
    /// This node refused the peer.
    ThisNode,
    /// The peer refused this node.
    Peer,
}

/// How many connections and peers the nodes of this process refused, by cause, since it started.
#[must_use]
pub fn refusals() -> Vec<(Refusal, u64)> {
    let count = |cause: Refusal| COUNTS[cause.index()].load(Ordering::Relaxed);
    TABLE.iter().map(|(cause, ..)| (*cause, count(*cause))).collect()
}

/// The cause's place among them.
pub(crate) const fn index(cause: Refusal) -> usize {
    cause.index()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_survives_its_code_and_its_reason() {
        for (place, (cause, name, _)) in TABLE.iter().copied().enumerate() {
            assert_eq!(cause.index(), place, "{name} stands in its row");
            assert_eq!(Refusal::of_code(cause.code()), cause);
            assert_eq!(Refusal::of_reason(&cause.end()), Some((cause, RefusedBy::ThisNode)));
            assert_eq!(Refusal::of_reason(&cause.end_by_peer()), Some((cause, RefusedBy::Peer)));
        }
        assert_eq!(Refusal::of_code(9999), Refusal::Unauthenticated);
        assert_eq!(Refusal::of_reason("tcp_session_closed"), None);
    }
}
