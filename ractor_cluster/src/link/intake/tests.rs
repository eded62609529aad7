//! When a turn of reading sees to acknowledgements, and tells its own.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Mutex;
use std::time::Duration;

use ractor::concurrency::JoinHandle;
use ractor::{Actor, ActorProcessingErr, Message};

use super::*;
use crate::link::codec::What;
use crate::link::pump::Pump;
use crate::link::table::{Link, ADAPTIVE};
use crate::link::traffic::Bounds;
use crate::protocol::meta::network_message::Message as Network;
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::{Acknowledgement, Frame};
use crate::transport::{frames, FrameSink, TransportKind};

/// Takes messages, and does nothing.
struct Idle<M>(PhantomData<fn() -> M>);

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
struct Actors {
    session: ActorRef<NodeSessionMessage>,
    link: ActorRef<SessionMessage>,
    tasks: [JoinHandle<()>; 2],
}

impl Actors {
    async fn start() -> Self {
        let ((session, session_task), (link, link_task)) = (idle().await, idle().await);
        Self { session, link, tasks: [session_task, link_task] }
    }

    /// A session with one link that takes up to `high` bytes.
    fn traffic(&self, high: usize) -> Arc<Traffic> {
        let traffic =
            Traffic::new(1, Bounds { high, calls: 1, write_deadline: Duration::from_secs(1) });
        let (peer, local) = (String::new(), String::new());
        let kind = TransportKind::Tcp;
        traffic.add(Link { kind, peer, local, actor: self.link.clone(), pump: None });
        traffic
    }

    async fn end(self) {
        self.session.stop(None);
        self.link.stop(None);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

/// Casts a message to an actor of the peer.
fn cast(traffic: &Traffic) {
    let what = What::Cast { to: 1, method: "Take", metadata: None };
    traffic.message(1, what, (&[7; 1000], Bytes::new())).on();
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
struct Frames(VecDeque<Bytes>);

impl FrameStream for Frames {
    fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Option<TransportMessage>>> {
        match self.0.pop_front() {
            Some(frame) => Poll::Ready(Ok(Some(TransportMessage::Bytes(frame)))),
            None => Poll::Pending,
        }
    }

    fn set_max_frame(&mut self, _: u64) {}
}

/// What was written to the peer.
#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<Vec<Bytes>>>);

impl Written {
    /// Up to where the peer was told that frames came, each time.
    fn acknowledgements(&self) -> Vec<u64> {
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

impl FrameSink for Written {
    fn queue(&mut self, frame: TransportMessage) -> Result<(), TransportMessage> {
        if let TransportMessage::Bytes(frame) = frame {
            self.0.lock().unwrap().push(frame);
        }
        Ok(())
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
    let mut sent = VecDeque::new();
    sender.transmit(actors.link.get_id(), |chunk| {
        frames::split(chunk.frames, chunk.tail, |frame, _| sent.push_back(frame));
        true
    });

    let traffic = actors.traffic(1 << 20);
    let joined = Joined::default();
    assert!(joined.set(traffic.clone()).is_ok());
    let receiver = Receiver::Session { session: actors.session.clone(), joined };
    let intake = Arc::new(Intake::new(Box::new(Frames(sent)), receiver));
    let written = Written::default();
    let pump = Arc::new(Pump::new(Box::new(written.clone()), &intake));
    traffic.serve(actors.link.get_id(), &pump);
    let context = &mut Context::from_waker(std::task::Waker::noop());
    let mut writing = std::pin::pin!(pump.run());
    assert!(std::future::Future::poll(writing.as_mut(), context).is_pending());

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
