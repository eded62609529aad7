//! A transport whose halves were taken apart already: by a listener that looked at the first frame,
//! or by the handshake of a further link.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll};

use crate::transport::{
    Channel, FrameSink, FrameStream, Transport, TransportKind, TransportMessage,
};

/// See the module's documentation.
pub(crate) struct Halves {
    pub(crate) kind: TransportKind,
    pub(crate) peer: String,
    pub(crate) local: String,
    channel: Channel,
    pub(crate) sink: Box<dyn FrameSink>,
    pub(crate) stream: Box<dyn FrameStream>,
}

impl Halves {
    /// Takes a transport apart.
    pub(crate) fn of(transport: Box<dyn Transport>, max_frame: u64) -> Self {
        let (kind, peer, local) = (transport.kind(), transport.peer(), transport.local());
        let channel = transport.channel();
        let (sink, stream) = transport.split(max_frame);
        Self { kind, peer, local, channel, sink, stream }
    }

    /// Puts a frame back, in front of those still to come.
    pub(crate) fn unread(self, frame: TransportMessage) -> Self {
        let stream = Box::new(Unread { first: VecDeque::from([frame]), rest: self.stream });
        Self { stream, ..self }
    }
}

impl Transport for Halves {
    fn kind(&self) -> TransportKind {
        self.kind
    }

    fn peer(&self) -> String {
        self.peer.clone()
    }

    fn local(&self) -> String {
        self.local.clone()
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
}

impl FrameStream for Unread {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<TransportMessage>>> {
        match self.first.pop_front() {
            Some(frame) => Poll::Ready(Ok(Some(frame))),
            None => self.rest.poll_frame(context),
        }
    }
}
