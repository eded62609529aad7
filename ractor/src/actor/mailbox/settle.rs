//! Settles an admission: the one function that decides what becomes of an item for a queue.
//!
//! It knows plain values only. The queues look these up under their lock and do what is settled;
//! what a refusal means to the sender is carried out where the actor is known
//! (`ActorProperties::carry_out`).

use super::bound::Overflow;

/// How an item is put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// As the policy has it.
    ByPolicy,
    /// Only where it needs no room, or there is some.
    IfRoom,
    /// Whatever waits: its room was lent to its sender before.
    #[allow(dead_code, reason = "the cluster lends room")]
    Granted,
    /// As the policy has it, for a sender that was admitted before, and leaves.
    Admitted,
}

/// What a queue is to do with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Put it behind all others.
    Takes,
    /// Give the oldest item up, and put it behind all others.
    TakesForOldest,
    /// Give it up.
    DropsIt,
    /// Give it back: there may be room later.
    Full,
    /// Give it back for good.
    Closed,
}

/// Whom a queue lets in. The order counts: a queue goes on, and never back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// All, and the items that wait have [keys](super::keyed::Keyed): the chunks are empty.
    OpenKeyed,
    /// All.
    Open,
    /// The senders that entered before it drained.
    Draining,
    /// No receiver.
    Closed,
}

/// What becomes of an item that takes a place of its own. `bound` has the capacity and the policy
/// of a queue that has them, and `waiting` counts its items.
#[inline(always)]
pub(super) fn settle(
    phase: Phase,
    way: Way,
    waiting: usize,
    bound: Option<(usize, Overflow)>,
) -> Verdict {
    let last = if way == Way::Admitted { Phase::Draining } else { Phase::Open };
    if phase > last {
        return Verdict::Closed;
    }
    match (bound, way) {
        (None, _) | (Some(_), Way::Granted) => Verdict::Takes,
        (Some((capacity, _)), _) if waiting < capacity => Verdict::Takes,
        (Some(_), Way::IfRoom) | (Some((_, Overflow::Reject)), _) => Verdict::Full,
        (Some((_, Overflow::DropNewest)), _) => Verdict::DropsIt,
        (Some((_, Overflow::DropOldest)), _) => Verdict::TakesForOldest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAYS: [Way; 4] = [Way::ByPolicy, Way::IfRoom, Way::Granted, Way::Admitted];
    const POLICIES: [Overflow; 3] = [Overflow::Reject, Overflow::DropNewest, Overflow::DropOldest];

    #[test]
    fn only_a_sender_that_was_admitted_gets_into_a_queue_that_drains_and_none_into_a_closed_one() {
        for way in WAYS {
            for bound in [None, Some((1, Overflow::DropOldest))] {
                let verdict = |phase| settle(phase, way, 0, bound);
                assert_eq!(verdict(Phase::OpenKeyed), Verdict::Takes);
                assert_eq!(verdict(Phase::Open), Verdict::Takes);
                let drains = verdict(Phase::Draining) == Verdict::Takes;
                assert_eq!(drains, way == Way::Admitted, "{way:?}");
                assert_eq!(verdict(Phase::Closed), Verdict::Closed);
            }
        }
    }

    #[test]
    fn the_policy_decides_where_there_is_no_room_unless_the_way_does() {
        for way in WAYS {
            for policy in POLICIES {
                let full = settle(Phase::Open, way, 2, Some((2, policy)));
                let by_policy = match policy {
                    Overflow::Reject => Verdict::Full,
                    Overflow::DropNewest => Verdict::DropsIt,
                    Overflow::DropOldest => Verdict::TakesForOldest,
                };
                let expected = match way {
                    Way::ByPolicy | Way::Admitted => by_policy,
                    Way::IfRoom => Verdict::Full,
                    Way::Granted => Verdict::Takes,
                };
                assert_eq!(full, expected, "{way:?}");
                assert_eq!(settle(Phase::Open, way, 1, Some((2, policy))), Verdict::Takes);
            }
            assert_eq!(settle(Phase::Open, way, usize::MAX, None), Verdict::Takes);
        }
    }
}
