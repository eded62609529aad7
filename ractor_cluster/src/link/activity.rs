//! Connections whose activity is noted.

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::admission::Origin;
use super::backlog::Backlog;
use crate::net::NetworkStream;
use crate::transport::{
    Activity, Channel, Connector, FrameSink, FrameStream, Transport, TransportKind,
    TransportMessage,
};

/// Notes in `activity` that bytes arrive on a connection. Control frames wait in `backlog`.
pub(crate) fn watch(
    stream: NetworkStream,
    activity: &Activity,
    backlog: &Arc<Backlog>,
) -> NetworkStream {
    let origin = Origin { backlog: Some(backlog.clone()), ..stream.origin() };
    let watched = Watched { transport: stream.into_transport(), activity: activity.clone() };
    NetworkStream::Accepted(Box::new(watched), origin)
}

/// A transport that is listened to.
struct Watched {
    transport: Box<dyn Transport>,
    activity: Activity,
}

impl Transport for Watched {
    fn kind(&self) -> TransportKind {
        self.transport.kind()
    }

    fn peer(&self) -> String {
        self.transport.peer()
    }

    fn local(&self) -> String {
        self.transport.local()
    }

    fn connector(&self) -> Option<Arc<dyn Connector>> {
        self.transport.connector()
    }

    fn channel(&self) -> Channel {
        self.transport.channel()
    }

    fn split(self: Box<Self>, max_frame: u64) -> (Box<dyn FrameSink>, Box<dyn FrameStream>) {
        let (sink, mut frames) = self.transport.split(max_frame);
        frames.tell_arrivals(&self.activity);
        (sink, Box::new(WatchedStream { frames, activity: self.activity }))
    }
}

/// Of transports that carry whole frames, and tell of no parts.
struct WatchedStream {
    frames: Box<dyn FrameStream>,
    activity: Activity,
}

impl FrameStream for WatchedStream {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<TransportMessage>>> {
        let polled = self.frames.poll_frame(context);
        if let Poll::Ready(Ok(Some(_))) = &polled {
            self.activity.note();
        }
        polled
    }

    /// It came with one that was noted.
    fn take_ready(&mut self, lent: &mut Bytes) -> Option<Bytes> {
        self.frames.take_ready(lent)
    }

    fn set_max_frame(&mut self, bytes: u64) {
        self.frames.set_max_frame(bytes);
    }

    fn tell_arrivals(&mut self, activity: &Activity) {
        self.frames.tell_arrivals(activity);
    }

    fn into_reader(self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        self.frames.into_reader()
    }
}
