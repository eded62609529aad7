//! When a reader pauses, and what the peer is told meanwhile.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};

use bytes::BytesMut;
use mycelium_link::codec::{self, What};
use mycelium_link::lanes::{number, URGENT};
use prost::Message as _;

use super::tests::{Actors, Written};
use super::*;
use crate::link::link_table::ADAPTIVE;
use crate::protocol::control::ControlMessage;
use crate::protocol::meta::network_message::Message as Network;
use crate::protocol::mycelium::envelope::Body as Enveloped;
use crate::protocol::mycelium::Envelope;
use crate::transport::simple::{Simple, SimpleStream};

/// More frames than may wait.
const FLOOD: u64 = 3000;
/// What may wait.
const BOUND: usize = 1024;

/// Frames of control traffic without end, and how many were read.
#[derive(Debug)]
pub(super) struct Flood {
    pub(super) frame: fn(u64) -> Bytes,
    pub(super) read: Arc<AtomicUsize>,
}

impl SimpleStream for Flood {
    fn poll_frame(&mut self, _: &mut Context<'_>, _: u64) -> Poll<io::Result<Option<Bytes>>> {
        let read = self.read.fetch_add(1, Ordering::Relaxed) as u64;
        Poll::Ready(Ok(Some((self.frame)(read + 1))))
    }
}

fn envelope(sequence: u64) -> Bytes {
    let body = Some(Enveloped::Control(ControlMessage::default()));
    Envelope { lane: ADAPTIVE, sequence, acknowledged: 0, body }.encoded()
}

fn of_stock(_: u64) -> Bytes {
    let message = Some(Network::Control(ControlMessage::default()));
    NetworkMessage { message }.encode_to_vec().into()
}

#[derive(Default)]
pub(super) struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Reads as often as a task could in which something always comes.
pub(super) fn read(reader: &LinkReader, woken: &Arc<Woken>) {
    let waker = woken.clone().into();
    for _ in 0..FLOOD {
        assert!(reader.poll(&mut Context::from_waker(&waker)).is_pending());
    }
    woken.0.store(false, Ordering::Relaxed);
}

#[tokio::test]
async fn a_reader_pauses_until_half_of_what_waits_is_handled() {
    let actors = Actors::start().await;
    let (traffic, written) = (actors.traffic(1 << 20), Written::default());
    let count = Arc::<AtomicUsize>::default();
    let (reader, writer) =
        actors.ends(&traffic, Flood { frame: envelope, read: count.clone() }, &written);
    let woken = Arc::<Woken>::default();
    read(&reader, &woken);
    assert_eq!(count.load(Ordering::Relaxed), BOUND);
    // The actor has one wake-up, behind which timers wait.
    assert_eq!(actors.session.get_cell().mailbox_len(), 1);
    let handle = || {
        let (_, ticket) = traffic.backlog().take(&actors.session).expect("something waits");
        let (place, bytes) = ticket.place().expect("it is of a lane");
        traffic.handled(place, bytes);
        place.sequence
    };
    let mut handled = 0;
    while !woken.0.load(Ordering::Relaxed) {
        assert!(handled < BOUND as u64, "the reader is not woken");
        handled = handle();
    }
    assert_eq!(handled, BOUND as u64 / 2);
    // Of so many the peer is told, and of none that waits.
    let mut writing = std::pin::pin!(writer.run());
    let is_pending = std::future::Future::poll(
        writing.as_mut(),
        &mut Context::from_waker(std::task::Waker::noop()),
    );
    assert!(is_pending.is_pending());
    let told = written.acknowledgements();
    assert!(told.iter().all(|told| *told <= handled), "{told:?}");
    assert!(told.contains(&256), "{told:?}");
    read(&reader, &woken);
    assert_eq!(count.load(Ordering::Relaxed), BOUND + BOUND / 2);
    // The session ends, and with it what waits.
    traffic.end();
    assert!(traffic.backlog().take(&actors.session).is_none());
    assert!(!traffic.backlog().is_full());
    actors.end().await;
}

#[tokio::test]
async fn the_reader_of_a_stock_peer_pauses_too() {
    let actors = Actors::start().await;
    let (count, backlog) = (Arc::<AtomicUsize>::default(), Arc::<Backlog>::default());
    let (session, joined) = (actors.session.clone(), Joined::default());
    let backlog_of = backlog.clone();
    let receiver = Receiver::Session(SessionReceiver {
        session,
        joined,
        backlog: backlog_of,
        admission: None,
    });
    let flood = Flood { frame: of_stock, read: count.clone() };
    let reader = LinkReader::new(Box::new(Simple::stream(flood, u64::MAX)), receiver);
    let woken = Arc::<Woken>::default();
    read(&reader, &woken);
    assert_eq!(count.load(Ordering::Relaxed), BOUND);
    for _ in 0..BOUND / 2 {
        assert!(!woken.0.load(Ordering::Relaxed));
        drop(backlog.take(&actors.session));
    }
    assert!(woken.0.load(Ordering::Relaxed));
    actors.end().await;
}

/// Control traffic, and then messages without end.
fn messages_behind(frame: u64) -> Bytes {
    let Some(sequence) = frame.checked_sub(1).filter(|it| *it > 0) else { return envelope(1) };
    // Too long for a number, so each frame can be read by itself.
    let method = "n".repeat(1000);
    let what = What::Cast { to: 1, method: &method, metadata: None, trace: None };
    let frame = codec::Frame { lane: number(ADAPTIVE, URGENT) as u8, sequence, acknowledged: 0 };
    let mut out = BytesMut::new();
    codec::write(frame, what, &mut codec::Numbers::default(), &mut out);
    out.freeze()
}

#[tokio::test]
async fn messages_behind_control_traffic_wait_until_nothing_does_and_then_no_more() {
    const WAIT: usize = 128;
    let actors = Actors::start().await;
    let (traffic, written) = (actors.traffic(1 << 20), Written::default());
    let count = Arc::<AtomicUsize>::default();
    let (reader, _writer) =
        actors.ends(&traffic, Flood { frame: messages_behind, read: count.clone() }, &written);
    let woken = Arc::<Woken>::default();
    read(&reader, &woken);
    assert_eq!(count.load(Ordering::Relaxed), WAIT);
    for left in (0..WAIT).rev() {
        assert!(traffic.is_diverted() && !woken.0.load(Ordering::Relaxed), "{left} wait");
        assert!(reader.poll(&mut Context::from_waker(&woken.clone().into())).is_pending());
        drop(traffic.backlog().take(&actors.session).expect("something waits"));
    }
    assert!(woken.0.load(Ordering::Relaxed));
    assert_eq!(count.load(Ordering::Relaxed), WAIT, "the reader did not pause");
    // All others go where they belong.
    read(&reader, &woken);
    assert!(count.load(Ordering::Relaxed) > FLOOD as usize);
    assert!(!traffic.is_diverted());
    actors.end().await;
}
