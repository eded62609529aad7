//! Between two nodes of one process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use mycelium_transport::{ArcTransport, SharedCast, Transport, TransportMessage};
use ractor::message::ArcMessage;

use crate::ends::{once, watched};
use crate::kinds::arc;

/// A message that counts its copies.
struct Tick {
    copies: Arc<AtomicUsize>,
    payload: Vec<u8>,
}

impl ractor::Message for Tick {}

impl Clone for Tick {
    fn clone(&self) -> Self {
        self.copies.fetch_add(1, Ordering::Relaxed);
        Self { copies: self.copies.clone(), payload: self.payload.clone() }
    }
}

fn cast(to: u64, message: &Arc<Tick>) -> TransportMessage {
    TransportMessage::Arc(SharedCast { to, message: ArcMessage::new(message.clone()) })
}

#[tokio::test]
async fn the_very_message_arrives_without_a_copy() {
    let (mut a, mut b, _keep) = arc().await.split(0);
    let copies = Arc::default();
    let tick = Arc::new(Tick { copies, payload: vec![7; 1024 * 1024] });
    for to in 0..100 {
        a.sink.queue(cast(to, &tick)).unwrap();
    }
    a.sink.flush().await.unwrap();
    for expected in 0..100 {
        let Some(TransportMessage::Arc(shared)) = b.stream.frame().await.unwrap() else {
            panic!("something else arrived");
        };
        assert_eq!(shared.to, expected);
        assert!(Arc::ptr_eq(&shared.message.downcast::<Tick>().unwrap(), &tick));
    }
    assert_eq!(tick.copies.load(Ordering::Relaxed), 0);
    assert_eq!(Arc::strong_count(&tick), 1);
    assert_eq!(tick.payload.len(), 1024 * 1024);
}

#[tokio::test]
async fn bytes_and_messages_keep_their_order() {
    let (mut a, mut b, _keep) = arc().await.split(100);
    let tick = Arc::new(Tick { copies: Arc::default(), payload: Vec::new() });
    let bytes = Bytes::from(vec![1; 100]);
    a.queue(bytes.clone());
    a.sink.queue(cast(1, &tick)).unwrap();
    a.queue(Bytes::new());
    assert!(a.sink.queued_bytes() >= 100);
    a.sink.flush().await.unwrap();
    let frame = b.frame().await.unwrap();
    assert_eq!(frame.as_ptr(), bytes.as_ptr(), "the bytes were copied");
    let shared = b.stream.frame().await.unwrap().unwrap();
    assert!(matches!(shared, TransportMessage::Arc(SharedCast { to: 1, .. })));
    assert_eq!(b.frame().await, Some(Bytes::new()));
}

#[tokio::test]
async fn a_sender_waits_for_a_receiver_that_does_not_keep_up() {
    let (mut a, mut b, _keep) = arc().await.split(100);
    let tick = Arc::new(Tick { copies: Arc::default(), payload: Vec::new() });
    for to in 0..5000 {
        a.sink.queue(cast(to, &tick)).unwrap();
    }
    assert!(once(a.sink.flush()).await.is_none());
    assert!(a.sink.queued_bytes() > 0);
    let receive = async {
        for expected in 0..5000 {
            let frame = b.stream.frame().await.unwrap().unwrap();
            assert!(
                matches!(frame, TransportMessage::Arc(SharedCast { to, .. }) if to == expected)
            );
        }
    };
    let (flushed, ()) = watched(async { tokio::join!(a.sink.flush(), receive) }).await;
    flushed.unwrap();
    assert_eq!(a.sink.queued_bytes(), 0);
}

#[tokio::test]
async fn an_end_that_is_never_taken_apart_ends_the_other() {
    let (a, b) = ArcTransport::pair("a", "b");
    assert_eq!((a.local(), a.peer()), ("a".to_owned(), "b".to_owned()));
    assert_eq!((b.local(), b.peer()), ("b".to_owned(), "a".to_owned()));
    let (mut sink, mut stream) = Box::new(b).split(1);
    drop(a);
    assert!(stream.frame().await.unwrap().is_none());
    // As with a socket, it is a frame that cannot be handed over that fails.
    sink.flush().await.unwrap();
    sink.queue(TransportMessage::Bytes(Bytes::new())).unwrap();
    let error = sink.flush().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn whoever_waits_learns_of_the_end() {
    let (a, mut b, _keep) = arc().await.split(1);
    let waiting = tokio::spawn(async move { b.stream.frame().await.unwrap().is_none() });
    tokio::task::yield_now().await;
    drop(a);
    assert!(watched(waiting).await.unwrap());

    let (mut a, b, _keep) = arc().await.split(1);
    for _ in 0..5000 {
        a.queue(Bytes::new());
    }
    let waiting = tokio::spawn(async move { a.sink.flush().await.unwrap_err().kind() });
    tokio::task::yield_now().await;
    drop(b);
    assert_eq!(watched(waiting).await.unwrap(), io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn messages_that_nobody_took_are_dropped_with_the_ends() {
    let (mut a, b, _keep) = arc().await.split(1);
    let tick = Arc::new(Tick { copies: Arc::default(), payload: Vec::new() });
    a.sink.queue(cast(1, &tick)).unwrap();
    a.sink.flush().await.unwrap();
    drop(b);
    assert_eq!(Arc::strong_count(&tick), 1);
}
