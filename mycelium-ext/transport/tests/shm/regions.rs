//! Payloads of a third process that are passed on where they lie, and ends of a link that cheat
//! with the regions that this takes.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bytes::Bytes;
use mycelium_transport::arena::THRESHOLD;
use mycelium_transport::shm::{ShmOptions, ShmTransport};
use mycelium_transport::{FrameSink, FrameStream, Transport, TransportMessage};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::SealFlags;
use rustix::net::RecvFlags;

use crate::arena::{ALONE, MARKED, READS, arena, broken, framed, halves, lent, offer, put, until};
use crate::ends::{Halves, watched};
use crate::hostile::{Hostile, MAKER_BYTES, memory, send};

/// The pages of the arena of another process.
const PAGES: u32 = (2 * THRESHOLD / 4096) as u32;
const BYTES: u64 = PAGES as u64 * 4096;
/// The most regions of a direction.
const MOST: u32 = 4;
/// Where the maker looks for what its peer gave back, and where it says that it takes regions.
const GIVEN_BACK: u64 = 1024;
const ABILITIES: u64 = 1024 + 2 * 128;
/// The bytes of a taker's answer.
const ANSWER: usize = 5;

/// A frame that lends out of a region.
fn marked(slot: u32, region: u32, at: u64, length: u64) -> Vec<u8> {
    let mut frame = (MARKED | 24).to_be_bytes().to_vec();
    frame.extend([slot, region].iter().flat_map(|it| it.to_be_bytes()));
    frame.extend([at, length].iter().flat_map(|it| it.to_be_bytes()));
    frame
}

/// What goes over the socket before it.
pub(crate) fn message(number: u32, pages: u32) -> Vec<u8> {
    [&b"myregion"[..], &number.to_be_bytes(), &pages.to_be_bytes()].concat()
}

/// Another process, with an arena of its own, that lends to this one.
struct Owner {
    hostile: Hostile,
    link: Option<(Box<dyn FrameSink>, Box<dyn FrameStream>)>,
    memory: OwnedFd,
    /// The end of the pipe whose other end is open as long as anything is held.
    pipe: OwnedFd,
    sent: u64,
}

impl Owner {
    async fn new() -> Self {
        let memory = memory(BYTES, SealFlags::SHRINK);
        let (pipe, other) = rustix::pipe::pipe().unwrap();
        let descriptors = [memory.as_fd(), other.as_fd()];
        let (hostile, taken) = Hostile::offer_also(&offer(PAGES), &descriptors).await;
        let link = Some(Box::new(taken.unwrap()).split(1 << 20));
        Self { hostile, link, memory, pipe, sent: 0 }
    }

    /// Writes to its memory, also while it is read.
    fn write(&self, value: u8) {
        rustix::io::pwrite(&self.memory, &vec![value; BYTES as usize], 0).unwrap();
    }

    async fn lend(&mut self, slot: u32) -> Bytes {
        let frame = marked(slot, 0, 0, THRESHOLD as u64);
        self.hostile.write(MAKER_BYTES + self.sent, &frame);
        self.sent += frame.len() as u64;
        self.hostile.publish(self.sent);
        let (_, stream) = self.link.as_mut().unwrap();
        match watched(stream.frame()).await.unwrap() {
            Some(TransportMessage::Lent { payload, .. }) => payload,
            other => panic!("it was copied: {other:?}"),
        }
    }

    /// A bit for each payload.
    fn given_back(&self) -> u64 {
        self.hostile.word(GIVEN_BACK)
    }

    /// Whether nothing of it is held.
    fn is_alone(&self) -> bool {
        let mut polled = [PollFd::new(&self.pipe, PollFlags::empty())];
        rustix::event::poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap();
        polled[0].revents().contains(PollFlags::HUP)
    }
}

async fn flush(end: &mut Halves) {
    watched(end.sink.flush()).await.unwrap();
}

/// Sends a payload on, and returns what arrives.
async fn passed((here, there): &mut (Halves, Halves), payload: &Bytes) -> Bytes {
    put(here, b"head", payload);
    flush(here).await;
    lent(there).await.1
}

#[tokio::test]
async fn a_payload_of_another_process_is_passed_on_where_it_lies() {
    let _alone = ALONE.lock().await;
    let mut owner = Owner::new().await;
    let mut second = halves(ShmOptions::default()).await;
    let mut third = halves(ShmOptions::default()).await;
    let used = arena().usage().used;
    owner.write(1);
    let first = owner.lend(3).await;
    let passed_on = passed(&mut second, &first.slice(..)).await;
    let further = passed(&mut third, &passed_on).await;
    let usage = arena().usage();
    assert_eq!((usage.payloads, usage.relayed, usage.used), (2, 2, used));
    assert_ne!(first.as_ptr(), passed_on.as_ptr());
    assert_ne!(passed_on.as_ptr(), further.as_ptr());
    // All of them are the memory of its owner.
    owner.write(2);
    for payload in [&first, &passed_on, &further] {
        assert_eq!(payload, &vec![2; THRESHOLD]);
    }

    drop((first, passed_on));
    flush(&mut second.0).await;
    flush(&mut third.0).await;
    assert_eq!(owner.given_back(), 0);
    drop(further);
    // Each hears of it when it sends.
    flush(&mut third.0).await;
    flush(&mut second.0).await;
    assert_eq!(owner.given_back(), 1 << 3);
    assert_eq!(arena().usage().relayed, 0);
    assert!(!owner.is_alone(), "there is the link");
}

/// The process between need not send anything for it.
#[tokio::test]
async fn what_was_passed_on_is_back_when_its_owner_lends_the_next() {
    let _alone = ALONE.lock().await;
    let mut owner = Owner::new().await;
    let mut ends = halves(ShmOptions::default()).await;
    let payload = owner.lend(3).await;
    drop(passed(&mut ends, &payload).await);
    drop(payload);
    assert_eq!(owner.given_back(), 0);
    let _next = owner.lend(4).await;
    assert_eq!(owner.given_back(), 1 << 3);
}

/// What is passed on keeps the pipe of its owner open, beyond the end of each link on the way.
#[tokio::test]
async fn an_owner_is_told_when_the_last_reader_lets_go() {
    let _alone = ALONE.lock().await;
    let mut owner = Owner::new().await;
    let mut second = halves(ShmOptions::default()).await;
    owner.write(1);
    let first = owner.lend(0).await;
    let held = passed(&mut second, &first).await;
    drop(first);
    owner.link = None;
    drop(second);
    assert!(!owner.is_alone());
    // The end of the link is seen to, and what it passed is read still. A thread closes what the
    // link held, so it is looked for a while.
    for _ in 0..10_000 {
        assert_eq!((arena().usage().payloads, owner.given_back()), (1, 0));
        std::thread::yield_now();
    }
    owner.write(4);
    assert_eq!(held, vec![4; THRESHOLD]);
    drop(held);
    until(|| arena().usage().payloads == 0 && owner.is_alone()).await;
    assert_eq!(owner.given_back(), 1);
}

#[tokio::test]
async fn what_is_of_further_arenas_than_a_link_takes_is_copied() {
    let _alone = ALONE.lock().await;
    let mut ends = halves(ShmOptions::default()).await;
    let mut owners = Vec::new();
    let mut held = Vec::new();
    for number in 1..=MOST {
        let mut owner = Owner::new().await;
        owner.write(number as u8);
        let payload = owner.lend(0).await;
        held.push((passed(&mut ends, &payload).await, payload));
        assert_eq!(arena().usage().relayed, number as usize);
        owners.push(owner);
    }
    let mut last = Owner::new().await;
    last.write(9);
    let payload = last.lend(0).await;
    let used = arena().usage().used;
    let copied = passed(&mut ends, &payload).await;
    assert_eq!(copied, vec![9; THRESHOLD]);
    let usage = arena().usage();
    assert_eq!((usage.relayed, usage.used), (MOST as usize, used + THRESHOLD));
    last.write(10);
    assert_eq!(copied, vec![9; THRESHOLD]);

    // There is room again when a link to one of them is over, and all is given back.
    drop(owners.pop());
    drop(held.pop());
    flush(&mut ends.0).await;
    let again = passed(&mut ends, &payload).await;
    assert_eq!(again, vec![10; THRESHOLD]);
    assert_eq!(arena().usage().relayed, MOST as usize);
    for ((received, payload), number) in held.iter().zip(1_u8..) {
        assert_eq!(
            (received, payload),
            (&vec![number; THRESHOLD].into(), &vec![number; THRESHOLD].into())
        );
    }
}

/// What a peer sends back lies in the arena of this process still: it needs no region.
#[tokio::test]
async fn what_comes_back_to_its_owner_is_lent_as_its_own() {
    let _alone = ALONE.lock().await;
    let mut ends = halves(ShmOptions::default()).await;
    let mut others = Vec::new();
    for _ in 0..MOST {
        let mut owner = Owner::new().await;
        let payload = owner.lend(0).await;
        others.push((passed(&mut ends, &payload).await, payload, owner));
    }
    let used = arena().usage().used;
    let own = arena().copy(&[5; THRESHOLD]).unwrap();
    let mut payload = own.clone();
    for _ in 0..3 {
        payload = passed(&mut ends, &payload).await;
    }
    assert_eq!(payload, own);
    assert_eq!(arena().usage().used, used + THRESHOLD);
}

/// The hostile end of a link that reads, and what the good end sends over the socket.
async fn reading(abilities: u64) -> (Hostile, Box<dyn FrameSink>, Box<dyn FrameStream>) {
    let lends = memory(BYTES, SealFlags::SHRINK);
    let (here, there) = tokio::net::UnixStream::pair().unwrap();
    // So that little fits in.
    rustix::net::sockopt::set_socket_send_buffer_size(&there, 1).unwrap();
    let hostile = Hostile::offering(
        here.into_std().unwrap(),
        &offer(READS | PAGES),
        &[lends.as_fd(), lends.as_fd()],
    );
    hostile.write(ABILITIES, &abilities.to_ne_bytes());
    let taken = watched(ShmTransport::take(there, ShmOptions::default())).await.unwrap();
    let (sink, stream) = Box::new(taken).split(1 << 20);
    let mut answer = [0; ANSWER];
    assert_eq!(received(&hostile, &mut answer), Some(ANSWER));
    (hostile, sink, stream)
}

fn received(hostile: &Hostile, bytes: &mut [u8]) -> Option<usize> {
    match rustix::net::recv(&hostile.socket, bytes, RecvFlags::DONTWAIT) {
        Ok((_, count)) => Some(count),
        Err(error) => {
            assert_eq!(error, rustix::io::Errno::AGAIN);
            None
        }
    }
}

/// It would end its link: what it does not know, it takes for a fault.
#[tokio::test]
async fn an_end_of_an_older_build_is_passed_no_region() {
    let _alone = ALONE.lock().await;
    // Of what a newer one may say nothing is known here. 2 is for an end that reads nothing yet.
    for (abilities, is_passed) in [(0, false), (1, true), (4, false), (!2, true)] {
        let (hostile, mut sink, _stream) = reading(abilities).await;
        let mut owner = Owner::new().await;
        let payload = owner.lend(0).await;
        sink.queue_framed(framed(&[], b"", payload.len()), payload.clone());
        watched(sink.flush()).await.unwrap();
        let usage = arena().usage();
        assert_eq!((usage.payloads, usage.relayed), (1, usize::from(is_passed)));
        let mut bytes = [0; 100];
        let found = received(&hostile, &mut bytes).map(|count| bytes[..count].to_vec());
        assert_eq!(found, is_passed.then(|| message(1, PAGES)));
        drop((hostile, sink));
        until(|| arena().usage().payloads == 0).await;
    }
}

/// Nothing waits for it: when the socket is full, payloads are copied.
#[tokio::test]
async fn an_end_that_never_reads_its_socket_is_copied_to() {
    let _alone = ALONE.lock().await;
    let (hostile, mut sink, _stream) = reading(1).await;
    let mut passed = 0;
    watched(async {
        loop {
            let mut owner = Owner::new().await;
            let payload = owner.lend(0).await;
            sink.queue_framed(framed(&[], b"", payload.len()), payload);
            if arena().usage().relayed == 0 {
                break;
            }
            passed += 1;
            drop(owner);
            // The first slot is used again and again.
            hostile.write(1024 + 128, &1_u64.to_ne_bytes());
            sink.flush().await.unwrap();
        }
    })
    .await;
    assert!(passed > 0);
    assert_eq!(arena().usage().payloads, 1);
    drop((hostile, sink));
    until(|| arena().usage().payloads == 0).await;
}

/// A link to a hostile end that may pass regions.
pub(crate) async fn passing() -> (Hostile, Box<dyn FrameSink>, Box<dyn FrameStream>) {
    let lends = memory(BYTES, SealFlags::SHRINK);
    let descriptors = [lends.as_fd(), lends.as_fd()];
    let (hostile, taken) = Hostile::offer_also(&offer(READS | PAGES), &descriptors).await;
    let (sink, stream) = Box::new(taken.unwrap()).split(1 << 20);
    (hostile, sink, stream)
}

/// Writes a frame that lends out of a region.
pub(crate) fn needs(hostile: &Hostile, region: u32) {
    let frame = marked(0, region, 0, 1);
    hostile.write(MAKER_BYTES, &frame);
    hostile.publish(frame.len() as u64);
}

#[tokio::test]
async fn a_message_on_a_region_that_cannot_be_ends_the_link() {
    let _alone = ALONE.lock().await;
    let (sound, unsealed) = (memory(BYTES, SealFlags::SHRINK), memory(BYTES, SealFlags::GROW));
    let file = std::fs::File::open("/dev/null").unwrap();
    let (sound, unsealed, file) = (sound.as_fd(), unsealed.as_fd(), file.as_fd());
    let good = message(1, PAGES);
    let cases: [(Vec<u8>, Vec<BorrowedFd<'_>>, &str); 15] = [
        (vec![b'x'; 16], vec![], "wrote to the socket"),
        (vec![b'x'; 16], vec![sound; 2], "wrote to the socket"),
        (vec![b'x'], vec![], "cut short"),
        (good[..15].to_vec(), vec![sound; 2], "cut short"),
        (good.clone(), vec![], "0 descriptors"),
        (good.clone(), vec![sound], "1 descriptors"),
        (good.clone(), vec![sound; 3], "3 descriptors"),
        (message(1, 0), vec![sound; 2], "2 descriptors with the end"),
        (good.clone(), vec![unsealed; 2], "shorter"),
        (good.clone(), vec![file; 2], "something else than memory"),
        (message(1, PAGES + 1), vec![sound; 2], "bytes"),
        (message(1, u32::MAX), vec![sound; 2], "too many"),
        (message(0, PAGES), vec![sound; 2], "region 0 after region 0"),
        (message(2, PAGES), vec![sound; 2], "region 2 after region 0"),
        (message(1, 0), vec![], "which there is not"),
    ];
    for (bytes, descriptors, why) in cases {
        // The reader is woken by it, or looks for it since a frame needs it.
        for is_due in [false, true] {
            let (hostile, _sink, mut stream) = passing().await;
            send(&hostile.socket, &bytes, &descriptors);
            if is_due {
                needs(&hostile, 1);
            }
            broken(&mut stream, why).await;
        }
    }
}

/// Passes a region, and what a frame of it needs.
fn pass(hostile: &Hostile, number: u32) {
    let region = memory(BYTES, SealFlags::SHRINK);
    send(&hostile.socket, &message(number, PAGES), &[region.as_fd(); 2]);
}

#[tokio::test]
async fn a_region_that_was_not_passed_ends_the_link() {
    let _alone = ALONE.lock().await;
    let cases: [(&[u32], Vec<u8>, &str); 6] = [
        (&[], marked(0, 1, 0, 1), "has not passed"),
        (&[], marked(0, u32::MAX, 0, 1), "has not passed"),
        (&[1], marked(0, 2, 0, 1), "has not passed"),
        (&[1], marked(0, 1, BYTES, 1), "arena has not"),
        (&[1], marked(0, 1, u64::MAX, 1), "arena has not"),
        (&[1], marked(1024, 1, 0, 1), "lent before"),
    ];
    for (regions, frame, why) in cases {
        let (hostile, _sink, mut stream) = passing().await;
        regions.iter().for_each(|number| pass(&hostile, *number));
        hostile.write(MAKER_BYTES, &frame);
        hostile.publish(frame.len() as u64);
        broken(&mut stream, why).await;
    }
}

#[tokio::test]
async fn more_regions_than_a_link_takes_end_it() {
    let _alone = ALONE.lock().await;
    let (hostile, _sink, mut stream) = passing().await;
    (1..=MOST + 1).for_each(|number| pass(&hostile, number));
    broken(&mut stream, "more than 4 regions").await;
}

/// Writes a frame behind those before it.
fn write(hostile: &Hostile, sent: &mut u64, frame: &[u8]) {
    hostile.write(MAKER_BYTES + *sent, frame);
    *sent += frame.len() as u64;
    hostile.publish(*sent);
}

#[tokio::test]
async fn a_region_ends_when_it_was_used_and_nothing_of_it_is_held() {
    let _alone = ALONE.lock().await;
    let (hostile, _sink, mut stream) = passing().await;
    pass(&hostile, 1);
    send(&hostile.socket, &message(1, 0), &[]);
    broken(&mut stream, "which it has not used").await;

    let (hostile, _sink, mut stream) = passing().await;
    let mut sent = 0;
    // One after the other there may be as many as there are numbers.
    for number in 1..=2 * MOST {
        pass(&hostile, number);
        write(&hostile, &mut sent, &marked(5, number, 0, 1));
        let payload = watched(stream.frame()).await.unwrap();
        assert!(matches!(payload, Some(TransportMessage::Lent { .. })));
        drop(payload);
        send(&hostile.socket, &message(number, 0), &[]);
    }
    pass(&hostile, 2 * MOST + 1);
    write(&hostile, &mut sent, &marked(5, 2 * MOST + 1, 0, 1));
    let held = watched(stream.frame()).await.unwrap();
    // Those before are over, and their numbers are not used again.
    write(&hostile, &mut sent, &marked(6, 2 * MOST, 0, 1));
    broken(&mut stream, "has not passed").await;
    drop(held);

    let (hostile, _sink, mut stream) = passing().await;
    pass(&hostile, 1);
    write(&hostile, &mut 0, &marked(5, 1, 0, 1));
    let held = watched(stream.frame()).await.unwrap();
    send(&hostile.socket, &message(1, 0), &[]);
    broken(&mut stream, "of which payloads are lent").await;
    drop(held);
}

/// What came before the end of a link is read, with its regions.
#[tokio::test]
async fn a_region_is_there_when_its_sender_is_gone() {
    let _alone = ALONE.lock().await;
    let mut owner = Owner::new().await;
    owner.write(8);
    let payload = owner.lend(0).await;
    let (mut here, mut there) = halves(ShmOptions::default()).await;
    put(&mut here, b"", &payload);
    flush(&mut here).await;
    drop(here);
    assert_eq!(lent(&mut there).await.1, vec![8; THRESHOLD]);
    assert!(watched(there.stream.frame()).await.unwrap().is_none());
}
