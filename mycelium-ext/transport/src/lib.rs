//! How frames get from one node to another: one [`Transport`] per kind of connection.
//!
//! A session knows this trait only. To add a kind, add a file here and a row in `kind.rs`, and,
//! where nodes are to find it by themselves, a route where sessions look for cheaper links.
//!
//! Whatever carries bytes in order carries frames as stock `ractor_cluster` does: the length of the
//! frame as eight bytes, big endian, and the frame ([`frames`]).
//!
//! ```
//! use bytes::Bytes;
//! use mycelium_transport::{TcpTransport, Transport, TransportKind, TransportMessage};
//! use tokio::net::TcpListener;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let here = TcpTransport::connect(listener.local_addr()?).await?;
//! let there = TcpTransport::new(listener.accept().await?.0);
//! assert_eq!(here.kind(), TransportKind::Tcp);
//!
//! let (mut sink, _stream) = Box::new(here).split(1024);
//! let (_sink, mut stream) = Box::new(there).split(1024);
//! sink.queue(TransportMessage::Bytes(Bytes::from_static(b"a frame"))).expect("it takes bytes");
//! sink.flush().await?;
//! match stream.frame().await? {
//!     Some(TransportMessage::Bytes(frame)) => assert_eq!(frame, "a frame"),
//!     other => panic!("{other:?}"),
//! }
//! # Ok(())
//! # }
//! ```

mod activity;
#[doc(hidden)]
pub mod answer_hint;
#[cfg(test)]
mod answer_hint_tests;
mod arc;
#[cfg(all(feature = "shm", target_os = "linux"))]
pub mod arena;
#[cfg(unix)]
#[doc(hidden)]
pub mod blocking;
#[doc(hidden)]
pub mod changed;
mod channel;
pub mod frames;
#[doc(hidden)]
pub mod handoff;
mod kind;
#[cfg(unix)]
mod local;
mod locality;
#[doc(hidden)]
pub mod log_limit;
#[cfg(unix)]
mod polled_socket;
#[cfg(doctest)]
mod required;
#[cfg(all(feature = "shm", target_os = "linux"))]
pub mod shm;
pub mod simple;
mod stream;
mod sync;
mod tcp;
mod tls;
#[cfg(unix)]
pub mod unix;

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use ractor::message::ArcMessage;

// So that it is compiled, and its message printed, before this crate.
use mycelium_fork_guard as _;

pub use activity::Activity;
pub use arc::ArcTransport;
pub use channel::Channel;
pub use kind::TransportKind;
#[doc(hidden)]
pub use kind::{LANES, number_of, preference_of};
#[cfg(unix)]
pub use local::{LocalEnd, LocalTransport, Upgrade};
pub use locality::Locality;
pub use stream::{BoxRead, BoxWrite, StreamTransport};
pub use tcp::{TcpConnector, TcpTransport};
pub use tls::{TlsAddress, TlsTransport};
#[cfg(unix)]
pub use unix::{UnixSocketConnector, UnixSocketListener, UnixSocketTransport};

/// What a link carries: one frame.
#[derive(Debug)]
pub enum TransportMessage {
    /// A message to an actor, as the `Arc` that its sender holds. Only a link inside one process
    /// takes it.
    ///
    /// The cluster receives it, and sends none: an actor of this process is cast to directly, also
    /// where two nodes share the process. It is for applications that connect nodes of one process
    /// by an [`ArcTransport`] of their own.
    Arc(SharedCast),
    /// An encoded frame, without its length.
    Bytes(Bytes),
    /// An encoded frame whose end lies in memory of the peer: a link by shared memory brings it,
    /// and none takes it. The peer gets its memory back when the last reference to the payload is
    /// dropped, and could change it before.
    Lent {
        /// The beginning, in memory of this process.
        frame: Bytes,
        /// The end.
        payload: Bytes,
    },
}

/// A shared message on its way to an actor of the same process.
#[derive(Debug)]
pub struct SharedCast {
    /// The actor, by the number in its [`ActorId`](ractor::ActorId).
    pub to: u64,
    /// What it shall handle.
    pub message: ArcMessage,
}

/// A connection that is being made.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Transport>>> + Send>>;

/// Makes connections of one kind to one address, as often as it is asked.
///
/// A session whose connection broke asks it until there is a new one, or until the session's
/// `LinkOptions::reconnect_grace` is over.
pub trait Connector: fmt::Debug + Send + Sync + 'static {
    /// The kind of what it makes.
    fn kind(&self) -> TransportKind;

    /// Makes one connection. The future is dropped when it takes too long.
    fn connect(&self) -> Connecting;
}

/// A connection between two nodes that carries frames, whole and in order, both ways.
///
/// Every method is required, so that a wrapper forwards all of them. Without `connector` a
/// connection is never made again. Without `channel` the peer's certificate and the binding of TLS
/// are not known, and a node cannot check what it demands of them.
pub trait Transport: Send + 'static {
    /// What it is.
    fn kind(&self) -> TransportKind;

    /// The other end, for people.
    fn peer(&self) -> String;

    /// This end, for people.
    fn local(&self) -> String;

    /// How the connection can be made again after it broke; `None` if it cannot. Asked at the end
    /// that connected.
    fn connector(&self) -> Option<Arc<dyn Connector>>;

    /// What it knows of itself; `Channel::default()` is nothing, which is right without encryption.
    /// It is asked before the connection is [split](Self::split).
    fn channel(&self) -> Channel;

    /// Takes the two directions apart, so that each is driven by a task of its own. The connection
    /// ends when both halves are dropped, or when either end fails.
    ///
    /// Of the peer, frames of up to `max_frame` bytes are taken.
    fn split(self: Box<Self>, max_frame: u64) -> (Box<dyn FrameSink>, Box<dyn FrameStream>);
}

impl fmt::Debug for dyn Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} link from {} to {}", self.kind(), self.local(), self.peer())
    }
}

/// Writes frames to a peer.
///
/// Every method is required, so that a wrapper forwards all of them. A transport of an application
/// implements [`SimpleSink`](simple::SimpleSink), which is shorter, or writes to a stream of bytes
/// by a [`FrameWriter`](frames::FrameWriter).
pub trait FrameSink: Send + 'static {
    /// Queues a frame behind those queued before.
    ///
    /// # Errors
    /// Returns the frame when this kind of transport cannot carry it.
    fn queue(&mut self, frame: TransportMessage) -> Result<(), TransportMessage>;

    /// As [`queue`](Self::queue), with a frame in two parts, one behind the other.
    ///
    /// # Errors
    /// As `queue`.
    fn queue_parts(&mut self, head: Bytes, payload: Bytes) -> Result<(), TransportMessage>;

    /// Queues frames that stand behind each other, each behind its length as in [`frames`]. The
    /// last one may end in `tail`. Transports that carry a stream of bytes need not look at the
    /// frames.
    ///
    /// # Panics
    /// When the bytes are no frames.
    fn queue_framed(&mut self, frames: Bytes, tail: Bytes);

    /// Announces that the peer answers what is queued, probably soon, and that nothing is to be
    /// sent until then. Called before the flush, and only with busy polling
    /// (`LinkOptions::busy_poll` of `ractor_cluster`). Returns whether a
    /// [poll](FrameStream::poll_frame) of the same connection's stream behind the flush is worth
    /// it, also if its task has not been woken: it looks for the answer for some microseconds.
    fn expect_answer(&mut self) -> bool;

    /// The bytes queued and not yet handed to the peer or the kernel.
    fn queued_bytes(&self) -> usize;

    /// Hands over all that is queued. Cancel safe: what remains stays queued.
    ///
    /// # Errors
    /// The connection is of no use after one.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Returns what it writes to, if it can be taken back, and nothing is queued.
    fn into_writer(self: Box<Self>) -> Option<Box<dyn Any + Send>>;
}

impl dyn FrameSink {
    /// [`poll_flush`](FrameSink::poll_flush) as a future.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|context| self.poll_flush(context)).await
    }
}

impl fmt::Debug for dyn FrameSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameSink({} bytes queued)", self.queued_bytes())
    }
}

/// Reads frames from a peer.
///
/// Every method is required, so that a wrapper forwards all of them. A transport of an application
/// implements [`SimpleStream`](simple::SimpleStream), which is shorter, or reads a stream of bytes
/// by a [`FrameReader`](frames::FrameReader).
pub trait FrameStream: Send + 'static {
    /// The next frame, or `None` at the end of the connection between two frames. Cancel safe: what
    /// was read of a frame stays.
    ///
    /// # Errors
    /// [`InvalidData`](io::ErrorKind::InvalidData) for a frame that is too large, before memory is
    /// taken for it; [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) for an end within a frame. The
    /// connection is of no use after one.
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<TransportMessage>>>;

    /// The next frame, if it has been read as a whole, and nothing is to be waited for: for less
    /// than [`poll_frame`](Self::poll_frame), behind a frame of that one. Its end is put into
    /// `lent` where it is [lent](TransportMessage::Lent), and `lent` stays as it is otherwise.
    /// `None` says nothing of what is there, and a stream may always return it.
    fn take_ready(&mut self, lent: &mut Bytes) -> Option<Bytes>;

    /// Takes frames of up to so many bytes from here on: a peer that is authenticated may send
    /// larger ones.
    fn set_max_frame(&mut self, bytes: u64);

    /// Notes on `activity` whatever arrives from here on, also when it is not a whole frame yet. A
    /// stream that does not may have a peer that sends one large frame slowly taken for silent.
    fn tell_arrivals(&mut self, activity: &Activity);

    /// Returns what it reads from, if it can be taken back, and nothing has been read that was not
    /// returned.
    fn into_reader(self: Box<Self>) -> Option<Box<dyn Any + Send>>;
}

impl dyn FrameStream {
    /// [`poll_frame`](FrameStream::poll_frame) as a future.
    pub async fn frame(&mut self) -> io::Result<Option<TransportMessage>> {
        poll_fn(|context| self.poll_frame(context)).await
    }
}

impl fmt::Debug for dyn FrameStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrameStream")
    }
}
