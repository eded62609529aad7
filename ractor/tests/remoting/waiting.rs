//! Shared messages that wait for room on the way to another node.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use futures::poll;
use ractor::errors::UndeliveredReason;
use ractor::pg::{self, MemberOutcome};
use ractor::OutputPort;

use crate::messages::New;
use crate::outlet::{Remote, Session};

const LONG: Duration = Duration::from_secs(60);

fn new(name: &str) -> Arc<New> {
    Arc::new(New { name: name.to_owned(), copies: Arc::default() })
}

/// The names of what was sent, each with the pids that it was sent to.
fn names(session: &Session) -> Vec<(Vec<u64>, String)> {
    let name = |bytes: Vec<u8>| String::from_utf8(bytes[8..].to_vec()).unwrap();
    session.take().into_iter().map(|(pids, it)| (pids, name(it.args.into_vec()))).collect()
}

#[ractor::concurrency::test]
async fn it_waits_for_room_in_order_and_is_encoded_once() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    session.set_room(false);
    let (first, second) = (new("first"), new("second"));
    {
        let actor = remote.to::<New>();
        let mut sends = pin!(async {
            actor.send_arc(first.clone()).await.unwrap();
            remote.cell.send_arc(second.clone()).await.unwrap();
        });
        assert!(poll!(&mut sends).is_pending());
        // Woken in vain.
        session.set_room(false);
        assert!(poll!(&mut sends).is_pending());
        assert_eq!(session.take().len(), 0);
        session.set_room(true);
        sends.await;
    }
    let to = vec![remote.pid()];
    assert_eq!(names(&session), [(to.clone(), "first".to_owned()), (to, "second".to_owned())]);
    assert_eq!(first.copies.load(Ordering::SeqCst), 1);
    assert_eq!(Arc::strong_count(&first), 1);
    remote.stop().await;
}

#[ractor::concurrency::test]
async fn the_arc_comes_back_when_the_proxy_ends_or_the_node_refuses_it() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    session.set_room(false);
    let message = new("late");
    let cell = remote.cell.clone();
    let mut sends: Vec<_> = (0..3).map(|_| Box::pin(cell.send_arc(message.clone()))).collect();
    for send in &mut sends {
        assert!(poll!(send).is_pending());
    }
    remote.stop().await;
    for send in sends {
        let failure = send.await.unwrap_err();
        assert_eq!(failure.reason(), UndeliveredReason::Stopped);
        assert!(Arc::ptr_eq(&failure.into_message(), &message));
    }
    assert_eq!(Arc::strong_count(&message), 1);

    session.set_room(true);
    let remote = Remote::of(&session).await;
    session.refuse(UndeliveredReason::TooLarge { size: 9, bound: 8 });
    let failure = remote.cell.send_arc(message.clone()).await.unwrap_err();
    assert_eq!(failure.reason(), UndeliveredReason::TooLarge { size: 9, bound: 8 });
    session.accept();
    remote.cell.set_reachable(false);
    let failure = remote.cell.send_arc(message).await.unwrap_err();
    assert_eq!(failure.reason(), UndeliveredReason::NoLink);
    assert!(names(&session).is_empty());
    remote.stop().await;
}

/// A way that has room as it says, and takes nothing as if it had none, keeps no thread.
#[ractor::concurrency::test]
async fn a_way_that_contradicts_itself_lets_others_run() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    session.refuse(UndeliveredReason::Full);
    let message = new("stubborn");
    {
        let mut send = pin!(remote.cell.send_arc(message.clone()));
        for _ in 0..10 {
            assert!(poll!(&mut send).is_pending());
        }
        session.accept();
        send.await.unwrap();
    }
    assert_eq!(names(&session).len(), 1);
    remote.stop().await;
}

#[ractor::concurrency::test]
async fn a_group_waits_for_each_session_and_sends_to_it_once() {
    let (near, far) = (Session::new(), Session::new());
    let remotes = [Remote::of(&near).await, Remote::of(&far).await, Remote::of(&far).await];
    let group = "a group that waits".to_owned();
    pg::join(group.clone(), remotes.iter().map(|it| it.cell.clone()).collect());
    far.set_room(false);
    let message = new("tick");

    let report = {
        let mut send = pin!(pg::send_arc(&group, message.clone(), LONG));
        assert!(poll!(&mut send).is_pending());
        assert_eq!(names(&near), [(vec![remotes[0].pid()], "tick".to_owned())]);
        far.set_room(true);
        send.await
    };
    assert!(report.is_complete(), "{report:?}");
    let mut sent = names(&far);
    assert_eq!(sent.len(), 1, "one frame for both");
    sent[0].0.sort_unstable();
    assert_eq!(sent, [(vec![remotes[1].pid(), remotes[2].pid()], "tick".to_owned())]);
    assert_eq!(message.copies.load(Ordering::SeqCst), 1, "encoded once");

    far.set_room(false);
    let report = pg::send_arc(&group, message.clone(), Duration::from_millis(20)).await;
    assert_eq!(report.delivered(), 1);
    for (_, outcome) in report.undelivered() {
        assert_eq!(outcome, MemberOutcome::DeadlinePassed);
    }
    // What was given up is not sent when there is room.
    far.set_room(true);
    assert!(names(&far).is_empty());
    for remote in remotes {
        remote.stop().await;
    }
}

#[ractor::concurrency::test]
async fn a_port_waits_for_each_session_and_sends_to_it_once() {
    let (near, far) = (Session::new(), Session::new());
    let remotes = [Remote::of(&near).await, Remote::of(&far).await, Remote::of(&far).await];
    let port = OutputPort::<New>::default();
    for remote in &remotes {
        port.subscribe_arc(remote.to::<New>(), Some);
    }
    far.set_room(false);
    let message = new("tick");

    let report = {
        let mut publish = pin!(port.send_arc_within(message.clone(), LONG));
        assert!(poll!(&mut publish).is_pending());
        assert_eq!(names(&near), [(vec![remotes[0].pid()], "tick".to_owned())]);
        assert!(names(&far).is_empty());
        far.set_room(true);
        publish.await
    };
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.delivered(), 3);
    let mut sent = names(&far);
    sent[0].0.sort_unstable();
    assert_eq!(sent, [(vec![remotes[1].pid(), remotes[2].pid()], "tick".to_owned())]);

    far.set_room(false);
    let report = port.send_arc_within(message, Duration::from_millis(20)).await;
    assert_eq!((report.delivered(), report.undelivered().count()), (1, 2), "{report:?}");
    far.set_room(true);
    assert!(names(&far).is_empty());

    // One that has ended is told of once.
    let [first, ..] = remotes;
    let gone = first.cell.get_id();
    first.stop().await;
    let report = port.send_arc_within(new("last"), LONG).await;
    let stopped = MemberOutcome::Returned(UndeliveredReason::Stopped);
    assert_eq!(report.undelivered().collect::<Vec<_>>(), [(gone, stopped)]);
    assert!(port.send_arc_within(new("last"), LONG).await.is_complete());
}
