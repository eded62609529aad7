//! One message to many actors of other nodes.

use std::sync::atomic::Ordering;
use std::sync::Arc;

use ractor::errors::UndeliveredReason;
use ractor::message::SerializedMessage;
use ractor::{pg, Message, OutputPort};

use crate::messages::{Chooser, New, Pair};
use crate::outlet::{lead, Remote, Session};

fn new(name: impl Into<String>) -> Arc<New> {
    Arc::new(New { name: name.into(), copies: Arc::default() })
}

#[ractor::concurrency::test]
async fn each_session_gets_the_message_once() {
    let sessions = [Session::new(), Session::new()];
    let mut remotes = Vec::new();
    for number in 0..6 {
        remotes.push(Remote::of(&sessions[number % 2]).await);
    }
    remotes.push(Remote::bare().await);
    let group = "each_session_gets_the_message_once".to_owned();
    pg::join(group.clone(), remotes.iter().map(|it| it.cell.clone()).collect());
    let message = new("x".repeat(5000));

    let report = pg::broadcast_arc(&group, message.clone());

    assert_eq!((report.delivered(), report.failed().len()), (7, 0));
    // One copy, one serialisation.
    assert_eq!(message.copies.load(Ordering::SeqCst), 1);
    let mut tails = Vec::new();
    for (number, session) in sessions.iter().enumerate() {
        let mut sent = session.take();
        assert_eq!(sent.len(), 1);
        let (mut pids, it) = sent.remove(0);
        pids.sort_unstable();
        let mut members: Vec<_> = (0..3).map(|which| remotes[2 * which + number].pid()).collect();
        members.sort_unstable();
        assert_eq!(pids, members);
        tails.push(it.args.tail.as_ptr());
        assert_eq!(&it.args.into_vec()[8..], message.name.as_bytes());
    }
    // The bytes are shared by both.
    assert_eq!(tails[0], tails[1]);
    let bare = remotes.last_mut().unwrap().mailbox.recv().await;
    assert!(matches!(bare, Some(SerializedMessage::Cast { args, .. }) if args.len() == 5008));
    for remote in remotes {
        remote.stop().await;
    }
}

#[ractor::concurrency::test]
async fn who_did_not_get_it_is_reported_with_the_reason() {
    let (open, full, ended) = (Session::new(), Session::new(), Session::new());
    full.set_room(false);
    ended.refuse(UndeliveredReason::Stopped);
    let there = Remote::of(&open).await;
    let unreachable = Remote::of(&open).await;
    unreachable.cell.set_reachable(false);
    let waiting = Remote::of(&full).await;
    let gone = [Remote::of(&ended).await, Remote::of(&ended).await];
    let remotes = [&there, &unreachable, &waiting, &gone[0], &gone[1]];
    let group = "who_did_not_get_it_is_reported_with_the_reason".to_owned();
    pg::join(group.clone(), remotes.iter().map(|it| it.cell.clone()).collect());

    let report = pg::broadcast_arc(&group, new("tick"));

    let failed = |remote: &Remote| {
        let mut failed = report.failed().iter();
        failed.find(|(cell, _)| cell.get_id() == remote.cell.get_id()).map(|(_, reason)| *reason)
    };
    assert_eq!(report.delivered(), 1);
    assert_eq!(open.take().remove(0).0, [there.pid()]);
    assert_eq!(failed(&unreachable), Some(UndeliveredReason::NoLink));
    assert_eq!(failed(&waiting), Some(UndeliveredReason::Full));
    assert_eq!(failed(&gone[0]), Some(UndeliveredReason::Stopped));
    assert_eq!(failed(&gone[1]), Some(UndeliveredReason::Stopped));
    assert!(full.take().is_empty() && ended.take().is_empty());
    let [first, second] = gone;
    for remote in [there, unreachable, waiting, first, second] {
        remote.stop().await;
    }
}

#[ractor::concurrency::test]
async fn a_shared_message_to_one_actor_takes_its_way() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    let message = new("tick");

    remote.cell.cast_arc(message.clone()).unwrap();
    session.set_room(false);
    let failure = remote.cell.cast_arc(message.clone()).unwrap_err();

    assert_eq!(session.take_one().variant, "New");
    assert_eq!(failure.reason(), UndeliveredReason::Full);
    assert!(Arc::ptr_eq(&failure.into_message(), &message));
    assert_eq!(message.copies.load(Ordering::SeqCst), 1);
    remote.stop().await;
}

/// A subscriber without room misses a message, and stays subscribed.
#[ractor::concurrency::test]
async fn a_port_keeps_a_subscriber_that_there_was_no_room_for() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    let port = OutputPort::<Published>::default();
    port.subscribe(remote.to::<Pair>(), |it| Some(Pair(0, it.0)));
    session.set_room(false);

    port.send(Published(1));
    while remote.cell.lost_messages() == 0 {
        tokio::task::yield_now().await;
    }
    session.set_room(true);
    port.send(Published(2));
    while session.sent.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }

    assert_eq!(session.take_one().args.into_vec(), [0, 2]);
    assert_eq!(remote.cell.lost_messages(), 1);
    drop(port);
    remote.stop().await;
}

/// Subscribers that share go to their node as one.
#[ractor::concurrency::test]
async fn a_port_sends_what_is_shared_to_each_session_once() {
    let (session, other) = (Session::new(), Session::new());
    let remotes =
        [Remote::of(&session).await, Remote::of(&session).await, Remote::of(&session).await];
    let elsewhere = Remote::of(&other).await;
    let port = OutputPort::<New>::default();
    for remote in remotes[..2].iter().chain([&elsewhere]) {
        port.subscribe_arc(remote.to::<New>(), Some);
    }
    // Makes a message of its own, and not of each.
    port.subscribe_arc(remotes[2].to::<New>(), |it| {
        (it.name != "first").then(|| new(format!("my {}", it.name)))
    });
    let first = new("first");

    port.send_arc(first.clone());
    port.send(New { name: "second".to_owned(), copies: Arc::default() });

    let names = |session: &Session| {
        let name =
            |it: ractor::remoting::Outgoing| String::from_utf8(it.args.into_vec().split_off(8));
        let sent = session.take().into_iter();
        sent.map(|(pids, it)| (pids, name(it).unwrap())).collect::<Vec<_>>()
    };
    let pids: Vec<_> = remotes.iter().map(Remote::pid).collect();
    let shared = |name: &str| (pids[..2].to_vec(), name.to_owned());
    let own = (vec![pids[2]], "my second".to_owned());
    assert_eq!(names(&session), [shared("first"), shared("second"), own]);
    let alone = |name: &str| (vec![elsewhere.pid()], name.to_owned());
    assert_eq!(names(&other), [alone("first"), alone("second")]);
    assert_eq!(first.copies.load(Ordering::SeqCst), 1);

    // Who has no room misses a message, and who is gone gets none.
    other.set_room(false);
    port.send_arc(first.clone());
    other.set_room(true);
    assert_eq!(elsewhere.cell.lost_messages(), 1);
    for remote in remotes {
        remote.stop().await;
    }
    session.take();
    port.send_arc(first);
    assert_eq!(names(&session), []);
    assert_eq!(names(&other), [alone("first")]);
    elsewhere.stop().await;
}

#[ractor::concurrency::test]
async fn a_converter_that_panics_ends_its_subscription_only() {
    let session = Session::new();
    let (bad, good) = (Remote::of(&session).await, Remote::of(&session).await);
    let port = OutputPort::<New>::default();
    port.subscribe_arc(
        bad.to::<New>(),
        |it| if it.name == "bad" { panic!("bad") } else { Some(it) },
    );
    port.subscribe_arc(good.to::<New>(), Some);

    for name in ["good", "bad", "good"] {
        port.send_arc(new(name));
    }

    let pids: Vec<_> = session.take().into_iter().map(|(pids, _)| pids).collect();
    assert_eq!(pids, [vec![bad.pid(), good.pid()], vec![good.pid()], vec![good.pid()]]);
    bad.stop().await;
    good.stop().await;
}

#[derive(Clone)]
struct Published(u8);

impl Message for Published {}

#[ractor::concurrency::test]
async fn a_type_that_boxes_itself_is_asked_for_each_locality() {
    let (near, far) = (Session::new(), Session::new());
    let mut remotes = Vec::new();
    for _ in 0..2 {
        let remote = Remote::bare_nearby().await;
        lead(&remote, &near);
        remotes.push(remote);
        remotes.push(Remote::of(&far).await);
    }
    let group = "a_type_that_boxes_itself_is_asked_for_each_locality".to_owned();
    pg::join(group.clone(), remotes.iter().map(|it| it.cell.clone()).collect());
    let chooser = Arc::new(Chooser::default());

    let report = pg::broadcast_arc(&group, chooser.clone());

    assert_eq!((report.delivered(), report.failed().len()), (4, 0));
    assert_eq!(chooser.0.load(Ordering::SeqCst), 2);
    // The shared form is serialised for another process.
    assert_eq!(near.take_one().variant, "near");
    assert_eq!(far.take_one().variant, "far");

    // And by value, also through a proxy's mailbox.
    remotes[0].to::<Chooser>().cast(Chooser::default()).unwrap();
    remotes[1].to::<Chooser>().cast(Chooser::default()).unwrap();
    assert_eq!((&*near.take_one().variant, &*far.take_one().variant), ("near", "far"));
    let mut bare = Remote::bare_nearby().await;
    bare.to::<Chooser>().cast(Chooser::default()).unwrap();
    bare.to::<Chooser>().cast_arc(chooser).unwrap();
    for _ in 0..2 {
        let message = bare.mailbox.recv().await.unwrap();
        assert!(matches!(message, SerializedMessage::Cast { variant, .. } if variant == "near"));
    }
    bare.stop().await;
    for remote in remotes {
        remote.stop().await;
    }
}

/// In both orders: what a type delegates to another one's default is not its own default.
#[ractor::concurrency::test]
async fn the_order_of_nodes_does_not_choose_what_they_get() {
    for near_first in [true, false] {
        let (near, far) = (Session::new(), Session::new());
        let nearby = Remote::bare_nearby().await;
        lead(&nearby, &near);
        let distant = Remote::of(&far).await;
        let port = OutputPort::<Chooser>::default();
        let mut order = [&nearby, &distant];
        if !near_first {
            order.reverse();
        }
        for remote in order {
            port.subscribe_arc(remote.to::<Chooser>(), Some);
        }

        port.send_arc(Arc::new(Chooser::default()));

        let variants = (near.take_one().variant, far.take_one().variant);
        assert_eq!((&*variants.0, &*variants.1), ("near", "far"), "near first: {near_first}");
        nearby.stop().await;
        distant.stop().await;
    }
}
