//! When a turn of reading sees to acknowledgements, and tells its own.

use std::collections::VecDeque;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Mutex;
use std::task::Waker;
use std::time::Duration;

use ractor::concurrency::JoinHandle;
use ractor::{Actor, ActorId, ActorProcessingErr, Message};

use super::*;
use crate::link::data_plane::Bounds;
use crate::link::link_table::{Link, ADAPTIVE};
use crate::link::writer::LinkWriter;
use crate::protocol::meta::network_message::Message as Network;
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::{Acknowledgement, Frame};
use crate::transport::simple::{Simple, SimpleSink, SimpleStream};
use crate::transport::{frames, TransportKind};
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
    link: ActorRef<SessionMessage>,
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
            Bounds { high, calls: 1, write_deadline: Duration::from_secs(1), busy_poll: true },
            Arc::default(),
        );
        let (peer, local) = (String::new(), String::new());
        let kind = TransportKind::Tcp;
        traffic.add(Link { kind, peer, local, actor: self.link.clone(), pump: None });
        traffic
    }

    /// Both ends of the link: what comes by it, and where what goes is written.
    pub(super) fn ends(
        &self,
        traffic: &Arc<DataPlane>,
        frames: impl SimpleStream,
        written: &Written,
    ) -> (Arc<LinkReader>, Arc<LinkWriter>) {
        let joined = Joined::default();
        assert!(joined.set(traffic.clone()).is_ok());
        let receiver = Receiver::Session {
            session: self.session.clone(),
            joined,
            backlog: traffic.backlog().clone(),
            admission: None,
        };
        let frames = Simple::stream(frames, u64::MAX);
        let intake = Arc::new(LinkReader::new(Box::new(frames), receiver));
        let pump = Arc::new(LinkWriter::new(Box::new(Simple::sink(written.clone())), &intake));
        traffic.serve(self.link.get_id(), &pump);
        (intake, pump)
    }

    pub(super) async fn end(self) {
        self.session.stop(None);
        self.link.stop(None);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

/// Casts a message to an actor of the peer.
fn cast(traffic: &DataPlane) {
    cast_bytes(traffic, 1000);
}

fn cast_bytes(traffic: &DataPlane, bytes: usize) {
    let what = What::Cast { to: 1, method: "Take", metadata: None };
    traffic.message(1, what, (&vec![7; bytes], Bytes::new())).on();
}

/// What waits in the lane, frame by frame.
fn frames_of(traffic: &DataPlane, link: ActorId) -> VecDeque<Bytes> {
    let mut sent = VecDeque::new();
    traffic.transmit(link, |chunk| {
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
    while traffic.has_room() {
        cast(&traffic);
        sent += 1;
    }
    traffic.transmit(actors.link.get_id(), |_| true);

    let mut turn = Turn::default();
    let mut acknowledge = |acknowledged| {
        let frame = Body::Acknowledgement(Acknowledgement { lane: ADAPTIVE, acknowledged });
        traffic.receive(frame.encoded(), &actors.session, &mut turn).unwrap();
    };
    acknowledge(1);
    assert!(!traffic.has_room(), "little was made");
    acknowledge(sent);
    assert!(traffic.has_room(), "the turn goes on");
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

/// A peer that sends nothing.
fn no_frames() -> Box<dyn FrameStream> {
    Box::new(Simple::stream(Frames(VecDeque::new()), u64::MAX))
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
    let (intake, pump) = actors.ends(&traffic, Frames(sent), &written);
    let context = &mut Context::from_waker(Waker::noop());
    let mut writing = std::pin::pin!(pump.run());
    assert!(writing.as_mut().poll(context).is_pending());
    for _ in 0..4 {
        assert!(intake.poll(context).is_pending());
    }
    assert!(written.acknowledgements().is_empty(), "there may be more");
    assert!(intake.poll(context).is_pending());
    assert_eq!(written.acknowledgements(), [4 * TURN as u64]);
    assert!(intake.poll(context).is_pending());
    assert_eq!(written.acknowledgements().len(), 1, "it was told");
    actors.end().await;
}

/// A frame of ours tells of what came before it went, and not of what comes after.
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
    let (_intake, pump) = actors.ends(&traffic, Frames(VecDeque::new()), &written);
    let context = &mut Context::from_waker(Waker::noop());
    let mut writing = std::pin::pin!(pump.run());
    assert!(writing.as_mut().poll(context).is_pending());
    let mut turn = Turn::default();
    traffic.receive(sent.pop_back().unwrap(), &actors.session, &mut turn).unwrap();
    // It tells of the first.
    cast(&traffic);
    traffic.receive(large, &actors.session, &mut turn).unwrap();
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
    let (intake, pump) = actors.ends(&traffic, Frames(sent), &broken);
    let context = &mut Context::from_waker(Waker::noop());
    let mut writing = std::pin::pin!(pump.run());
    assert!(writing.as_mut().poll(context).is_pending());
    assert!(intake.poll(context).is_pending());
    assert!(writing.as_mut().poll(context).is_pending());
    assert_eq!(broken.acknowledgements(), [1]);

    let (peer, local) = (String::new(), String::new());
    let (kind, link) = (TransportKind::Tcp, other.clone());
    let receiver = Receiver::Session {
        session: actors.session.clone(),
        joined: Joined::default(),
        backlog: Arc::default(),
        admission: None,
    };
    let silent = Arc::new(LinkReader::new(no_frames(), receiver));
    let way = Arc::new(LinkWriter::new(Box::new(Simple::sink(better.clone())), &silent));
    traffic.add(Link { kind, peer, local, actor: link, pump: Some(way.clone()) });
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

/// Takes so much with each flush.
struct Dripping {
    queued: usize,
    drop: usize,
}

impl SimpleSink for Dripping {
    fn queue(&mut self, frame: Bytes) {
        self.queued += frame.len();
    }

    fn queued_bytes(&self) -> usize {
        self.queued
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.queued = self.queued.saturating_sub(self.drop);
        if self.queued == 0 {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }
}

/// To a stock peer, which acknowledges nothing: a connection that is never quite empty does not
/// count what it has taken.
#[tokio::test(start_paused = true)]
async fn what_was_written_counts_no_more_while_more_waits() {
    const FRAME: usize = 64 * 1024;

    let actors = Actors::start().await;
    let traffic = actors.traffic(8 * FRAME);
    let receiver = Receiver::Session {
        session: actors.session.clone(),
        joined: Joined::default(),
        backlog: Arc::default(),
        admission: None,
    };
    let intake = Arc::new(LinkReader::new(no_frames(), receiver));
    let sink = Dripping { queued: 0, drop: FRAME };
    let pump = LinkWriter::new(Box::new(Simple::sink(sink)), &intake);
    let context = &mut Context::from_waker(Waker::noop());
    let mut writing = std::pin::pin!(pump.run());
    let send = || pump.send_loaded(vec![7; FRAME].into(), traffic.load(FRAME));
    let deadline = Duration::from_secs(10);
    pump.set_deadline(deadline);
    send();
    send();
    for _ in 0..100 {
        send();
        assert!(writing.as_mut().poll(context).is_pending(), "it goes on");
        assert!(traffic.has_room());
        tokio::time::advance(deadline / 10).await;
    }
    // And what waits counts.
    for _ in 0..8 {
        send();
    }
    assert!(!traffic.has_room());
    actors.end().await;
}
