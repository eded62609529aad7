//! Messages that come together by a stream of bytes: rows of them go into mailboxes at once.

use std::collections::VecDeque;
use std::future::Future as _;
use std::sync::Mutex;
use std::task::{Context, Waker};

use bytes::{BufMut as _, BytesMut};
use mycelium_link::codec::{self, What};
use ractor::concurrency::JoinHandle;
use ractor::message::BoxedDowncastErr;
use ractor::remoting::Incoming;
use ractor::{Actor, ActorProcessingErr, Message};
use tokio::io::AsyncWriteExt as _;

use super::tests::{frames_of, Actors, Written};
use super::*;
use crate::link::data_plane::LinkWriter;
use crate::link::reader::TURN;
use crate::protocol::mycelium::envelope::Body as Enveloped;
use crate::protocol::mycelium::Envelope;
use crate::transport::frames::FrameReader;

/// The same bytes in each build, also where serde makes those of numbers: twice its own, so that
/// heads of frames are compared. The method's length counts for thousands.
struct Number(u64);

impl Message for Number {
    fn keeps_default_boxing() -> bool {
        true
    }

    fn serializable() -> bool {
        true
    }

    fn from_incoming(incoming: Incoming<'_>) -> Result<Self, BoxedDowncastErr> {
        let bytes: [u8; 16] = incoming.args[..].try_into().map_err(|_| BoxedDowncastErr)?;
        let number = u128::from_be_bytes(bytes);
        assert_eq!(number >> 64, number & u128::from(u64::MAX), "both halves are of one message");
        Ok(Self(number as u64 + 1000 * incoming.variant.len() as u64))
    }
}

/// Keeps what it gets.
struct Keeper;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Keeper {
    type Msg = Number;
    type State = Arc<Mutex<Vec<u64>>>;
    type Arguments = Self::State;

    async fn pre_start(
        &self,
        _: ActorRef<Number>,
        got: Self::State,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(got)
    }

    async fn handle(
        &self,
        _: ActorRef<Number>,
        Number(number): Number,
        got: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        got.lock().unwrap().push(number);
        Ok(())
    }
}

struct Kept {
    actor: ActorRef<Number>,
    got: Arc<Mutex<Vec<u64>>>,
    task: JoinHandle<()>,
}

impl Kept {
    async fn start() -> Self {
        let got = Arc::default();
        let (actor, task) = Actor::spawn(None, Keeper, Arc::clone(&got)).await.unwrap();
        Self { actor, got, task }
    }

    /// All that it got.
    async fn end(self) -> Vec<u64> {
        self.actor.drain().unwrap();
        self.task.await.unwrap();
        std::mem::take(&mut *self.got.lock().unwrap())
    }
}

/// Frames of casts of the numbers from 0 on, each to the actor that is named for it.
fn casts<'a>(actors: &Actors, to: impl IntoIterator<Item = &'a Kept>) -> VecDeque<Bytes> {
    casts_of(actors, to.into_iter().map(|to| (to, "")))
}

/// The same, each of the method that is named for it.
fn casts_of<'a>(
    actors: &Actors,
    to: impl IntoIterator<Item = (&'a Kept, &'a str)>,
) -> VecDeque<Bytes> {
    let sender = actors.traffic(1 << 30);
    for (number, (to, method)) in (0_u64..).zip(to) {
        let to = to.actor.get_id().pid();
        let what = What::Cast { to, method, metadata: None, trace: None };
        sender.message(1, &what, (&[number.to_be_bytes(); 2].concat(), &Bytes::new())).on();
    }
    frames_of(&sender, actors.link.get_id())
}

/// The other end of a connection on which all these frames have come.
struct Arriving {
    traffic: Arc<DataPlane>,
    written: Written,
    reader: Arc<LinkReader>,
    writer: Arc<LinkWriter>,
    _peer: tokio::io::DuplexStream,
}

impl Arriving {
    async fn of(actors: &Actors, frames: impl IntoIterator<Item = Bytes>) -> Self {
        let mut bytes = BytesMut::new();
        for frame in frames {
            bytes.put_u64(frame.len() as u64);
            bytes.extend_from_slice(&frame);
        }
        let (mut peer, stream) = tokio::io::duplex(bytes.len().max(1));
        peer.write_all(&bytes).await.unwrap();
        let (traffic, written) = (actors.traffic(1 << 20), Written::default());
        traffic.open();
        let frames = Box::new(FrameReader::new(stream, 1 << 20));
        let (reader, writer) = actors.ends_of(&traffic, frames, &written);
        Self { traffic, written, reader, writer, _peer: peer }
    }

    /// A turn of reading.
    fn read(&self) {
        assert!(self.reader.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
}

#[tokio::test]
async fn each_actor_gets_its_messages_in_order_whatever_lies_between() {
    let (actors, one, other) = (Actors::start().await, Kept::start().await, Kept::start().await);
    // Long rows, short ones, and none.
    let is_other = |number: u64| number % 100 > 80 && number % 3 == 0 || number % 7 == 0;
    let frames = casts(&actors, (0..300).map(|it| if is_other(it) { &other } else { &one }));
    let arriving = Arriving::of(&actors, frames).await;
    for _ in 0..10 {
        arriving.read();
    }
    assert_eq!(arriving.traffic.view().received, 300);
    let (ours, others): (Vec<u64>, Vec<u64>) = (0..300).partition(|it| !is_other(*it));
    assert_eq!((one.end().await, other.end().await), (ours, others));
    actors.end().await;
}

#[tokio::test]
async fn each_message_of_a_row_is_of_its_own_method() {
    let (actors, one) = (Actors::start().await, Kept::start().await);
    let method = |number: usize| ["", "m", "mm"][number / 3 % 3];
    let frames = casts_of(&actors, (0..60).map(|number| (&one, method(number))));
    let arriving = Arriving::of(&actors, frames).await;
    arriving.read();
    let expected = (0..60).map(|number| (number + 1000 * method(number).len()) as u64);
    assert!(one.end().await.into_iter().eq(expected));
    actors.end().await;
}

#[tokio::test]
async fn the_peer_acknowledges_with_each_message_of_a_row() {
    let (actors, one) = (Actors::start().await, Kept::start().await);
    let mut frames = casts(&actors, std::iter::repeat_n(&one, 10));
    // Behind the mark, the kind, the lane and a number of one byte.
    let acknowledge = |frame: &mut Bytes, count: u8| {
        let mut bytes = frame.to_vec();
        bytes[4] = count;
        *frame = bytes.into();
    };
    acknowledge(&mut frames[3], 2);
    acknowledge(&mut frames[4], 2);
    acknowledge(&mut frames[6], 5);
    let arriving = Arriving::of(&actors, frames).await;
    for _ in 0..6 {
        let what = What::Cast { to: 1, method: "", metadata: None, trace: None };
        arriving.traffic.message(1, &what, (&[], &Bytes::new())).on();
    }
    let writer = arriving.writer.clone();
    let mut writing = std::pin::pin!(writer.run());
    assert!(writing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    arriving.read();
    let view = arriving.traffic.view();
    assert_eq!((view.received, view.acknowledged), (10, 5));
    assert!(one.end().await.into_iter().eq(0..10));
    actors.end().await;
}

#[tokio::test]
async fn others_have_a_turn_behind_so_many_frames_of_a_row() {
    let (actors, one) = (Actors::start().await, Kept::start().await);
    let frames = casts(&actors, std::iter::repeat_n(&one, 3 * TURN));
    let arriving = Arriving::of(&actors, frames).await;
    for turns in 1..=3 {
        arriving.read();
        assert_eq!(arriving.traffic.view().received, (turns * TURN) as u64);
    }
    assert!(one.end().await.into_iter().eq(0..3 * TURN as u64));
    actors.end().await;
}

#[tokio::test]
async fn one_that_came_before_is_left_out_of_its_row() {
    let (actors, one) = (Actors::start().await, Kept::start().await);
    let frames = casts(&actors, std::iter::repeat_n(&one, 6));
    let twice: Vec<Bytes> = [0, 1, 1, 0, 2, 3, 3, 3, 4, 2, 5].map(|it| frames[it].clone()).into();
    let arriving = Arriving::of(&actors, twice).await;
    arriving.read();
    assert_eq!(arriving.traffic.view().received, 6);
    assert!(one.end().await.into_iter().eq(0..6));
    actors.end().await;
}

#[tokio::test]
async fn what_follows_a_gap_is_not_delivered() {
    let (actors, one) = (Actors::start().await, Kept::start().await);
    let mut frames = casts(&actors, std::iter::repeat_n(&one, 6));
    frames.remove(3);
    let arriving = Arriving::of(&actors, frames).await;
    arriving.read();
    arriving.read();
    assert!(one.end().await.into_iter().eq(0..3));
    actors.end().await;
}

/// It has to wait until the session has handled what is in front of it.
#[tokio::test]
async fn what_follows_control_waits_behind_it() {
    let (actors, one) = (Actors::start().await, Kept::start().await);
    let mut frames = casts(&actors, std::iter::repeat_n(&one, 6));
    let lane = u32::from(codec::head(&frames[0]).unwrap().unwrap().lane);
    // In the place of the fourth.
    let control = Envelope {
        lane,
        sequence: 4,
        acknowledged: 0,
        body: Some(Enveloped::Control(Default::default())),
    };
    frames[3] = control.encoded();
    let arriving = Arriving::of(&actors, frames).await;
    arriving.read();
    assert_eq!(one.end().await, [0, 1, 2]);
    assert!(!arriving.traffic.backlog().is_empty());
    actors.end().await;
}

#[tokio::test]
async fn one_that_is_no_message_is_a_dead_letter_and_the_rest_is_delivered() {
    let (actors, one) = (Actors::start().await, Kept::start().await);
    let mut frames = casts(&actors, std::iter::repeat_n(&one, 6));
    // A number has sixteen bytes.
    for at in [0, 4] {
        let shorter = frames[at].len() - 1;
        frames[at].truncate(shorter);
    }
    let arriving = Arriving::of(&actors, frames).await;
    arriving.read();
    assert_eq!(arriving.traffic.view().received, 6);
    assert_eq!(arriving.traffic.view().dead_letters, 2);
    assert_eq!(one.end().await, [1, 2, 3, 5]);
    actors.end().await;
}

#[tokio::test]
async fn the_peer_is_told_of_all_of_a_row() {
    let (actors, one) = (Actors::start().await, Kept::start().await);
    let frames = casts(&actors, std::iter::repeat_n(&one, 4 * TURN));
    let arriving = Arriving::of(&actors, frames).await;
    let writer = arriving.writer.clone();
    let mut writing = std::pin::pin!(writer.run());
    let context = &mut Context::from_waker(Waker::noop());
    assert!(writing.as_mut().poll(context).is_pending());
    for _ in 0..6 {
        arriving.read();
    }
    assert!(writing.as_mut().poll(context).is_pending());
    assert_eq!(arriving.written.acknowledgements(), [4 * TURN as u64]);
    one.end().await;
    actors.end().await;
}
