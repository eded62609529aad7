//! One message to a group, which waits for the members that have no room.

mod common;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use common::{bounded, gated, rest, Gate, Owner, Running};
use futures::poll;
use ractor::actor::actor_config::Overflow;
use ractor::concurrency::JoinHandle;
use ractor::errors::UndeliveredReason;
use ractor::pg::{self, MemberOutcome};
use ractor::ActorRef;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// A member of a group, which is in its handler with message 0 and has so many more waiting.
struct Member {
    actor: ActorRef<u64>,
    handle: JoinHandle<()>,
    gate: Gate,
}

impl Member {
    async fn of(group: &str, overflow: Overflow, waiting: u64) -> Self {
        let (actor, handle, gate) = gated(bounded(1, overflow)).await;
        (1..=waiting).for_each(|number| actor.cast(number).unwrap());
        pg::join(group.to_owned(), vec![actor.get_cell()]);
        Self { actor, handle, gate }
    }

    /// Drains the actor, and returns what it handled after message 0.
    async fn rest(self) -> Vec<u64> {
        rest(&self.actor, self.handle, self.gate).await
    }

    fn outcome(&self, report: &pg::SendReport) -> MemberOutcome {
        let id = self.actor.get_id();
        report.members().iter().find(|(member, _)| member.get_id() == id).expect("a member").1
    }
}

#[ractor::concurrency::test]
async fn it_waits_for_each_and_keeps_none_from_it() {
    let group = "waits for each".to_owned();
    let free = Member::of(&group, Overflow::Reject, 0).await;
    let mut slow = Vec::new();
    for overflow in [Overflow::Reject, Overflow::DropNewest, Overflow::DropOldest] {
        slow.push(Member::of(&group, overflow, 1).await);
    }
    let message = Arc::new(7_u64);
    let report = {
        let mut send = pin!(pg::send_arc(&group, message.clone(), LONG));
        assert!(poll!(&mut send).is_pending());
        // It has it already.
        assert_eq!(free.actor.mailbox_len(), 1);
        for member in &mut slow {
            member.gate.go_on.send(()).unwrap();
            assert_eq!(member.gate.entered.recv().await, Some(1));
        }
        send.await
    };

    assert!(report.is_complete(), "{report:?}");
    assert_eq!((report.delivered(), report.members().len()), (4, 4));
    assert_eq!(free.rest().await, [7]);
    for member in slow {
        assert_eq!(member.actor.lost_messages(), 0);
        assert_eq!(member.rest().await, [7]);
    }
    assert_eq!(Arc::strong_count(&message), 1);
}

#[ractor::concurrency::test]
async fn each_member_has_its_own_outcome() {
    let group = "outcomes".to_owned();
    let free = Member::of(&group, Overflow::Reject, 0).await;
    let slow = Member::of(&group, Overflow::Reject, 1).await;
    let other = Running::start(Owner).await;
    pg::join(group.clone(), vec![other.actor.get_cell()]);

    let report = pg::send_arc(&group, Arc::new(7_u64), Duration::from_millis(50)).await;

    assert_eq!(report.delivered(), 1);
    assert_eq!(free.outcome(&report), MemberOutcome::Delivered);
    assert_eq!(slow.outcome(&report), MemberOutcome::DeadlinePassed);
    let wrong = MemberOutcome::Returned(UndeliveredReason::WrongType);
    assert_eq!(report.undelivered().filter(|(_, outcome)| *outcome == wrong).count(), 1);
    let text = MemberOutcome::DeadlinePassed.to_string();
    assert!(text.contains("with_mailbox") && text.contains("replay_window"), "{text}");

    // A member that missed it does not get it later.
    assert_eq!(free.rest().await, [7]);
    assert_eq!(slow.rest().await, [1]);
    other.stop().await;
}

#[ractor::concurrency::test]
async fn a_member_that_ends_is_waited_for_no_more() {
    let group = "endings".to_owned();
    let free = Member::of(&group, Overflow::Reject, 0).await;
    let ending = Member::of(&group, Overflow::Reject, 1).await;

    let report = {
        let mut send = pin!(pg::send_arc(&group, Arc::new(7_u64), LONG));
        assert!(poll!(&mut send).is_pending());
        ending.actor.kill();
        send.await
    };

    assert_eq!(free.outcome(&report), MemberOutcome::Delivered);
    let stopped = MemberOutcome::Returned(UndeliveredReason::Stopped);
    assert_eq!(ending.outcome(&report), stopped);
    assert_eq!(free.rest().await, [7]);
    ending.handle.await.unwrap();
}

#[ractor::concurrency::test]
async fn with_no_time_it_only_tries() {
    let group = "no time".to_owned();
    let free = Member::of(&group, Overflow::DropOldest, 0).await;
    let full = Member::of(&group, Overflow::DropOldest, 1).await;

    let report = pg::send_arc(&group, Arc::new(7_u64), Duration::ZERO).await;

    assert_eq!(free.outcome(&report), MemberOutcome::Delivered);
    assert_eq!(full.outcome(&report), MemberOutcome::DeadlinePassed);
    assert_eq!(full.actor.lost_messages(), 0);
    assert_eq!((free.rest().await, full.rest().await), (vec![7], vec![1]));
}

#[ractor::concurrency::test]
async fn a_group_without_members_is_complete() {
    let (scope, group) = ("an empty scope".to_owned(), "nobody".to_owned());
    for report in [
        pg::send_arc(&group, Arc::new(7_u64), LONG).await,
        pg::send_arc_scoped(&scope, &group, Arc::new(7_u64), Duration::ZERO).await,
        pg::send_arc_scoped(&scope, &group, Arc::new(7_u64), Duration::MAX).await,
    ] {
        assert!(report.is_complete() && report.members().is_empty());
    }
}

#[ractor::concurrency::test]
async fn a_future_that_is_dropped_leaves_each_with_it_or_without() {
    let group = "dropped".to_owned();
    let free = Member::of(&group, Overflow::Reject, 0).await;
    let full = Member::of(&group, Overflow::Reject, 1).await;
    let message = Arc::new(7_u64);
    {
        let mut send = pin!(pg::send_arc(&group, message.clone(), LONG));
        assert!(poll!(&mut send).is_pending());
    }
    // Its room is the next one's.
    let report = {
        let scope = pg::DEFAULT_SCOPE.to_owned();
        let mut send = pin!(pg::send_arc_scoped(&scope, &group, Arc::new(8_u64), LONG));
        assert!(poll!(&mut send).is_pending());
        free.gate.open();
        full.gate.open();
        send.await
    };
    assert!(report.is_complete(), "{report:?}");
    assert_eq!((free.rest().await, full.rest().await), (vec![7, 8], vec![1, 8]));
    assert_eq!(Arc::strong_count(&message), 1);
}

#[ractor::concurrency::test]
async fn a_broadcast_tells_what_mailboxes_dropped() {
    let group = "dropping".to_owned();
    let free = Member::of(&group, Overflow::DropNewest, 0).await;
    let newest = Member::of(&group, Overflow::DropNewest, 1).await;
    let oldest = Member::of(&group, Overflow::DropOldest, 1).await;
    let rejecting = Member::of(&group, Overflow::Reject, 1).await;

    let report = pg::broadcast_arc(&group, Arc::new(7_u64));

    let dropped: Vec<_> = report.dropped().iter().map(|it| it.get_id()).collect();
    assert_eq!(dropped, [newest.actor.get_id()]);
    assert_eq!((report.delivered(), report.displaced(), report.failed().len()), (2, 1, 1));
    assert_eq!(report.failed()[0].1, UndeliveredReason::Full);
    assert_eq!(newest.actor.lost_messages() + oldest.actor.lost_messages(), 2);
    assert_eq!((free.rest().await, newest.rest().await), (vec![7], vec![1]));
    assert_eq!((oldest.rest().await, rejecting.rest().await), (vec![7], vec![1]));
}
