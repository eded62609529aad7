//! Links between nodes over the simulated network.

use std::any::Any;
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use ractor::ActorRef;
use ractor_cluster::NodeServerMessage;
use ractor_cluster::link;
use ractor_cluster::transport::frames::{FrameReader, FrameWriter};
use ractor_cluster::transport::{
    Activity, Channel, Connecting, Connector, FrameSink, FrameStream, Transport, TransportKind,
    TransportMessage,
};
use turmoil::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use turmoil::net::{TcpListener, TcpStream};

use crate::machine::{Held, Machine};
use crate::trace::{Trace, fingerprint};

/// The port that each node listens at.
pub(crate) const PORT: u16 = 4697;

/// A connection of the simulated network.
struct Simulated {
    reader: Held<OwnedReadHalf>,
    writer: Held<OwnedWriteHalf>,
    /// The name of this host, and of the other one.
    local: String,
    peer: String,
    trace: Trace,
    connector: Option<Arc<dyn Connector>>,
}

impl Simulated {
    fn new(stream: TcpStream, machine: &Arc<Machine>, peer: String, trace: Trace) -> Self {
        let (reader, writer) = stream.into_split();
        let (reader, writer) = (machine.hold(reader), machine.hold(writer));
        let local = machine.name.clone();
        Self { reader, writer, local, peer, trace, connector: None }
    }
}

impl Transport for Simulated {
    fn kind(&self) -> TransportKind {
        TransportKind::External
    }

    fn peer(&self) -> String {
        format!("simulated://{}", self.peer)
    }

    fn local(&self) -> String {
        format!("simulated://{}", self.local)
    }

    fn connector(&self) -> Option<Arc<dyn Connector>> {
        self.connector.clone()
    }

    fn channel(&self) -> Channel {
        Channel::default()
    }

    fn split(self: Box<Self>, max_frame: u64) -> (Box<dyn FrameSink>, Box<dyn FrameStream>) {
        let Self { reader, writer, local, peer, trace, .. } = *self;
        let frames = Box::new(FrameReader::new(reader, max_frame));
        let traced = Traced { frames, local, peer, trace, ended: false };
        (Box::new(FrameWriter::new(writer)), Box::new(traced))
    }
}

/// A stream of frames that are noted when they arrive.
struct Traced {
    frames: Box<dyn FrameStream>,
    local: String,
    peer: String,
    trace: Trace,
    ended: bool,
}

impl Traced {
    fn note(&mut self, what: fmt::Arguments<'_>) {
        self.trace.note(&self.local, format_args!("{what} from {}", self.peer));
    }

    fn note_frame(&mut self, bytes: &[u8]) {
        let (length, sum) = (bytes.len(), fingerprint(bytes));
        self.note(format_args!("frame of {length} bytes ({sum:016x})"));
    }
}

impl FrameStream for Traced {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<TransportMessage>>> {
        let frame = ready!(self.frames.poll_frame(context));
        match &frame {
            Ok(Some(TransportMessage::Bytes(bytes))) => self.note_frame(bytes),
            Ok(Some(_)) => self.note(format_args!("frame")),
            Ok(None) | Err(_) if self.ended => {}
            Ok(None) => {
                self.ended = true;
                self.note(format_args!("end"));
            }
            Err(error) => {
                self.ended = true;
                let kind = error.kind();
                self.note(format_args!("end by {kind:?}"));
            }
        }
        Poll::Ready(frame)
    }

    fn take_ready(&mut self, lent: &mut Bytes) -> Option<Bytes> {
        let frame = self.frames.take_ready(lent)?;
        self.note_frame(&frame);
        Some(frame)
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

/// Connects one host to another.
#[derive(Clone)]
pub(crate) struct Dial {
    pub(crate) machine: Arc<Machine>,
    pub(crate) peer: String,
    pub(crate) trace: Trace,
}

impl Dial {
    /// A connection that its session does not know how to make again.
    async fn dial(self) -> io::Result<Box<dyn Transport>> {
        Ok(Box::new(self.simulated().await?))
    }

    /// A connection that its session makes again when it breaks.
    pub(crate) async fn dial_for_good(self) -> io::Result<Box<dyn Transport>> {
        let connector: Arc<dyn Connector> = Arc::new(self.clone());
        let simulated = self.simulated().await?;
        Ok(Box::new(Simulated { connector: Some(connector), ..simulated }))
    }

    async fn simulated(self) -> io::Result<Simulated> {
        let Self { machine, peer, trace } = self;
        trace.note(&machine.name, format_args!("dials {peer}"));
        let stream = TcpStream::connect((peer.as_str(), PORT)).await?;
        trace.note(&machine.name, format_args!("connected to {peer}"));
        Ok(Simulated::new(stream, &machine, peer, trace))
    }
}

impl Connector for Dial {
    fn kind(&self) -> TransportKind {
        TransportKind::External
    }

    fn connect(&self) -> Connecting {
        Box::pin(self.clone().dial())
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dial({} to {})", self.machine.name, self.peer)
    }
}

/// Takes connections for a node, until the host crashes.
///
/// # Errors
/// The host listens already.
pub(crate) async fn listen(
    server: ActorRef<NodeServerMessage>,
    machine: Arc<Machine>,
    trace: Trace,
) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    tokio::spawn(async move {
        while let Ok((stream, from)) = listener.accept().await {
            let peer = turmoil::reverse_lookup(from.ip()).unwrap_or_else(|| from.to_string());
            trace.note(&machine.name, format_args!("accepted {peer}"));
            let transport = Box::new(Simulated::new(stream, &machine, peer, trace.clone()));
            let server = server.clone();
            tokio::spawn(async move { link::accept(&server, transport, Some(from.ip())).await });
        }
    });
    Ok(())
}
