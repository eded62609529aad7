//! What is sent to a proxy with a way out.

use std::sync::atomic::Ordering;

use ractor::actor::actor_config::TransportPreference;
use ractor::errors::UndeliveredReason;
use ractor::message::SerializedMessage;
use ractor::{call, ActorStatus, MessagingErr, RactorErr};

use crate::messages::{Homely, New, Old, Pair};
use crate::outlet::{Remote, Session};

#[ractor::concurrency::test]
async fn a_cast_goes_out_as_stock_serialises_it() {
    let session = Session::new();
    let mut remote = Remote::of(&session).await;

    remote.to().cast(Old::tick(101).0).unwrap();
    remote.to().cast(Pair(1, 2)).unwrap();
    remote.to().cast(New { name: "it".to_owned(), copies: Default::default() }).unwrap();

    let sent = session.take();
    let pids: Vec<_> = sent.iter().map(|(pids, _)| pids.clone()).collect();
    assert_eq!(pids, vec![vec![remote.pid()]; 3]);
    let mut sent = sent.into_iter().map(|(_, message)| message);
    let tick = sent.next().unwrap();
    assert_eq!((&*tick.variant, tick.metadata.as_deref()), ("tick", Some(&b"meta"[..])));
    assert_eq!(tick.args.into_vec(), 101_u64.to_le_bytes());
    let pair = sent.next().unwrap();
    assert_eq!((&*pair.variant, pair.metadata), ("", None));
    assert_eq!(pair.args.into_vec(), [1, 2]);
    let new = sent.next().unwrap();
    assert_eq!((&*new.variant, new.reply.is_none()), ("New", true));
    // Nothing went by the mailbox.
    assert!(remote.mailbox.try_recv().is_err());
    remote.stop().await;
}

#[ractor::concurrency::test]
async fn without_room_the_message_comes_back_as_it_was() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    session.set_room(false);
    let (tick, serialised) = Old::tick(102);

    let failure = remote.to().cast(tick).unwrap_err();

    assert!(matches!(failure, MessagingErr::SendErr(Old::Tick(102, _))));
    assert_eq!(serialised.load(Ordering::SeqCst), 0);
    assert!(session.take().is_empty());
    remote.stop().await;
}

#[ractor::concurrency::test]
async fn a_message_that_is_refused_is_read_back() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    session.refuse(UndeliveredReason::NoLink);

    let old = remote.to().cast(Old::tick(103).0).unwrap_err();
    let pair = remote.to().cast(Pair(3, 4)).unwrap_err();
    let riddle = remote.to().cast(Old::Riddle).unwrap_err();

    assert!(matches!(old, MessagingErr::SendErr(Old::Tick(103, _))));
    assert!(matches!(pair, MessagingErr::SendErr(Pair(3, 4))));
    assert!(matches!(riddle, MessagingErr::ChannelClosed));
    remote.stop().await;
}

#[ractor::concurrency::test]
async fn a_call_that_is_refused_can_be_made_again() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    session.refuse(UndeliveredReason::TooManyCalls);
    let (port, answer) = ractor::concurrency::oneshot();

    let failure = remote.to().cast(Old::Ask(port.into())).unwrap_err();
    session.accept();
    let MessagingErr::SendErr(again) = failure else { panic!("{failure:?}") };
    remote.to().cast(again).unwrap();

    let reply = session.take_one().reply.unwrap();
    reply.send(b"answer".to_vec()).unwrap();
    assert_eq!(answer.await.unwrap(), b"answer");
    remote.stop().await;
}

#[ractor::concurrency::test]
async fn a_call_fails_at_once_when_its_port_is_dropped() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    let actor = remote.to::<Old>();

    let calling = tokio::spawn(async move { call!(actor, Old::Ask) });
    while session.sent.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(session.take_one());

    assert!(matches!(
        calling.await.unwrap(),
        Err(RactorErr::Messaging(MessagingErr::ChannelClosed))
    ));
    remote.stop().await;
}

#[ractor::concurrency::test]
async fn what_cannot_be_serialised_is_an_invalid_type() {
    let session = Session::new();
    let remote = Remote::of(&session).await;

    let failure = remote.to().cast(Homely).unwrap_err();

    assert!(matches!(failure, MessagingErr::InvalidActorType));
    assert!(session.take().is_empty());
    remote.stop().await;
}

#[ractor::concurrency::test]
async fn a_proxy_shows_the_transport_that_its_actor_pins() {
    let session = Session::new();
    let remote = Remote::of(&session).await;

    assert_eq!(remote.cell.transport_preference(), TransportPreference::Adaptive);
    session.pin(TransportPreference::Tls);
    assert_eq!(remote.cell.transport_preference(), TransportPreference::Tls);
    assert_eq!(remote.to::<Pair>().transport_preference(), TransportPreference::Tls);
    remote.stop().await;
}

#[ractor::concurrency::test]
async fn an_unreachable_proxy_gives_the_message_back() {
    let session = Session::new();
    let remote = Remote::of(&session).await;

    remote.cell.set_reachable(false);
    let failure = remote.to().cast(Pair(5, 6)).unwrap_err();
    remote.cell.set_reachable(true);
    remote.to().cast(Pair(7, 8)).unwrap();

    assert!(matches!(failure, MessagingErr::SendErr(Pair(5, 6))));
    let text = failure.to_string();
    assert!(text.contains("the transport that it pins") && !text.contains("terminated"), "{text}");
    assert_eq!(session.take_one().args.into_vec(), [7, 8]);
    remote.stop().await;
}

#[ractor::concurrency::test]
async fn a_proxy_that_stops_closes_its_way_once() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    let cell = remote.cell.clone();

    remote.stop().await;

    assert_eq!(session.closes.load(Ordering::SeqCst), 1);
    let failure = cell.send_message(Pair(1, 1)).unwrap_err();
    assert!(matches!(failure, MessagingErr::SendErr(Pair(1, 1))));
    assert!(session.take().is_empty());
}

#[ractor::concurrency::test]
async fn a_proxy_that_drains_takes_no_more_and_ends() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    let actor = remote.to();
    actor.cast(Pair(0, 1)).unwrap();

    actor.drain().unwrap();
    let failure = actor.cast(Pair(0, 2)).unwrap_err();
    remote.handle.await.unwrap();

    assert!(matches!(failure, MessagingErr::SendErr(Pair(0, 2))));
    assert_eq!(session.closes.load(Ordering::SeqCst), 1);
    assert_eq!(session.take_one().args.into_vec(), [0, 1]);
}

#[ractor::concurrency::test]
async fn a_way_that_comes_too_late_is_closed() {
    let session = Session::new();
    let remote = Remote::bare().await;
    remote.cell.stop_and_wait(None, None).await.unwrap();
    assert_eq!(remote.cell.get_status(), ActorStatus::Stopped);

    let late = Remote::of(&session).await;
    let way = late.cell.clone();
    late.stop().await;
    assert_eq!(session.closes.load(Ordering::SeqCst), 1);
    // The same for one that was stopped before it had a way.
    crate::outlet::lead(&remote, &session);

    assert_eq!(session.closes.load(Ordering::SeqCst), 2);
    assert!(way.send_message(Pair(1, 1)).is_err());
    assert!(remote.cell.send_message(Pair(1, 1)).is_err());
}

#[ractor::concurrency::test]
async fn send_waits_for_room_and_keeps_the_order() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    session.set_room(false);
    let actor = remote.to();

    let sending = tokio::spawn(async move {
        for number in 0..10 {
            actor.send(Pair(0, number)).await.unwrap();
        }
    });
    while session.waiting.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert!(session.take().is_empty());
    session.set_room(true);
    sending.await.unwrap();

    let sent = session.take().into_iter().map(|(_, it)| it.args.into_vec()[1]);
    assert_eq!(sent.collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    remote.stop().await;
}

#[ractor::concurrency::test]
async fn send_gives_the_message_back_when_the_proxy_stops_meanwhile() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    session.set_room(false);
    let actor = remote.to();

    let sending = tokio::spawn(async move { actor.send(Pair(9, 9)).await });
    while session.waiting.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    remote.stop().await;

    assert!(matches!(sending.await.unwrap(), Err(MessagingErr::SendErr(Pair(9, 9)))));
}

#[ractor::concurrency::test]
async fn what_is_serialised_already_takes_the_same_way() {
    let session = Session::new();
    let mut remote = Remote::of(&session).await;
    let cast = || SerializedMessage::Cast {
        variant: "it".to_owned(),
        args: vec![1; 2000],
        metadata: None,
    };

    remote.cell.send_serialized(cast()).unwrap();
    session.set_room(false);
    let failure = remote.cell.send_serialized(cast()).unwrap_err();
    // An answer is the proxy's own.
    remote.cell.send_serialized(SerializedMessage::CallReply(1, vec![2])).unwrap();

    let sent = session.take_one();
    assert_eq!((&*sent.variant, sent.args.into_vec()), ("it", vec![1; 2000]));
    let MessagingErr::SendErr(SerializedMessage::Cast { variant, args, .. }) = *failure else {
        panic!("{failure:?}")
    };
    assert_eq!((&*variant, args), ("it", vec![1; 2000]));
    let answer = remote.mailbox.recv().await;
    assert!(matches!(answer, Some(SerializedMessage::CallReply(1, bytes)) if bytes == [2]));
    remote.stop().await;
}

#[ractor::concurrency::test]
async fn a_proxy_without_a_way_gets_all_by_its_mailbox() {
    let mut remote = Remote::bare().await;

    remote.to().cast(Old::tick(104).0).unwrap();
    remote.to().send(Pair(1, 2)).await.unwrap();

    let tick = remote.mailbox.recv().await;
    assert!(matches!(tick, Some(SerializedMessage::Cast { variant, .. }) if variant == "tick"));
    let pair = remote.mailbox.recv().await;
    assert!(matches!(pair, Some(SerializedMessage::Cast { args, .. }) if args == [1, 2]));
    remote.stop().await;
}

#[ractor::concurrency::test]
async fn an_actor_of_this_process_needs_no_way() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    let supervisor = remote.cell.try_get_supervisor().unwrap();

    supervisor.set_outlet(crate::outlet::way(&session, 1));

    assert!(supervisor.send_message(Homely).is_err());
    assert!(session.take().is_empty());
    remote.stop().await;
    assert_eq!(session.closes.load(Ordering::SeqCst), 1);
}
