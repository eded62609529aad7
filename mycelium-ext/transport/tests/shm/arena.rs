//! Payloads that are read where they lie, and ends of a link that cheat with them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use mycelium_transport::arena::{Arena, PLACED_THRESHOLD, THRESHOLD};
use mycelium_transport::shm::{ShmOptions, ShmTransport};
use mycelium_transport::{FrameSink, FrameStream, Transport, TransportMessage};
use rustix::fs::SealFlags;
use tokio::net::UnixStream;
use tokio::sync::Mutex;

use crate::ends::{Ends, Halves, once, watched};
use crate::hostile::{Hostile, MAKER_BYTES, Offer, memory, refused, send};
use crate::pair;

/// The arena is the process's.
pub(crate) static ALONE: Mutex<()> = Mutex::const_new(());

/// The most that a frame may have in these tests.
const MOST: u64 = 1 << 24;
/// What marks a frame with a descriptor.
pub(crate) const MARKED: u64 = 1 << 63;
/// The word of an end that reads payloads where they lie.
pub(crate) const READS: u32 = 1 << 31;
/// The payloads that a link may have lent at a time, in one direction.
const SLOTS: usize = 1024;
/// The pages of the hostile end's arena.
const PAGES: u32 = 16;
/// Where the taker looks for what its peer gave back.
const GIVEN_BACK: u64 = 1024 + 128;

pub(crate) fn arena() -> Arena {
    Arena::of_process(Arena::DEFAULT_BYTES).unwrap()
}

/// A payload of the arena that tells whether anybody holds it.
struct Watched {
    payload: Bytes,
    _alive: Arc<()>,
}

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.payload
    }
}

/// Whether what was lent is held by its sender.
struct Held(Arc<()>);

impl Held {
    fn is_held(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

fn observed(bytes: usize, value: u8) -> (Bytes, Held) {
    let mut memory = arena().alloc(bytes).unwrap();
    memory.fill(value);
    let alive = Arc::new(());
    let watched = Watched { payload: memory.freeze(), _alive: alive.clone() };
    (Bytes::from_owner(watched), Held(alive))
}

pub(crate) async fn until(what: impl Fn() -> bool) {
    watched(async {
        while !what() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Frames as the sender of a lane writes them: whole ones, and one that ends in a tail.
pub(crate) fn framed(whole: &[&[u8]], head: &[u8], tail: usize) -> Bytes {
    let mut frames = BytesMut::new();
    for frame in whole {
        frames.put_u64(frame.len() as u64);
        frames.put_slice(frame);
    }
    frames.put_u64((head.len() + tail) as u64);
    frames.put_slice(head);
    frames.freeze()
}

pub(crate) fn put(end: &mut Halves, head: &[u8], payload: &Bytes) {
    end.sink.queue_framed(framed(&[], head, payload.len()), payload.clone());
}

pub(crate) async fn next(end: &mut Halves) -> TransportMessage {
    watched(end.stream.frame()).await.unwrap().expect("there is a frame")
}

pub(crate) async fn lent(end: &mut Halves) -> (Bytes, Bytes) {
    match next(end).await {
        TransportMessage::Lent { frame, payload } => (frame, payload),
        other => panic!("it was copied: {other:?}"),
    }
}

pub(crate) async fn halves(options: ShmOptions) -> (Halves, Halves) {
    let (a, b, _) = pair(options).await.split(MOST);
    (a, b)
}

#[tokio::test]
async fn a_payload_of_the_arena_is_read_where_it_lies_and_comes_back() {
    let _alone = ALONE.lock().await;
    let (mut here, mut there) = halves(ShmOptions::default()).await;
    let (payload, held) = observed(1 << 20, 7);
    // Behind another frame, as what was sent before.
    here.sink.queue_framed(framed(&[b"one", b""], b"head", payload.len()), payload.clone());
    watched(here.sink.flush()).await.unwrap();
    for whole in ["one", ""] {
        let TransportMessage::Bytes(frame) = next(&mut there).await else { panic!("it is whole") };
        assert_eq!(frame, whole);
    }
    let (frame, received) = lent(&mut there).await;
    assert_eq!((&frame[..], &received), (&b"head"[..], &payload));
    // Another mapping of the same memory.
    assert!(!arena().holds(&received) && arena().holds(&payload));

    let part = received.slice(5..10);
    drop((payload, received));
    watched(here.sink.flush()).await.unwrap();
    assert!(held.is_held(), "a part of it is held");
    assert_eq!(part, [7; 5].as_slice());
    drop(part);
    watched(here.sink.flush()).await.unwrap();
    assert!(!held.is_held());
    // The slot is free again.
    put(&mut here, b"again", &observed(1 << 20, 8).0);
    watched(here.sink.flush()).await.unwrap();
    assert_eq!(lent(&mut there).await.1, vec![8; 1 << 20]);
}

#[tokio::test]
async fn other_payloads_are_copied_once_and_small_ones_go_through_the_ring() {
    let _alone = ALONE.lock().await;
    let (mut here, mut there) = halves(ShmOptions::default()).await;
    let (small, large) = (Bytes::from(vec![1; THRESHOLD - 1]), Bytes::from(vec![2; THRESHOLD]));
    for payload in [&small, &large, &small] {
        put(&mut here, b"head", payload);
    }
    watched(here.sink.flush()).await.unwrap();
    let TransportMessage::Bytes(frame) = next(&mut there).await else { panic!("it is small") };
    assert_eq!(frame[4..], small);
    assert_eq!(lent(&mut there).await.1, large);
    assert!(matches!(next(&mut there).await, TransportMessage::Bytes(_)));
}

/// Smaller payloads are lent where that takes no copy, and leave half of the slots to large ones.
#[tokio::test]
async fn a_small_payload_is_lent_where_it_lies_in_the_arena() {
    let _alone = ALONE.lock().await;
    let (mut here, mut there) = halves(ShmOptions::default()).await;
    let is_placed = pair(ShmOptions::default()).await.a.channel().lends.unwrap();
    let placed = |bytes: usize| arena().copy(&vec![5; bytes]).unwrap();
    let small = placed(PLACED_THRESHOLD);
    assert!(is_placed(&small) && !is_placed(&[5; PLACED_THRESHOLD]));

    put(&mut here, b"head", &small);
    put(&mut here, b"head", &placed(PLACED_THRESHOLD - 1));
    watched(here.sink.flush()).await.unwrap();
    let mut kept = vec![lent(&mut there).await.1];
    assert_eq!(kept[0], small);
    assert!(matches!(next(&mut there).await, TransportMessage::Bytes(_)), "too small");

    for _ in 1..SLOTS / 2 {
        put(&mut here, b"head", &small);
        watched(here.sink.flush()).await.unwrap();
        kept.push(lent(&mut there).await.1);
    }
    put(&mut here, b"head", &small);
    put(&mut here, b"head", &placed(THRESHOLD));
    watched(here.sink.flush()).await.unwrap();
    let TransportMessage::Bytes(frame) = next(&mut there).await else { panic!("half is lent") };
    assert_eq!(frame[4..], small);
    assert_eq!(lent(&mut there).await.1.len(), THRESHOLD);
    // There is room again.
    kept.clear();
    watched(here.sink.flush()).await.unwrap();
    put(&mut here, b"head", &small);
    watched(here.sink.flush()).await.unwrap();
    assert_eq!(lent(&mut there).await.1, small);
}

#[tokio::test]
async fn without_an_arena_at_either_end_all_is_copied() {
    let _alone = ALONE.lock().await;
    let none = ShmOptions::default().with_arena(0);
    for [a, b] in [[none; 2], [none, ShmOptions::default()], [ShmOptions::default(), none]] {
        let (here, there) = UnixStream::pair().unwrap();
        let (a, b) =
            tokio::try_join!(ShmTransport::offer(here, a), ShmTransport::take(there, b)).unwrap();
        assert!(a.channel().lends.is_none() && b.channel().lends.is_none());
        let (mut a, mut b, _) = Ends::new(a, b).split(MOST);
        let payload = arena().copy(&[3; 2 * THRESHOLD]).unwrap();
        for _ in 0..2 {
            put(&mut a, b"head", &payload);
            watched(a.sink.flush()).await.unwrap();
            let TransportMessage::Bytes(frame) = next(&mut b).await else { panic!("it is copied") };
            assert_eq!(frame[4..], payload);
            std::mem::swap(&mut a, &mut b);
        }
    }
}

/// Beyond the bounds of one link payloads are copied, and are lent again when there is room.
#[tokio::test]
async fn a_peer_that_gives_nothing_back_holds_no_more_than_it_may() {
    let _alone = ALONE.lock().await;
    let (mut here, mut there) = halves(ShmOptions::default()).await;
    let payload = arena().copy(&[4; THRESHOLD]).unwrap();
    let mut held = Vec::new();
    for _ in 0..1024 {
        put(&mut here, b"", &payload);
        watched(here.sink.flush()).await.unwrap();
        held.push(lent(&mut there).await.1);
    }
    for is_copied in [true, false] {
        put(&mut here, b"", &payload);
        watched(here.sink.flush()).await.unwrap();
        let frame = next(&mut there).await;
        assert_eq!(matches!(frame, TransportMessage::Bytes(_)), is_copied, "{frame:?}");
        drop(held.pop());
    }
    drop(held);
    // By bytes.
    let half = arena().alloc(Arena::DEFAULT_BYTES / 2).unwrap().freeze();
    let (mut here, mut there, _) = pair(ShmOptions::default()).await.split(u64::MAX);
    let held = {
        put(&mut here, b"", &half);
        watched(here.sink.flush()).await.unwrap();
        lent(&mut there).await
    };
    // By a second link too: it is the same process.
    let (mut second, mut second_there) = halves(ShmOptions::default()).await;
    for (here, there) in [(&mut here, &mut there), (&mut second, &mut second_there)] {
        put(here, b"", &payload);
        watched(here.sink.flush()).await.unwrap();
        assert!(matches!(next(there).await, TransportMessage::Bytes(_)));
    }
    drop(held);
    put(&mut second, b"", &payload);
    watched(second.sink.flush()).await.unwrap();
    lent(&mut second_there).await;
}

/// It may break its links as often as it likes: what it holds by them keeps memory of this process.
#[tokio::test]
async fn a_peer_that_breaks_its_links_holds_payloads_of_so_many() {
    let _alone = ALONE.lock().await;
    let (payload, _held) = observed(THRESHOLD, 6);
    let mut held = Vec::new();
    let mut is_lent = async || {
        let (mut here, mut there) = halves(ShmOptions::default()).await;
        put(&mut here, b"", &payload);
        watched(here.sink.flush()).await.unwrap();
        match next(&mut there).await {
            TransportMessage::Lent { payload, .. } => held.push(payload),
            copied => assert_eq!(crate::ends::bytes_of(copied).len(), THRESHOLD),
        }
        held.len()
    };
    for link in 1..=16 {
        assert_eq!(is_lent().await, link);
    }
    assert_eq!((is_lent().await, is_lent().await), (16, 16));
    drop(held.pop());
    until(|| arena().usage().payloads < 16).await;
    let is_lent_again = async || {
        let (mut here, mut there) = halves(ShmOptions::default()).await;
        put(&mut here, b"", &payload);
        watched(here.sink.flush()).await.unwrap();
        matches!(next(&mut there).await, TransportMessage::Lent { .. })
    };
    assert!(is_lent_again().await);
}

#[tokio::test]
async fn what_was_lent_outlives_the_link_and_comes_back_when_it_is_dropped() {
    let _alone = ALONE.lock().await;
    let (mut here, mut there) = halves(ShmOptions::default()).await;
    let (payload, held) = observed(THRESHOLD, 5);
    for _ in 0..2 {
        put(&mut here, b"", &payload);
    }
    drop(payload);
    watched(here.sink.flush()).await.unwrap();
    let received = lent(&mut there).await.1;
    assert!(held.is_held());
    drop(here);
    // The other one was never taken out of the ring.
    drop(there);
    let usage = arena().usage();
    assert!(held.is_held(), "{usage:?}");
    assert_eq!(received, vec![5; THRESHOLD]);
    drop(received);
    // A descriptor is closed on a thread of its own.
    until(|| arena().usage().size > 0 && !held.is_held()).await;
}

/// Lent and copied payloads, more than there is room for at a time, keep their order.
#[tokio::test]
async fn frames_keep_their_order_whichever_way_their_payloads_go() {
    let _alone = ALONE.lock().await;
    let (mut here, mut there) = halves(ShmOptions::default().with_ring(4096)).await;
    let size = |number: u32| if number % 3 == 0 { THRESHOLD } else { number as usize % 3000 };
    let sending = async {
        for number in 0..600_u32 {
            let payload = Bytes::from(vec![number as u8; size(number)]);
            put(&mut here, &number.to_be_bytes(), &payload);
            if number % 50 == 0 {
                watched(here.sink.flush()).await.unwrap();
            }
        }
        watched(here.sink.flush()).await.unwrap();
    };
    let receiving = async {
        for number in 0..600_u32 {
            let frame = crate::ends::bytes_of(next(&mut there).await);
            assert_eq!(frame[..4], number.to_be_bytes());
            assert!(frame.len() == 4 + size(number));
            assert!(frame[4..].iter().all(|byte| *byte == number as u8));
        }
    };
    tokio::join!(sending, receiving);
}

/// An offer of the hostile end with an arena.
pub(crate) fn offer(word: u32) -> Offer {
    let mut offer = Offer::default();
    offer.bytes[12..16].copy_from_slice(&word.to_be_bytes());
    offer
}

/// A link to a hostile end that lends out of `PAGES`, and reads.
async fn lending(max_frame: u64) -> (Hostile, Box<dyn FrameSink>, Box<dyn FrameStream>) {
    let lends = memory(u64::from(PAGES) * 4096, SealFlags::SHRINK);
    let descriptors = [lends.as_fd(), lends.as_fd()];
    let (hostile, taken) = Hostile::offer_also(&offer(READS | PAGES), &descriptors).await;
    let (sink, stream) = Box::new(taken.unwrap()).split(max_frame);
    (hostile, sink, stream)
}

/// A frame with a descriptor.
fn marked(head: &[u8], slot: u32, at: u64, length: u64) -> Vec<u8> {
    let mut frame = (MARKED | (head.len() as u64 + 24)).to_be_bytes().to_vec();
    frame.extend_from_slice(head);
    frame.extend_from_slice(&slot.to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(&at.to_be_bytes());
    frame.extend_from_slice(&length.to_be_bytes());
    frame
}

pub(crate) async fn broken(stream: &mut Box<dyn FrameStream>, why: &str) {
    let error = watched(stream.frame()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    assert!(error.to_string().contains(why), "{error}");
}

#[tokio::test]
async fn a_descriptor_that_cannot_be_ends_the_link() {
    let _alone = ALONE.lock().await;
    let whole = u64::from(PAGES) * 4096;
    let cases = [
        (marked(b"", 0, whole, 1), "arena has not"),
        (marked(b"", 0, 0, whole + 1), "arena has not"),
        (marked(b"", 0, u64::MAX, u64::MAX), "arena has not"),
        (marked(b"", 0, 1, u64::MAX), "arena has not"),
        (marked(b"", 0, u64::MAX, 2), "arena has not"),
        (marked(b"", 1024, 0, 1), "lent before"),
        (marked(b"", u32::MAX, 0, 1), "lent before"),
        (marked(b"", 0, 0, 1001), "exceeds"),
        ([&(MARKED | 23).to_be_bytes()[..], &[0; 23]].concat(), "without saying which"),
        ((MARKED | 1001).to_be_bytes().to_vec(), "exceeds"),
        (u64::MAX.to_be_bytes().to_vec(), "exceeds"),
    ];
    for (bytes, why) in cases {
        let (hostile, _sink, mut stream) = lending(1000).await;
        hostile.write(MAKER_BYTES, &bytes);
        hostile.publish(bytes.len() as u64);
        broken(&mut stream, why).await;

        // Taken behind one that is as it should be.
        let (hostile, _sink, mut stream) = lending(1000).await;
        let bytes = [marked(b"good", 1, 0, 1), bytes].concat();
        hostile.write(MAKER_BYTES, &bytes);
        hostile.publish(bytes.len() as u64);
        let first = watched(stream.frame()).await.unwrap();
        assert!(matches!(first, Some(TransportMessage::Lent { .. })));
        assert!(stream.take_ready(&mut Bytes::new()).is_none());
        assert!(stream.take_ready(&mut Bytes::new()).is_none());
        broken(&mut stream, why).await;
    }
}

#[tokio::test]
async fn what_is_lent_is_taken_behind_other_frames_too() {
    let _alone = ALONE.lock().await;
    let (mut here, mut there) = halves(ShmOptions::default()).await;
    let (payload, held) = observed(1 << 20, 7);
    for head in [b"one", b"two"] {
        put(&mut here, head, &payload);
    }
    put(&mut here, b"end", &Bytes::from_static(b"small"));
    watched(here.sink.flush()).await.unwrap();
    let (first, of_first) = lent(&mut there).await;
    let (mut of_second, mut of_third) = (Bytes::new(), Bytes::new());
    let second = there.stream.take_ready(&mut of_second).unwrap();
    let third = there.stream.take_ready(&mut of_third).unwrap();
    assert_eq!((&first[..], &second[..], &third[..]), (&b"one"[..], &b"two"[..], &b"endsmall"[..]));
    assert!(of_first == payload && of_second == payload && of_third.is_empty());
    drop((payload, of_first));
    watched(here.sink.flush()).await.unwrap();
    assert!(held.is_held(), "the second one is held");
    drop(of_second);
    watched(here.sink.flush()).await.unwrap();
    assert!(!held.is_held());
}

#[tokio::test]
async fn a_slot_that_is_lent_twice_ends_the_link() {
    let _alone = ALONE.lock().await;
    let (hostile, _sink, mut stream) = lending(1000).await;
    let bytes = [marked(b"a", 3, 0, 10), marked(b"b", 3, 64, 10)].concat();
    hostile.write(MAKER_BYTES, &bytes);
    hostile.publish(bytes.len() as u64);
    let first = watched(stream.frame()).await.unwrap();
    assert!(matches!(first, Some(TransportMessage::Lent { .. })));
    broken(&mut stream, "lent before").await;
    // What is held is still there.
    drop(first);
}

#[tokio::test]
async fn a_marked_frame_of_an_end_without_an_arena_is_too_large() {
    let _alone = ALONE.lock().await;
    let (hostile, _sink, mut stream) = Hostile::link(1000).await;
    let bytes = marked(b"", 0, 0, 1);
    hostile.write(MAKER_BYTES, &bytes);
    hostile.publish(bytes.len() as u64);
    broken(&mut stream, "exceeds").await;
}

#[tokio::test]
async fn what_was_not_lent_cannot_be_given_back() {
    let _alone = ALONE.lock().await;
    for (at, bits) in [(0, 2_u64), (0, 1 << 63), (120, 1 << 63), (0, u64::MAX)] {
        let (hostile, mut sink, _stream) = lending(1000).await;
        let (payload, held) = observed(THRESHOLD, 6);
        sink.queue_framed(framed(&[], b"", payload.len()), payload);
        watched(sink.flush()).await.unwrap();
        assert!(held.is_held());
        hostile.write(GIVEN_BACK, &1_u64.to_ne_bytes());
        watched(sink.flush()).await.unwrap();
        assert!(!held.is_held(), "it is given back once");
        let payload = observed(THRESHOLD, 7).0;
        sink.queue_framed(framed(&[], b"", payload.len()), payload);
        hostile.write(GIVEN_BACK + at, &bits.to_ne_bytes());
        let flushed = watched(sink.flush()).await;
        // Nobody is asked of a word that no slot is in.
        if at == 0 {
            assert_eq!(flushed.unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}

#[tokio::test]
async fn an_arena_that_is_none_is_refused() {
    let _alone = ALONE.lock().await;
    let sound = || memory(u64::from(PAGES) * 4096, SealFlags::SHRINK);
    let unsealed = memory(u64::from(PAGES) * 4096, SealFlags::GROW);
    let file = std::fs::File::open("/dev/null").unwrap();
    let cases: [(u32, Vec<BorrowedFd<'_>>, &str); 8] = [
        (PAGES, vec![unsealed.as_fd(); 2], "shorter"),
        (PAGES, vec![unsealed.as_fd()], "another number"),
        (PAGES, vec![unsealed.as_fd(); 3], "another number"),
        (PAGES, vec![], "no descriptor"),
        (PAGES, vec![file.as_fd(); 2], "something else than memory"),
        (1, vec![unsealed.as_fd(); 2], "shorter"),
        (0, vec![unsealed.as_fd(); 2], "no bytes"),
        (READS - 1, vec![unsealed.as_fd(); 2], "too many"),
    ];
    for (word, descriptors, why) in cases {
        let error = Hostile::offer_also(&offer(word), &descriptors).await.1.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    let sealed = sound();
    let error = Hostile::offer_also(&offer(PAGES + 1), &[sealed.as_fd(); 2]).await.1.unwrap_err();
    assert!(error.to_string().contains("65536 bytes"), "{error}");
    refused(offer(PAGES), "no descriptor").await;
}

/// An answer is checked as an offer is.
#[tokio::test]
async fn an_answer_with_an_arena_that_is_none_is_refused() {
    let _alone = ALONE.lock().await;
    let unsealed = memory(u64::from(PAGES) * 4096, SealFlags::GROW);
    let answer = [&[1][..], &PAGES.to_be_bytes()].concat();
    for (descriptors, why) in
        [(vec![unsealed.as_fd(); 2], "shorter"), (vec![unsealed.as_fd()], "another number")]
    {
        let (here, there) = UnixStream::pair().unwrap();
        let there = there.into_std().unwrap();
        send(&there, &answer, &descriptors);
        let error = watched(ShmTransport::offer(here, ShmOptions::default())).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

/// The arena has a bound of its own, and the others are served from the rest.
#[tokio::test]
async fn a_full_arena_refuses_nobody() {
    let _alone = ALONE.lock().await;
    let (mut here, mut there) = halves(ShmOptions::default()).await;
    let mut held = Vec::new();
    while let Ok(memory) = arena().alloc(1 << 20) {
        held.push(memory);
    }
    let payload = Bytes::from(vec![8; 2 << 20]);
    put(&mut here, b"", &payload);
    let (flushed, frame) = tokio::join!(watched(here.sink.flush()), next(&mut there));
    flushed.unwrap();
    assert!(matches!(frame, TransportMessage::Bytes(frame) if frame == payload));
    assert!(once(there.stream.frame()).await.is_none());
    drop(held);
}
