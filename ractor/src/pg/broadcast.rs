//! One message to all members of a process group.

use std::sync::Arc;

use super::{get_members, get_scoped_members};
use crate::actor::actor_config::Overflow;
use crate::actor::actor_properties::{Exception, Fanout};
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
    dropped: Vec<ActorCell>,
    displaced: usize,
}

impl Broadcast {
    /// How many members took the message: into their mailbox, or, when they are on another
    /// node, into what goes to it next.
    ///
    /// Members of this process whose full mailbox dropped the message are not among them
    /// ([`dropped`](Self::dropped)). A member of another node is: its mailbox is not known here,
    /// and what it drops its own [`lost_messages`](ActorCell::lost_messages) counts there. A later
    /// message may still take the room of this one
    /// ([`Overflow::DropOldest`](crate::actor::actor_config::Overflow::DropOldest)), and a member
    /// that ends handles it no more.
    pub fn delivered(&self) -> usize {
        self.delivered
    }

    /// The members that did not take it, each with the reason.
    pub fn failed(&self) -> &[(ActorCell, UndeliveredReason)] {
        &self.failed
    }

    /// The members of this process whose mailbox was full, and dropped the message as its
    /// [`Overflow::DropNewest`](crate::actor::actor_config::Overflow::DropNewest) says. They have
    /// counted it as lost.
    pub fn dropped(&self) -> &[ActorCell] {
        &self.dropped
    }

    /// How many members of this process took the message in the place of an older one, which they
    /// dropped as their
    /// [`Overflow::DropOldest`](crate::actor::actor_config::Overflow::DropOldest) says. They have
    /// counted that one as lost; `delivered` counts them too.
    pub fn displaced(&self) -> usize {
        self.displaced
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
/// caller who wants to send it again keeps a reference. It never waits; to wait for members that
/// have no room, use [`send_arc_scoped`](super::send_arc_scoped).
pub fn broadcast_arc_scoped<T: SharedMessage>(
    scope: &ScopeName,
    group: &GroupName,
    message: Arc<T>,
) -> Broadcast {
    broadcast(&get_scoped_members(scope, group), message)
}

fn broadcast<T: SharedMessage>(members: &[ActorCell], message: Arc<T>) -> Broadcast {
    let (mut failed, mut dropped, mut displaced) = (Vec::new(), Vec::new(), 0);
    Fanout::new(message).send_to_all_as_configured(members, |number, exception| match exception {
        Exception::Returned(reason) => failed.push((members[number].clone(), reason)),
        Exception::Overflowed(Overflow::DropOldest) => displaced += 1,
        Exception::Overflowed(_) => dropped.push(members[number].clone()),
    });
    let delivered = members.len() - failed.len() - dropped.len();
    Broadcast { delivered, failed, dropped, displaced }
}
