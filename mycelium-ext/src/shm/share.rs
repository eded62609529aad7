//! How two processes come to share a link: one makes it, and passes it to the other over their Unix socket.
//!
//! 1. The maker sends an offer (24 bytes: a word to know it by, a version, and how large the rings are), with three
//!    descriptors: the memory, the maker's bell and the taker's.
//! 2. The taker looks at them, maps the memory, and answers with one byte.
//!
//! The descriptor of the memory is closed at both ends then. What is left has no name: whoever ends, and however, the kernel
//! gives everything back.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::EventfdFlags;
use rustix::fs::{MemfdFlags, OFlags, SealFlags};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::memory::Memory;
use super::ring::{LARGEST, SMALLEST, is_capacity, size};

/// By what an offer is known.
const WORD: [u8; 8] = *b"mycelium";
/// Of the memory's layout and of how it is used.
pub(super) const VERSION: u32 = 1;
/// The bytes of an offer.
const OFFER: usize = 24;
/// The descriptors that come with it.
const DESCRIPTORS: usize = 3;
/// The answer to an offer.
const TAKEN: u8 = 1;
/// Nothing about the memory may change any more but its bytes: a peer that could make it shorter could have this
/// process killed.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);
/// The file system of memory without huge pages, of which there might not be enough.
const TMPFS: u64 = 0x0102_1994;

/// What a link is made of.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) capacity: usize,
    pub(super) memory: Memory,
    pub(super) own_bell: OwnedFd,
    pub(super) peer_bell: OwnedFd,
}

/// Makes a link with rings of `capacity` bytes, and waits until the peer has taken it.
pub(super) async fn offer(socket: &UnixStream, capacity: usize) -> io::Result<Shared> {
    let file = make(size(capacity))?;
    let memory = Memory::map(file.as_fd(), size(capacity))?;
    let [own_bell, peer_bell] = [bell()?, bell()?];

    let mut offer = [0; OFFER];
    offer[..8].copy_from_slice(&WORD);
    offer[8..12].copy_from_slice(&VERSION.to_be_bytes());
    offer[16..].copy_from_slice(&(capacity as u64).to_be_bytes());
    let descriptors = [file.as_fd(), own_bell.as_fd(), peer_bell.as_fd()];
    socket.async_io(Interest::WRITABLE, || send(socket, &offer, &descriptors)).await?;

    let mut answer = [0; 1];
    let count = socket.async_io(Interest::READABLE, || socket.try_read(&mut answer)).await?;
    match (count, answer) {
        (1, [TAKEN]) => Ok(Shared { capacity, memory, own_bell, peer_bell }),
        (0, _) => Err(refused("the peer did not take the shared memory")),
        _ => Err(refused("the peer answered an offer of shared memory with something else")),
    }
}

/// Takes what the peer offers.
pub(super) async fn take(socket: &UnixStream) -> io::Result<Shared> {
    let mut offer = [0; OFFER];
    let found = socket.async_io(Interest::READABLE, || receive(socket, &mut offer)).await?;
    let [file, peer_bell, own_bell] = found;
    let (word, rest) = offer.split_at(8);
    let version = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]);
    if word != WORD || version != VERSION {
        return Err(refused("the peer offers no shared memory of a version that is known here"));
    }
    let capacity = usize::from_be_bytes(offer[16..].try_into().expect("it is a word"));
    if !is_capacity(capacity) {
        return Err(refused(format!(
            "the peer offers rings of {capacity} bytes: not a power of two from {SMALLEST} to {LARGEST}"
        )));
    }
    is_sound(file.as_fd(), size(capacity))?;
    is_bell(own_bell.as_fd())?;
    is_bell(peer_bell.as_fd())?;
    let memory = Memory::map(file.as_fd(), size(capacity))?;
    socket.async_io(Interest::WRITABLE, || socket.try_write(&[TAKEN])).await?;
    Ok(Shared { capacity, memory, own_bell, peer_bell })
}

/// Memory without a name, that cannot change its size.
pub(super) fn make(size: usize) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let made = match rustix::fs::memfd_create(c"mycelium", flags | MemfdFlags::NOEXEC_SEAL) {
        // A kernel before 6.3 does not know the last one.
        Err(rustix::io::Errno::INVAL) => rustix::fs::memfd_create(c"mycelium", flags),
        made => made,
    };
    let file = made?;
    rustix::fs::ftruncate(&file, size as u64)?;
    rustix::fs::fcntl_add_seals(&file, SEALS)?;
    Ok(file)
}

fn bell() -> io::Result<OwnedFd> {
    Ok(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

/// Whether a file can be mapped up to `size` without harm, now and later.
fn is_sound(file: BorrowedFd<'_>, size: usize) -> io::Result<()> {
    let seals = rustix::fs::fcntl_get_seals(file)
        .map_err(|error| refused(format!("the peer offers something else than memory: {error}")))?;
    if !seals.contains(SealFlags::SHRINK) {
        return Err(refused("the peer offers memory that it can make shorter"));
    }
    let length = rustix::fs::fstat(file)?.st_size;
    if u64::try_from(length) != Ok(size as u64) {
        return Err(refused(format!("the peer offers {length} bytes of memory, and not {size}")));
    }
    if rustix::fs::fstatfs(file)?.f_type as u64 != TMPFS {
        return Err(refused("the peer offers memory of huge pages"));
    }
    Ok(())
}

/// Whether a descriptor is an eventfd that does not block: this process will write to it.
fn is_bell(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    let path = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
    let found = std::fs::read_link(path)?;
    let blocks = !rustix::fs::fcntl_getfl(descriptor)?.contains(OFlags::NONBLOCK);
    if found.as_os_str() != "anon_inode:[eventfd]" || blocks {
        return Err(refused(format!(
            "the peer offers {} as a way to wake it, and not an eventfd that does not block",
            found.display()
        )));
    }
    Ok(())
}

fn send(socket: &UnixStream, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(refused("there is no room for the descriptors"));
    }
    let parts = [IoSlice::new(bytes)];
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    let count =
        rustix::io::retry_on_intr(|| rustix::net::sendmsg(socket, &parts, &mut control, flags))?;
    if count == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

fn receive(socket: &UnixStream, bytes: &mut [u8]) -> io::Result<[OwnedFd; DESCRIPTORS]> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let length = bytes.len();
    let mut parts = [IoSliceMut::new(bytes)];
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket, &mut parts, &mut control, flags)
    })?;
    if received.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut found = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            found.extend(descriptors);
        }
    }
    if received.bytes != length || received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(refused("the peer's offer of shared memory is cut short"));
    }
    found.try_into().map_err(|found: Vec<OwnedFd>| {
        refused(format!("the peer offers {} descriptors, and not {DESCRIPTORS}", found.len()))
    })
}

fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}
