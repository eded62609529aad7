//! From a connection to its first frame.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use ractor::ActorRef;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::link::admission::{Admission, Origin};
use crate::link::attach;
use crate::link::decode::{decode, Caps};
use crate::link::directory::{self, Server};
use crate::link::options::LinkOptions;
use crate::link::places::{Places, Source, Visitor};
use crate::link::quiet_log::limited_warn;
use crate::link::refuse::Who;
use crate::link::settle::{settle, Finding, Standing, Verdict};
use crate::link::split_transport::SplitTransport;
use crate::net::NetworkStream;
use crate::node::{NodeServerMessage, DEFAULT_MAX_INBOUND_FRAME_SIZE};
use crate::protocol::meta::network_message::Message;
use crate::protocol::mycelium::{frame::Body, Frame};
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
        let address = match &incoming {
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
        let verdict = tokio::select! {
            biased;
            verdict = first => verdict.unwrap_or_else(|_| found(&Finding::Overdue(Some(timeout)))),
            () = leave.told() => found(&Finding::Displaced),
        };
        match verdict {
            Verdict::Refused(refused) => {
                let who = Who { node_id: None, what: "a connection", peer: "", address: &address };
                refused.carry_out(who, Some(&self.places.log), |frame| {
                    if let Some(connection) = arrived {
                        tell(connection, frame);
                    }
                });
            }
            Verdict::Ends => tracing::debug!(address, "a connection ends before its first frame"),
            Verdict::GoesOn | Verdict::Contested(_) | Verdict::RefusedByPeer(_) => {}
        }
    }

    /// Returns what becomes of the connection: one that goes on is where it belongs.
    async fn first_frame(
        &self,
        incoming: Incoming,
        mut visitor: Visitor,
        arrived: &mut Option<SplitTransport>,
    ) -> Verdict {
        let transport: Box<dyn Transport> = match incoming {
            Incoming::Transport(transport) => transport,
            Incoming::Tls(stream, tls) => match TlsTransport::accept(stream, &tls).await {
                Ok(transport) => Box::new(transport),
                Err(error) => return found(&Finding::Tls(&error)),
            },
        };
        let halves = arrived.insert(SplitTransport::of(transport, self.first_frame));
        let frame = match halves.stream.frame().await {
            Ok(Some(TransportMessage::Bytes(frame))) => frame,
            Ok(_) => return found(&Finding::NoFrame),
            Err(error) => return found(&Finding::Unread(&error)),
        };
        let message = match decode(frame.clone(), Caps::STRANGER) {
            Ok(decoded) => decoded.message,
            Err(error) => {
                return found(&Finding::Undecodable { error: &error, with_hello: false });
            }
        };
        if let Some(Message::Mycelium(Frame { body: Some(Body::Attach(attach)) })) = message.message
        {
            match directory::session(&attach.session, Role::Listener) {
                Some(session) => visitor.returns(session.secret.name()),
                None => visitor.speaks(),
            }
            return match attach::accept(arrived, attach, self.max_frame).await {
                Ok(()) => Verdict::GoesOn,
                Err(error) => found(&Finding::Link(&error)),
            };
        }
        visitor.speaks();
        // What is on the way to the session cannot be displaced, so that there is little of it.
        let handover = self.places.handovers.clone().acquire_owned().await.ok();
        let admission = Admission::new(visitor, handover);
        let Some(halves) = arrived.take() else { return Verdict::Ends };
        let first = TransportMessage::Bytes(frame);
        let halves = halves.unread(first, admission.clone(), self.max_frame);
        let origin = Origin { admission: Some(admission), ..Origin::default() };
        let stream = Box::new(NetworkStream::Transport(Box::new(halves)).with_origin(origin));
        let opened = NodeServerMessage::ConnectionOpened { stream, is_server: true };
        match self.node_server.cast(opened) {
            Ok(()) => Verdict::GoesOn,
            Err(_) => found(&Finding::NoServer),
        }
    }
}

/// What becomes of a connection that a listener has.
fn found(finding: &Finding<'_>) -> Verdict {
    settle(finding, Standing::ARRIVING)
}

/// Tells the peer why it is refused, as far as its socket takes that at once: nothing is waited
/// for. A stock node skips the frame.
fn tell(mut connection: SplitTransport, frame: Bytes) {
    // Every transport carries bytes.
    if connection.sink.queue(TransportMessage::Bytes(frame)).is_ok() {
        // Whether it was taken or not, the connection is closed.
        _ = connection.sink.poll_flush(&mut Context::from_waker(Waker::noop()));
    }
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
