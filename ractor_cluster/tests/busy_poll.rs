//! Whether a node polls its links for answers: as its options say, and each end as its own.

mod common;

use std::any::Any;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use common::doubler::{Doubler, Question};
use common::server::member;
use common::{until, watched, Node, Stage};
use ractor::{call, pg, ActorRef};
use ractor_cluster::link::options::{Location, Peer, PeerPolicy};
use ractor_cluster::link::LinkOptions;
use ractor_cluster::peers;
use ractor_cluster::transport::{
    Channel, Connector, FrameSink, FrameStream, TcpTransport, Transport, TransportKind,
    TransportMessage,
};
use ractor_cluster::{NetworkStream, NodeServerMessage};
use tokio::net::{TcpListener, TcpStream};

const GROUP: &str = "answering";
const CALLS: u32 = 20;

/// TCP whose writer counts how often it is told that an answer is expected. Nothing else has a
/// reader polled past the runtime.
struct Counted {
    inner: TcpTransport,
    expected: Arc<AtomicUsize>,
}

impl Transport for Counted {
    fn kind(&self) -> TransportKind {
        TransportKind::External
    }

    fn peer(&self) -> String {
        self.inner.peer()
    }

    fn local(&self) -> String {
        self.inner.local()
    }

    /// One that is made again would count nothing.
    fn connector(&self) -> Option<Arc<dyn Connector>> {
        None
    }

    fn channel(&self) -> Channel {
        self.inner.channel()
    }

    fn split(self: Box<Self>, max_frame: u64) -> (Box<dyn FrameSink>, Box<dyn FrameStream>) {
        let (inner, stream) = Box::new(self.inner).split(max_frame);
        (Box::new(CountedSink { inner, expected: self.expected }), stream)
    }
}

struct CountedSink {
    inner: Box<dyn FrameSink>,
    expected: Arc<AtomicUsize>,
}

impl FrameSink for CountedSink {
    fn queue(&mut self, frame: TransportMessage) -> Result<(), TransportMessage> {
        self.inner.queue(frame)
    }

    fn queue_parts(&mut self, head: Bytes, payload: Bytes) -> Result<(), TransportMessage> {
        self.inner.queue_parts(head, payload)
    }

    fn queue_framed(&mut self, frames: Bytes, tail: Bytes) {
        self.inner.queue_framed(frames, tail);
    }

    fn expect_answer(&mut self) -> bool {
        self.expected.fetch_add(1, Ordering::Relaxed);
        self.inner.expect_answer()
    }

    fn queued_bytes(&self) -> usize {
        self.inner.queued_bytes()
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_flush(context)
    }

    fn into_writer(self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        self.inner.into_writer()
    }
}

/// Gives each node an end of a connection, and returns what counts at each.
async fn join(nodes: [&Node; 2]) -> [Arc<AtomicUsize>; 2] {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    let ends = [(near.expect("it listens"), false), (far.expect("a connection").0, true)];
    let mut counts = <[Arc<AtomicUsize>; 2]>::default();
    for ((node, (stream, is_server)), expected) in nodes.into_iter().zip(ends).zip(&mut counts) {
        let inner = TcpTransport::new(stream);
        let counted = Counted { inner, expected: expected.clone() };
        let stream = Box::new(NetworkStream::Transport(Box::new(counted)));
        let opened = NodeServerMessage::ConnectionOpened { stream, is_server };
        node.server.cast(opened).expect("it runs");
    }
    counts
}

/// Has the first node call an actor of the second, and returns how often each end was told that an
/// answer is expected.
async fn expected(near: bool, far: bool) -> [usize; 2] {
    let remote = PeerPolicy::default().with_location(Location::Remote);
    let options = |other: &str, busy_poll: bool| {
        LinkOptions::default().with_peer(Peer::named(other), remote).with_busy_poll(busy_poll)
    };
    let (actor, handle) = member(Doubler, GROUP).await;
    let mut first = Node::start("first", options("second", near)).await;
    let mut second = Node::start("second", options("first", far)).await;
    let counts = join([&first, &second]).await;
    let session = first.next(Stage::Ready).await;
    second.next(Stage::Ready).await;

    // The same process has the actor itself, and a proxy of it at either node.
    let members = pg::get_members(&GROUP.to_owned());
    let proxy = members.into_iter().find(|it| it.get_id().node() == session.node_id);
    let proxy: ActorRef<Question> = proxy.expect("the first node has a proxy").into();
    for number in 0..CALLS {
        assert_eq!(call!(proxy, Question::Twice, number).expect("an answer"), 2 * number);
    }
    first.stop().await;
    second.stop().await;
    until("no peer is left", || peers::list().is_empty()).await;
    actor.stop(None);
    handle.await.expect("it ends in order");
    counts.map(|count| count.load(Ordering::Relaxed))
}

#[tokio::test]
async fn each_node_polls_for_answers_if_its_option_is_on() {
    watched(async {
        let [near, far] = expected(true, false).await;
        // Not with each call: a link's task may be about to write as well.
        assert!(near > 0 && far == 0, "{near}, {far}");
        let [near, far] = expected(false, true).await;
        assert!(near == 0 && far > 0, "{near}, {far}");
        assert_eq!(expected(false, false).await, [0, 0]);
    })
    .await;
}
