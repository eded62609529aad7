//! A transport whose halves were taken apart already: by a listener that looked at the first frame,
//! or by the handshake of a further link.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::admission::Admission;
#[cfg(unix)]
use crate::transport::blocking::Deferred;
use crate::transport::Activity;
use crate::transport::{
    Channel, Connector, FrameSink, FrameStream, Transport, TransportKind, TransportMessage,
};

/// See the module's documentation.
pub(crate) struct SplitTransport {
    pub(crate) kind: TransportKind,
    pub(crate) peer: String,
    pub(crate) local: String,
    channel: Channel,
    pub(crate) sink: Box<dyn FrameSink>,
    pub(crate) stream: Box<dyn FrameStream>,
}

impl SplitTransport {
    /// Takes a transport apart.
    pub(crate) fn of(transport: Box<dyn Transport>, max_frame: u64) -> Self {
        let (kind, peer, local) = (transport.kind(), transport.peer(), transport.local());
        let channel = transport.channel();
        let (sink, stream) = transport.split(max_frame);
        Self { kind, peer, local, channel, sink, stream }
    }

    /// The Unix socket that it is, unless it is something else or has read ahead.
    #[cfg(unix)]
    pub(crate) fn into_unix(self) -> Option<Deferred<tokio::net::UnixStream>> {
        crate::transport::unix::reunite(self.sink, self.stream)
    }

    /// Puts a frame back, in front of those still to come, which may be of up to `max_frame` bytes
    /// once the peer is admitted.
    pub(crate) fn unread(
        self,
        frame: TransportMessage,
        admission: Admission,
        max_frame: u64,
    ) -> Self {
        let raise = Some((admission, max_frame));
        let stream = Unread { first: VecDeque::from([frame]), rest: self.stream, raise };
        Self { stream: Box::new(stream), ..self }
    }
}

impl Transport for SplitTransport {
    fn kind(&self) -> TransportKind {
        self.kind
    }

    fn peer(&self) -> String {
        self.peer.clone()
    }

    fn local(&self) -> String {
        self.local.clone()
    }

    /// It was accepted, or is a further link, which its session knows how to make again.
    fn connector(&self) -> Option<Arc<dyn Connector>> {
        None
    }

    fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The bound is that with which the halves were taken apart.
    fn split(self: Box<Self>, _max_frame: u64) -> (Box<dyn FrameSink>, Box<dyn FrameStream>) {
        (self.sink, self.stream)
    }
}

struct Unread {
    first: VecDeque<TransportMessage>,
    rest: Box<dyn FrameStream>,
    /// The bound that the peer gets with its admission.
    raise: Option<(Admission, u64)>,
}

impl FrameStream for Unread {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<TransportMessage>>> {
        if let Some((_, max)) = self.raise.take_if(|(admission, _)| admission.is_admitted()) {
            self.rest.set_max_frame(max);
        }
        match self.first.pop_front() {
            Some(frame) => Poll::Ready(Ok(Some(frame))),
            None => self.rest.poll_frame(context),
        }
    }

    fn take_ready(&mut self, lent: &mut Bytes) -> Option<Bytes> {
        // Until the bound is raised, each frame is looked at.
        if self.first.is_empty() && self.raise.is_none() {
            self.rest.take_ready(lent)
        } else {
            None
        }
    }

    fn tell_arrivals(&mut self, activity: &Activity) {
        self.rest.tell_arrivals(activity);
    }

    fn set_max_frame(&mut self, bytes: u64) {
        self.rest.set_max_frame(bytes);
    }

    fn into_reader(self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        if self.first.is_empty() {
            self.rest.into_reader()
        } else {
            None
        }
    }
}
