//! What holds for every transport.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use mycelium_transport::{SharedCast, TransportKind, TransportMessage};
use ractor::message::ArcMessage;

use crate::ends::{Ends, Halves, once};

const MIB: usize = 1024 * 1024;
const NO_LIMIT: u64 = u64::MAX;

/// A frame that tells by its content which one it is, and where each part of it belongs.
fn numbered(number: usize, length: usize) -> Bytes {
    let mut frame = vec![number as u8; length];
    for (part, place) in frame.chunks_exact_mut(509).enumerate() {
        place[..8].copy_from_slice(&(number << 32 | part).to_be_bytes());
    }
    frame.into()
}

/// Lengths of all sizes, around those where something changes.
fn lengths() -> impl Iterator<Item = usize> + Clone {
    let around = |size: usize| size - 9..size + 9;
    [0, 1, 7, 8, 9, 0, 100, 1000]
        .into_iter()
        .chain(around(8 * 1024))
        .chain(around(16 * 1024))
        .chain(around(32 * 1024))
        .chain(around(64 * 1024))
        .chain(around(128 * 1024))
        .chain([3, 300_000, 5, 0, 700_000, 700_000, 20])
        .chain((0..100).map(|number| number * 7))
}

/// Queues and hands over all frames, `batch` at a time.
async fn send(end: &mut Halves, frames: impl Iterator<Item = Bytes>, batch: usize) {
    for (number, frame) in frames.enumerate() {
        end.queue(frame);
        if number % batch == batch - 1 {
            end.sink.flush().await.unwrap();
        }
    }
    end.sink.flush().await.unwrap();
    assert_eq!(end.sink.queued_bytes(), 0);
}

/// Sends a frame each way. Of a connection that is closed with bytes unread, as TLS sends them
/// after its handshake, TCP tells the peer that it was reset.
pub(crate) async fn greet(a: &mut Halves, b: &mut Halves) {
    for (from, to) in [(0, 1), (1, 0)] {
        let ends = [&mut *a, &mut *b];
        ends[from].queue("hello");
        ends[from].sink.flush().await.unwrap();
        assert_eq!(ends[to].frame().await, Some(Bytes::from("hello")));
    }
}

async fn expect(end: &mut Halves, frames: impl Iterator<Item = Bytes>) {
    for (number, frame) in frames.enumerate() {
        let got = end.frame().await.expect("there is another frame");
        assert!(got == frame, "frame {number}: {} bytes, not {}", got.len(), frame.len());
    }
}

pub(crate) async fn it_says_what_it_is(ends: Ends, kind: TransportKind) {
    for end in [&ends.a, &ends.b] {
        assert_eq!(end.kind(), kind);
        assert!(!end.peer().is_empty() && !end.local().is_empty());
        assert_eq!(
            format!("{end:?}"),
            format!("{kind} link from {} to {}", end.local(), end.peer())
        );
    }
}

pub(crate) async fn frames_stay_whole_and_in_order(ends: Ends) {
    let (mut a, mut b, _keep) = ends.split(NO_LIMIT);
    let frames = lengths().enumerate().map(|(number, length)| numbered(number, length));
    for batch in [1, 3, 1000] {
        tokio::join!(send(&mut a, frames.clone(), batch), expect(&mut b, frames.clone()));
        tokio::join!(send(&mut b, frames.clone(), batch), expect(&mut a, frames.clone()));
    }
}

pub(crate) async fn an_empty_frame_is_a_frame(ends: Ends) {
    let (mut a, mut b, _keep) = ends.split(0);
    a.queue(Bytes::new());
    a.sink.flush().await.unwrap();
    assert_eq!(b.frame().await, Some(Bytes::new()));
}

pub(crate) async fn many_small_frames_go_at_once(ends: Ends) {
    let (mut a, mut b, _keep) = ends.split(NO_LIMIT);
    let frames = (0..50_000).map(|number| numbered(number, 16));
    tokio::join!(send(&mut a, frames.clone(), usize::MAX), expect(&mut b, frames.clone()));
}

pub(crate) async fn a_frame_of_the_limit_passes_and_a_larger_one_does_not(ends: Ends) {
    let (mut a, mut b, _keep) = ends.split(1000);
    a.queue(numbered(1, 1000));
    a.queue(numbered(2, 1001));
    a.sink.flush().await.unwrap();
    assert_eq!(b.frame().await, Some(numbered(1, 1000)));
    for _ in 0..2 {
        let error = b.try_frame().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("exceeds configured limit"), "{error}");
    }
}

pub(crate) async fn large_frames_pass(ends: Ends) {
    let (mut a, mut b, _keep) = ends.split(16 * MIB as u64);
    let frames = [MIB, 16 * MIB, 10, 16 * MIB, MIB, MIB].into_iter().enumerate();
    let frames = frames.map(|(number, length)| numbered(number, length));
    tokio::join!(send(&mut a, frames.clone(), 1), expect(&mut b, frames.clone()));
}

pub(crate) async fn both_directions_go_at_once(ends: Ends) {
    let (a, b, _keep) = ends.split(NO_LIMIT);
    let frames = || (0..400).map(|number| numbered(number, number * 197));
    let run = |end: Halves| {
        // A sink that waits for the peer to read first would wait for ever.
        let Halves { mut sink, mut stream } = end;
        async move {
            tokio::join!(
                async {
                    for frame in frames() {
                        sink.queue(TransportMessage::Bytes(frame)).unwrap();
                    }
                    sink.flush().await.unwrap();
                },
                async {
                    for frame in frames() {
                        let got = stream.frame().await.unwrap().unwrap();
                        assert!(crate::ends::bytes_of(got) == frame);
                    }
                }
            );
            (sink, stream)
        }
    };
    tokio::join!(run(a), run(b));
}

pub(crate) async fn flushing_and_reading_can_be_given_up_and_taken_up_again(ends: Ends) {
    let (mut a, mut b, _keep) = ends.split(NO_LIMIT);
    let frames: Vec<_> = (0..60).map(|number| numbered(number, number * 9973)).collect();
    let mut to_queue = frames.iter().cloned();
    let mut got = Vec::new();
    let mut given_up = 0;
    while got.len() < frames.len() {
        if let Some(frame) = to_queue.next() {
            a.queue(frame);
        }
        match once(a.sink.flush()).await {
            Some(flushed) => flushed.unwrap(),
            None => given_up += 1,
        }
        while let Some(frame) = once(b.frame()).await {
            got.push(frame.unwrap());
        }
        tokio::task::yield_now().await;
    }
    assert!(got == frames);
    // The peer does not read: what does not fit stays queued, and goes on from there.
    let large: Vec<_> = (0..8).map(|number| numbered(number, 4 * MIB + number)).collect();
    large.iter().for_each(|frame| a.queue(frame.clone()));
    assert!(once(a.sink.flush()).await.is_none());
    let left = a.sink.queued_bytes();
    assert!(left > 0 && left <= 33 * MIB, "{left}");
    assert!(once(a.sink.flush()).await.is_none());
    given_up += 2;
    tokio::join!(async { a.sink.flush().await.unwrap() }, expect(&mut b, large.iter().cloned()));
    assert!(given_up >= 2);
    assert_eq!(a.sink.queued_bytes(), 0);
}

pub(crate) async fn what_was_handed_over_arrives_before_the_end(ends: Ends) {
    let (mut a, mut b, _keep) = ends.split(NO_LIMIT);
    greet(&mut a, &mut b).await;
    a.queue(numbered(1, 5000));
    a.queue(numbered(2, 0));
    a.sink.flush().await.unwrap();
    drop(a);
    assert_eq!(b.frame().await, Some(numbered(1, 5000)));
    assert_eq!(b.frame().await, Some(Bytes::new()));
    assert_eq!(b.frame().await, None);
    assert_eq!(b.frame().await, None);
    // The end of the one is that of the other, at the latest once the news is there.
    loop {
        b.queue(numbered(3, 100_000));
        if b.sink.flush().await.is_err() {
            break;
        }
    }
}

pub(crate) async fn a_shared_message_comes_back(ends: Ends) {
    let (mut a, mut b, _keep) = ends.split(NO_LIMIT);
    let message = Arc::new(String::from("shared"));
    let frame = SharedCast { to: 7, message: ArcMessage::new(message.clone()) };
    let refused = a.sink.queue(TransportMessage::Arc(frame)).unwrap_err();
    let TransportMessage::Arc(SharedCast { to: 7, message: refused }) = refused else {
        panic!("something else came back");
    };
    assert!(Arc::ptr_eq(&refused.downcast::<String>().unwrap(), &message));
    assert_eq!(a.sink.queued_bytes(), 0);
    // And the connection goes on.
    a.queue("bytes");
    a.sink.flush().await.unwrap();
    assert_eq!(b.frame().await, Some(Bytes::from("bytes")));
}

pub(crate) async fn an_end_within_a_frame_is_told(ends: Ends) {
    let (mut a, mut b, _keep) = ends.split(NO_LIMIT);
    greet(&mut a, &mut b).await;
    a.queue("whole");
    a.queue(numbered(1, 64 * MIB));
    assert!(once(a.sink.flush()).await.is_none());
    drop(a);
    assert_eq!(b.frame().await, Some(Bytes::from("whole")));
    let error = b.try_frame().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
}

/// Whether it is looked for or waited for.
pub(crate) async fn expected_answers_come_whole_and_in_order(ends: Ends) {
    let (mut a, mut b, _keep) = ends.split(NO_LIMIT);
    let frames = lengths().filter(|length| *length < 100_000).enumerate();
    for (number, length) in frames {
        for (from, to) in [(0, 1), (1, 0)] {
            let (sender, receiver) = if from < to { (&mut a, &mut b) } else { (&mut b, &mut a) };
            sender.queue(numbered(number, length));
            _ = sender.sink.expect_answer();
            let (sent, frame) = tokio::join!(sender.sink.flush(), receiver.frame());
            sent.unwrap();
            assert!(frame == Some(numbered(number, length)), "frame {number}");
        }
    }
}

/// The tests of a kind, where the function `$name` makes two ends of it: those of all, and beside
/// them those that are named.
macro_rules! suite {
    ($name:ident, $kind:ident $(, $($more:ident),+)?) => {
        mod $name {
            #[tokio::test]
            async fn it_says_what_it_is() {
                let ends = super::$name().await;
                let kind = mycelium_transport::TransportKind::$kind;
                crate::conformance::it_says_what_it_is(ends, kind).await;
            }

            crate::conformance::suite! { @each $name
                frames_stay_whole_and_in_order,
                an_empty_frame_is_a_frame,
                many_small_frames_go_at_once,
                a_frame_of_the_limit_passes_and_a_larger_one_does_not,
                large_frames_pass,
                both_directions_go_at_once,
                flushing_and_reading_can_be_given_up_and_taken_up_again,
                what_was_handed_over_arrives_before_the_end,
                expected_answers_come_whole_and_in_order
                $(, $($more),+)?
            }
        }
    };
    (@each $name:ident $($test:ident),+) => {
        $(
            #[tokio::test]
            async fn $test() {
                let ends = super::$name().await;
                crate::ends::watched(crate::conformance::$test(ends)).await;
            }
        )+
    };
}

pub(crate) use suite;
