//! When a turn of reading sees to acknowledgements, and tells its own: a data plane with the reader
//! and the writer of a link.

use std::collections::VecDeque;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Mutex, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ractor::concurrency::JoinHandle;
use ractor::{Actor, ActorId, ActorProcessingErr, Message};

use super::*;
use crate::link::data_plane::{Bounds, Link, LinkWriter};
use crate::link::link_table::ADAPTIVE;
use crate::link::reader::TURN;
use crate::link::round_trip::Pings;
use crate::link::traces::Traces;
use crate::link::writer::FrameSource as _;
use crate::protocol::meta::network_message::Message as Network;
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::{Acknowledgement, Frame};
use crate::transport::simple::{Simple, SimpleSink, SimpleStream};
use crate::transport::{frames, FrameStream, TransportKind};
use mycelium_link::codec::What;

/// Takes messages, and does nothing.
struct Idle<M>(PhantomData<fn() -> M>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl<M: Message> Actor for Idle<M> {
    type Msg = M;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<M>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

async fn idle<M: Message>() -> (ActorRef<M>, JoinHandle<()>) {
    Actor::spawn(None, Idle(PhantomData), ()).await.unwrap()
}

/// The actors that a session and its link are taken for.
pub(super) struct Actors {
    pub(super) session: ActorRef<NodeSessionMessage>,
    pub(super) link: ActorRef<SessionMessage>,
    tasks: [JoinHandle<()>; 2],
}

impl Actors {
    pub(super) async fn start() -> Self {
        let ((session, session_task), (link, link_task)) = (idle().await, idle().await);
        Self { session, link, tasks: [session_task, link_task] }
    }

    /// A session with one link that takes up to `high` bytes.
    pub(super) fn traffic(&self, high: usize) -> Arc<DataPlane> {
        let traffic = DataPlane::new(
            1,
            Bounds {
                high,
                calls: 1,
                write_deadline: Duration::from_secs(1),
                busy_poll: true,
                max_inbound: 1 << 20,
            },
            Traces::default(),
            Arc::default(),
        );
        let (peer, local) = (String::new(), String::new());
        let kind = TransportKind::Tcp;
        traffic.add(Link {
            kind,
            peer,
            local,
            actor: self.link.clone(),
            lends: None,
            writer: None,
            sent: 0,
            pings: Pings::default(),
        });
        traffic
    }

    /// Both ends of the link: the reader, and the writer with what it has written.
    pub(super) fn ends(
        &self,
        traffic: &Arc<DataPlane>,
        frames: impl SimpleStream,
        written: &Written,
    ) -> (Arc<LinkReader>, Arc<LinkWriter>) {
        self.ends_of(traffic, Box::new(Simple::stream(frames, u64::MAX)), written)
    }

    /// The same, of any stream.
    pub(super) fn ends_of(
        &self,
        traffic: &Arc<DataPlane>,
        frames: Box<dyn FrameStream>,
        written: &Written,
    ) -> (Arc<LinkReader>, Arc<LinkWriter>) {
        let joined = Joined::default();
        assert!(joined.set(traffic.clone()).is_ok());
        let receiver = Receiver::Session(SessionReceiver {
            session: self.session.clone(),
            joined,
            backlog: traffic.backlog().clone(),
            admission: None,
        });
        let reader = Arc::new(LinkReader::new(frames, receiver));
        let watch: Weak<LinkReader> = Arc::downgrade(&reader);
        let writer = Arc::new(LinkWriter::new(Box::new(Simple::sink(written.clone())), watch));
        traffic.serve(self.link.get_id(), &writer);
        (reader, writer)
    }

    pub(super) async fn end(self) {
        self.session.stop(None);
        self.link.stop(None);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

/// Takes a frame that came alone.
pub(super) fn receive(traffic: &Arc<DataPlane>, frame: Bytes, actors: &Actors, turn: &mut Turn) {
    let alone = &mut Behind::nothing();
    traffic.receive(frame, Bytes::new(), alone, &actors.session, turn).unwrap();
}

/// Casts a message to an actor of the peer.
fn cast(traffic: &DataPlane) {
    cast_bytes(traffic, 1000);
}

fn cast_bytes(traffic: &DataPlane, bytes: usize) {
    let what = What::Cast { to: 1, method: "Take", metadata: None, trace: None };
    traffic.message(1, &what, (&vec![7; bytes], &Bytes::new())).on();
}

/// What waits in the lane, frame by frame.
pub(super) fn frames_of(traffic: &Arc<DataPlane>, link: ActorId) -> VecDeque<Bytes> {
    let mut sent = VecDeque::new();
    traffic.lanes_of(link).transmit(|chunk| {
        frames::split(chunk.frames, chunk.tail, |frame, _| sent.push_back(frame));
        true
    });
    sent
}

#[tokio::test]
async fn room_is_made_before_a_turn_of_reading_is_over() {
    let actors = Actors::start().await;
    let traffic = actors.traffic(1 << 20);
    let mut sent = 0;
    while traffic.has_room(1) {
        cast(&traffic);
        sent += 1;
    }
    traffic.lanes_of(actors.link.get_id()).transmit(|_| true);

    let mut turn = Turn::default();
    let mut acknowledge = |acknowledged| {
        let frame = Body::Acknowledgement(Acknowledgement { lane: ADAPTIVE, acknowledged });
        receive(&traffic, frame.encoded(), &actors, &mut turn);
    };
    acknowledge(1);
    assert!(!traffic.has_room(1), "little was made");
    acknowledge(sent);
    assert!(traffic.has_room(1), "the turn goes on");
    actors.end().await;
}

/// The peer's frames; it is never at an end.
#[derive(Debug)]
pub(super) struct Frames(pub(super) VecDeque<Bytes>);

impl SimpleStream for Frames {
    fn poll_frame(&mut self, _: &mut Context<'_>, _: u64) -> Poll<io::Result<Option<Bytes>>> {
        self.0.pop_front().map_or(Poll::Pending, |frame| Poll::Ready(Ok(Some(frame))))
    }
}

/// What was written to the peer.
#[derive(Debug, Clone, Default)]
pub(super) struct Written(Arc<Mutex<Vec<Bytes>>>);

impl Written {
    /// Up to where the peer was told that frames came, each time.
    pub(super) fn acknowledgements(&self) -> Vec<u64> {
        let frames = self.0.lock().unwrap();
        let decoded = frames.iter().filter_map(|frame| decode(frame.clone()).ok()?.message);
        decoded
            .filter_map(|message| match message {
                Network::Mycelium(Frame { body: Some(Body::Acknowledgement(it)) }) => {
                    Some(it.acknowledged)
                }
                _ => None,
            })
            .collect()
    }
}

impl SimpleSink for Written {
    fn queue(&mut self, frame: Bytes) {
        self.0.lock().unwrap().push(frame);
    }

    fn queued_bytes(&self) -> usize {
        0
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn the_peer_is_told_when_nothing_more_comes_also_behind_a_full_turn() {
    let actors = Actors::start().await;
    let sender = actors.traffic(1 << 30);
    // So many are due, and fill their turns.
    for _ in 0..4 * TURN {
        cast(&sender);
    }
    let sent = frames_of(&sender, actors.link.get_id());
    let traffic = actors.traffic(1 << 20);
    let written = Written::default();
    let (reader, writer) = actors.ends(&traffic, Frames(sent), &written);
    let context = &mut Context::from_waker(Waker::noop());
    let mut writing = std::pin::pin!(writer.run());
    assert!(writing.as_mut().poll(context).is_pending());
    for _ in 0..4 {
        assert!(reader.poll(context).is_pending());
    }
    assert!(written.acknowledgements().is_empty(), "there may be more");
    assert!(reader.poll(context).is_pending());
    assert_eq!(written.acknowledgements(), [4 * TURN as u64]);
    assert!(reader.poll(context).is_pending());
    assert_eq!(written.acknowledgements().len(), 1, "it was told");
    actors.end().await;
}

/// A frame of ours acknowledges the frames that came before it went, and no later ones.
#[tokio::test]
async fn a_large_frame_is_acknowledged_although_we_have_told_of_the_one_before() {
    let actors = Actors::start().await;
    let sender = actors.traffic(1 << 30);
    cast(&sender);
    cast_bytes(&sender, 200_000);
    let mut sent = frames_of(&sender, actors.link.get_id());
    let large = sent.pop_back().unwrap();

    let traffic = actors.traffic(1 << 20);
    let written = Written::default();
    let (_reader, writer) = actors.ends(&traffic, Frames(VecDeque::new()), &written);
    let context = &mut Context::from_waker(Waker::noop());
    let mut writing = std::pin::pin!(writer.run());
    assert!(writing.as_mut().poll(context).is_pending());
    let mut turn = Turn::default();
    receive(&traffic, sent.pop_back().unwrap(), &actors, &mut turn);
    // It tells of the first.
    cast(&traffic);
    receive(&traffic, large, &actors, &mut turn);
    traffic.turn_over(&mut turn, true, &actors.session);
    assert!(writing.as_mut().poll(context).is_pending());
    assert_eq!(written.acknowledgements(), [2]);
    actors.end().await;
}

/// What went by a link that broke the peer may not have: it waits for an acknowledgement, and sends
/// nothing.
#[tokio::test]
async fn what_the_peer_was_told_by_a_link_that_broke_it_is_told_again() {
    let actors = Actors::start().await;
    let (other, other_task) = idle::<SessionMessage>().await;
    let sender = actors.traffic(1 << 20);
    // So large that it is acknowledged at once.
    cast_bytes(&sender, 200_000);
    let sent = frames_of(&sender, actors.link.get_id());

    let traffic = actors.traffic(1 << 20);
    let (broken, better) = (Written::default(), Written::default());
    let (reader, writer) = actors.ends(&traffic, Frames(sent), &broken);
    let context = &mut Context::from_waker(Waker::noop());
    let mut writing = std::pin::pin!(writer.run());
    assert!(writing.as_mut().poll(context).is_pending());
    assert!(reader.poll(context).is_pending());
    assert!(writing.as_mut().poll(context).is_pending());
    assert_eq!(broken.acknowledgements(), [1]);

    let (peer, local) = (String::new(), String::new());
    let (kind, link) = (TransportKind::Tcp, other.clone());
    let no_reader = Weak::<LinkReader>::new();
    let way = Arc::new(LinkWriter::new(Box::new(Simple::sink(better.clone())), no_reader));
    traffic.add(Link {
        kind,
        peer,
        local,
        actor: link,
        lends: None,
        writer: Some(way.clone()),
        sent: 0,
        pings: Pings::default(),
    });
    let mut writing = std::pin::pin!(way.run());
    assert!(writing.as_mut().poll(context).is_pending());
    assert!(better.acknowledgements().is_empty(), "it has been told");
    traffic.remove(actors.link.get_id()).expect("it is a link");
    assert!(writing.as_mut().poll(context).is_pending());
    assert_eq!(better.acknowledgements(), [1]);
    other.stop(None);
    other_task.await.unwrap();
    actors.end().await;
}
