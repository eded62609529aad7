//! One message to all members of a process group.

use std::sync::Arc;

use super::{get_members, get_scoped_members};
use crate::actor::actor_properties::Fanout;
use crate::errors::UndeliveredReason;
use crate::message::SharedMessage;
use crate::{ActorCell, GroupName, ScopeName};

/// What became of a broadcast.
///
/// ```
/// use std::sync::Arc;
/// use ractor::pg;
///
/// let report = pg::broadcast_arc(&"nobody".to_owned(), Arc::new(42_u64));
/// assert_eq!(report.delivered(), 0);
/// for (member, reason) in report.failed() {
///     eprintln!("{} did not get it: {reason}", member.get_id());
/// }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "who did not get the message stands in here only"]
pub struct Broadcast {
    delivered: usize,
    failed: Vec<(ActorCell, UndeliveredReason)>,
}

impl Broadcast {
    /// How many members took the message: into their mailbox, or, when they are on another
    /// node, into what goes to it next.
    pub fn delivered(&self) -> usize {
        self.delivered
    }

    /// The members that did not take it, each with the reason.
    pub fn failed(&self) -> &[(ActorCell, UndeliveredReason)] {
        &self.failed
    }
}

/// Sends a message to all members of a group in the default scope, which share it; see
/// [`broadcast_arc_scoped`].
pub fn broadcast_arc<T: SharedMessage>(group: &GroupName, message: Arc<T>) -> Broadcast {
    broadcast(&get_members(group), message)
}

/// Sends a message to all members of a group, which share it.
///
/// One allocation reaches every member of this process, as with
/// [`ActorRef::cast_arc`](crate::ActorRef::cast_arc); for members on other nodes it is serialised
/// once, and each of these nodes is sent the bytes once where it is of the fork, and else for each
/// member. Members are those of the moment; who joins meanwhile gets nothing. Order is that of all
/// messages of this sender to each member; which member is first is not defined.
///
/// A member that cannot take it is reported, and keeps none of the others from getting it. The
/// caller who wants to send it again keeps a reference.
pub fn broadcast_arc_scoped<T: SharedMessage>(
    scope: &ScopeName,
    group: &GroupName,
    message: Arc<T>,
) -> Broadcast {
    broadcast(&get_scoped_members(scope, group), message)
}

fn broadcast<T: SharedMessage>(members: &[ActorCell], message: Arc<T>) -> Broadcast {
    let failed = Fanout::new(message).send_to_all(members);
    Broadcast { delivered: members.len() - failed.len(), failed }
}
