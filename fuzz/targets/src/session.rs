//! A session with a peer that says what it likes, from its first byte, or once it has behaved for a
//! while.
//!
//! The first byte of the input is the [`Depth`]. Behind it come frames, each after its length in
//! two bytes, big endian, or, at [`Depth::Bytes`], whatever goes over the wire. Then the peer goes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Once};

use ractor::message::{BoxedDowncastErr, SerializedMessage};
use ractor::{Actor, ActorProcessingErr, ActorRef, ActorStatus, Message, RpcReplyPort, call};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{BoxRead, BoxWrite, ClusterBidiStream, NodeServerMessage};
use tokio::io::DuplexStream;
use tokio::runtime::Runtime;

use crate::budget::Budget;
use crate::client::Client;
use crate::common::{COOKIE, watched};
use crate::pieces;
use crate::server::{member, node_server};

/// How far a peer behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Not at all: what follows are no frames but bytes.
    Bytes,
    /// Its first frame may be anything.
    Frames,
    /// It has said hello.
    Hello,
    /// It knows the cookie.
    Authenticated,
    /// It has announced itself, and each side knows the other's actors.
    Joined,
}

impl Depth {
    /// All, in the order of their numbers in an input.
    pub const ALL: [Self; 5] =
        [Self::Bytes, Self::Frames, Self::Hello, Self::Authenticated, Self::Joined];

    /// The input of a peer that behaves so far, and then sends these frames.
    #[must_use]
    pub fn input(self, frames: &[Vec<u8>]) -> Vec<u8> {
        [&[self as u8], &pieces::join(frames)[..]].concat()
    }
}

/// Larger ones are refused; a length of two bytes may be too large, then.
const MAX_FRAME: u64 = 32 * 1024;

/// What fits between the two ends: more than a node can have to say to a peer that does not listen.
const PIPE: usize = 8 * 1024 * 1024;

/// A session and its end, and what both ends make of a frame.
const BUDGET: Budget = Budget { fixed: 4 * 1024 * 1024, each: 1024 };

/// A node that outlives all its peers, and an actor of it.
struct Scene {
    runtime: Runtime,
    server: ActorRef<NodeServerMessage>,
    counter: ActorRef<Count>,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (server, counter) = runtime.block_on(async {
        // The first of all actors, so that its number is the same in each process, and in the
        // seeds.
        let (counter, _) = member(Counter, "counters").await;
        let server = node_server("node", COOKIE, NodeConnectionMode::Isolated)
            .with_max_inbound_frame_size(MAX_FRAME);
        let (server, _) = Actor::spawn(None, server, ()).await.expect("a node starts");
        (server, counter)
    });
    Scene { runtime, server, counter }
});

/// The number of the actor that a peer is told of, and may send to.
#[must_use]
pub fn counter() -> u64 {
    SCENE.counter.get_id().pid()
}

/// One peer comes, says its part, and goes; the node has to be as well as before.
pub(crate) fn run(bytes: &[u8]) {
    let Some((depth, script)) = bytes.split_first() else { return };
    let depth = Depth::ALL[usize::from(*depth) % Depth::ALL.len()];
    let runtime = &SCENE.runtime;
    // What a process allocates once for all its sessions is not of this peer's making.
    static WARMED: Once = Once::new();
    WARMED.call_once(|| runtime.block_on(watched(visit(Depth::Joined, &[]))));
    BUDGET.hold(bytes.len(), || runtime.block_on(watched(visit(depth, script))));
}

async fn visit(depth: Depth, script: &[u8]) {
    static PEERS: AtomicU64 = AtomicU64::new(0);
    let Scene { server, counter, .. } = &*SCENE;
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let stream = Box::new(Stream(theirs));
    server
        .cast(NodeServerMessage::ConnectionOpenedExternal { stream, is_server: true })
        .expect("the node runs");
    let mut peer = Client::external(ours);
    let name = format!("peer-{}", PEERS.fetch_add(1, Ordering::Relaxed));
    match depth {
        Depth::Bytes | Depth::Frames => {}
        Depth::Hello => peer.send(peer.hello()).await,
        Depth::Authenticated => peer.authenticate(&name).await,
        Depth::Joined => peer.join(&name).await,
    }
    // A node that has had enough takes no more.
    if depth == Depth::Bytes {
        let _ = peer.send_bytes(script).await;
    } else {
        for frame in pieces::split(script) {
            let frame = [&(frame.len() as u64).to_be_bytes(), frame].concat();
            if peer.send_bytes(&frame).await.is_err() {
                break;
            }
        }
    }
    let _ = peer.shut_down().await;
    peer.closed().await;
    assert_eq!(server.get_status(), ActorStatus::Running);
    assert!(call!(counter, Count::Sum).is_ok(), "the actor does not answer");
}

/// The node's end of a connection.
struct Stream(DuplexStream);

impl ClusterBidiStream for Stream {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        let (reader, writer) = tokio::io::split(self.0);
        (Box::new(reader), Box::new(writer))
    }

    fn peer_label(&self) -> Option<String> {
        Some("a stranger".to_owned())
    }

    fn local_label(&self) -> Option<String> {
        None
    }
}

/// Counts what it is sent.
struct Counter;

#[derive(Debug)]
enum Count {
    Add,
    Sum(RpcReplyPort<u64>),
}

// By hand and not derived: bytes that are no message are an error here, and would be a panic there,
// which is caught, and ends a fuzzer all the same.
impl Message for Count {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        Err(BoxedDowncastErr)
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        match message {
            SerializedMessage::Cast { args, .. } if args.len() == 8 => Ok(Self::Add),
            _ => Err(BoxedDowncastErr),
        }
    }
}

impl Actor for Counter {
    type Msg = Count;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Count>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Count>,
        message: Count,
        sum: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Count::Add => *sum += 1,
            Count::Sum(reply) => reply.send(*sum)?,
        }
        Ok(())
    }
}
