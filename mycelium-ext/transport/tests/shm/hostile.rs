//! A peer that breaks the rules, by descriptors and bytes alone.

mod blocking;

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;

use mycelium_transport::shm::{ShmOptions, ShmTransport};
use mycelium_transport::{FrameSink, FrameStream, Transport, TransportMessage};
use rustix::event::EventfdFlags;
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use tokio::net::UnixStream;

use crate::ends::watched;

const VERSION: u32 = 3;
const CAPACITY: u64 = 64 * 1024;
/// Where the maker's and the taker's rings have their positions, and the maker's ring its bytes.
const MAKER_TAIL: u64 = 128;
const TAKER_HEAD: u64 = 512;
pub(crate) const MAKER_BYTES: u64 = 4096;
/// Where the one who takes the link looks whether the maker's reader sleeps.
const MAKER_READER_WAITS: u64 = 768;

/// What a well-behaved peer would offer.
pub(crate) struct Offer {
    pub(crate) bytes: [u8; 24],
    length: u64,
    seals: SealFlags,
}

impl Default for Offer {
    fn default() -> Self {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(b"mycelium");
        bytes[8..12].copy_from_slice(&VERSION.to_be_bytes());
        bytes[16..].copy_from_slice(&CAPACITY.to_be_bytes());
        let length = 4096 + 2 * CAPACITY;
        let seals = SealFlags::SHRINK | SealFlags::GROW;
        Self { bytes, length, seals }
    }
}

/// The hostile end of a link.
pub(crate) struct Hostile {
    pub(crate) socket: StdStream,
    memory: OwnedFd,
    own_bell: OwnedFd,
    peer_bell: OwnedFd,
}

impl Hostile {
    /// Offers it, and returns what the other made of it.
    async fn offer(offer: &Offer) -> (Self, io::Result<ShmTransport>) {
        Self::offer_with(offer, [bell(), bell()]).await
    }

    async fn offer_with(
        offer: &Offer,
        [own_bell, peer_bell]: [OwnedFd; 2],
    ) -> (Self, io::Result<ShmTransport>) {
        let (here, there) = UnixStream::pair().unwrap();
        let here = here.into_std().unwrap();
        let memory = memory(offer.length, offer.seals);
        send(&here, &offer.bytes, &[memory.as_fd(), own_bell.as_fd(), peer_bell.as_fd()]);
        let taken = watched(ShmTransport::take(there, ShmOptions::default())).await;
        (Self { socket: here, memory, own_bell, peer_bell }, taken)
    }

    /// Offers it, and passes these descriptors as well.
    pub(crate) async fn offer_also(
        offer: &Offer,
        also: &[BorrowedFd<'_>],
    ) -> (Self, io::Result<ShmTransport>) {
        let (here, there) = UnixStream::pair().unwrap();
        let hostile = Self::offering(here.into_std().unwrap(), offer, also);
        let taken = watched(ShmTransport::take(there, ShmOptions::default())).await;
        (hostile, taken)
    }

    /// Offers it over a socket, with these descriptors as well.
    pub(crate) fn offering(socket: StdStream, offer: &Offer, also: &[BorrowedFd<'_>]) -> Self {
        let memory = memory(offer.length, offer.seals);
        let [own_bell, peer_bell] = [bell(), bell()];
        let mut descriptors = vec![memory.as_fd(), own_bell.as_fd(), peer_bell.as_fd()];
        descriptors.extend_from_slice(also);
        send(&socket, &offer.bytes, &descriptors);
        Self { socket, memory, own_bell, peer_bell }
    }

    /// A link that was taken, and its good end.
    pub(crate) async fn link(max_frame: u64) -> (Self, Box<dyn FrameSink>, Box<dyn FrameStream>) {
        let (hostile, taken) = Self::offer(&Offer::default()).await;
        let (sink, stream) = Box::new(taken.unwrap()).split(max_frame);
        (hostile, sink, stream)
    }

    /// The same with bells that can be rung `rings` times, once of which the other does when it
    /// takes them.
    async fn link_with_bells(
        max_frame: u64,
        rings: u32,
    ) -> (Self, Box<dyn FrameSink>, Box<dyn FrameStream>) {
        let bell = || rustix::event::eventfd(rings, EventfdFlags::SEMAPHORE).unwrap();
        let (hostile, taken) = Self::offer_with(&Offer::default(), [bell(), bell()]).await;
        let (sink, stream) = Box::new(taken.unwrap()).split(max_frame);
        (hostile, sink, stream)
    }

    pub(crate) fn write(&self, at: u64, bytes: &[u8]) {
        assert_eq!(rustix::io::pwrite(&self.memory, bytes, at), Ok(bytes.len()));
    }

    /// The word at a place of the memory.
    pub(crate) fn word(&self, at: u64) -> u64 {
        let mut word = [0; 8];
        assert_eq!(rustix::io::pread(&self.memory, &mut word, at), Ok(8));
        u64::from_ne_bytes(word)
    }

    fn ring(&self) {
        rustix::io::read(&self.peer_bell, &mut [0; 8][..]).unwrap();
    }

    /// Publishes what was written up to `tail`.
    pub(crate) fn publish(&self, tail: u64) {
        self.write(MAKER_TAIL, &tail.to_ne_bytes());
        self.ring();
    }
}

pub(crate) fn memory(length: u64, seals: SealFlags) -> OwnedFd {
    let memory = rustix::fs::memfd_create(c"hostile", MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::fs::ftruncate(&memory, length).unwrap();
    rustix::fs::fcntl_add_seals(&memory, seals).unwrap();
    memory
}

fn bell() -> OwnedFd {
    let bell = rustix::event::eventfd(0, EventfdFlags::SEMAPHORE | EventfdFlags::NONBLOCK).unwrap();
    rustix::io::write(&bell, &(1_u64 << 63).to_ne_bytes()).unwrap();
    bell
}

pub(crate) fn send(socket: &StdStream, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
    let parts = [IoSlice::new(bytes)];
    let sent = rustix::net::sendmsg(socket, &parts, &mut control, SendFlags::NOSIGNAL).unwrap();
    assert_eq!(sent, bytes.len());
}

pub(crate) async fn refused(offer: Offer, why: &str) {
    let error = Hostile::offer(&offer).await.1.expect_err("it is no sound offer");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    assert!(error.to_string().contains(why), "{error}");
}

fn bytes_with(at: usize, part: &[u8]) -> [u8; 24] {
    let mut bytes = Offer::default().bytes;
    bytes[at..at + part.len()].copy_from_slice(part);
    bytes
}

#[tokio::test]
async fn memory_that_could_get_shorter_is_refused() {
    refused(Offer { seals: SealFlags::GROW, ..Offer::default() }, "shorter").await;
}

#[tokio::test]
async fn memory_of_another_size_is_refused() {
    for length in [0, 4096 + 2 * CAPACITY - 1, 4096 + 2 * CAPACITY + 4096] {
        refused(Offer { length, ..Offer::default() }, "bytes of memory").await;
    }
}

#[tokio::test]
async fn rings_of_a_size_that_cannot_be_are_refused() {
    for capacity in [0, 2048, 3 * 4096, 1 << 31, 1 << 63, u64::MAX] {
        let bytes = bytes_with(16, &capacity.to_be_bytes());
        refused(Offer { bytes, ..Offer::default() }, "power of two").await;
    }
}

#[tokio::test]
async fn another_protocol_is_refused() {
    for bytes in [bytes_with(0, b"M"), bytes_with(8, &1_u32.to_be_bytes())] {
        refused(Offer { bytes, ..Offer::default() }, "version").await;
    }
}

#[tokio::test]
async fn a_bell_that_cannot_be_rung_is_refused() {
    let sound = Offer::default();
    let memory = memory(sound.length, sound.seals);
    // That of the first version: it was rung by a write.
    let old = rustix::event::eventfd(0, EventfdFlags::NONBLOCK).unwrap();
    let (here, there) = UnixStream::pair().unwrap();
    let descriptors = [memory.as_fd(), old.as_fd(), old.as_fd()];
    send(&here.into_std().unwrap(), &sound.bytes, &descriptors);
    let error = watched(ShmTransport::take(there, ShmOptions::default())).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    assert!(error.to_string().contains("cannot be rung"), "{error}");
}

#[tokio::test]
async fn what_is_no_offer_is_refused() {
    let bytes = Offer::default().bytes;
    let sound = Offer::default();
    let memory = memory(sound.length, sound.seals);
    let bell = bell();
    let file = std::fs::File::open("/dev/null").unwrap();
    let (memory, bell, file) = (memory.as_fd(), bell.as_fd(), file.as_fd());
    let cases: [(&[u8], &[BorrowedFd<'_>]); 6] = [
        (&bytes[..23], &[memory, bell, bell]),
        (&bytes, &[memory, bell]),
        (&bytes, &[memory, bell, bell, bell, bell, bell]),
        (&bytes, &[file, bell, bell]),
        (&bytes, &[memory, file, bell]),
        (&bytes, &[memory, bell, memory]),
    ];
    for (bytes, descriptors) in cases {
        let (here, there) = UnixStream::pair().unwrap();
        send(&here.into_std().unwrap(), bytes, descriptors);
        let taken = watched(ShmTransport::take(there, ShmOptions::default())).await;
        assert_eq!(taken.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_refused() {
    let (here, there) = UnixStream::pair().unwrap();
    there.try_write(b"no").unwrap();
    let offered = watched(ShmTransport::offer(here, ShmOptions::default())).await;
    assert_eq!(offered.unwrap_err().kind(), io::ErrorKind::InvalidData);
    let (here, there) = UnixStream::pair().unwrap();
    drop(there);
    assert!(watched(ShmTransport::offer(here, ShmOptions::default())).await.is_err());
}

#[tokio::test]
async fn a_tail_that_cannot_be_ends_the_link_awake_and_asleep() {
    for tail in [CAPACITY + 1, u64::MAX, 1 << 63] {
        let (hostile, _sink, mut stream) = Hostile::link(1000).await;
        hostile.publish(tail);
        let error = watched(stream.frame()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");

        let (hostile, _sink, mut stream) = Hostile::link(1000).await;
        assert!(crate::ends::once(stream.frame()).await.is_none());
        hostile.publish(tail);
        for _ in 0..2 {
            let error = watched(stream.frame()).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
    }
}

#[tokio::test]
async fn a_head_that_cannot_be_ends_the_link() {
    for head in [CAPACITY + 1, 2 * CAPACITY, u64::MAX] {
        let (hostile, mut sink, _stream) = Hostile::link(1000).await;
        // More than fits, so that it looks for room.
        let frame = vec![1; CAPACITY as usize];
        hostile.write(TAKER_HEAD, &head.to_ne_bytes());
        sink.queue(TransportMessage::Bytes(frame.into())).unwrap();
        let error = watched(sink.flush()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    }
}

#[tokio::test]
async fn a_frame_over_the_limit_is_refused_before_it_is_there() {
    let (hostile, _sink, mut stream) = Hostile::link(1000).await;
    hostile.write(MAKER_BYTES, &1001_u64.to_be_bytes());
    hostile.publish(8);
    let error = watched(stream.frame()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
}

#[tokio::test]
async fn what_is_changed_after_it_was_read_changes_nothing() {
    let (hostile, _sink, mut stream) = Hostile::link(1000).await;
    hostile.write(MAKER_BYTES, &4_u64.to_be_bytes());
    hostile.write(MAKER_BYTES + 8, b"good");
    hostile.publish(12);
    let Some(TransportMessage::Bytes(frame)) = watched(stream.frame()).await.unwrap() else {
        panic!("there is a frame");
    };
    hostile.write(MAKER_BYTES + 8, b"evil");
    assert_eq!(frame, "good");
}

#[tokio::test]
async fn bytes_on_the_socket_end_the_link() {
    let (hostile, _sink, mut stream) = Hostile::link(1000).await;
    // The answer to the offer is there unread, and does not matter.
    rustix::io::write(&hostile.socket, b"x").unwrap();
    let error = watched(stream.frame()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
}
