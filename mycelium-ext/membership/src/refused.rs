//! Why a datagram, or a part of what it says, has no effect.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use mycelium_transport::log_limit::LineLimit;

/// Why a datagram, or a part of what it says, has no effect. Each is counted, and logged with a
/// limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refused {
    /// It has another format or size than datagrams of the gossip.
    NotGossip,
    /// No accepted key opens it: its sender does not know the cookie, or has another one, or
    /// another name of the cluster. It is not answered.
    Unsealed,
    /// It was received before, or is older than what can be new.
    Replayed,
    /// Its sender has not proven yet that it lives at the address that it is from. It is asked to.
    Unproven,
    /// It answers no challenge of this node, or one that is answered already.
    Unasked,
    /// It is for another start of a node.
    Misdirected,
    /// Its sender has the key, and it cannot be read.
    Malformed,
    /// A message whose parts did not come in time.
    Incomplete,
    /// A message of this node for an address at which nobody has answered a challenge in time.
    Unanswered,
    /// A message of this node that is too large to be sent.
    TooLarge,
    /// A member of which no sign of life has come: others tell of it, and its heartbeat stands
    /// still.
    Lifeless,
    /// A member whose name is too long or has characters that names do not have.
    BadName,
    /// A member beyond the number of members that there may be.
    TooMany,
    /// The system did not send or receive.
    Io,
}

impl Refused {
    /// All causes.
    pub const ALL: [Self; 14] = [
        Self::NotGossip,
        Self::Unsealed,
        Self::Replayed,
        Self::Unproven,
        Self::Unasked,
        Self::Misdirected,
        Self::Malformed,
        Self::Incomplete,
        Self::Unanswered,
        Self::TooLarge,
        Self::Lifeless,
        Self::BadName,
        Self::TooMany,
        Self::Io,
    ];

    /// A word for logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotGossip => "not_gossip",
            Self::Unsealed => "unsealed",
            Self::Replayed => "replayed",
            Self::Unproven => "unproven",
            Self::Unasked => "unasked",
            Self::Misdirected => "misdirected",
            Self::Malformed => "malformed",
            Self::Incomplete => "incomplete",
            Self::Unanswered => "unanswered",
            Self::TooLarge => "too_large",
            Self::Lifeless => "lifeless",
            Self::BadName => "bad_name",
            Self::TooMany => "too_many",
            Self::Io => "io",
        }
    }

    /// Whether it occurs where nothing is wrong: nodes start, and forget others.
    const fn is_usual(self) -> bool {
        matches!(
            self,
            Self::Unproven
                | Self::Lifeless
                | Self::Incomplete
                | Self::Misdirected
                | Self::Unanswered
        )
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotGossip => "it is no datagram of the gossip",
            Self::Unsealed => "no accepted key opens it: compare cookie and name of the cluster",
            Self::Replayed => "it was received before",
            Self::Unproven => "its sender has not proven yet that it lives there",
            Self::Unasked => "it answers no open challenge",
            Self::Misdirected => "it is for another start of a node",
            Self::Malformed => "its sender has the key, and it cannot be read",
            Self::Incomplete => "the rest of the message did not come",
            Self::Unanswered => "nobody has answered at the address",
            Self::TooLarge => "the message is too large to be sent",
            Self::Lifeless => "others tell of a member that gives no sign of life",
            Self::BadName => "the name of a member is too long, or no name",
            Self::TooMany => "there are as many members as there may be",
            Self::Io => "the system did not send or receive",
        })
    }
}

/// Counts by cause, and the limits of the lines that are logged.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    counts: [AtomicU64; Refused::ALL.len()],
    lines: [LineLimit; Refused::ALL.len()],
}

impl Counters {
    /// Counts `times` of a cause, and logs that once in a while. `from` is shown.
    pub(crate) fn count(&self, cause: Refused, times: u64, from: &dyn fmt::Display) {
        if times == 0 {
            return;
        }
        self.counts[cause as usize].fetch_add(times, Ordering::Relaxed);
        let Some(suppressed) = self.lines[cause as usize].permit() else { return };
        let name = cause.name();
        if cause.is_usual() {
            tracing::debug!(%from, cause = name, suppressed, "gossip without effect: {cause}");
        } else {
            tracing::warn!(%from, cause = name, suppressed, "gossip without effect: {cause}");
        }
    }

    /// How often there was a cause.
    pub(crate) fn of(&self, cause: Refused) -> u64 {
        self.counts[cause as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_a_place_and_a_name_of_its_own() {
        let counters = Counters::default();
        for (place, cause) in Refused::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, place);
            counters.count(cause, place as u64, &"here");
            counters.count(cause, 1, &"here");
        }
        let names: std::collections::HashSet<_> = Refused::ALL.map(Refused::name).into();
        assert_eq!(names.len(), Refused::ALL.len());
        for (place, cause) in Refused::ALL.into_iter().enumerate() {
            assert_eq!(counters.of(cause), place as u64 + 1);
        }
    }
}
