//! Between nodes: eight readers, and two nodes that send to them.
//!
//! The nodes are of one process and have links by TCP between them, so that a test sees both ends.
//! Each of them announces all actors of the process: a sender uses the proxies of its own node.
#![allow(clippy::disallowed_methods, reason = "these tests run without `blanket_serde`")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use bytes::Bytes;
use ractor::concurrency::JoinHandle;
use ractor::message::{ArcMessage, BoxedDowncastErr, SerializedMessage, Shared};
use ractor::remoting::{Incoming, Outgoing};
use ractor::{pg, Actor, ActorCell, ActorProcessingErr, ActorRef, Message, OutputPort};
use ractor_cluster::link::options::{Location, Peer, PeerPolicy};
use ractor_cluster::link::LinkOptions;
use ractor_cluster::peers;
use ractor_cluster::{BytesConvertable, RactorClusterMessage};
use tokio::sync::{mpsc, Mutex};
use tokio::task::yield_now;

use crate::common::{until, watched, Node, Stage};

const READERS: usize = 8;
const NAMES: [&str; 3] = ["home", "first", "second"];

/// Groups and peers are of the process: one test at a time.
pub static ALONE: Mutex<()> = Mutex::const_new(());

/// Derived. Counts its copies.
#[derive(RactorClusterMessage, Debug, PartialEq)]
enum Derived {
    Tick(u64, String, Bytes),
}

static COPIES: AtomicUsize = AtomicUsize::new(0);

impl Clone for Derived {
    fn clone(&self) -> Self {
        COPIES.fetch_add(1, Ordering::SeqCst);
        let Self::Tick(number, name, bytes) = self;
        Self::Tick(*number, name.clone(), bytes.clone())
    }
}

/// Written by hand. Counts its copies, and how often it was decoded.
#[derive(Debug, PartialEq)]
struct ByHand(Vec<u8>);

static DECODED: AtomicUsize = AtomicUsize::new(0);

impl Clone for ByHand {
    fn clone(&self) -> Self {
        COPIES.fetch_add(1, Ordering::SeqCst);
        Self(self.0.clone())
    }
}

impl Message for ByHand {
    fn keeps_default_boxing() -> bool {
        true
    }

    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        Ok(SerializedMessage::Cast { variant: String::new(), args: self.0, metadata: None })
    }

    fn to_outgoing(&self) -> Result<Option<Outgoing>, BoxedDowncastErr> {
        Ok(Some(Outgoing::cast("", self.0.clone().into())))
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        DECODED.fetch_add(1, Ordering::SeqCst);
        match message {
            SerializedMessage::Cast { args, .. } => Ok(Self(args)),
            _ => Err(BoxedDowncastErr),
        }
    }

    fn arc_from_incoming(incoming: Incoming<'_>) -> Option<Result<ArcMessage, BoxedDowncastErr>> {
        ArcMessage::decode::<Self>(incoming)
    }
}

/// Passes on what it reads.
struct Reader<M>(mpsc::UnboundedSender<Arc<M>>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl<M: Message + Sync> Actor for Reader<M> {
    type Msg = M;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<M>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_arc(
        &self,
        _: ActorRef<M>,
        message: Shared<M>,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        self.0.send(message.into_arc()).map_err(|_| "nobody listens".into())
    }
}

/// A node with readers, and two nodes that send to them.
struct Scene<M> {
    nodes: Vec<Node>,
    readers: Vec<(ActorCell, JoinHandle<()>)>,
    /// The readers' proxies, of each of the two nodes.
    proxies: [Vec<ActorRef<M>>; 2],
    read: mpsc::UnboundedReceiver<Arc<M>>,
}

impl<M: Message + Sync> Scene<M> {
    async fn start(group: &str) -> Self {
        let remote = PeerPolicy::default().with_location(Location::Remote);
        let options = || {
            let options = LinkOptions::default();
            NAMES.iter().fold(options, |it, name| it.with_peer(Peer::named(*name), remote))
        };
        let (tell, read) = mpsc::unbounded_channel();
        let mut readers = Vec::new();
        for _ in 0..READERS {
            let (reader, handle) = Actor::spawn(None, Reader(tell.clone()), ()).await.unwrap();
            readers.push((reader.get_cell(), handle));
        }
        pg::join(group.to_owned(), readers.iter().map(|(reader, _)| reader.clone()).collect());
        let mut nodes = vec![Node::start(NAMES[0], options()).await];
        let mut proxies = [Vec::new(), Vec::new()];
        for (name, proxies) in NAMES[1..].iter().zip(&mut proxies) {
            let mut node = Node::start(name, options()).await;
            node.connect(&nodes[0]).await;
            let session = node.next(Stage::Ready).await;
            nodes.push(node);
            while proxies.len() < READERS {
                watched(yield_now()).await;
                let members = pg::get_members(&group.to_owned()).into_iter();
                let its = members.filter(|it| it.get_id().node() == session.node_id);
                *proxies = its.map(ActorRef::from).collect();
            }
        }
        Self { nodes, readers, proxies, read }
    }

    /// Publishes a message to actors by these proxies, and returns what they read.
    async fn publish(&mut self, message: &Arc<M>, nodes: usize) -> Vec<Arc<M>>
    where
        M: Clone,
    {
        let port = OutputPort::<M>::default();
        for proxy in self.proxies[..nodes].iter().flatten() {
            port.subscribe_arc(proxy.clone(), Some);
        }
        port.send_arc(message.clone());
        let mut read = Vec::new();
        for _ in 0..nodes * READERS {
            read.push(watched(self.read.recv()).await.expect("it runs"));
        }
        assert!(self.read.try_recv().is_err());
        read
    }

    async fn end(self) {
        for (reader, handle) in self.readers {
            reader.stop(None);
            watched(handle).await.expect("it ends in order");
        }
        for node in self.nodes {
            node.stop().await;
        }
        until("no peer is left", || peers::list().is_empty()).await;
    }
}

/// How many different messages these are.
fn different<M>(mut read: Vec<Arc<M>>) -> usize {
    read.sort_by_key(Arc::as_ptr);
    read.dedup_by(|one, other| Arc::ptr_eq(one, other));
    read.len()
}

#[tokio::test]
async fn a_derived_message_is_not_copied_for_two_nodes_and_sixteen_readers() {
    let _alone = ALONE.lock().await;
    let mut scene = Scene::<Derived>::start("readers of what is derived").await;
    for length in [64, 64 * 1024] {
        let bytes = Bytes::from(vec![9; length]);
        let message = Arc::new(Derived::Tick(length as u64, "n".repeat(length), bytes));
        let before = COPIES.load(Ordering::SeqCst);

        let read = scene.publish(&message, 2).await;

        assert!(read.iter().all(|it| *it == message));
        assert_eq!(COPIES.load(Ordering::SeqCst), before);
        assert_eq!(different(read), 2, "one for each node that it came from");
    }
    scene.end().await;
}

/// Is never copied: not `Clone`, and its variant says so.
#[derive(RactorClusterMessage, Debug, PartialEq)]
#[shared]
enum Single {
    #[shared(no_copy)]
    Page(Vec<u8>),
}

/// To all readers, those of this process and those that two nodes see, which are the same.
#[tokio::test]
async fn a_variant_that_is_not_copied_reaches_all_who_read_it() {
    let _alone = ALONE.lock().await;
    let group = "readers of what is not copied".to_owned();
    let mut scene = Scene::<Single>::start(&group).await;
    let message = Arc::new(Single::Page(vec![8; 5000]));

    let report = pg::broadcast_arc(&group, message.clone());

    assert_eq!(report.failed().len(), 0);
    assert!(report.delivered() >= 3 * READERS);
    for _ in 0..report.delivered() {
        assert_eq!(watched(scene.read.recv()).await.expect("it runs"), message);
    }
    scene.end().await;
}

#[tokio::test]
async fn a_message_by_hand_is_decoded_once_for_eight_readers() {
    let _alone = ALONE.lock().await;
    let mut scene = Scene::<ByHand>::start("readers of what is written by hand").await;
    for nodes in [1, 2] {
        let message = Arc::new(ByHand(vec![7; 5000]));
        let before = (COPIES.load(Ordering::SeqCst), DECODED.load(Ordering::SeqCst));

        let read = scene.publish(&message, nodes).await;

        assert!(read.iter().all(|it| *it == message));
        let after = (COPIES.load(Ordering::SeqCst), DECODED.load(Ordering::SeqCst));
        assert_eq!((after.0 - before.0, after.1 - before.1), (0, nodes));
        assert_eq!(different(read), nodes);
    }
    scene.end().await;
}

/// A field of a field.
#[derive(BytesConvertable, Debug, PartialEq, Clone)]
struct Level {
    price: u64,
    orders: Vec<Option<String>>,
}

/// A struct as a message.
#[derive(RactorClusterMessage, Debug, PartialEq, Clone)]
struct Snapshot {
    symbol: String,
    levels: Vec<Level>,
    best: Option<(Level, [u8; 4])>,
}

#[tokio::test]
async fn structs_of_structs_reach_readers_of_other_nodes() {
    let _alone = ALONE.lock().await;
    let mut scene = Scene::<Snapshot>::start("readers of structs").await;
    let level = Level { price: 101, orders: vec![None, Some("o".repeat(5000))] };
    let (levels, best) = (vec![level.clone(); 3], Some((level, [1, 2, 3, 4])));
    let message = Arc::new(Snapshot { symbol: "ABC".to_owned(), levels, best });

    let read = scene.publish(&message, 2).await;

    assert!(read.iter().all(|it| *it == message));
    scene.end().await;
}
