//! When an end lends to a peer that begins to read with some delay, or never.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;

use mycelium_transport::arena::THRESHOLD;
use mycelium_transport::shm::{ShmOptions, ShmTransport};
use mycelium_transport::{FrameSink, Transport};
use rustix::fs::SealFlags;
use rustix::net::RecvFlags;
use tokio::net::UnixStream;

use crate::arena::{ALONE, READS, arena, framed, offer, until};
use crate::ends::watched;
use crate::hostile::{Hostile, memory, send};

const PAGES: u32 = 16;
/// Where the maker says what it can do, and the bit that says that it reads nothing as yet.
const ABILITIES: u64 = 1024 + 2 * 128;
const READS_LATER: u64 = 2;
/// The bytes of a taker's answer.
const ANSWER: usize = 5;
/// A page of words, and two rings of 64 KiB.
const CAPACITY: usize = 64 * 1024;

fn arena_of_peer(pages: u32) -> OwnedFd {
    memory(u64::from(pages) * 4096, SealFlags::SHRINK)
}

/// Sends a payload, and returns whether it was lent.
async fn is_lent(sink: &mut Box<dyn FrameSink>) -> bool {
    let payload = arena().copy(&[7; THRESHOLD]).unwrap();
    let before = arena().usage().payloads;
    sink.queue_framed(framed(&[], b"", payload.len()), payload);
    watched(sink.flush()).await.unwrap();
    arena().usage().payloads > before
}

/// It may have no room to map what it was passed, and learns that after its offer.
#[tokio::test]
async fn a_maker_is_lent_to_when_it_says_that_it_reads() {
    let _alone = ALONE.lock().await;
    let (here, there) = UnixStream::pair().unwrap();
    let lends = arena_of_peer(PAGES);
    let descriptors = [lends.as_fd(), lends.as_fd()];
    let hostile = Hostile::offering(here.into_std().unwrap(), &offer(READS | PAGES), &descriptors);
    hostile.write(ABILITIES, &READS_LATER.to_ne_bytes());
    let taken = watched(ShmTransport::take(there, ShmOptions::default())).await.unwrap();
    let (mut sink, _stream) = Box::new(taken).split(1 << 20);
    let links = arena().usage().links;
    assert!(!is_lent(&mut sink).await);
    assert_eq!(arena().usage().links, links, "it lends nothing");

    // It counts from then on, and not from the first payload on: what goes to several processes is
    // copied once for all where several links lend.
    hostile.write(ABILITIES, &0_u64.to_ne_bytes());
    assert_eq!(arena().usage().links, links + 1);
    assert!(is_lent(&mut sink).await);
    assert_eq!(arena().usage().links, links + 1);
    // What it says later changes nothing for those that were lent.
    hostile.write(ABILITIES, &READS_LATER.to_ne_bytes());
    assert!(is_lent(&mut sink).await);
    drop((hostile, sink));
    until(|| arena().usage().payloads == 0).await;
    assert_eq!(arena().usage().links, links);
}

/// What a maker offers, with the memory of the link.
fn received_offer(socket: &StdStream) -> OwnedFd {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = rustix::net::RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 24];
    let mut parts = [std::io::IoSliceMut::new(&mut bytes)];
    rustix::net::recvmsg(socket, &mut parts, &mut control, RecvFlags::empty()).unwrap();
    let mut found = control.drain().filter_map(|it| match it {
        rustix::net::RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    found.next().unwrap().next().unwrap()
}

#[tokio::test]
async fn a_maker_says_that_it_reads_when_it_has_mapped_an_arena() {
    let _alone = ALONE.lock().await;
    for pages in [PAGES, 0] {
        let (here, there) = UnixStream::pair().unwrap();
        let there = there.into_std().unwrap();
        let options = ShmOptions::default().with_ring(CAPACITY);
        let offering = tokio::spawn(ShmTransport::offer(here, options));
        there.set_nonblocking(false).unwrap();
        let reading = there.try_clone().unwrap();
        let memory =
            watched(tokio::task::spawn_blocking(move || received_offer(&reading))).await.unwrap();
        let word = || {
            let mut word = [0; 8];
            assert_eq!(rustix::io::pread(&memory, &mut word, ABILITIES), Ok(8));
            u64::from_ne_bytes(word)
        };
        assert_eq!(word() & READS_LATER, READS_LATER, "it has mapped nothing as yet");
        let answer = [&[1][..], &(READS | pages).to_be_bytes()].concat();
        assert_eq!(answer.len(), ANSWER);
        let lends = arena_of_peer(PAGES);
        let descriptors = [lends.as_fd(); 2];
        send(&there, &answer, if pages > 0 { &descriptors } else { &[] });
        let offered = watched(offering).await.unwrap().unwrap();
        assert_eq!(word() & READS_LATER == 0, pages > 0);
        drop(offered);
    }
}
