//! The cluster as the way to the other process.

use std::path::Path;
use std::time::Duration;

use ractor::{call, pg, Actor, ActorCell, ActorRef};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{
    client_connect, client_connect_external, BoxRead, BoxWrite, ClusterBidiStream,
    IncomingEncryptionMode, NodeServer, NodeServerMessage,
};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::far::{Far, FarMessage, Near, ACTORS, FAR};
use crate::measure::Peer;
use crate::{say, tidy, Contender, Failure};

/// How long two processes may take to find each other.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether Unix is reached by the application's own stream, and not by the node itself.
const BY_HOOK: bool = cfg!(not(feature = "fork"));

/// Serves until there are no more orders, of which it has none to expect.
pub async fn serve(
    contender: Contender,
    folder: &Path,
    mut orders: mpsc::UnboundedReceiver<String>,
) -> Result<(), Failure> {
    for _ in 0..ACTORS {
        Actor::spawn(None, Far, ()).await?;
    }
    let (node, port) = start("far", contender).await?;
    if contender == Contender::Unix && BY_HOOK {
        let path = folder.join("far");
        let listener = UnixListener::bind(&path)?;
        say(path.to_str().ok_or("the folder has a strange name")?)?;
        let (stream, _) = listener.accept().await?;
        tidy(folder)?;
        let stream = Box::new(Stream(stream));
        node.cast(NodeServerMessage::ConnectionOpenedExternal { stream, is_server: true })?;
    } else {
        tidy(folder)?;
        say(&format!("127.0.0.1:{port}"))?;
    }
    while orders.recv().await.is_some() {}
    Ok(node.stop_and_wait(None, None).await?)
}

/// Starts a node, and gives its port.
async fn start(
    name: &str,
    contender: Contender,
) -> Result<(ActorRef<NodeServerMessage>, u16), Failure> {
    let mut last = None;
    // The port may be taken in between.
    for _ in 0..10 {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let node = NodeServer::new(
            port,
            "a cookie".to_owned(),
            name.to_owned(),
            "localhost".to_owned(),
            Some(IncomingEncryptionMode::Raw),
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

/// Keeps to TCP if that is the contender.
#[cfg(feature = "fork")]
fn linked(node: NodeServer, contender: Contender) -> NodeServer {
    use ractor_cluster::link::options::{LinkOptions, Location, Peer, PeerPolicy};

    if contender == Contender::Unix {
        return node;
    }
    let elsewhere = PeerPolicy::default().with_location(Location::Remote);
    let options = ["far", "near"]
        .into_iter()
        .fold(LinkOptions::default(), |it, name| it.with_peer(Peer::named(name), elsewhere));
    node.with_links(options)
}

/// The far process, and what belongs to it here.
pub struct Cluster {
    node: ActorRef<NodeServerMessage>,
    far: Vec<ActorRef<FarMessage>>,
    acknowledged: mpsc::UnboundedReceiver<()>,
}

impl Cluster {
    pub async fn connect(contender: Contender, address: &str) -> Result<Self, Failure> {
        let (sender, acknowledged) = mpsc::unbounded_channel();
        Actor::spawn(None, Near, sender).await?;
        let (node, _) = start("near", contender).await?;
        if contender == Contender::Unix && BY_HOOK {
            let stream = Stream(UnixStream::connect(address).await?);
            client_connect_external(&node, Box::new(stream)).await?;
        } else {
            client_connect(&node, address).await?;
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
        let far = waited.map_err(|_| "the far actors did not appear, or by another link")?;
        Ok(Self { node, far, acknowledged })
    }

    pub async fn end(self) {
        // What is left of it goes with the process.
        _ = self.node.stop_and_wait(None, None).await;
    }
}

/// The far actors, of which there are proxies here, in the order in which they were started.
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

    async fn begin(&mut self, every: u64) -> Result<(), Failure> {
        for far in &self.far {
            // It may not yet have been told of our actor.
            while !call!(far, FarMessage::Begin, every)? {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        Ok(())
    }

    async fn cast(&mut self, to: usize, payload: &[u8]) -> Result<(), Failure> {
        Ok(self.far[to].cast(FarMessage::Take(payload.to_vec()))?)
    }

    async fn acknowledged(&mut self) -> Result<(), Failure> {
        Ok(self.acknowledged.recv().await.ok_or("nobody acknowledges")?)
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
