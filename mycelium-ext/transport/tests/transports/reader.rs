//! Frames out of a stream of bytes that arrives as it likes.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use mycelium_transport::FrameStream;
use mycelium_transport::frames::FrameReader;
use proptest::prelude::*;
use tokio::io::{AsyncRead, ReadBuf};

use crate::ends::bytes_of;

const MIB: usize = 1024 * 1024;
/// What a reader may hold whatever comes.
const BLOCK: usize = 256 * 1024;

/// Serves pieces, each by reads of its own; an empty piece is a read that has to wait.
#[derive(Default)]
struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    reads: Arc<AtomicUsize>,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let Some(mut piece) = self.pieces.pop_front() else { return Poll::Ready(Ok(())) };
        if piece.is_empty() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let rest = piece.split_off(piece.len().min(buf.remaining()));
        buf.put_slice(&piece);
        if !rest.is_empty() {
            self.pieces.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

impl Pieces {
    fn of(pieces: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self { pieces: pieces.into_iter().collect(), ..Self::default() }
    }
}

/// As stock writes them.
fn encoded<'a>(frames: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        bytes.extend((frame.len() as u64).to_be_bytes());
        bytes.extend(frame);
    }
    bytes
}

async fn next(reader: &mut FrameReader<Pieces>) -> io::Result<Option<Bytes>> {
    poll_fn(|context| reader.poll_bytes(context)).await
}

fn run<T>(future: impl std::future::Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Cuts `bytes` into pieces of the lengths in turn.
fn cut(bytes: &[u8], lengths: &[usize]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut pieces = Vec::new();
    for &length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(length.min(rest.len()));
        pieces.push(piece.to_vec());
        rest = after;
    }
    pieces
}

fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let length = prop_oneof![
        6 => 0..100_usize,
        3 => 0..20_000_usize,
        1 => 30_000..300_000_usize,
    ];
    let frame = (length, any::<u8>()).prop_map(|(length, first)| {
        let mut frame = vec![first; length];
        frame.iter_mut().step_by(101).enumerate().for_each(|(at, byte)| *byte = at as u8);
        frame
    });
    prop::collection::vec(frame, 0..40)
}

/// Lengths of pieces. At least one is not empty.
fn cuts() -> impl Strategy<Value = Vec<usize>> {
    let length = prop_oneof![
        1 => Just(0_usize),
        3 => 1..20_usize,
        3 => 1..5_000_usize,
        2 => 60_000..200_000_usize,
    ];
    prop::collection::vec(length, 1..10)
        .prop_filter("nothing would arrive", |lengths| lengths.iter().any(|&length| length > 0))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn frames_do_not_depend_on_how_they_arrive(frames in frames(), cuts in cuts(), keep: bool) {
        run(async {
            let mut reader =
                FrameReader::new(Pieces::of(cut(&encoded(&frames), &cuts)), u64::MAX);
            let mut kept = Vec::new();
            for frame in &frames {
                let got = next(&mut reader).await.unwrap().unwrap();
                assert!(got == frame, "{} bytes, not {}", got.len(), frame.len());
                let largest = frames.iter().map(Vec::len).max().unwrap_or_default();
                assert!(reader.allocated() <= BLOCK + largest);
                if keep {
                    kept.push(got);
                }
            }
            assert!(next(&mut reader).await.unwrap().is_none());
            // What was handed out is not written to again.
            assert!(kept.iter().zip(&frames).all(|(kept, frame)| kept == frame));
        });
    }

    #[test]
    fn frames_are_the_same_where_some_are_taken_behind_others(
        frames in frames(), cuts in cuts(), most in 0..20_usize,
    ) {
        run(async {
            let pieces = Pieces::of(cut(&encoded(&frames), &cuts));
            let mut stream: Box<dyn FrameStream> = Box::new(FrameReader::new(pieces, u64::MAX));
            let mut expected = frames.iter();
            while let Some(frame) = stream.frame().await.unwrap() {
                assert!(bytes_of(frame) == expected.next().unwrap());
                for _ in 0..most {
                    let mut lent = Bytes::new();
                    let Some(frame) = stream.take_ready(&mut lent) else { break };
                    assert!(frame == expected.next().unwrap() && lent.is_empty());
                }
            }
            assert!(expected.next().is_none());
        });
    }

    #[test]
    fn a_frame_that_is_cut_off_is_never_an_end(
        frames in frames(), cuts in cuts(), at: prop::sample::Index,
    ) {
        run(async {
            let bytes = encoded(&frames);
            let cut_at = at.index(bytes.len() + 1);
            let mut reader = FrameReader::new(Pieces::of(cut(&bytes[..cut_at], &cuts)), u64::MAX);
            let mut whole = 0;
            for frame in &frames {
                if whole + 8 + frame.len() > cut_at {
                    break;
                }
                whole += 8 + frame.len();
                assert!(next(&mut reader).await.unwrap().unwrap() == frame);
            }
            match next(&mut reader).await {
                Ok(None) => assert_eq!(whole, cut_at),
                Ok(Some(_)) => panic!("a frame that never arrived"),
                Err(error) => {
                    assert_ne!(whole, cut_at);
                    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                }
            }
        });
    }
}

#[tokio::test]
async fn what_is_taken_behind_a_frame_has_the_bound_of_frames_and_of_a_turn() {
    let frames = [vec![1; 9], vec![2; 9], vec![3; 10], vec![4; 9]];
    let pieces = Pieces::of([encoded(&frames)]);
    let mut stream: Box<dyn FrameStream> = Box::new(FrameReader::new(pieces, 9));
    assert_eq!(bytes_of(stream.frame().await.unwrap().unwrap()), frames[0]);
    assert_eq!(stream.take_ready(&mut Bytes::new()).unwrap(), frames[1]);
    assert!(stream.take_ready(&mut Bytes::new()).is_none());
    stream.frame().await.unwrap_err();

    let pieces = Pieces::of([encoded(&vec![vec![7; 8]; 1000])]);
    let mut stream: Box<dyn FrameStream> = Box::new(FrameReader::new(pieces, 9));
    let mut turns = 0;
    let mut context = Context::from_waker(Waker::noop());
    let mut left = 1000;
    while left > 0 {
        turns += 1;
        let Poll::Ready(frame) = stream.poll_frame(&mut context) else { continue };
        frame.unwrap().unwrap();
        left -= 1;
        while stream.take_ready(&mut Bytes::new()).is_some() {
            left -= 1;
        }
    }
    // 256 frames, and a turn for others, four times.
    assert_eq!(turns, 4 + 3);
}

#[tokio::test]
async fn frames_that_have_come_are_taken_either_way_and_have_the_bound_of_the_time() {
    let frames = [vec![1; 9], vec![2; 9], vec![3; 9], vec![4; 12], vec![5; 9], vec![6; 20]];
    let mut reader = FrameReader::new(Pieces::of([encoded(&frames)]), 15);
    let frame = poll_fn(|context| FrameStream::poll_frame(&mut reader, context)).await;
    assert_eq!(bytes_of(frame.unwrap().unwrap()), frames[0]);
    assert_eq!(reader.take_ready(&mut Bytes::new()).unwrap(), frames[1]);
    assert_eq!(next(&mut reader).await.unwrap().unwrap(), frames[2]);

    // Less than one that has come, and then more than all.
    reader.set_max_frame(9);
    assert!(reader.take_ready(&mut Bytes::new()).is_none());
    next(&mut reader).await.unwrap_err();
    reader.set_max_frame(20);
    assert_eq!(next(&mut reader).await.unwrap().unwrap(), frames[3]);
    assert_eq!(reader.take_ready(&mut Bytes::new()).unwrap(), frames[4]);
    reader.set_max_frame(30);
    assert_eq!(reader.take_ready(&mut Bytes::new()).unwrap(), frames[5]);
    assert!(next(&mut reader).await.unwrap().is_none());
}

#[tokio::test]
async fn a_reader_is_given_back_between_frames_only() {
    let frames = [vec![1; 9], vec![2; 9], vec![3; 9]];
    for (read, is_between) in [(0, true), (1, false), (2, false), (3, true)] {
        let pieces = Pieces::of([encoded(&frames)]);
        let mut stream: Box<dyn FrameStream> = Box::new(FrameReader::new(pieces, 9));
        for _ in 0..read {
            stream.frame().await.unwrap().unwrap();
        }
        assert_eq!(stream.into_reader().is_some(), is_between, "behind {read} frames");
    }
}

/// Serves a header, and must not be read from again.
struct HeaderOnly(Option<[u8; 8]>);

impl AsyncRead for HeaderOnly {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buf.put_slice(&self.0.take().expect("it was read from after the header"));
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_frame_that_is_too_large_is_refused_by_its_header() {
    let beyond_memory = isize::MAX as u64 + 1;
    for (length, limit, why) in [
        (5, 4, "exceeds configured limit"),
        (u64::MAX, 16 * MIB as u64, "exceeds configured limit"),
        (beyond_memory, u64::MAX, "could not be allocated"),
        (u64::MAX, u64::MAX, "could not be allocated"),
    ] {
        let mut reader = FrameReader::new(HeaderOnly(Some(length.to_be_bytes())), limit);
        let before = reader.allocated();
        for _ in 0..2 {
            let error = poll_fn(|context| reader.poll_bytes(context)).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(error.to_string().contains(why), "{error}");
        }
        assert!(reader.allocated() <= before + BLOCK);
    }
}

/// A stream that has what it is fed, and waits for more.
#[derive(Clone, Default)]
struct Fed {
    bytes: Arc<Mutex<VecDeque<u8>>>,
    asked: Arc<AtomicUsize>,
}

impl Fed {
    fn feed(&self, bytes: impl IntoIterator<Item = u8>) {
        self.bytes.lock().unwrap().extend(bytes);
    }
}

impl AsyncRead for Fed {
    fn poll_read(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.asked.fetch_max(buf.remaining(), Ordering::Relaxed);
        let mut bytes = self.bytes.lock().unwrap();
        if bytes.is_empty() {
            return Poll::Pending;
        }
        let count = bytes.len().min(buf.remaining());
        buf.put_slice(&bytes.drain(..count).collect::<Vec<_>>());
        Poll::Ready(Ok(()))
    }
}

fn header(length: usize) -> [u8; 8] {
    (length as u64).to_be_bytes()
}

#[test]
fn a_length_that_is_a_lie_gets_memory_for_what_arrives_only() {
    let stream = Fed::default();
    let mut reader = FrameReader::new(stream.clone(), 16 * MIB as u64);
    let mut context = Context::from_waker(Waker::noop());
    stream.feed(header(16 * MIB));
    let mut arrived = 0;
    for size in [0, 1, 1000, 60_000, 70_000, 300_000, 1, 2 * MIB] {
        stream.feed(vec![9; size]);
        arrived += size;
        assert!(reader.poll_bytes(&mut context).is_pending());
        let allocated = reader.allocated();
        assert!(allocated <= 64 * 1024 + 2 * arrived, "{allocated} for {arrived}");
        assert!(stream.asked.load(Ordering::Relaxed) <= 64 * 1024 + arrived);
    }
    stream.feed(vec![9; 16 * MIB - arrived]);
    let Poll::Ready(Ok(Some(frame))) = reader.poll_bytes(&mut context) else {
        panic!("it was no lie");
    };
    assert!(frame == vec![9; 16 * MIB]);
}

#[test]
fn a_peer_that_sends_large_frames_is_believed_the_next_one() {
    let stream = Fed::default();
    let mut reader = FrameReader::new(stream.clone(), u64::MAX);
    let mut context = Context::from_waker(Waker::noop());
    stream.feed(header(4 * MIB));
    stream.feed(vec![1; 4 * MIB]);
    assert!(reader.poll_bytes(&mut context).is_ready());
    for (claimed, given) in [(4 * MIB, 4 * MIB), (64 * MIB, 4 * MIB)] {
        stream.feed(header(claimed));
        stream.feed([1]);
        assert!(reader.poll_bytes(&mut context).is_pending());
        assert_eq!(reader.allocated(), given);
        if claimed == given {
            stream.feed(vec![1; claimed - 1]);
            assert!(reader.poll_bytes(&mut context).is_ready());
        }
    }
}

#[tokio::test]
async fn many_small_frames_cost_one_read() {
    let frames: Vec<_> = (0..1000).map(|number: usize| vec![number as u8; 40]).collect();
    let pieces = Pieces::of([encoded(&frames)]);
    let reads = pieces.reads.clone();
    let mut reader = FrameReader::new(pieces, 40);
    for frame in &frames {
        assert!(next(&mut reader).await.unwrap().unwrap() == frame);
    }
    assert_eq!(reads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn small_frames_stay_where_they_were_read_to() {
    let frames = vec![vec![1; 100]; 3];
    let mut reader = FrameReader::new(Pieces::of([encoded(&frames)]), 100);
    let mut places = Vec::new();
    let mut kept = Vec::new();
    while let Some(frame) = next(&mut reader).await.unwrap() {
        places.push(frame.as_ptr() as usize);
        kept.push(frame);
    }
    assert_eq!(places[1] - places[0], 108);
    assert_eq!(places[2] - places[1], 108);
}

#[tokio::test]
async fn memory_is_used_again_when_frames_are_gone() {
    let frames = vec![vec![1; 1000]; 1000];
    let mut reader = FrameReader::new(Pieces::of(cut(&encoded(&frames), &[10_000])), 1000);
    let mut places = std::collections::BTreeSet::new();
    while let Some(frame) = next(&mut reader).await.unwrap() {
        places.insert(frame.as_ptr() as usize);
    }
    // A megabyte went through a block of 64 KiB.
    let span = places.last().unwrap() - places.first().unwrap();
    assert!(span < 64 * 1024, "{span}");
}

#[tokio::test]
async fn a_large_frame_leaves_no_large_buffer_behind() {
    let mut frames = vec![vec![1; 16 * MIB]];
    frames.extend(vec![vec![2; 100]; 100]);
    let mut reader = FrameReader::new(Pieces::of([encoded(&frames)]), u64::MAX);
    for (number, frame) in frames.iter().enumerate() {
        assert!(next(&mut reader).await.unwrap().unwrap() == frame);
        assert!(reader.allocated() <= BLOCK, "{} after frame {number}", reader.allocated());
    }
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn others_get_a_turn_between_frames_that_are_there() {
    let frames = vec![vec![]; 2000];
    let mut reader = FrameReader::new(Pieces::of([encoded(&frames)]), 0);
    let woken = Arc::new(Woken::default());
    let waker = woken.clone().into();
    let mut context = Context::from_waker(&waker);
    let (mut got, mut turns) = (0, 0);
    loop {
        match FrameStream::poll_frame(&mut reader, &mut context) {
            Poll::Ready(Ok(Some(frame))) => {
                assert!(bytes_of(frame).is_empty());
                got += 1;
            }
            Poll::Ready(Ok(None)) => break,
            Poll::Ready(Err(error)) => panic!("{error}"),
            Poll::Pending => {
                turns += 1;
                assert_eq!(woken.0.load(Ordering::Relaxed), turns, "the task would sleep");
            }
        }
    }
    assert_eq!(got, 2000);
    assert!((4..=20).contains(&turns), "{turns}");
}
