//! Frames into a stream of bytes that takes as much as it likes.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use mycelium_transport::frames::FrameWriter;
use mycelium_transport::{FrameSink, TransportMessage};
use proptest::prelude::*;
use tokio::io::AsyncWrite;

/// What a stream has seen.
#[derive(Default)]
struct Seen {
    bytes: Vec<u8>,
    /// Where the slices were, and how long.
    slices: Vec<(usize, usize)>,
    writes: usize,
    flushes: usize,
    /// Bytes that were written and not flushed.
    unflushed: usize,
}

/// Takes as many bytes at a time as it is told in turn; none is a write that has to wait.
struct Choosy {
    vectored: bool,
    takes: VecDeque<usize>,
    seen: Arc<Mutex<Seen>>,
}

impl Choosy {
    fn new(vectored: bool, takes: impl IntoIterator<Item = usize>) -> Self {
        Self { vectored, takes: takes.into_iter().collect(), seen: Arc::default() }
    }

    /// How much is taken this time.
    fn turn(&mut self) -> Option<usize> {
        let turn = self.takes.pop_front().unwrap_or(usize::MAX);
        if self.takes.capacity() > 0 && turn != usize::MAX {
            self.takes.push_back(turn);
        }
        (turn > 0).then_some(turn)
    }

    fn take(&mut self, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let Some(mut left) = self.turn() else { return Poll::Pending };
        let mut seen = self.seen.lock().unwrap();
        seen.writes += 1;
        let mut taken = 0;
        for slice in slices {
            let part = &slice[..slice.len().min(left)];
            seen.slices.push((slice.as_ptr() as usize, slice.len()));
            seen.bytes.extend(part);
            taken += part.len();
            left -= part.len();
        }
        seen.unflushed += taken;
        Poll::Ready(Ok(taken))
    }
}

impl AsyncWrite for Choosy {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.take(&[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        assert!(self.vectored, "it was not asked");
        self.take(slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }

    fn poll_flush(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.turn().is_none() {
            return Poll::Pending;
        }
        let mut seen = self.seen.lock().unwrap();
        seen.flushes += 1;
        seen.unflushed = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn queue(writer: &mut FrameWriter<Choosy>, frame: &Bytes) {
    writer.queue(TransportMessage::Bytes(frame.clone())).unwrap();
}

/// The same frame, in two parts.
fn queue_parts(writer: &mut FrameWriter<Choosy>, frame: &Bytes) {
    let mut head = frame.clone();
    let payload = head.split_off(head.len().min(9));
    writer.queue_parts(head, payload).unwrap();
}

fn poll_flush(writer: &mut FrameWriter<Choosy>) -> Poll<io::Result<()>> {
    writer.poll_flush(&mut Context::from_waker(Waker::noop()))
}

/// As stock writes them.
fn encoded(frames: &[Bytes]) -> Vec<u8> {
    let header = |frame: &Bytes| (frame.len() as u64).to_be_bytes();
    frames.iter().flat_map(|frame| [&header(frame)[..], frame].concat()).collect()
}

fn frames() -> impl Strategy<Value = Vec<Bytes>> {
    let length = prop_oneof![6 => 0..100_usize, 3 => 7_000..9_000_usize, 1 => 60_000..90_000_usize];
    let frame = (length, any::<u8>()).prop_map(|(length, first)| {
        let mut frame = vec![first; length];
        frame.iter_mut().step_by(101).enumerate().for_each(|(at, byte)| *byte = at as u8);
        frame.into()
    });
    prop::collection::vec(frame, 0..60)
}

/// How much the stream takes, time after time; something at some time.
fn takes() -> impl Strategy<Value = Vec<usize>> {
    let take = prop_oneof![Just(0_usize), 1..50_usize, 1..20_000_usize, Just(1 << 30)];
    prop::collection::vec(take, 1..12)
        .prop_filter("nothing would be written", |takes| takes.iter().any(|&take| take > 0))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_does_not_depend_on_how_it_is_taken(
        frames in frames(), takes in takes(), vectored: bool, batches in prop::collection::vec(1..20_usize, 1..6),
        parts in prop::collection::vec(any::<bool>(), 60),
    ) {
        let stream = Choosy::new(vectored, takes);
        let seen = stream.seen.clone();
        let mut writer = FrameWriter::new(stream);
        let mut left = &frames[..];
        for &batch in batches.iter().cycle() {
            if left.is_empty() {
                break;
            }
            let (now, later) = left.split_at(batch.min(left.len()));
            left = later;
            for (frame, &parts) in now.iter().zip(&parts) {
                let queue = if parts { queue_parts } else { queue };
                queue(&mut writer, frame);
            }
            // Given up, and taken up again behind the next batch.
            let _ = poll_flush(&mut writer).map(Result::unwrap);
            let queued: usize = frames[..frames.len() - left.len()].iter().map(|it| 8 + it.len()).sum();
            prop_assert_eq!(writer.queued_bytes() + seen.lock().unwrap().bytes.len(), queued);
        }
        while poll_flush(&mut writer).map(Result::unwrap).is_pending() {}
        let seen = seen.lock().unwrap();
        prop_assert_eq!(writer.queued_bytes(), 0);
        prop_assert_eq!(seen.unflushed, 0);
        prop_assert!(seen.bytes == encoded(&frames));
    }
}

#[test]
fn small_frames_go_in_one_write() {
    for vectored in [false, true] {
        let stream = Choosy::new(vectored, []);
        let seen = stream.seen.clone();
        let mut writer = FrameWriter::new(stream);
        let frames = vec![Bytes::from(vec![1; 40]); 500];
        frames.iter().for_each(|frame| queue(&mut writer, frame));
        assert!(poll_flush(&mut writer).is_ready());
        let seen = seen.lock().unwrap();
        assert_eq!((seen.writes, seen.flushes), (1, 1));
        assert!(seen.bytes == encoded(&frames));
    }
}

#[test]
fn large_frames_are_written_from_where_they_are() {
    let stream = Choosy::new(true, []);
    let seen = stream.seen.clone();
    let mut writer = FrameWriter::new(stream);
    let large = Bytes::from(vec![1; 100_000]);
    let small = Bytes::from(vec![2; 10]);
    let frames = [small.clone(), large.clone(), small.clone(), large.clone(), small];
    frames.iter().for_each(|frame| queue(&mut writer, frame));
    assert!(poll_flush(&mut writer).is_ready());
    let seen = seen.lock().unwrap();
    assert_eq!(seen.writes, 1);
    let place = (large.as_ptr() as usize, large.len());
    assert_eq!(seen.slices.iter().filter(|&&slice| slice == place).count(), 2);
    assert!(seen.bytes == encoded(&frames));
}

#[test]
fn nothing_queued_is_nothing_written() {
    let stream = Choosy::new(true, []);
    let seen = stream.seen.clone();
    let mut writer = FrameWriter::new(stream);
    assert!(poll_flush(&mut writer).is_ready());
    let seen = seen.lock().unwrap();
    assert_eq!((seen.writes, seen.flushes), (0, 0));
}

#[test]
fn a_stream_that_takes_nothing_more_is_an_error() {
    struct Full;
    impl AsyncWrite for Full {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(0))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    let mut writer = FrameWriter::new(Full);
    writer.queue_bytes(Bytes::from("lost"));
    let Poll::Ready(Err(error)) = writer.poll_flush(&mut Context::from_waker(Waker::noop())) else {
        panic!("it was taken for written");
    };
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
}
