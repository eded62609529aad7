//! One message to all members of a process group, which waits for those that have no room.

use std::fmt;
use std::future::{poll_fn, Future};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::stream::{FuturesUnordered, StreamExt as _};

use super::{get_members, get_scoped_members};
use crate::actor::actor_properties::Fanout;
use crate::concurrency::{timeout, Duration};
use crate::errors::UndeliveredReason;
use crate::message::SharedMessage;
use crate::{ActorCell, GroupName, ScopeName};

/// What became of a message at one member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemberOutcome {
    /// The member took it: into its mailbox, or, when it is on another node, into what goes there
    /// next.
    Delivered,
    /// It was not delivered, for this reason. It is never
    /// [`Full`](UndeliveredReason::Full), for which the sender waits.
    Returned(UndeliveredReason),
    /// The member had no room for it before the deadline. It will not get the message.
    DeadlinePassed,
}

impl fmt::Display for MemberOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered => f.write_str("it got the message"),
            Self::Returned(reason) => reason.fmt(f),
            Self::DeadlinePassed => f.write_str(
                "its mailbox, or the way to its node, was full until the deadline passed; allow \
                 for more time, or for more in its mailbox (`ActorConfig::with_mailbox`; \
                 `LaneConfig` for a lane) or on the way (`LinkOptions::with_replay_window`)",
            ),
        }
    }
}

/// What became of a message to a group, member by member.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use ractor::pg;
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let group = "nobody".to_owned();
/// let report = pg::send_arc(&group, Arc::new(42_u64), Duration::from_secs(1)).await;
/// assert!(report.is_complete());
/// for (member, outcome) in report.undelivered() {
///     eprintln!("{} did not get it: {outcome}", member.get_id());
/// }
/// # });
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "the members that did not get the message are reported here only"]
pub struct SendReport {
    members: Vec<(ActorCell, MemberOutcome)>,
}

impl SendReport {
    /// All members, each with what became of the message.
    pub fn members(&self) -> &[(ActorCell, MemberOutcome)] {
        &self.members
    }

    /// How many members took the message.
    pub fn delivered(&self) -> usize {
        self.members.len() - self.undelivered().count()
    }

    /// The members that did not take it, each with the reason.
    pub fn undelivered(&self) -> impl Iterator<Item = (&ActorCell, MemberOutcome)> {
        let all = self.members.iter().map(|(member, outcome)| (member, *outcome));
        all.filter(|(_, outcome)| *outcome != MemberOutcome::Delivered)
    }

    /// Whether every member took it; so for a group without members.
    pub fn is_complete(&self) -> bool {
        self.undelivered().next().is_none()
    }
}

/// Sends a message to all members of a group in the default scope, which share it, and waits for
/// those that have no room; see [`send_arc_scoped`].
pub async fn send_arc<T: SharedMessage>(
    group: &GroupName,
    message: Arc<T>,
    within: Duration,
) -> SendReport {
    send_to_members(get_members(group), message, within).await
}

/// Sends a message to all members of a group, which share it, and waits for those that have no
/// room, all at the same time, until `within` is over: the backpressure of
/// [`ActorRef::send_arc`](crate::ActorRef::send_arc) for a group. With a deadline of zero it only
/// tries.
///
/// Members are those of the moment; one that joins meanwhile gets nothing. A member with room gets
/// the message at once, however long others are waited for, and whatever the overflow policy of its
/// mailbox: nothing is dropped for this message. As with
/// [`broadcast_arc_scoped`](super::broadcast_arc_scoped), one allocation reaches every member of
/// this process, and for members on other nodes it is serialised once.
///
/// Order is that of all messages of this sender to each member. A member for which the deadline
/// passed misses this message only.
///
/// Cancel safe in that each member has either got the message or never will. Nothing is reported
/// then.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use ractor::pg::{self, MemberOutcome};
///
/// async fn publish(tick: Arc<u64>) {
///     let (scope, group) = ("exchange".to_owned(), "readers".to_owned());
///     let report = pg::send_arc_scoped(&scope, &group, tick, Duration::from_millis(50)).await;
///     for (reader, outcome) in report.undelivered() {
///         match outcome {
///             MemberOutcome::DeadlinePassed => reader.stop(Some("too slow".to_owned())),
///             other => eprintln!("{}: {other}", reader.get_id()),
///         }
///     }
/// }
/// ```
pub async fn send_arc_scoped<T: SharedMessage>(
    scope: &ScopeName,
    group: &GroupName,
    message: Arc<T>,
    within: Duration,
) -> SendReport {
    send_to_members(get_scoped_members(scope, group), message, within).await
}

/// Sends to `members`, as [`send_arc_scoped`] does.
pub(crate) async fn send_to_members<T: SharedMessage>(
    members: Vec<ActorCell>,
    message: Arc<T>,
    within: Duration,
) -> SendReport {
    let mut fanout = Fanout::new(message);
    let mut outcomes = vec![MemberOutcome::Delivered; members.len()];
    let mut full = Vec::new();
    let all = members.iter().enumerate();
    fanout.send_to_those_with_room(all, |number, reason| {
        outcomes[number] = undelivered(number, reason, &mut full);
    });
    if !full.is_empty() && !within.is_zero() {
        let waiting = send_when_room(&members, &mut fanout, &mut outcomes, full);
        // What is not sent by then has its outcome already.
        _ = timeout(within, waiting).await;
    }
    for (member, outcome) in members.iter().zip(&outcomes) {
        match outcome {
            MemberOutcome::Delivered => {}
            MemberOutcome::Returned(reason) => fanout.post(member, *reason),
            MemberOutcome::DeadlinePassed => fanout.post(member, UndeliveredReason::Full),
        }
    }
    SendReport { members: members.into_iter().zip(outcomes).collect() }
}

/// Sends to those that are `full`, each when it has room.
async fn send_when_room<T: SharedMessage>(
    members: &[ActorCell],
    fanout: &mut Fanout<T>,
    outcomes: &mut [MemberOutcome],
    mut full: Vec<usize>,
) {
    let mut waiting = FuturesUnordered::new();
    while !full.is_empty() || !waiting.is_empty() {
        waiting.extend(full.drain(..).map(|number| async move {
            members[number].wait_for_room::<T>().await;
            number
        }));
        let ready = poll_fn(|context| poll_ready(&mut waiting, context)).await;
        for number in &ready {
            outcomes[*number] = MemberOutcome::Delivered;
        }
        let ready = ready.into_iter().map(|number| (number, &members[number]));
        fanout.send_to_those_with_room(ready, |number, reason| {
            outcomes[number] = undelivered(number, reason, &mut full);
        });
    }
}

/// All that is ready: members of one node have room at once as a rule, and are sent to together.
fn poll_ready<F: Future<Output = usize>>(
    waiting: &mut FuturesUnordered<F>,
    context: &mut Context<'_>,
) -> Poll<Vec<usize>> {
    let mut ready = Vec::new();
    while let Poll::Ready(Some(number)) = waiting.poll_next_unpin(context) {
        ready.push(number);
    }
    // What was taken out here is sent to in this very poll, or would be lost with the future.
    if ready.is_empty() {
        Poll::Pending
    } else {
        Poll::Ready(ready)
    }
}

/// The outcome for a member that did not take the message; one without room is noted, to be waited
/// for.
fn undelivered(number: usize, reason: UndeliveredReason, full: &mut Vec<usize>) -> MemberOutcome {
    if reason != UndeliveredReason::Full {
        return MemberOutcome::Returned(reason);
    }
    full.push(number);
    MemberOutcome::DeadlinePassed
}
