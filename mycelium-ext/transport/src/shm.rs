//! Links by shared memory, between two processes of a machine.
//!
//! A link is two rings of bytes in memory that both processes have mapped, a direction each. A
//! frame is copied into the ring by its sender and out of it by its receiver, and the kernel has no
//! part in it: it is asked only to wake a peer that sleeps.
//!
//! * **No names.** The memory and the descriptors for waking come to the peer over a Unix socket,
//!   which stays open and tells when the peer is gone. However a process ends, the kernel gives
//!   everything back.
//! * **No trust.** What the peer writes is copied before it is looked at, and no index or length of
//!   its is taken unchecked. A peer that breaks the protocol has its link ended.
//! * **No core burned.** Who has nothing to read sleeps, unless a phase of spinning is asked for
//!   ([`ShmOptions::with_spin`]), or that it never sleeps ([`ShmOptions::with_sleepless`]), which
//!   takes a core for lower latency.
//!
//! Nodes make such links by themselves: a `Node` of `mycelium_ext` gives its server a
//! [`SharedMemory`]. [`ShmTransport`] is an end of one, for applications that connect processes by
//! hand.

mod abilities;
mod backlog;
#[doc(hidden)]
pub mod bare;
mod bell;
mod leases;
#[cfg(test)]
#[path = "shm/leases/tests.rs"]
mod leases_tests;
mod lending;
mod link;
mod memory;
mod positions;
#[doc(hidden)]
pub mod probe;
mod reading;
mod regions;
mod ring;
mod share;
mod sink;
mod source;
mod sync;
mod wakeup;

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use crate::answer_hint::AnswerHint;
use crate::blocking::Deferred;
use crate::frames::FrameReader;
use crate::{
    Channel, Connector, FrameSink, FrameStream, LocalEnd, LocalTransport, Transport, TransportKind,
    Upgrade,
};
use tokio::net::UnixStream;

use crate::arena::{Arena, PeerArena};
use crate::frames::OpenFrame;
use crate::log_limit::limited_warn;
use lending::{Borrower, Lender};
use link::Link;
use ring::{Inlet, Outlet, Side};
use share::{Arenas, Shared};
use sink::Sink;
use source::Source;
use wakeup::Wakeup;

/// The capacities that a ring may have, in bytes.
pub const CAPACITY: std::ops::RangeInclusive<u64> = 4096..=1 << 30;

/// The capacity of a ring by default, in bytes.
pub const DEFAULT_CAPACITY: u64 = 1024 * 1024;

/// How links by shared memory are made.
///
/// ```
/// use std::time::Duration;
/// use mycelium_transport::shm::ShmOptions;
///
/// let options = ShmOptions::default().with_ring(3_000_000).with_spin(Duration::from_micros(20));
/// assert_eq!(options.ring(), 4 * 1024 * 1024);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShmOptions {
    ring: usize,
    spin: Duration,
    sleepless: bool,
    arena: usize,
}

impl Default for ShmOptions {
    /// Rings of 1 MiB, no spinning, and an arena of 256 MiB.
    fn default() -> Self {
        let ring = DEFAULT_CAPACITY as usize;
        Self { ring, spin: Duration::ZERO, sleepless: false, arena: Arena::DEFAULT_BYTES }
    }
}

impl ShmOptions {
    /// With rings of `bytes`, a direction each, or the next power of two, within 4 KiB and 1 GiB.
    /// Memory is taken as the ring is first written. That of the process that connects counts.
    #[must_use]
    pub fn with_ring(self, bytes: usize) -> Self {
        Self { ring: ring::capacity(bytes), ..self }
    }

    /// Looks for so long for the next frame before it sleeps. With zero, the default, only who
    /// expects an answer looks, and gives up its core in between: some microseconds at most, and
    /// seldom where it is in vain.
    ///
    /// A peer that answers meanwhile need not wake this process, which saves some microseconds. The
    /// task that waits takes a core for as long, but for the turns that it gives to others of its
    /// thread; where it has to share that core with its peer, or with anybody else, everything gets
    /// slower. Each process has its own. Who awaits a call, and an actor that has answered one,
    /// look themselves first, and keep their thread for up to 20 µs at a time.
    #[must_use]
    pub const fn with_spin(self, spin: Duration) -> Self {
        Self { spin, ..self }
    }

    /// Whether readers never sleep. Such a reader looks for a few microseconds, lets the other tasks
    /// of its runtime have their turns, and looks again, also when nothing has come for long: **it
    /// burns a core**. It makes no call of the system, and no peer has to wake it. The
    /// [phase of spinning](Self::with_spin) is of no effect then.
    ///
    /// It is for a runtime of one thread that has a core for itself, as
    /// `NodeBuilder::spinning` of `mycelium_ext` makes one: on a runtime with several threads the
    /// other ones wake, and take tasks away. Each process has its own.
    #[must_use]
    pub const fn with_sleepless(self, sleepless: bool) -> Self {
        Self { sleepless, ..self }
    }

    /// With an [arena](crate::arena) of so many bytes, in which peers read large payloads where
    /// they lie. The first link of the process decides how large it is. With 0 payloads are copied
    /// through the rings, in both directions. Memory is taken as it is first written, and kept.
    #[must_use]
    pub const fn with_arena(self, bytes: usize) -> Self {
        Self { arena: bytes, ..self }
    }

    /// The bytes of the arena; 0 where payloads are copied.
    #[must_use]
    pub const fn arena(&self) -> usize {
        self.arena
    }

    /// The bytes of a ring.
    #[must_use]
    pub const fn ring(&self) -> usize {
        self.ring
    }

    /// Whether readers never sleep.
    #[must_use]
    pub const fn sleepless(&self) -> bool {
        self.sleepless
    }

    /// How long it spins.
    #[must_use]
    pub const fn spin(&self) -> Duration {
        self.spin
    }
}

/// Makes links by shared memory out of the Unix sockets of a node:
/// `LinkOptions::with_local_transport`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SharedMemory {
    options: ShmOptions,
}

impl SharedMemory {
    /// Makes them so.
    #[must_use]
    pub const fn new(options: ShmOptions) -> Self {
        Self { options }
    }
}

impl LocalTransport for SharedMemory {
    fn version(&self) -> u32 {
        share::VERSION
    }

    fn upgrade(&self, socket: UnixStream, end: LocalEnd) -> Upgrade {
        let options = self.options;
        Box::pin(async move {
            let made = match end {
                LocalEnd::Dialler => ShmTransport::offer(socket, options).await?,
                LocalEnd::Listener => ShmTransport::take(socket, options).await?,
            };
            Ok(Box::new(made) as Box<dyn Transport>)
        })
    }
}

/// One end of a link by shared memory.
///
/// ```
/// use bytes::Bytes;
/// use mycelium_transport::shm::{ShmOptions, ShmTransport};
/// use mycelium_transport::{Transport, TransportMessage};
/// use tokio::net::UnixStream;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// // The sockets of two processes, usually.
/// let (here, there) = UnixStream::pair()?;
/// let options = ShmOptions::default();
/// let (a, b) = tokio::try_join!(ShmTransport::offer(here, options), ShmTransport::take(there, options))?;
///
/// let (mut sink, _) = Box::new(a).split(1024);
/// let (_, mut stream) = Box::new(b).split(1024);
/// sink.queue(TransportMessage::Bytes(Bytes::from("tick"))).expect("it takes bytes");
/// sink.flush().await?;
///
/// let Some(TransportMessage::Bytes(frame)) = stream.frame().await? else { unreachable!() };
/// assert_eq!(frame, "tick");
/// # Ok(())
/// # }
/// ```
pub struct ShmTransport {
    link: Link,
    side: Side,
    capacity: usize,
    lends: Option<(Arena, OwnedFd)>,
    borrows: Option<Arc<PeerArena>>,
    /// Whether this end takes regions, and whether the peer does.
    regions: [bool; 2],
    /// The peer's.
    process: Option<i32>,
    local: String,
    peer: String,
}

impl ShmTransport {
    /// Makes a link, and offers it over `socket` to the peer, who [takes](Self::take) it. Nothing
    /// else may be on its way over the socket. Whether the peer may be trusted with what this
    /// process sends is for the caller to know. There is no timeout.
    ///
    /// # Cancel safety
    /// The socket is closed when this future is dropped.
    ///
    /// # Errors
    /// Those of the system, and [`InvalidData`](io::ErrorKind::InvalidData) when the peer does
    /// something else.
    pub async fn offer(socket: UnixStream, options: ShmOptions) -> io::Result<Self> {
        let socket = Deferred::new(socket);
        let arena = arena_for(&socket, options);
        let shared = share::offer(&socket, options.ring, arena).await?;
        Self::new(socket, shared, Side::Maker, options).await
    }

    /// Takes the link that the peer offers over `socket`. The peer chooses the size of the rings.
    /// There is no timeout.
    ///
    /// # Cancel safety
    /// The socket is closed when this future is dropped.
    ///
    /// # Errors
    /// Those of the system, and [`InvalidData`](io::ErrorKind::InvalidData) when the peer does
    /// something else, or offers memory that could harm this process.
    pub async fn take(socket: UnixStream, options: ShmOptions) -> io::Result<Self> {
        let socket = Deferred::new(socket);
        let arena = arena_for(&socket, options);
        let shared = share::take(&socket, arena).await?;
        Self::new(socket, shared, Side::Taker, options).await
    }

    async fn new(
        socket: Deferred<UnixStream>,
        shared: Shared,
        side: Side,
        options: ShmOptions,
    ) -> io::Result<Self> {
        let process = socket.peer_cred()?.pid();
        let peer = match process {
            Some(pid) => format!("process {pid}"),
            None => "a process of this machine".to_owned(),
        };
        let local = format!("process {}", std::process::id());
        let Shared { capacity, memory, own_bell, peer_bell, arenas } = shared;
        let Arenas { lends, borrows, takes_regions, passes_regions } = arenas;
        let regions = [takes_regions, passes_regions];
        let memory = Arc::new(memory);
        let socket = Deferred::new(socket.into_inner().into_std()?);
        let wires = Wakeup::new(socket, own_bell, peer_bell).await?;
        let ShmOptions { spin, sleepless, .. } = options;
        let link = Link { memory, wires, expectation: AnswerHint::new(), spin, sleepless };
        Ok(Self { link, side, capacity, lends, borrows, regions, process, local, peer })
    }
}

/// The arena of this process, for a peer of its own user, where the options want one.
fn arena_for(socket: &UnixStream, options: ShmOptions) -> Option<Arena> {
    if options.arena == 0 {
        return None;
    }
    let uid = socket.peer_cred().ok()?.uid();
    if uid != rustix::process::geteuid().as_raw() {
        return None;
    }
    match Arena::of_process(options.arena) {
        Ok(arena) => Some(arena),
        Err(error) => {
            let bytes = options.arena;
            limited_warn!(%error, bytes, "there is no arena: payloads are copied to peers");
            None
        }
    }
}

impl Transport for ShmTransport {
    fn kind(&self) -> TransportKind {
        TransportKind::SharedMemory
    }

    fn peer(&self) -> String {
        self.peer.clone()
    }

    fn local(&self) -> String {
        self.local.clone()
    }

    /// It is made out of another link, and again in the same way.
    fn connector(&self) -> Option<Arc<dyn Connector>> {
        None
    }

    /// It is not encrypted.
    fn channel(&self) -> Channel {
        Channel {
            lends: self.lends.as_ref().map(|_| crate::arena::is_placed as _),
            ..Channel::default()
        }
    }

    fn split(self: Box<Self>, max_frame: u64) -> (Box<dyn FrameSink>, Box<dyn FrameStream>) {
        let link = Arc::new(self.link);
        let outlet = Outlet::new(self.side, self.capacity);
        let inlet = Inlet::new(self.side, self.capacity);
        let [takes, passes] = self.regions;
        let lender = self.lends.map(|(arena, pipe)| {
            Lender::new(arena, link.memory.clone(), self.side, pipe, self.process, passes)
        });
        let borrower =
            self.borrows.map(|arena| Borrower::new(arena, link.clone(), self.side.other(), takes));
        let sink = Sink::new(link.clone(), inlet, lender);
        let source = Source::new(link, outlet, borrower.as_ref().and_then(Borrower::regions));
        let opener = borrower.map(|it| Box::new(it) as Box<dyn OpenFrame>);
        let frames = FrameReader::new(source, max_frame).from_memory().opening(opener);
        (Box::new(sink), Box::new(frames))
    }
}

impl fmt::Debug for ShmTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShmTransport")
            .field("local", &self.local)
            .field("peer", &self.peer)
            .field("ring", &self.capacity)
            .finish_non_exhaustive()
    }
}
