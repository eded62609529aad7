//! Two nodes inside one process.

mod lane;

use std::fmt;
use std::sync::Arc;

use super::{Channel, Connector, FrameSink, FrameStream, Transport, TransportKind};
use lane::{LaneSink, LaneStream, lane};

/// One end of a connection inside this process. Nothing is serialised and nothing is copied: what
/// one end queues is what the other gets.
///
/// It holds back like a socket does: a flush waits while 1024 frames, or 4 MiB in frames of bytes,
/// have been handed over and not been taken.
///
/// ```
/// use std::sync::Arc;
/// use ractor::message::ArcMessage;
/// use mycelium_transport::{ArcTransport, SharedCast, Transport, TransportMessage};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let (a, b) = ArcTransport::pair("feed", "readers");
/// let (mut sink, _) = Box::new(a).split(u64::MAX);
/// let (_, mut stream) = Box::new(b).split(u64::MAX);
///
/// let tick = Arc::new(42_u64);
/// let cast = SharedCast { to: 1, message: ArcMessage::new(tick.clone()) };
/// sink.queue(TransportMessage::Arc(cast)).expect("this transport takes an `Arc`");
/// sink.flush().await?;
///
/// let Some(TransportMessage::Arc(cast)) = stream.frame().await? else { unreachable!() };
/// assert!(Arc::ptr_eq(&cast.message.downcast::<u64>().unwrap(), &tick));
/// # Ok(())
/// # }
/// ```
pub struct ArcTransport {
    sink: LaneSink,
    stream: LaneStream,
    local: String,
    peer: String,
}

impl ArcTransport {
    /// Two ends that are connected, by the labels that people know them by.
    #[must_use]
    pub fn pair(a: impl Into<String>, b: impl Into<String>) -> (Self, Self) {
        let (a, b) = (a.into(), b.into());
        let (to_b, from_a) = lane();
        let (to_a, from_b) = lane();
        (
            Self { sink: to_b, stream: from_b, local: a.clone(), peer: b.clone() },
            Self { sink: to_a, stream: from_a, local: b, peer: a },
        )
    }
}

impl Transport for ArcTransport {
    fn kind(&self) -> TransportKind {
        TransportKind::Arc
    }

    fn peer(&self) -> String {
        self.peer.clone()
    }

    fn local(&self) -> String {
        self.local.clone()
    }

    /// The two ends were made together.
    fn connector(&self) -> Option<Arc<dyn Connector>> {
        None
    }

    /// Both ends are in one process.
    fn channel(&self) -> Channel {
        Channel::default()
    }

    fn split(self: Box<Self>, max_frame: u64) -> (Box<dyn FrameSink>, Box<dyn FrameStream>) {
        (Box::new(self.sink), Box::new(self.stream.limited(max_frame)))
    }
}

impl fmt::Debug for ArcTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArcTransport")
            .field("local", &self.local)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
