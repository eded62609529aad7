//! Two connected ends, and what the tests do with them.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use mycelium_transport::{FrameSink, FrameStream, Transport, TransportMessage};

/// Two ends that are connected with each other.
pub(crate) struct Ends {
    pub(crate) a: Box<dyn Transport>,
    pub(crate) b: Box<dyn Transport>,
    /// What has to live as long.
    pub(crate) keep: Box<dyn Any>,
}

/// One end, taken apart.
pub(crate) struct Halves {
    pub(crate) sink: Box<dyn FrameSink>,
    pub(crate) stream: Box<dyn FrameStream>,
}

impl Ends {
    pub(crate) fn new(a: impl Transport, b: impl Transport) -> Self {
        Self { a: Box::new(a), b: Box::new(b), keep: Box::new(()) }
    }

    /// Both ends taken apart; each takes frames of up to `max_frame` bytes.
    pub(crate) fn split(self, max_frame: u64) -> (Halves, Halves, Box<dyn Any>) {
        (Halves::of(self.a, max_frame), Halves::of(self.b, max_frame), self.keep)
    }
}

impl Halves {
    fn of(end: Box<dyn Transport>, max_frame: u64) -> Self {
        let (sink, stream) = end.split(max_frame);
        Self { sink, stream }
    }

    pub(crate) fn queue(&mut self, frame: impl Into<Bytes>) {
        self.sink.queue(TransportMessage::Bytes(frame.into())).expect("bytes are carried by all");
    }

    /// The next frame, which is one of bytes.
    pub(crate) async fn frame(&mut self) -> Option<Bytes> {
        self.try_frame().await.expect("the connection holds")
    }

    pub(crate) async fn try_frame(&mut self) -> io::Result<Option<Bytes>> {
        Ok(self.stream.frame().await?.map(bytes_of))
    }
}

pub(crate) fn bytes_of(frame: TransportMessage) -> Bytes {
    match frame {
        TransportMessage::Bytes(frame) => frame,
        TransportMessage::Lent { frame, payload } => [&frame[..], &payload].concat().into(),
        TransportMessage::Arc(shared) => panic!("no bytes were queued as {shared:?}"),
    }
}

/// Turns what hangs into a failure.
pub(crate) async fn watched<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), what).await.expect("it hangs")
}

/// Polls once, and gives up what is not ready: a task that is cancelled there.
pub(crate) async fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
