//! A link on which nothing happens costs nothing: no end is woken.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mycelium_transport::TransportMessage;
use mycelium_transport::shm::ShmOptions;

use crate::ends::{Halves, watched};

/// Counts how often it is woken.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Counter {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Has the runtime see whatever there is to see, by a link on which something happens.
async fn elsewhere() {
    let (mut a, mut b, _keep) = crate::shm().await.split(1000);
    for _ in 0..500 {
        for (from, to) in [(0, 1), (1, 0)] {
            let ends: [&mut Halves; 2] = [&mut a, &mut b];
            ends[from].queue("ping");
            ends[from].sink.flush().await.unwrap();
            watched(ends[to].frame()).await.unwrap();
            // So that it sleeps each time.
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_reader_is_woken_by_frames_alone() {
    let (mut a, mut b, _keep) = crate::shm().await.split(1000);
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(counter.clone());
    let mut context = Context::from_waker(&waker);
    assert!(b.stream.poll_frame(&mut context).is_pending());
    elsewhere().await;
    assert_eq!(counter.count(), 0, "nothing has happened");

    // Of many frames the first alone wakes it.
    for _ in 0..100 {
        a.queue("frame");
        a.sink.flush().await.unwrap();
    }
    elsewhere().await;
    assert_eq!(counter.count(), 1);
    for _ in 0..100 {
        assert!(matches!(b.stream.poll_frame(&mut context), Poll::Ready(Ok(Some(_)))));
    }
    assert!(b.stream.poll_frame(&mut context).is_pending());
    elsewhere().await;
    assert_eq!(counter.count(), 1);
    drop(a);
    elsewhere().await;
    assert_eq!(counter.count(), 2);
    assert!(matches!(b.stream.poll_frame(&mut context), Poll::Ready(Ok(None))));
}

#[tokio::test]
async fn a_writer_is_woken_when_much_is_free_and_not_before() {
    let options = ShmOptions::default().with_ring(64 * 1024);
    let (mut a, mut b, _keep) = crate::pair(options).await.split(u64::MAX);
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(counter.clone());
    let mut context = Context::from_waker(&waker);
    // That both descriptors can be written to is news once.
    elsewhere().await;
    for number in 0..100 {
        a.queue(vec![number; 1000]);
    }
    assert!(a.sink.poll_flush(&mut context).is_pending());
    elsewhere().await;
    assert_eq!(counter.count(), 0, "nobody has read");
    let left = a.sink.queued_bytes();
    for number in 0..100 {
        let frame = loop {
            if let Some(frame) = crate::ends::once(b.stream.frame()).await {
                break frame.unwrap().unwrap();
            }
            assert!(a.sink.poll_flush(&mut context).is_ready(), "it was woken, or had room");
        };
        let TransportMessage::Bytes(frame) = frame else { panic!("these are bytes") };
        assert_eq!(frame, vec![number; 1000]);
    }
    elsewhere().await;
    assert_eq!(counter.count(), 1, "{left} bytes were left");
}

#[tokio::test]
async fn who_spins_sleeps_in_the_end() {
    let options = ShmOptions::default().with_spin(Duration::from_millis(2));
    let (mut a, mut b, _keep) = crate::pair(options).await.split(1000);
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(counter.clone());
    let mut context = Context::from_waker(&waker);
    let mut turns = 0;
    // It asks for another turn as long as it spins.
    loop {
        assert!(b.stream.poll_frame(&mut context).is_pending());
        if counter.count() == turns {
            break;
        }
        turns += 1;
        assert_eq!(counter.count(), turns);
        tokio::task::yield_now().await;
    }
    assert!(turns > 0, "it spun");
    elsewhere().await;
    assert_eq!(counter.count(), turns);
    a.queue("frame");
    a.sink.flush().await.unwrap();
    elsewhere().await;
    assert_eq!(counter.count(), turns + 1);
    assert!(matches!(b.stream.poll_frame(&mut context), Poll::Ready(Ok(Some(_)))));
}

#[tokio::test]
async fn who_never_sleeps_finds_frames_and_the_end_without_being_woken() {
    let options = ShmOptions::default().with_sleepless(true);
    let (mut a, mut b, _keep) = crate::pair(options).await.split(1000);
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(counter.clone());
    let mut context = Context::from_waker(&waker);
    // It asks for the next turn in each.
    let mut turns = 0;
    let mut idle = |b: &mut Halves| {
        for _ in 0..500 {
            assert!(b.stream.poll_frame(&mut Context::from_waker(&waker)).is_pending());
            turns += 1;
            assert_eq!(counter.count(), turns);
        }
    };
    for _ in 0..3 {
        idle(&mut b);
        a.queue("frame");
        a.sink.flush().await.unwrap();
        let frame = b.stream.poll_frame(&mut context);
        assert!(matches!(frame, Poll::Ready(Ok(Some(_)))));
    }
    drop(a);
    let mut end = Poll::Pending;
    for _ in 0..100_000 {
        end = b.stream.poll_frame(&mut context);
        if end.is_ready() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(matches!(end, Poll::Ready(Ok(None))));
}

#[tokio::test]
async fn an_expected_answer_is_looked_for_and_then_slept_for() {
    let (mut a, mut b, _keep) = crate::pair(ShmOptions::default()).await.split(1000);
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(counter.clone());
    let mut context = Context::from_waker(&waker);
    assert!(a.stream.poll_frame(&mut context).is_pending());
    elsewhere().await;
    assert_eq!(counter.count(), 0, "nothing is expected");

    a.queue("a call");
    assert!(a.sink.expect_answer(), "the reader is to get a turn");
    a.sink.flush().await.unwrap();
    assert!(a.stream.poll_frame(&mut context).is_pending());
    elsewhere().await;
    assert_eq!(counter.count(), 0, "and sleeps, since nothing comes");

    b.queue("an answer");
    b.sink.flush().await.unwrap();
    elsewhere().await;
    assert_eq!(counter.count(), 1, "the peer was asked to wake it again");
    assert!(matches!(a.stream.poll_frame(&mut context), Poll::Ready(Ok(Some(_)))));
}
