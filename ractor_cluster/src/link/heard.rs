//! Notes that something came from a peer, as soon as it has arrived: neither a session that is behind with what
//! came, nor a frame that takes long, shall look like silence.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};

use super::backlog::Backlog;
use super::origin::Origin;
use crate::net::NetworkStream;
use crate::transport::{
    Channel, Connector, FrameSink, FrameStream, Transport, TransportKind, TransportMessage,
};

/// Whether something came from the peer since it was asked last.
#[derive(Debug, Clone, Default)]
pub struct Heard(Arc<AtomicU8>);

/// For whom a sign of life is kept, each until it looks: the rounds of silence, and who asks in
/// between.
const ROUND: u8 = 1;
const PROBE: u8 = 2;

impl Heard {
    /// Something came.
    pub(crate) fn note(&self) {
        self.0.store(ROUND | PROBE, Ordering::Relaxed);
    }

    /// Whether something did.
    pub(crate) fn take(&self) -> bool {
        self.0.fetch_and(!ROUND, Ordering::Relaxed) & ROUND != 0
    }

    /// Somebody is about to ask for a sign of life, beside the rounds.
    pub(crate) fn begin_probe(&self) {
        self.0.fetch_and(!PROBE, Ordering::Relaxed);
    }

    /// Whether something came since.
    pub(crate) fn since_probe(&self) -> bool {
        self.0.load(Ordering::Relaxed) & PROBE != 0
    }

    /// Listens to a connection. What comes by it waits in `backlog`.
    pub(crate) fn listen_to(&self, stream: NetworkStream, backlog: &Arc<Backlog>) -> NetworkStream {
        let origin = Origin { backlog: Some(backlog.clone()), ..stream.origin() };
        let watched = Watched { transport: stream.into_transport(), heard: self.clone() };
        NetworkStream::Accepted(Box::new(watched), origin)
    }
}

/// A transport that is listened to.
struct Watched {
    transport: Box<dyn Transport>,
    heard: Heard,
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
        frames.tell_arrivals(&self.heard);
        (sink, Box::new(WatchedStream { frames, heard: self.heard }))
    }
}

/// Of those that carry whole frames, and tell of no parts.
struct WatchedStream {
    frames: Box<dyn FrameStream>,
    heard: Heard,
}

impl FrameStream for WatchedStream {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<TransportMessage>>> {
        let polled = self.frames.poll_frame(context);
        if let Poll::Ready(Ok(Some(_))) = &polled {
            self.heard.note();
        }
        polled
    }

    fn set_max_frame(&mut self, bytes: u64) {
        self.frames.set_max_frame(bytes);
    }

    fn tell_arrivals(&mut self, heard: &Heard) {
        self.frames.tell_arrivals(heard);
    }
}
