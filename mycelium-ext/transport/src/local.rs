//! What makes a better link of a Unix socket.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;

use tokio::net::UnixStream;

use super::Transport;

/// A link that is being made.
pub type Upgrade = Pin<Box<dyn Future<Output = io::Result<Box<dyn Transport>>> + Send>>;

/// Makes links by shared memory, between processes of a machine whose nodes both have one
/// (`LinkOptions::with_local_transport`).
pub trait LocalTransport: Send + Sync + UnwindSafe + RefUnwindSafe + 'static {
    /// Which links it makes. Only nodes whose links have the same version make any with each other.
    fn version(&self) -> u32;

    /// Makes a link of `socket`, which is connected to the peer, authenticated, and silent: what
    /// goes over it from here on is between the two ends, each of which does this.
    ///
    /// The future is dropped when it takes too long. The transport says that it is of
    /// [`TransportKind::SharedMemory`](super::TransportKind::SharedMemory).
    fn upgrade(&self, socket: UnixStream, end: LocalEnd) -> Upgrade;
}

impl fmt::Debug for dyn LocalTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalTransport(version {})", self.version())
    }
}

/// Which end of a connection this process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalEnd {
    /// The one who connected.
    Dialler,
    /// The one who was connected to.
    Listener,
}
