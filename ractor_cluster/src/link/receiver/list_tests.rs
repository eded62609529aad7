//! What long lists weigh while they wait, how they are handled, and which of them are refused.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use prost::Message as _;

use super::pause_tests::{read, Flood, Woken};
use super::tests::{receive, Actors, Frames, Written};
use super::*;
use crate::link::limits::Limits;
use crate::link::link_table::ADAPTIVE;
use crate::link::places::{Places, Source};
use crate::protocol::control::control_message::Msg;
use crate::protocol::control::{Actor as Named, ControlMessage, Spawn, Terminate};
use crate::protocol::meta::network_message::Message as Network;
use crate::protocol::mycelium::envelope::Body as Enveloped;
use crate::protocol::mycelium::Envelope;
use crate::transport::simple::Simple;

/// The elements of a list that takes two bytes for each.
const ELEMENTS: usize = 1000;

fn spawn(elements: usize) -> ControlMessage {
    ControlMessage { msg: Some(Msg::Spawn(Spawn { actors: vec![Named::default(); elements] })) }
}

fn enveloped(sequence: u64, message: ControlMessage) -> Bytes {
    let body = Some(Enveloped::Control(message));
    Envelope { lane: ADAPTIVE, sequence, acknowledged: 0, body }.encoded()
}

fn of_stock(message: ControlMessage) -> Bytes {
    NetworkMessage { message: Some(Network::Control(message)) }.encode_to_vec().into()
}

/// Few of the frames are read before a megabyte of memory waits, although they have two kilobytes.
#[tokio::test]
async fn a_list_weighs_what_it_becomes() {
    let actors = Actors::start().await;
    let (count, backlog) = (Arc::<AtomicUsize>::default(), Arc::<Backlog>::default());
    let receiver = Receiver::Session(SessionReceiver {
        session: actors.session.clone(),
        joined: Joined::default(),
        backlog: backlog.clone(),
        admission: None,
    });
    let flood = Flood { frame: |_| of_stock(spawn(ELEMENTS)), read: count.clone() };
    let reader = LinkReader::new(Box::new(Simple::stream(flood, u64::MAX)), receiver);
    let woken = Arc::<Woken>::default();
    read(&reader, &woken);
    let waits = count.load(Ordering::Relaxed);
    let memory = waits * ELEMENTS * size_of::<Named>();
    assert!(waits > 1 && memory <= 2 << 20, "{waits} frames wait, of {memory} bytes");
    actors.end().await;
}

/// A turn of reading ends behind a long list, also of frames that are dropped.
#[tokio::test]
async fn others_have_a_turn_behind_a_long_list() {
    let actors = Actors::start().await;
    let (traffic, written) = (actors.traffic(1 << 20), Written::default());
    let count = Arc::<AtomicUsize>::default();
    // One frame and its duplicates.
    let flood = Flood { frame: |_| enveloped(1, spawn(ELEMENTS)), read: count.clone() };
    let (reader, _writer) = actors.ends(&traffic, flood, &written);
    let context = &mut Context::from_waker(Waker::noop());
    for turn in 1..=10 {
        assert!(reader.poll(context).is_pending());
        assert_eq!(count.load(Ordering::Relaxed), turn);
    }
    actors.end().await;
}

/// The peer is told of a list when all of it is handled, and it weighs until then.
#[tokio::test]
async fn a_list_is_handled_in_slices_and_acknowledged_with_the_last() {
    let actors = Actors::start().await;
    let traffic = actors.traffic(1 << 20);
    let mut turn = Turn::default();
    let ids = Msg::Terminate(Terminate { ids: (0..ELEMENTS as u64).collect() });
    let frame = enveloped(1, ControlMessage { msg: Some(ids) });
    let size = frame.len();
    receive(&traffic, frame, &actors, &mut turn);
    let mut found = Vec::new();
    while found.len() < ELEMENTS {
        assert!(!traffic.backlog().is_empty());
        let (arrived, ticket) = traffic.backlog().take(&actors.session).expect("there is more");
        let Arrived::Control(Enveloped::Control(ControlMessage {
            msg: Some(Msg::Terminate(Terminate { ids })),
        })) = arrived
        else {
            panic!("another message: {arrived:?}")
        };
        assert!(ids.len() <= 64, "a slice has {} elements", ids.len());
        found.extend(ids);
        let place = ticket.place();
        assert_eq!(place.is_some(), found.len() == ELEMENTS, "{} were handled", found.len());
        assert!(place.is_none_or(|(place, bytes)| (place.sequence, bytes) == (1, size)));
    }
    assert!(found.into_iter().eq(0..ELEMENTS as u64));
    assert!(traffic.backlog().is_empty());
    actors.end().await;
}

/// An actor that has taken much gives others a turn before it handles more.
#[tokio::test]
async fn whoever_takes_slices_gives_turns() {
    let actors = Actors::start().await;
    let traffic = actors.traffic(1 << 20);
    receive(&traffic, enveloped(1, spawn(ELEMENTS)), &actors, &mut Turn::default());
    let (mut slices, mut turns) = (0, 0);
    let wake_ups = || actors.session.get_cell().mailbox_len();
    loop {
        let before = wake_ups();
        let mut gives = std::pin::pin!(traffic.backlog().gives_turn(&actors.session));
        let context = &mut Context::from_waker(Waker::noop());
        if std::future::Future::poll(gives.as_mut(), context).is_pending() {
            turns += 1;
            assert_eq!(wake_ups(), before + 1);
            assert!(gives.await);
            continue;
        }
        let Some((_, ticket)) = traffic.backlog().take(&actors.session) else { break };
        slices += 1;
        drop(ticket);
    }
    assert!(slices >= 10 && turns >= slices / 3, "{turns} turns in {slices} slices");
    actors.end().await;
}

/// Nothing more is read of a peer whose list is too long, and the session is told once.
#[tokio::test]
async fn a_list_that_is_too_long_is_the_last_frame_that_is_read() {
    let actors = Actors::start().await;
    let caps = Caps::of(&Limits::default().with_actors(1));
    let most = (0..).map(|power| 1 << power);
    let most = most.take_while(|it| decode::decode(of_stock(spawn(*it)), caps).is_ok());
    let most = most.last().expect("some fit");
    for (elements, is_refused) in [(most, false), (2 * most, true)] {
        let backlog = Arc::new(Backlog::new(caps));
        let receiver = Receiver::Session(SessionReceiver {
            session: actors.session.clone(),
            joined: Joined::default(),
            backlog: backlog.clone(),
            admission: None,
        });
        let frame = of_stock(spawn(elements));
        let frames = Frames([frame.clone(), frame].into());
        let reader = LinkReader::new(Box::new(Simple::stream(frames, u64::MAX)), receiver);
        let before = actors.session.get_cell().mailbox_len();
        let context = &mut Context::from_waker(Waker::noop());
        // Frames so long are decoded elsewhere. The session has no turn meanwhile.
        let passed_on = std::future::poll_fn(|_| {
            while actors.session.get_cell().mailbox_len() == before {
                assert!(reader.poll(context).is_pending());
                std::thread::yield_now();
            }
            Poll::Ready(())
        });
        tokio::task::unconstrained(passed_on).await;
        for _ in 0..10 {
            assert!(reader.poll(context).is_pending());
        }
        assert_eq!(backlog.is_empty(), is_refused);
        assert_eq!(backlog.pauses(Waker::noop()), is_refused || backlog.is_full());
        // The session's end changes nothing of that.
        backlog.close();
        assert_eq!(backlog.pauses(Waker::noop()), is_refused);
        // A wake-up for what waits, or the refusal.
        assert_eq!(actors.session.get_cell().mailbox_len(), before + 1);
    }
    actors.end().await;
}

/// What is decoded elsewhere keeps its place: nothing behind it is read before.
#[tokio::test]
async fn a_long_frame_is_passed_on_before_the_frames_behind_it() {
    let actors = Actors::start().await;
    let backlog = Arc::<Backlog>::default();
    let receiver = Receiver::Session(SessionReceiver {
        session: actors.session.clone(),
        joined: Joined::default(),
        backlog: backlog.clone(),
        admission: None,
    });
    let of = |pids: std::ops::Range<u64>| {
        let actors = pids.map(|pid| Named { pid, name: None }).collect();
        of_stock(ControlMessage { msg: Some(Msg::Spawn(Spawn { actors })) })
    };
    let long = decode::MOST_SENT as u64 + 1;
    let frames = Frames([of(0..long), of(long..long + 1)].into());
    let reader = LinkReader::new(Box::new(Simple::stream(frames, u64::MAX)), receiver);
    let context = &mut Context::from_waker(Waker::noop());
    assert!(reader.poll(context).is_pending());
    let mut found = Vec::new();
    while found.last() != Some(&long) {
        assert!(reader.poll(context).is_pending());
        tokio::task::yield_now().await;
        while let Some((Arrived::Frame(frame), ticket)) = backlog.take(&actors.session) {
            let Some(Network::Control(ControlMessage { msg: Some(Msg::Spawn(spawn)) })) =
                frame.message
            else {
                panic!("it is another frame");
            };
            found.extend(spawn.actors.iter().map(|actor| actor.pid));
            drop(ticket);
        }
    }
    assert!(found.into_iter().eq(0..=long));
    actors.end().await;
}

/// A peer that is not authenticated sends no lists.
#[tokio::test]
async fn a_stranger_sends_no_lists() {
    let actors = Actors::start().await;
    let places = Places::new(2, 1);
    let (visitor, _) = places.enter(Source::Local);
    let admission = Admission::new(visitor, None);
    for is_admitted in [false, true] {
        let backlog = Arc::<Backlog>::default();
        if is_admitted {
            admission.admit();
        }
        let receiver = Receiver::Session(SessionReceiver {
            session: actors.session.clone(),
            joined: Joined::default(),
            backlog: backlog.clone(),
            admission: Some(admission.clone()),
        });
        let frames = Frames([of_stock(spawn(1))].into());
        let reader = LinkReader::new(Box::new(Simple::stream(frames, u64::MAX)), receiver);
        let context = &mut Context::from_waker(Waker::noop());
        assert!(reader.poll(context).is_pending());
        assert_eq!(!backlog.is_empty(), is_admitted);
    }
    actors.end().await;
}
