//! Unix sockets, for peers on the same machine that run as the same user.

mod error;
mod folder;
pub(crate) mod guarded;
mod listener;
mod probe;

use std::fmt;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixStream;
use tokio::net::unix::UCred;

use super::blocking::{self, Deferred};
use super::polled_socket::PolledSocket;
use super::{Channel, Connecting, Connector, FrameSink, FrameStream, Transport, TransportKind};

pub use error::{FolderProblem, UnixConnectError, UnixListenError};
pub use folder::runtime_folder;
pub use listener::UnixSocketListener;

/// The longest path that a socket can have, in bytes.
pub const PATH_LIMIT: usize =
    if cfg!(any(target_os = "linux", target_os = "android")) { 107 } else { 103 };

/// A connection by a Unix socket.
///
/// ```
/// use bytes::Bytes;
/// use mycelium_transport::{Transport, TransportMessage};
/// use mycelium_transport::{UnixSocketListener, UnixSocketTransport};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let scratch = tempfile::tempdir()?;
/// let listener = UnixSocketListener::at(scratch.path().join("node.sock"))?;
/// let client = UnixSocketTransport::connect(listener.path()).await?;
/// let server = listener.accept().await?;
///
/// let (mut sink, _) = Box::new(client).split(1024);
/// let (_, mut stream) = Box::new(server).split(1024);
/// sink.queue(TransportMessage::Bytes(Bytes::from("tick"))).expect("it takes bytes");
/// sink.flush().await?;
///
/// let Some(TransportMessage::Bytes(frame)) = stream.frame().await? else { unreachable!() };
/// assert_eq!(frame, "tick");
/// # Ok(())
/// # }
/// ```
pub struct UnixSocketTransport {
    stream: Deferred<UnixStream>,
    local: String,
    peer: String,
    /// Where it was connected to.
    connected: Option<PathBuf>,
}

impl UnixSocketTransport {
    /// Connects to the socket at `path`, and verifies that this user put it there: the file
    /// belongs to this user, and so does the process that listens.
    ///
    /// # Errors
    /// When the socket or the one who listens is another user's, and those of the system.
    pub async fn connect(path: impl AsRef<Path>) -> Result<Self, UnixConnectError> {
        let path = path.as_ref();
        let failed = |source| UnixConnectError::Io { path: path.to_owned(), source };
        let length = path.as_os_str().len();
        if length > PATH_LIMIT {
            return Err(UnixConnectError::PathTooLong { path: path.to_owned(), length });
        }
        // A peer names the path. It may lead into a file system that answers when it likes.
        let own = path.to_owned();
        let stream = blocking::call(move || Ok(open(&own))).await.map_err(failed)??;
        let stream = UnixStream::from_std(stream.into_inner().into()).map_err(failed)?;
        let stream = Deferred::new(stream);
        stream.writable().await.map_err(failed)?;
        if let Some(error) = stream.take_error().map_err(failed)? {
            return Err(failed(error));
        }
        let peer = stream.peer_cred().map_err(failed)?;
        if peer.uid() != user() {
            return Err(UnixConnectError::Impostor { path: path.to_owned(), user: peer.uid() });
        }
        let (local, label) = (process_label(None), path.display().to_string());
        Ok(Self { stream, local, peer: label, connected: Some(path.to_owned()) })
    }

    /// Takes a connection as it is. Whether the peer may be trusted is for the caller to know.
    ///
    /// # Errors
    /// When the system does not tell who the peer is.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        let stream = Deferred::new(stream);
        let peer = process_label(Some(stream.peer_cred()?));
        Ok(Self { stream, local: process_label(None), peer, connected: None })
    }

    /// A connection that was made to the listener at `path` by `peer`.
    fn accepted(stream: Deferred<UnixStream>, path: &Path, peer: UCred) -> Self {
        let (local, peer) = (path.display().to_string(), process_label(Some(peer)));
        Self { stream, local, peer, connected: None }
    }
}

impl Transport for UnixSocketTransport {
    fn kind(&self) -> TransportKind {
        TransportKind::UnixSocket
    }

    fn peer(&self) -> String {
        self.peer.clone()
    }

    fn local(&self) -> String {
        self.local.clone()
    }

    fn connector(&self) -> Option<Arc<dyn Connector>> {
        Some(Arc::new(UnixSocketConnector(self.connected.clone()?)))
    }

    /// It is not encrypted.
    fn channel(&self) -> Channel {
        Channel::default()
    }

    fn split(self: Box<Self>, max_frame: u64) -> (Box<dyn FrameSink>, Box<dyn FrameStream>) {
        super::polled_socket::frames(guarded::split(self.stream), max_frame)
    }
}

impl fmt::Debug for UnixSocketTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixSocketTransport")
            .field("local", &self.local)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// The socket whose halves these are, unless they are of something else, or have read ahead.
#[doc(hidden)]
#[must_use]
pub fn reunite(
    sink: Box<dyn FrameSink>,
    stream: Box<dyn FrameStream>,
) -> Option<Deferred<UnixStream>> {
    let reader =
        stream.into_reader()?.downcast::<PolledSocket<guarded::ReadHalf>>().ok()?.into_socket();
    let writer = sink.into_writer()?.downcast::<guarded::WriteHalf>().ok()?;
    guarded::reunite(reader, *writer)
}

/// Connects to the socket at this path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixSocketConnector(pub PathBuf);

impl Connector for UnixSocketConnector {
    fn kind(&self) -> TransportKind {
        TransportKind::UnixSocket
    }

    fn connect(&self) -> Connecting {
        let path = self.0.clone();
        Box::pin(async move {
            let made = UnixSocketTransport::connect(path).await.map_err(io::Error::other)?;
            let made: Box<dyn Transport> = Box::new(made);
            Ok(made)
        })
    }
}

/// Begins to connect to the socket at `path`, if this user put it there. Blocks as long as its
/// file system does.
fn open(path: &Path) -> Result<Deferred<Socket>, UnixConnectError> {
    let failed = |source| UnixConnectError::Io { path: path.to_owned(), source };
    let file = std::fs::metadata(path).map_err(failed)?;
    if !file.file_type().is_socket() {
        return Err(UnixConnectError::NotASocket { path: path.to_owned() });
    }
    if file.uid() != user() {
        return Err(UnixConnectError::NotOurs { path: path.to_owned(), owner: file.uid() });
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    match socket.connect(&SockAddr::unix(path).map_err(failed)?) {
        Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => {
            Err(failed(error))
        }
        _ => Ok(Deferred::new(socket)),
    }
}

/// A process, for people: this one, or that of a peer.
fn process_label(peer: Option<UCred>) -> String {
    match peer.map(|peer| peer.pid()) {
        None => format!("process {}", std::process::id()),
        Some(Some(pid)) => format!("process {pid}"),
        // Not every system tells.
        Some(None) => "a process of this machine".to_owned(),
    }
}

/// The user that this process acts for.
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}
