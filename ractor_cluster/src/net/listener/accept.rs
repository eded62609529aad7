//! From a connection to its first frame.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use ractor::ActorRef;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::link::attach;
use crate::link::directory::Server;
use crate::link::halves::Halves;
use crate::link::options::LinkOptions;
use crate::link::origin::Admission;
use crate::net::NetworkStream;
use crate::node::{NodeServerMessage, DEFAULT_MAX_INBOUND_FRAME_SIZE};
use crate::protocol::meta::network_message::Message;
use crate::protocol::mycelium::{frame::Body, Frame};
use crate::protocol::NetworkMessage;
use crate::transport::{TcpTransport, TlsTransport, Transport, TransportKind, TransportMessage};

/// The pause after an accept that failed, for instance for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// One listener.
pub(super) enum Acceptor {
    Tcp(TcpListener),
    Tls(TcpListener, TlsAcceptor),
    #[cfg(unix)]
    Unix(crate::transport::UnixSocketListener),
}

/// A connection whose first frame is still to come.
enum Incoming {
    Transport(Box<dyn Transport>),
    Tls(tokio::net::TcpStream, TlsAcceptor),
}

/// What became of a connection.
enum Entered {
    /// It is where it belongs.
    Taken,
    /// It was closed without a word.
    Left,
}

impl Acceptor {
    pub(super) fn tcp(listener: TcpListener, tls: Option<TlsAcceptor>) -> Self {
        match tls {
            Some(tls) => Self::Tls(listener, tls),
            None => Self::Tcp(listener),
        }
    }

    pub(super) fn kind(&self) -> TransportKind {
        match self {
            Self::Tcp(_) => TransportKind::Tcp,
            Self::Tls(..) => TransportKind::Tls,
            #[cfg(unix)]
            Self::Unix(_) => TransportKind::UnixSocket,
        }
    }

    pub(super) fn address(&self) -> String {
        match self {
            Self::Tcp(listener) | Self::Tls(listener, _) => {
                listener.local_addr().map_or_else(|error| error.to_string(), |it| it.to_string())
            }
            #[cfg(unix)]
            Self::Unix(listener) => listener.path().display().to_string(),
        }
    }

    async fn next(&self) -> io::Result<Incoming> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(Incoming::Transport(Box::new(TcpTransport::new(stream))))
            }
            Self::Tls(listener, tls) => {
                let (stream, _) = listener.accept().await?;
                Ok(Incoming::Tls(stream, tls.clone()))
            }
            #[cfg(unix)]
            Self::Unix(listener) => Ok(Incoming::Transport(Box::new(listener.accept().await?))),
        }
    }
}

/// What connections pass through on their way to the node server.
pub(super) struct Door {
    node_server: ActorRef<NodeServerMessage>,
    max_frame: u64,
    first_frame: u64,
    timeout: Duration,
    handshakes: Arc<Semaphore>,
}

impl Door {
    pub(super) fn new(node_server: ActorRef<NodeServerMessage>, server: Option<&Server>) -> Self {
        let defaults = LinkOptions::default();
        let options = server.map_or(&defaults, |server| &server.options);
        let max_frame = server.map_or(DEFAULT_MAX_INBOUND_FRAME_SIZE, |server| server.max_frame);
        let own = || Arc::new(Semaphore::new(options.max_handshakes.max(1)));
        Self {
            node_server,
            max_frame,
            first_frame: options.limits.first_frame.min(max_frame),
            timeout: options.handshake_timeout,
            handshakes: server.map_or_else(own, |server| server.handshakes.clone()),
        }
    }

    /// Takes a connection to its first frame, and to where that belongs. A session keeps its place among those that
    /// are not authenticated until it is.
    async fn enter(&self, incoming: Incoming, place: OwnedSemaphorePermit) {
        let peer = match &incoming {
            Incoming::Transport(transport) => format!("{transport:?}"),
            Incoming::Tls(stream, _) => match stream.peer_addr() {
                Ok(peer) => format!("tls link to {peer}"),
                Err(error) => format!("tls link ({error})"),
            },
        };
        match tokio::time::timeout(self.timeout, self.first_frame(incoming, place)).await {
            Ok(Ok(Entered::Taken)) => {}
            // As those do who look whether somebody listens.
            Ok(Ok(Entered::Left)) => {
                tracing::debug!(peer, "a connection was closed before its first frame");
            }
            Ok(Err(error)) => tracing::warn!(peer, %error, "a connection is refused"),
            Err(_) => tracing::warn!(
                peer,
                timeout = ?self.timeout,
                "a connection is refused: its handshake was not done in time"
            ),
        }
    }

    async fn first_frame(
        &self,
        incoming: Incoming,
        place: OwnedSemaphorePermit,
    ) -> io::Result<Entered> {
        let transport: Box<dyn Transport> = match incoming {
            Incoming::Transport(transport) => transport,
            Incoming::Tls(stream, tls) => match TlsTransport::accept(stream, &tls).await {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(Entered::Left);
                }
                accepted => Box::new(accepted?),
            },
        };
        let mut halves = Halves::of(transport, self.first_frame);
        let first = halves.stream.frame().await?;
        let Some(TransportMessage::Bytes(frame)) = first else { return Ok(Entered::Left) };
        let message = NetworkMessage::decode(frame.clone()).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("no frame of a node: {error}"))
        })?;
        if let Some(Message::Mycelium(Frame { body: Some(Body::Attach(attach)) })) = message.message
        {
            attach::accept(halves, attach, self.max_frame).await.map_err(io::Error::other)?;
            return Ok(Entered::Taken);
        }
        let halves =
            halves.unread(TransportMessage::Bytes(frame), Admission::new(place), self.max_frame);
        let stream = Box::new(NetworkStream::Transport(Box::new(halves)));
        let opened = NodeServerMessage::ConnectionOpened { stream, is_server: true };
        match self.node_server.cast(opened) {
            Ok(()) => Ok(Entered::Taken),
            Err(_) => Err(io::Error::other("the node server has ended")),
        }
    }
}

/// Accepts for ever. Dropping the future ends all handshakes that are under way.
pub(super) async fn accept(acceptor: Acceptor, door: Arc<Door>) {
    let mut handshakes = JoinSet::new();
    let mut failing = false;
    loop {
        match acceptor.next().await {
            Ok(incoming) => {
                failing = false;
                // Not before: a listener that waits for connections would keep others from theirs.
                let Ok(place) = door.handshakes.clone().acquire_owned().await else { return };
                let door = door.clone();
                handshakes.spawn(async move { door.enter(incoming, place).await });
            }
            Err(error) => {
                if !failing {
                    let (kind, address) = (acceptor.kind(), acceptor.address());
                    tracing::warn!(%kind, address, %error, "cannot accept; trying on");
                }
                failing = true;
                tokio::time::sleep(PAUSE).await;
            }
        }
        while handshakes.try_join_next().is_some() {}
    }
}
