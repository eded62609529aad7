//! The writer alone: a lane as its source, and no session.

use std::any::Any;
use std::sync::atomic::AtomicUsize;
use std::sync::Arc;
use std::task::Wake;

use bytes::BufMut as _;
use mycelium_link::lane::Outbound;

use super::*;
use crate::transport::frames;

/// How long a test may take that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// One lane, and what is done while the writer takes from it.
#[derive(Clone, Default)]
struct Lane {
    out: Arc<Mutex<Outbound>>,
    during: Arc<Mutex<Option<Hook>>>,
}

/// Runs once.
type Hook = Box<dyn FnOnce() + Send>;

impl Lane {
    fn push(&self, frame: &[u8]) {
        locked(&self.out).push(frame.len(), |out| out.put_slice(frame), Bytes::new());
    }
}

impl FrameSource for Lane {
    /// Held by the test too, which counts who else does.
    type Reservation = Arc<()>;

    fn transmit(&self, mut take: impl FnMut(Chunk) -> bool) {
        if let Some(during) = locked(&self.during).take() {
            during();
        }
        let mut out = locked(&self.out);
        while let Some(chunk) = out.transmit() {
            if !take(chunk) {
                return;
            }
        }
    }
}

/// What the transport of a test does, and what became of it.
#[derive(Default)]
struct Wire {
    /// What it has taken, and not handed over, frame by frame.
    queued: VecDeque<Bytes>,
    handed_over: Vec<Bytes>,
    /// The bytes that it hands over with each flush; all, where there is no such number.
    at_a_time: Option<usize>,
    /// Handed over of the first frame that is queued.
    begun: usize,
    flushes: usize,
    /// It breaks with this flush.
    breaks_at: Option<usize>,
    /// Whether it looks for an answer, and how often it was told of one.
    looks: bool,
    expected: usize,
    /// Woken when more can be handed over.
    task: Option<Waker>,
    /// Whether it has itself woken at once.
    goes_on: bool,
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Wire>>);

impl Sink {
    fn set(&self, set: impl FnOnce(&mut Wire)) {
        set(&mut locked(&self.0));
    }

    fn handed_over(&self) -> Vec<Bytes> {
        locked(&self.0).handed_over.clone()
    }

    /// How many frames it has handed over.
    fn count(&self) -> usize {
        locked(&self.0).handed_over.len()
    }

    fn flushes(&self) -> usize {
        locked(&self.0).flushes
    }
}

impl FrameSink for Sink {
    fn queue(&mut self, frame: TransportMessage) -> Result<(), TransportMessage> {
        let TransportMessage::Bytes(frame) = frame else { return Err(frame) };
        self.set(|wire| wire.queued.push_back(frame));
        Ok(())
    }

    fn queue_parts(&mut self, head: Bytes, payload: Bytes) -> Result<(), TransportMessage> {
        self.queue(TransportMessage::Bytes([head, payload].concat().into()))
    }

    fn queue_framed(&mut self, frames: Bytes, tail: Bytes) {
        frames::split(frames, tail, |head, tail| {
            self.set(|wire| wire.queued.push_back([head, tail].concat().into()));
        });
    }

    fn expect_answer(&mut self) -> bool {
        let mut wire = locked(&self.0);
        wire.expected += 1;
        wire.looks
    }

    fn queued_bytes(&self) -> usize {
        let wire = locked(&self.0);
        wire.queued.iter().map(Bytes::len).sum::<usize>() - wire.begun
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut wire = locked(&self.0);
        wire.flushes += 1;
        if wire.breaks_at == Some(wire.flushes) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        wire.begun += wire.at_a_time.unwrap_or(usize::MAX / 2);
        while wire.queued.front().is_some_and(|frame| frame.len() <= wire.begun) {
            let frame = wire.queued.pop_front().expect("there is one");
            wire.begun -= frame.len();
            wire.handed_over.push(frame);
        }
        if wire.queued.is_empty() {
            wire.begun = 0;
            return Poll::Ready(Ok(()));
        }
        wire.task = Some(context.waker().clone());
        if wire.goes_on {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn into_writer(self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        None
    }
}

/// The link's reader: what polls it, or leaves it alone.
#[derive(Default)]
struct Reader(AtomicUsize);

impl Watch for Reader {
    fn look(&self) -> bool {
        false
    }

    fn give_up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A writer with its lane, its transport and its task.
struct Link {
    writer: Arc<LinkWriter<Lane>>,
    lane: Lane,
    sink: Sink,
    reader: Arc<Reader>,
    task: Arc<Task>,
}

impl Link {
    fn new() -> Self {
        Self::polling(false)
    }

    fn polling(busy_poll: bool) -> Self {
        let (sink, lane, reader) = (Sink::default(), Lane::default(), Arc::<Reader>::default());
        let watch = Arc::downgrade(&reader);
        let writer = Arc::new(LinkWriter::new(Box::new(sink.clone()), watch));
        writer.join(lane.clone(), busy_poll);
        Self { writer, lane, sink, reader, task: Arc::default() }
    }

    /// Gives the task a turn.
    fn poll(&self) -> Poll<io::Error> {
        self.writer.poll(&mut Context::from_waker(&self.task.clone().into()))
    }

    /// How often the task was woken since it was asked last.
    fn wakes(&self) -> usize {
        self.task.0.swap(0, Ordering::Relaxed)
    }

    /// Puts a frame into the lane. Returns whether the caller has to see to it.
    fn push(&self, frame: &[u8]) -> bool {
        self.lane.push(frame);
        self.writer.note()
    }
}

#[test]
fn a_sender_writes_in_place_of_an_idle_task_without_waking_it() {
    let link = Link::new();
    assert!(link.poll().is_pending());
    assert!(link.push(b"first"), "the task is idle");
    assert!(!link.push(b"second"), "somebody has to already");
    link.writer.help(false);
    assert_eq!(link.sink.handed_over(), ["first", "second"]);
    assert_eq!(link.wakes(), 0);
    assert!(link.push(b"third"), "the task is idle again");
}

#[test]
fn the_task_of_one_link_writes_for_the_others_of_its_sender() {
    let links = [Link::new(), Link::new(), Link::new()];
    let mut runs = links.each_ref().map(|link| Box::pin(link.writer.run()));
    let mut poll = |number: usize| {
        let waker = links[number].task.clone().into();
        runs[number].as_mut().poll(&mut Context::from_waker(&waker))
    };
    assert!((0..3).all(|number| poll(number).is_pending()));
    for frame in ["first", "second"] {
        for link in &links {
            if link.push(frame.as_bytes()) {
                together::flush(&link.writer);
            }
        }
    }
    assert_eq!(links.each_ref().map(Link::wakes), [1, 0, 0]);
    assert!(poll(0).is_pending());
    for link in &links {
        assert_eq!((link.sink.handed_over(), link.sink.flushes()), (both(), 1));
    }

    // A link that ends leaves the others to their own tasks.
    for link in &links {
        assert!(link.push(b"third"));
        together::flush(&link.writer);
    }
    drop(runs);
    assert_eq!(links.each_ref().map(Link::wakes), [1, 1, 1]);
}

fn both() -> Vec<Bytes> {
    vec![Bytes::from_static(b"first"), Bytes::from_static(b"second")]
}

#[test]
fn a_writer_whose_task_has_not_begun_is_not_helped() {
    let link = Link::new();
    assert!(!link.push(b"frame"));
    link.writer.help(false);
    assert!(link.sink.handed_over().is_empty());
    assert!(link.poll().is_pending());
    assert_eq!(link.sink.handed_over(), ["frame"]);
}

#[test]
fn a_sender_that_finds_another_at_it_leaves_it_to_the_task() {
    let link = Link::new();
    assert!(link.poll().is_pending());
    let (lane, writer) = (link.lane.clone(), link.writer.clone());
    // Another sender, while the first one's frames are taken.
    *locked(&link.lane.during) = Some(Box::new(move || {
        lane.push(b"second");
        writer.note();
        writer.help(false);
    }));
    link.push(b"first");
    link.writer.help(false);
    // Which of the two had its last look first does not matter.
    assert_eq!(link.wakes(), 1);
    assert!(link.poll().is_pending());
    assert_eq!(link.sink.handed_over(), ["first", "second"]);
}

#[test]
fn the_task_goes_on_where_the_transport_takes_no_more() {
    let link = Link::new();
    link.sink.set(|wire| wire.at_a_time = Some(3));
    assert!(link.poll().is_pending());
    link.push(b"four");
    link.writer.help(false);
    // It has to see to it that this does not take too long.
    assert_eq!((link.wakes(), link.sink.flushes()), (1, 1));
    link.push(b"and more");
    link.writer.help(false);
    assert_eq!(link.sink.flushes(), 1, "nothing more is taken at present");
    while link.sink.count() < 2 {
        assert!(link.sink.flushes() < 10, "it does not go on");
        assert!(link.poll().is_pending());
    }
    assert_eq!(link.sink.handed_over(), ["four", "and more"]);
}

#[test]
fn a_frame_of_no_lane_goes_first_and_the_last_one_behind_all() {
    let link = Link::new();
    link.writer.send_last(Bytes::from_static(b"goodbye"));
    link.push(b"message");
    link.writer.send(Bytes::from_static(b"hello"));
    assert!(link.poll().is_pending());
    assert_eq!(link.sink.handed_over(), ["hello", "message", "goodbye"]);
    link.writer.send_at_once(Bytes::from_static(b"late"));
    assert_eq!(link.sink.handed_over().last().expect("it is written"), "late");
}

#[test]
fn it_ends_when_the_frame_is_written_that_ends_it_and_not_before() {
    let link = Link::new();
    link.sink.set(|wire| wire.at_a_time = Some(4));
    link.writer.send_and_end(Bytes::from_static(b"refused"));
    assert!(link.poll().is_pending());
    let Poll::Ready(error) = link.poll() else { panic!("it goes on") };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    assert_eq!(link.sink.handed_over(), ["refused"]);
    assert!(link.writer.is_ending());
}

/// A source that has much is not asked for more than a batch at a time.
#[test]
fn no_more_is_taken_than_the_transport_is_to_have_at_once() {
    const FRAME: usize = 50_000;
    const FRAMES: usize = 40;

    let link = Link::new();
    link.sink.set(|wire| wire.at_a_time = Some(FRAME));
    for _ in 0..FRAMES {
        link.push(&[7; FRAME]);
    }
    let mut flushes = 0;
    while link.sink.count() < FRAMES {
        assert!(link.poll().is_pending());
        // A chunk may go beyond the batch.
        let queued = Sink::queued_bytes(&link.sink);
        assert!(queued < BATCH_BYTES + 128 * 1024, "{queued} bytes are queued");
        assert!(flushes < link.sink.flushes(), "it does not go on");
        flushes = link.sink.flushes();
    }
    assert_eq!(locked(&link.lane.out).unsent(), 0);
}

#[test]
fn a_link_that_breaks_in_a_frame_ends_and_gives_up_what_it_held() {
    let link = Link::new();
    let reservations = [(); 3].map(Arc::new);
    link.sink.set(|wire| (wire.at_a_time, wire.breaks_at) = (Some(6), Some(2)));
    for reservation in &reservations {
        link.writer.send_reserved(Bytes::from_static(b"four"), reservation.clone());
    }
    let held = || reservations.each_ref().map(|it| Arc::strong_count(it) > 1);
    assert!(link.poll().is_pending());
    assert_eq!(link.sink.handed_over(), ["four"]);
    // Of the second frame half has gone.
    assert_eq!(held(), [false, true, true]);
    let Poll::Ready(error) = link.poll() else { panic!("the link goes on") };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(link.sink.count(), 1);
    let Link { writer, .. } = link;
    drop(writer);
    assert_eq!(held(), [false; 3]);
}

/// The sender does not learn of it: its message is in the lane, which another link may take.
#[test]
fn the_task_learns_of_a_link_that_broke_under_a_sender() {
    let link = Link::new();
    assert!(link.poll().is_pending());
    link.sink.set(|wire| wire.breaks_at = Some(1));
    link.push(b"frame");
    link.writer.help(false);
    assert_eq!(link.wakes(), 1);
    let Poll::Ready(error) = link.poll() else { panic!("the link goes on") };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    let mut out = locked(&link.lane.out);
    out.rewind();
    assert!(out.transmit().is_some(), "nothing is left for another link");
}

#[test]
fn the_link_is_polled_for_an_answer_where_one_is_expected_and_that_is_worth_it() {
    for (busy_poll, answered, looks, expected, polled) in [
        (true, true, true, 1, 1),
        (true, true, false, 1, 0),
        (true, false, true, 0, 0),
        (false, true, true, 0, 0),
    ] {
        let link = Link::polling(busy_poll);
        link.sink.set(|wire| wire.looks = looks);
        assert!(link.poll().is_pending());
        link.push(b"call");
        link.writer.help(answered);
        // No task of this thread takes the reader, which is given up for it.
        let given_up = link.reader.0.load(Ordering::Relaxed);
        assert_eq!((locked(&link.sink.0).expected, given_up), (expected, polled));
        assert_eq!(link.sink.handed_over(), ["call"]);
    }
}

#[test]
fn a_row_of_messages_notifies_the_task_once_for_each_of_its_turns() {
    let link = Link::new();
    let push = |frame: &[u8]| {
        let mut out = locked(&link.lane.out);
        out.push(frame.len(), |out| out.put_slice(frame), Bytes::new());
        link.writer.note_of_source()
    };
    assert!(link.poll().is_pending());
    assert_eq!([push(b"1"), push(b"2"), push(b"3")], [true, false, false]);
    assert!(link.poll().is_pending());
    assert_eq!(link.sink.handed_over(), ["1", "2", "3"]);
    assert_eq!([push(b"4"), push(b"5")], [true, false]);
    // One more comes when the task has taken the mark back, and has not looked yet.
    let (writer, lane) = (link.writer.clone(), link.lane.clone());
    *locked(&link.lane.during) = Some(Box::new(move || {
        lane.push(b"6");
        assert!(!writer.note_of_source());
    }));
    assert!(link.poll().is_pending());
    assert_eq!(link.sink.handed_over(), ["1", "2", "3", "4", "5", "6"]);
    assert!(push(b"7"));
}

/// Some wake the task, and others write themselves, while the transport takes little at a time.
#[test]
fn all_that_several_senders_send_is_written_once_and_in_order() {
    const SENDERS: u8 = 3;
    const FRAMES: u16 = 400;

    let Link { writer, lane, sink, .. } = Link::new();
    sink.set(|wire| (wire.at_a_time, wire.goes_on) = (Some(40), true));
    let sends = |sender: u8| {
        let (writer, lane) = (writer.clone(), lane.clone());
        move || {
            for number in 0..FRAMES {
                let [high, low] = number.to_be_bytes();
                let is_told = {
                    let mut out = locked(&lane.out);
                    let frame = [sender, high, low];
                    out.push(frame.len(), |out| out.put_slice(&frame), Bytes::new());
                    // As the table of links does, before others may send.
                    writer.note_of_source()
                };
                match number % 3 {
                    0 => writer.help(false),
                    _ if is_told => writer.wake_task(),
                    _ => {}
                }
            }
        }
    };
    let threads = (0..SENDERS).map(|sender| std::thread::spawn(sends(sender)));
    let threads: Vec<_> = threads.collect();
    let all = usize::from(SENDERS) * usize::from(FRAMES);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let written = async {
            while sink.count() < all {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            error = writer.run() => panic!("the link breaks: {error}"),
            written = tokio::time::timeout(PATIENCE, written) => written.expect("all is written"),
        }
    });
    for thread in threads {
        thread.join().unwrap();
    }
    let handed_over = sink.handed_over();
    for sender in 0..SENDERS {
        let of_sender = handed_over.iter().filter(|frame| frame[0] == sender);
        let numbers = of_sender.map(|frame| u16::from_be_bytes([frame[1], frame[2]]));
        assert!(numbers.eq(0..FRAMES), "of sender {sender}");
    }
}

/// To a stock peer, which acknowledges nothing: a connection that is never quite empty does not
/// hold what it has taken, and is not given up.
#[tokio::test(start_paused = true)]
async fn what_was_written_is_not_held_while_more_waits() {
    const FRAME: usize = BATCH_BYTES / 4;

    let Link { writer, sink, .. } = Link::new();
    sink.set(|wire| wire.at_a_time = Some(FRAME));
    let context = &mut Context::from_waker(Waker::noop());
    let mut writing = std::pin::pin!(writer.run());
    let reservation = Arc::new(());
    let send = || writer.send_reserved(vec![7; FRAME].into(), reservation.clone());
    let deadline = Duration::from_secs(10);
    writer.set_deadline(deadline);
    send();
    send();
    for _ in 0..100 {
        send();
        assert!(writing.as_mut().poll(context).is_pending(), "it goes on");
        assert!(Arc::strong_count(&reservation) <= 4);
        tokio::time::advance(deadline / 10).await;
    }
    // A peer that takes nothing more is given up.
    sink.set(|wire| wire.at_a_time = Some(0));
    assert!(writing.as_mut().poll(context).is_pending());
    tokio::time::advance(deadline * 2).await;
    let Poll::Ready(error) = writing.as_mut().poll(context) else { panic!("it goes on") };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}
