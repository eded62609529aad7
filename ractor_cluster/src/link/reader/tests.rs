//! The reader alone: a receiver that notes what it is given, and no session.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use bytes::Bytes;

use super::*;
use crate::transport::simple::{Simple, SimpleStream};

/// What the reader of a test got and passed on.
#[derive(Default)]
struct Noted {
    /// What the transport has, and still to be read.
    frames: VecDeque<io::Result<Option<Bytes>>>,
    received: Vec<Bytes>,
    /// Each turn that was over, with the frames received since the first one.
    turns: Vec<(u32, Read)>,
    /// So many frames may be received before the reader is to pause.
    pauses_after: Option<usize>,
    pausing: Option<Waker>,
}

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Noted>>);

/// Ends a turn: a frame behind which others are to have one.
const LONG: &[u8] = b"long";
const NO_FRAME: &[u8] = b"no frame";
const PANIC: &[u8] = b"panic";

impl Notes {
    fn of(frames: impl IntoIterator<Item = &'static [u8]>) -> Self {
        let notes = Self::default();
        notes.come(frames);
        notes
    }

    fn come(&self, frames: impl IntoIterator<Item = &'static [u8]>) {
        let frames = frames.into_iter().map(|frame| Ok(Some(Bytes::from_static(frame))));
        self.0.lock().unwrap().frames.extend(frames);
    }

    fn reader(&self) -> LinkReader<Self> {
        LinkReader::new(Box::new(Simple::stream(self.clone(), u64::MAX)), self.clone())
    }

    fn received(&self) -> usize {
        self.0.lock().unwrap().received.len()
    }

    fn turns(&self) -> Vec<(u32, Read)> {
        std::mem::take(&mut self.0.lock().unwrap().turns)
    }
}

impl SimpleStream for Notes {
    fn poll_frame(&mut self, _: &mut Context<'_>, _: u64) -> Poll<io::Result<Option<Bytes>>> {
        self.0.lock().unwrap().frames.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

impl FrameReceiver for Notes {
    type Turn = u32;

    fn pauses(&self, _: &mut u32, context: &mut Context<'_>) -> io::Result<bool> {
        let mut noted = self.0.lock().unwrap();
        let pauses = noted.pauses_after.is_some_and(|most| noted.received.len() >= most);
        noted.pausing = pauses.then(|| context.waker().clone());
        Ok(pauses)
    }

    fn receive(
        &self,
        frame: TransportMessage,
        _: &mut Behind<'_>,
        turn: &mut u32,
    ) -> io::Result<bool> {
        let TransportMessage::Bytes(frame) = frame else { panic!("the transport carries bytes") };
        *turn += 1;
        match &*frame {
            NO_FRAME => return Err(io::ErrorKind::InvalidData.into()),
            PANIC => panic!("a frame makes its receiver panic"),
            _ => {}
        }
        let is_long = frame == LONG;
        self.0.lock().unwrap().received.push(frame);
        Ok(is_long)
    }

    fn turn_over(&self, turn: &mut u32, read: Read) {
        self.0.lock().unwrap().turns.push((*turn, read));
    }
}

/// A task, and how often it was woken.
#[derive(Default)]
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Task {
    fn poll(self: &Arc<Self>, reader: &LinkReader<Notes>) -> Poll<io::Error> {
        reader.poll(&mut Context::from_waker(&self.clone().into()))
    }

    /// How often it was woken since it was asked last.
    fn wakes(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

#[test]
fn others_have_a_turn_behind_so_many_frames_and_what_is_left_to_do_outlives_it() {
    let notes = Notes::of([&b"frame"[..]; TURN + 1]);
    let (reader, task) = (notes.reader(), Arc::<Task>::default());
    assert!(task.poll(&reader).is_pending());
    assert_eq!((notes.received(), task.wakes()), (TURN, 1));
    assert!(task.poll(&reader).is_pending());
    // The transport wakes it from here on.
    assert_eq!((notes.received(), task.wakes()), (TURN + 1, 0));
    assert!(task.poll(&reader).is_pending());
    let (first, all) = (TURN as u32, TURN as u32 + 1);
    assert_eq!(notes.turns(), [(first, Read::More), (all, Read::Some), (all, Read::Nothing)]);
}

#[test]
fn a_receiver_ends_the_turn_behind_a_frame_that_costs_much() {
    let notes = Notes::of([b"frame", LONG, b"frame"]);
    let (reader, task) = (notes.reader(), Arc::<Task>::default());
    assert!(task.poll(&reader).is_pending());
    assert_eq!((notes.received(), task.wakes()), (2, 1));
    assert_eq!(notes.turns(), [(2, Read::More)]);
}

#[test]
fn nothing_is_read_while_the_receiver_pauses() {
    let notes = Notes::of([&b"frame"[..]; 3]);
    notes.0.lock().unwrap().pauses_after = Some(2);
    let (reader, task) = (notes.reader(), Arc::<Task>::default());
    assert!(task.poll(&reader).is_pending());
    assert!(task.poll(&reader).is_pending());
    assert_eq!(notes.received(), 2);
    assert_eq!(notes.turns(), [(2, Read::Some), (2, Read::Nothing)]);
    let pausing = {
        let mut noted = notes.0.lock().unwrap();
        noted.pauses_after = None;
        noted.pausing.take().expect("the receiver was asked")
    };
    assert_eq!(task.wakes(), 0);
    pausing.wake();
    assert_eq!(task.wakes(), 1, "the receiver has another task's waker");
    assert!(task.poll(&reader).is_pending());
    assert_eq!(notes.received(), 3);
}

#[test]
fn what_came_in_front_of_an_error_is_seen_to() {
    let notes = Notes::of([b"frame", NO_FRAME]);
    let (reader, task) = (notes.reader(), Arc::<Task>::default());
    let Poll::Ready(error) = task.poll(&reader) else { panic!("the link goes on") };
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(notes.turns(), [(2, Read::Some)]);
}

#[test]
fn the_end_of_the_connection_and_a_transport_that_breaks_end_the_link() {
    let broken = || Err(io::ErrorKind::ConnectionReset.into());
    for (end, kind) in
        [(Ok(None), io::ErrorKind::UnexpectedEof), (broken(), io::ErrorKind::ConnectionReset)]
    {
        let notes = Notes::of([&b"frame"[..]]);
        notes.0.lock().unwrap().frames.push_back(end);
        let (reader, task) = (notes.reader(), Arc::<Task>::default());
        let Poll::Ready(error) = task.poll(&reader) else { panic!("the link goes on") };
        assert_eq!((error.kind(), notes.received()), (kind, 1));
    }
}

#[test]
fn who_waits_for_a_frame_reads_in_place_of_the_task() {
    let notes = Notes::default();
    let (reader, task) = (notes.reader(), Arc::<Task>::default());
    assert!(!reader.look(), "its task has not begun");
    assert!(task.poll(&reader).is_pending());
    assert!(!reader.look());
    notes.come([&b"answer"[..]]);
    assert!(reader.look());
    assert_eq!((notes.received(), task.wakes()), (1, 0));
    // What is more than a turn is the task's again.
    notes.come([&b"frame"[..]; TURN + 1]);
    assert!(reader.look());
    assert_eq!((notes.received(), task.wakes()), (1 + TURN, 1));
    reader.give_up();
    assert_eq!(task.wakes(), 1);
}

#[test]
fn the_task_learns_what_went_wrong_where_another_read() {
    for (frame, kind) in [(NO_FRAME, io::ErrorKind::InvalidData), (PANIC, io::ErrorKind::Other)] {
        let notes = Notes::default();
        let (reader, task) = (notes.reader(), Arc::<Task>::default());
        assert!(task.poll(&reader).is_pending());
        notes.come([frame]);
        assert!(!reader.look());
        assert_eq!(task.wakes(), 1);
        let Poll::Ready(error) = task.poll(&reader) else { panic!("the link goes on") };
        assert_eq!(error.kind(), kind);
    }
}
