//! Transports that carry one frame after the other, and nothing else.
//!
//! [`FrameSink`] and [`FrameStream`] demand all that a session asks of a connection, so that a
//! wrapper around them cannot forget a method. A transport of an application need not know of all
//! that: it implements [`SimpleSink`] and [`SimpleStream`], and [`Simple`] does the rest. For a
//! stream of bytes there is less to write: [`FrameWriter`](super::frames::FrameWriter) and
//! [`FrameReader`](super::frames::FrameReader) are a sink and a stream.
//!
//! ```
//! use std::io;
//! use std::sync::Arc;
//! use std::task::{ready, Context, Poll};
//!
//! use bytes::Bytes;
//! use mycelium_transport::simple::{Simple, SimpleSink, SimpleStream};
//! use mycelium_transport::{self as transport, Connector, FrameSink, FrameStream};
//! use mycelium_transport::{Transport, TransportKind};
//! use tokio::sync::mpsc;
//!
//! /// Frames between two tasks.
//! struct Channel(mpsc::UnboundedSender<Bytes>, mpsc::UnboundedReceiver<Bytes>);
//!
//! struct Sender(mpsc::UnboundedSender<Bytes>);
//! struct Receiver(mpsc::UnboundedReceiver<Bytes>);
//!
//! impl SimpleSink for Sender {
//!     fn queue(&mut self, frame: Bytes) {
//!         // A peer that is gone is found by the reader.
//!         _ = self.0.send(frame);
//!     }
//!
//!     fn queued_bytes(&self) -> usize {
//!         0
//!     }
//!
//!     fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
//!         Poll::Ready(Ok(()))
//!     }
//! }
//!
//! impl SimpleStream for Receiver {
//!     fn poll_frame(
//!         &mut self,
//!         context: &mut Context<'_>,
//!         _max_frame: u64,
//!     ) -> Poll<io::Result<Option<Bytes>>> {
//!         Poll::Ready(Ok(ready!(self.0.poll_recv(context))))
//!     }
//! }
//!
//! impl Transport for Channel {
//!     fn kind(&self) -> TransportKind {
//!         TransportKind::External
//!     }
//!
//!     fn peer(&self) -> String {
//!         "the other task".to_owned()
//!     }
//!
//!     fn local(&self) -> String {
//!         "this task".to_owned()
//!     }
//!
//!     fn connector(&self) -> Option<Arc<dyn Connector>> {
//!         None
//!     }
//!
//!     fn channel(&self) -> transport::Channel {
//!         transport::Channel::default()
//!     }
//!
//!     fn split(self: Box<Self>, max_frame: u64) -> (Box<dyn FrameSink>, Box<dyn FrameStream>) {
//!         let stream = Simple::stream(Receiver(self.1), max_frame);
//!         (Box::new(Simple::sink(Sender(self.0))), Box::new(stream))
//!     }
//! }
//! ```

use std::any::Any;
use std::fmt;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::frames::{check_length, joined, split};
use super::{Activity, FrameSink, FrameStream, TransportMessage};

/// Writes frames to a peer.
pub trait SimpleSink: Send + 'static {
    /// Queues a frame behind those queued before.
    fn queue(&mut self, frame: Bytes);

    /// The bytes queued and not yet handed to the peer or the system.
    fn queued_bytes(&self) -> usize;

    /// Hands over all that is queued. Cancel safe: what remains stays queued.
    ///
    /// # Errors
    /// The connection is of no use after one.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// Reads frames from a peer.
pub trait SimpleStream: Send + 'static {
    /// The next frame, or `None` at the end of the connection between two frames. Cancel safe: what
    /// was read of a frame stays.
    ///
    /// The node takes frames of up to `max_frame` bytes, and refuses a larger one. Where the peer
    /// announces a frame's length, compare the two before you take memory for it.
    ///
    /// # Errors
    /// [`InvalidData`](io::ErrorKind::InvalidData) for a frame that is too large,
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) for an end within a frame. The connection is
    /// of no use after one.
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
        max_frame: u64,
    ) -> Poll<io::Result<Option<Bytes>>>;
}

/// Makes a [`FrameSink`] of a [`SimpleSink`], and a [`FrameStream`] of a [`SimpleStream`].
pub struct Simple<T> {
    inner: T,
    max_frame: u64,
    /// A frame that was refused, and is refused again as long as the bound is the same.
    too_large: Option<Bytes>,
    activity: Option<Activity>,
}

impl<S: SimpleSink> Simple<S> {
    /// Makes a sink.
    #[must_use]
    pub const fn sink(sink: S) -> Self {
        Self { inner: sink, max_frame: u64::MAX, too_large: None, activity: None }
    }
}

impl<S: SimpleStream> Simple<S> {
    /// Makes a stream, which takes frames of up to `max_frame` bytes.
    #[must_use]
    pub const fn stream(stream: S, max_frame: u64) -> Self {
        Self { inner: stream, max_frame, too_large: None, activity: None }
    }
}

impl<S: SimpleSink> FrameSink for Simple<S> {
    fn queue(&mut self, frame: TransportMessage) -> Result<(), TransportMessage> {
        match frame {
            TransportMessage::Bytes(frame) => {
                self.inner.queue(frame);
                Ok(())
            }
            other @ (TransportMessage::Arc(_) | TransportMessage::Lent { .. }) => Err(other),
        }
    }

    fn queue_parts(&mut self, head: Bytes, payload: Bytes) -> Result<(), TransportMessage> {
        self.inner.queue(joined(head, payload));
        Ok(())
    }

    fn queue_framed(&mut self, frames: Bytes, tail: Bytes) {
        split(frames, tail, |head, tail| self.inner.queue(joined(head, tail)));
    }

    /// Nothing polls such a connection past its own wake-ups.
    fn expect_answer(&mut self) -> bool {
        false
    }

    fn queued_bytes(&self) -> usize {
        self.inner.queued_bytes()
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_flush(context)
    }

    fn into_writer(self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        (self.inner.queued_bytes() == 0).then(|| Box::new(self.inner) as _)
    }
}

impl<S: SimpleStream> FrameStream for Simple<S> {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<TransportMessage>>> {
        let frame = match self.too_large.take() {
            Some(frame) => frame,
            None => match ready!(self.inner.poll_frame(context, self.max_frame))? {
                Some(frame) => frame,
                None => return Poll::Ready(Ok(None)),
            },
        };
        self.activity.iter().for_each(Activity::note);
        if let Err(error) = check_length(frame.len() as u64, self.max_frame) {
            self.too_large = Some(frame);
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(Some(TransportMessage::Bytes(frame))))
    }

    fn take_ready(&mut self, _: &mut Bytes) -> Option<Bytes> {
        None
    }

    fn set_max_frame(&mut self, bytes: u64) {
        self.max_frame = bytes;
    }

    fn tell_arrivals(&mut self, activity: &Activity) {
        self.activity = Some(activity.clone());
    }

    /// Never: it may have read ahead.
    fn into_reader(self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        None
    }
}

impl<T> fmt::Debug for Simple<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simple").field("max_frame", &self.max_frame).finish_non_exhaustive()
    }
}
