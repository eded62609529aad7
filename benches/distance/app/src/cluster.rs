//! The cluster as the way to the other process.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use ractor::{call, pg, Actor, ActorCell, ActorRef};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{
    client_connect, client_connect_enc, client_connect_external, BoxRead, BoxWrite,
    ClusterBidiStream, IncomingEncryptionMode, NodeServer, NodeServerMessage,
};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::encryption::{acceptor, connector, HOST};
#[cfg(feature = "raw")]
use crate::far::{ends, made};
use crate::far::{group, Far, FarMessage, Near, ACTORS, FAR};
use crate::measure::Peer;
use crate::{say, tidy, Contender, Failure};

/// How long two processes may take to find each other.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether Unix is reached by the application's own stream, and not by the node itself.
const BY_HOOK: bool = cfg!(not(feature = "fork"));

/// Serves until there are no more orders. It expects none of its own.
pub async fn serve(
    contender: Contender,
    folder: &Path,
    mut orders: mpsc::UnboundedReceiver<String>,
) -> Result<(), Failure> {
    let (acceptor, certificate) = match contender {
        Contender::Tls => acceptor().map(|(acceptor, words)| (Some(acceptor), words))?,
        _ => (None, String::new()),
    };
    let node = Running::start("far", contender, acceptor).await?;
    let actors = node.runtime.spawn(async {
        for _ in 0..ACTORS {
            Actor::spawn(None, Far, ()).await?;
        }
        Ok::<_, Failure>(())
    });
    actors.await??;
    if contender == Contender::Unix && BY_HOOK {
        let path = folder.join("far");
        let listener = UnixListener::bind(&path)?;
        say(path.to_str().ok_or("the folder has a strange name")?)?;
        let (stream, _) = listener.accept().await?;
        tidy(folder)?;
        let stream = Box::new(Stream(stream));
        node.server
            .cast(NodeServerMessage::ConnectionOpenedExternal { stream, is_server: true })?;
    } else {
        tidy(folder)?;
        say(format!("127.0.0.1:{} {certificate}", node.port).trim_end())?;
    }
    while orders.recv().await.is_some() {}
    Ok(node.server.stop_and_wait(None, None).await?)
}

/// A node.
struct Running {
    server: ActorRef<NodeServerMessage>,
    port: u16,
    /// Where the actors are to be, and what measures.
    runtime: Handle,
    /// What it is a part of.
    #[cfg(feature = "shm")]
    _node: Option<mycelium_ext::node::Node>,
}

impl Running {
    async fn start(
        name: &str,
        contender: Contender,
        acceptor: Option<TlsAcceptor>,
    ) -> Result<Self, Failure> {
        #[cfg(feature = "shm")]
        if contender == Contender::ShmThread {
            return Self::spinning(name).await;
        }
        let (server, port) = start(name, contender, acceptor).await?;
        Ok(Self {
            server,
            port,
            runtime: Handle::current(),
            #[cfg(feature = "shm")]
            _node: None,
        })
    }

    /// On a thread of its own.
    #[cfg(feature = "shm")]
    async fn spinning(name: &str) -> Result<Self, Failure> {
        use mycelium_ext::fast_lane::SpinningThread;
        use mycelium_ext::node::{Listen, Node};

        let thread = SpinningThread::new().on_core(crate::place::core(name == "near")?);
        let node = Node::builder(name).cookie("a cookie").listen(Listen::tcp("127.0.0.1:0"));
        let node = node.spinning(thread).start().await?;
        let address = node.addresses().first().ok_or("it listens nowhere")?.to_string();
        let port = address.rsplit(':').next().ok_or("its address has no port")?.parse()?;
        let runtime = node.thread().ok_or("it has no thread")?.clone();
        Ok(Self { server: node.server().clone(), port, runtime, _node: Some(node) })
    }
}

/// Starts a node, and gives its port.
async fn start(
    name: &str,
    contender: Contender,
    acceptor: Option<TlsAcceptor>,
) -> Result<(ActorRef<NodeServerMessage>, u16), Failure> {
    let mut last = None;
    // The port may be taken in between.
    for _ in 0..10 {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mode =
            acceptor.clone().map_or(IncomingEncryptionMode::Raw, IncomingEncryptionMode::Tls);
        let node = NodeServer::new(
            port,
            "a cookie".to_owned(),
            name.to_owned(),
            "localhost".to_owned(),
            Some(mode),
            Some(NodeConnectionMode::Isolated),
        );
        match Actor::spawn(None, linked(node, contender), ()).await {
            Ok((node, _)) => return Ok((node, port)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or("there was no port".into(), Failure::from))
}

#[cfg(not(feature = "fork"))]
fn linked(node: NodeServer, _: Contender) -> NodeServer {
    node
}

/// Keeps to the contender's kind of link.
#[cfg(feature = "fork")]
fn linked(node: NodeServer, contender: Contender) -> NodeServer {
    use ractor_cluster::link::options::{LinkOptions, Location, Peer, PeerPolicy};

    let options = match contender {
        Contender::Tcp | Contender::Tls => {
            let elsewhere = PeerPolicy::default().with_location(Location::Remote);
            ["far", "near"]
                .into_iter()
                .fold(LinkOptions::default(), |it, name| it.with_peer(Peer::named(name), elsewhere))
        }
        #[cfg(feature = "shm")]
        Contender::Shm => shared(Duration::ZERO),
        #[cfg(feature = "shm")]
        Contender::ShmSpinning => shared(SPIN),
        _ => LinkOptions::default(),
    };
    node.with_links(switched(options))
}

/// The environment variable that names the options that are off in a run, with commas between them.
#[cfg(feature = "fork")]
const OFF: &str = "MYCELIUM_DISTANCE_OFF";

/// Turns off what the environment says.
#[cfg(feature = "fork")]
fn switched(options: ractor_cluster::link::LinkOptions) -> ractor_cluster::link::LinkOptions {
    let off = std::env::var(OFF).unwrap_or_default();
    off.split(',').fold(options, |options, word| match word {
        "busy_poll" => options.with_busy_poll(false),
        "malloc_hint" => options.with_malloc_hint(false),
        "" => options,
        other => panic!("{OFF} names busy_poll and malloc_hint, and not {other:?}"),
    })
}

/// How long a waiting thread spins: far above a round trip, so that it does not sleep in between.
#[cfg(feature = "shm")]
const SPIN: Duration = Duration::from_micros(100);

/// Links by shared memory.
#[cfg(feature = "shm")]
fn shared(spin: Duration) -> ractor_cluster::link::LinkOptions {
    use mycelium_ext::shm::{SharedMemory, ShmOptions};

    let shm = SharedMemory::new(ShmOptions::default().with_spin(spin));
    ractor_cluster::link::LinkOptions::default().with_local_transport(std::sync::Arc::new(shm))
}

/// The far process, and what belongs to it here.
pub struct Cluster {
    node: Running,
    far: Vec<ActorRef<FarMessage>>,
    acknowledged: mpsc::UnboundedReceiver<()>,
}

impl Cluster {
    pub async fn connect(contender: Contender, address: &str) -> Result<Self, Failure> {
        let (sender, acknowledged) = mpsc::unbounded_channel();
        let node = Running::start("near", contender, None).await?;
        node.runtime.spawn(Actor::spawn(None, Near, sender)).await??;
        let server = &node.server;
        if contender == Contender::Unix && BY_HOOK {
            let stream = Stream(UnixStream::connect(address).await?);
            client_connect_external(server, Box::new(stream)).await?;
        } else if let Some((address, certificate)) = address.split_once(' ') {
            let host = HOST.try_into()?;
            client_connect_enc(server, address, connector(certificate)?, host).await?;
        } else {
            client_connect(server, address).await?;
        }
        let connected = async {
            loop {
                let members = far_members();
                if members.len() == ACTORS && is_linked(contender) {
                    return members.into_iter().map(ActorRef::from).collect();
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, connected).await;
        let far: Vec<ActorRef<FarMessage>> =
            waited.map_err(|_| "the far actors did not appear, or by another link")?;
        // Of this process alone: a proxy is not announced.
        for targets in [8, ACTORS] {
            pg::join(group(targets), far[..targets].iter().map(ActorRef::get_cell).collect());
        }
        Ok(Self { node, far, acknowledged })
    }

    /// Where calls are to be made.
    pub fn runtime(&self) -> Handle {
        self.node.runtime.clone()
    }

    pub async fn end(self) {
        // What is left of it goes with the process.
        _ = self.node.server.stop_and_wait(None, None).await;
    }
}

/// The proxies of the far actors, in the order in which these were started.
fn far_members() -> Vec<ActorCell> {
    let mut members = pg::get_members(&FAR.to_owned());
    members.retain(|member| !member.get_id().is_local());
    members.sort_by_key(|member| member.get_id().pid());
    members
}

#[cfg(not(feature = "fork"))]
fn is_linked(_: Contender) -> bool {
    true
}

/// Whether the link is the one that is to be measured.
#[cfg(feature = "fork")]
fn is_linked(contender: Contender) -> bool {
    use ractor_cluster::transport::TransportKind;

    let wanted = match contender {
        Contender::Unix => TransportKind::UnixSocket,
        Contender::Tls => TransportKind::Tls,
        #[cfg(feature = "shm")]
        Contender::Shm | Contender::ShmSpinning | Contender::ShmThread => {
            TransportKind::SharedMemory
        }
        _ => TransportKind::Tcp,
    };
    let peers = ractor_cluster::peers::list();
    !peers.is_empty() && peers.iter().all(|peer| peer.active() == Some(wanted))
}

impl Peer for Cluster {
    async fn cpu(&mut self) -> Result<u64, Failure> {
        Ok(call!(self.far[0], FarMessage::Cpu)?)
    }

    async fn call(&mut self, payload: &[u8]) -> Result<(), Failure> {
        let echoed = call!(self.far[0], FarMessage::Echo, payload.to_vec())?;
        std::hint::black_box(echoed);
        Ok(())
    }

    #[cfg(feature = "raw")]
    async fn call_raw(&mut self, length: usize, byte: u8) -> Result<(), Failure> {
        let payload = made(length, byte)?;
        let answer = call!(self.far[0], FarMessage::EchoRaw, payload)?;
        match (answer.len(), ends(&answer)?) {
            it if it == (length, byte) => Ok(()),
            _ => Err("it is another answer".into()),
        }
    }

    #[cfg(not(feature = "raw"))]
    async fn call_raw(&mut self, _: usize, _: u8) -> Result<(), Failure> {
        Err("this build's messages cannot hold bytes::Bytes".into())
    }

    async fn begin(&mut self, every: u64, targets: usize) -> Result<(), Failure> {
        for far in &self.far[..targets] {
            // It may not yet have been told of our actor.
            while !call!(far, FarMessage::Begin, every)? {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        Ok(())
    }

    async fn cast(&mut self, payload: &[u8]) -> Result<(), Failure> {
        Ok(self.far[0].cast(FarMessage::Take(payload.to_vec()))?)
    }

    #[cfg(feature = "raw")]
    async fn cast_raw(&mut self, payload: &Bytes) -> Result<(), Failure> {
        Ok(self.far[0].cast(FarMessage::TakeRaw(payload.clone()))?)
    }

    #[cfg(not(feature = "raw"))]
    async fn cast_raw(&mut self, _: &Bytes) -> Result<(), Failure> {
        Err("this build's messages cannot hold bytes::Bytes".into())
    }

    /// One message that all share.
    #[cfg(feature = "fork")]
    async fn fan_out(&mut self, targets: usize, payload: &[u8]) -> Result<(), Failure> {
        let message = std::sync::Arc::new(FarMessage::Take(payload.to_vec()));
        let report = pg::broadcast_arc(&group(targets), message);
        match report.delivered() {
            delivered if delivered == targets => Ok(()),
            delivered => Err(format!("{delivered} of {targets} took it").into()),
        }
    }

    /// A message for each.
    #[cfg(not(feature = "fork"))]
    async fn fan_out(&mut self, targets: usize, payload: &[u8]) -> Result<(), Failure> {
        for far in &self.far[..targets] {
            far.cast(FarMessage::Take(payload.to_vec()))?;
        }
        Ok(())
    }

    async fn acknowledged(&mut self) -> Result<(), Failure> {
        Ok(self.acknowledged.recv().await.ok_or("no acknowledgement came")?)
    }
}

/// A Unix socket for stock nodes.
struct Stream(UnixStream);

impl ClusterBidiStream for Stream {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        let (reader, writer) = self.0.into_split();
        (Box::new(reader), Box::new(writer))
    }
}
