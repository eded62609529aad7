//! From a connection to its first frame.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ractor::ActorRef;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::link::admission::{Admission, Origin};
use crate::link::attach::{self, AttachError};
use crate::link::decode::{decode, Caps, Undecodable};
use crate::link::directory::{self, Server};
use crate::link::options::LinkOptions;
use crate::link::places::{Places, Source, Visitor};
use crate::link::quiet_log::limited_warn;
use crate::link::split_transport::SplitTransport;
use crate::link::Refusal;
use crate::net::NetworkStream;
use crate::node::{NodeServerMessage, DEFAULT_MAX_INBOUND_FRAME_SIZE};
use crate::protocol::meta::network_message::Message;
use crate::protocol::mycelium::{self as wire, frame::Body, Frame};
use crate::transport::{TcpTransport, TlsTransport, Transport, TransportKind, TransportMessage};
use mycelium_link::secret::Role;

/// The pause after an accept that failed, for instance for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// After so many connections in a row those that were accepted get a turn.
const TURN: u32 = 16;

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

/// Why a connection is refused.
struct Refused {
    cause: Refusal,
    error: String,
}

impl Refused {
    fn new(cause: Refusal, error: impl ToString) -> Self {
        Self { cause, error: error.to_string() }
    }
}

impl From<io::Error> for Refused {
    /// What a frame could not be read for.
    fn from(error: io::Error) -> Self {
        let cause = Undecodable::cause_of(&error).unwrap_or_else(|| match error.kind() {
            io::ErrorKind::InvalidData => Refusal::of_unreadable(&error.to_string()),
            // It ended within a frame, or broke.
            _ => Refusal::Unauthenticated,
        });
        Self::new(cause, error)
    }
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

    async fn next(&self) -> io::Result<(Incoming, Source)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                let transport = Box::new(TcpTransport::new(stream));
                Ok((Incoming::Transport(transport), Source::of(peer.ip())))
            }
            Self::Tls(listener, tls) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Incoming::Tls(stream, tls.clone()), Source::of(peer.ip())))
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                let transport = Box::new(listener.accept().await?);
                Ok((Incoming::Transport(transport), Source::Local))
            }
        }
    }
}

/// What connections pass through on their way to the node server.
pub(super) struct Door {
    node_server: ActorRef<NodeServerMessage>,
    max_frame: u64,
    first_frame: u64,
    timeout: Duration,
    places: Arc<Places>,
}

impl Door {
    pub(super) fn new(node_server: ActorRef<NodeServerMessage>, server: Option<&Server>) -> Self {
        let defaults = LinkOptions::default();
        let options = server.map_or(&defaults, |server| &server.options);
        let max_frame = server.map_or(DEFAULT_MAX_INBOUND_FRAME_SIZE, |server| server.max_frame);
        let own = || Places::new(options.max_handshakes, options.limits.log_lines);
        Self {
            node_server,
            max_frame,
            first_frame: options.limits.first_frame.min(max_frame),
            timeout: options.handshake_timeout,
            places: server.map_or_else(own, |server| server.strangers.clone()),
        }
    }

    /// Takes a connection from `from`, or of a process of this machine, as the listeners do.
    pub(super) async fn take(&self, transport: Box<dyn Transport>, from: Option<IpAddr>) {
        let (visitor, _) = self.places.enter(from.map_or(Source::Local, Source::of));
        self.enter(Incoming::Transport(transport), visitor).await;
    }

    /// Takes a connection to its first frame, and to where that belongs. A session keeps its place
    /// among those that are not authenticated until it is.
    async fn enter(&self, incoming: Incoming, visitor: Visitor) {
        let peer = match &incoming {
            Incoming::Transport(transport) => format!("{transport:?}"),
            Incoming::Tls(stream, _) => match stream.peer_addr() {
                Ok(peer) => format!("tls link to {peer}"),
                Err(error) => format!("tls link ({error})"),
            },
        };
        let leave = visitor.leave.clone();
        let timeout = self.places.patience(visitor.source, self.timeout);
        let mut arrived = None;
        let first = self.first_frame(incoming, visitor, &mut arrived);
        let first = tokio::time::timeout(timeout, first);
        let outcome = tokio::select! {
            biased;
            outcome = first => outcome.unwrap_or_else(|_| {
                let error = format!("its handshake was not done in time ({timeout:?})");
                Err(Refused::new(Refusal::TooSlow, error))
            }),
            () = leave.told() => {
                let error = "its place goes to a newer connection";
                Err(Refused::new(Refusal::Displaced, error))
            }
        };
        match outcome {
            Ok(Entered::Taken) => {}
            // As those do who look whether somebody listens.
            Ok(Entered::Left) => {
                tracing::debug!(peer, "a connection was closed before its first frame");
            }
            Err(Refused { cause, error }) => {
                if let Some(suppressed) = self.places.log.refused(cause) {
                    tracing::warn!(
                        peer,
                        cause = cause.name(),
                        advice = %cause,
                        suppressed,
                        "a connection is refused: {error}"
                    );
                }
                if let Some(connection) = arrived {
                    tell(connection, cause).await;
                }
            }
        }
    }

    async fn first_frame(
        &self,
        incoming: Incoming,
        mut visitor: Visitor,
        arrived: &mut Option<SplitTransport>,
    ) -> Result<Entered, Refused> {
        let transport: Box<dyn Transport> = match incoming {
            Incoming::Transport(transport) => transport,
            Incoming::Tls(stream, tls) => match TlsTransport::accept(stream, &tls).await {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(Entered::Left);
                }
                accepted => Box::new(accepted.map_err(|it| Refused::new(Refusal::Tls, it))?),
            },
        };
        let halves = arrived.insert(SplitTransport::of(transport, self.first_frame));
        let first = halves.stream.frame().await?;
        let Some(TransportMessage::Bytes(frame)) = first else { return Ok(Entered::Left) };
        let message = decode(frame.clone(), Caps::STRANGER)
            .map_err(|error| Refused::new(error.cause(), format!("no frame of a node: {error}")))?;
        let message = message.message;
        if let Some(Message::Mycelium(Frame { body: Some(Body::Attach(attach)) })) = message.message
        {
            match directory::session(&attach.session, Role::Listener) {
                Some(session) => visitor.returns(session.secret.name()),
                None => visitor.speaks(),
            }
            attach::accept(arrived, attach, self.max_frame).await.map_err(|error| match error {
                AttachError::Io(error) => error.into(),
                AttachError::NoSession | AttachError::Proof => {
                    Refused::new(Refusal::NoSession, error)
                }
                error => Refused::new(Refusal::OutOfTurn, error),
            })?;
            return Ok(Entered::Taken);
        }
        visitor.speaks();
        // What is on the way to the session cannot be displaced, so that there is little of it.
        let handover = self.places.handovers.clone().acquire_owned().await.ok();
        let admission = Admission::new(visitor, handover);
        let Some(halves) = arrived.take() else { return Ok(Entered::Left) };
        let first = TransportMessage::Bytes(frame);
        let halves = halves.unread(first, admission.clone(), self.max_frame);
        let origin = Origin { admission: Some(admission), ..Origin::default() };
        let stream = Box::new(NetworkStream::Transport(Box::new(halves)).with_origin(origin));
        let opened = NodeServerMessage::ConnectionOpened { stream, is_server: true };
        match self.node_server.cast(opened) {
            Ok(()) => Ok(Entered::Taken),
            Err(_) => Err(Refused::new(Refusal::Unauthenticated, "the node server has ended")),
        }
    }
}

/// Tells the peer why it is refused, as far as its socket takes that at once: nothing is waited
/// for. A stock node skips the frame.
async fn tell(mut connection: SplitTransport, cause: Refusal) {
    let refused = Body::Refused(wire::Refused { code: cause.code() }).encoded();
    if connection.sink.queue(TransportMessage::Bytes(refused)).is_err() {
        // Every transport carries bytes.
        return;
    }
    poll_fn(|context| {
        // Whether it was taken or not, the connection is closed.
        _ = connection.sink.poll_flush(context);
        Poll::Ready(())
    })
    .await;
}

/// Accepts for ever, and never waits for a place. Dropping the future ends all handshakes that are
/// under way.
pub(super) async fn accept(acceptor: Acceptor, door: Arc<Door>) {
    let mut handshakes = JoinSet::new();
    let mut failing = false;
    let mut in_a_row = 0;
    loop {
        match acceptor.next().await {
            Ok((incoming, source)) => {
                failing = false;
                let (visitor, displaced) = door.places.enter(source);
                let door = door.clone();
                handshakes.spawn(async move { door.enter(incoming, visitor).await });
                in_a_row += 1;
                // An accepted connection gets a turn before it can be displaced.
                if displaced || in_a_row >= TURN {
                    in_a_row = 0;
                    tokio::task::yield_now().await;
                }
            }
            Err(error) => {
                if !failing {
                    let (kind, address) = (acceptor.kind(), acceptor.address());
                    limited_warn!(%kind, address, %error, "cannot accept; trying on");
                }
                failing = true;
                // Often for want of descriptors, which those hold who say nothing.
                door.places.make_room();
                tokio::time::sleep(PAUSE).await;
            }
        }
        while handshakes.try_join_next().is_some() {}
    }
}
